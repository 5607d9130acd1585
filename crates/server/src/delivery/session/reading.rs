//! Where a member's connection stands in the log.

use bytes::Bytes;
use tokio::sync::watch;

use crate::delivery::service::Room;

/// See the module.
#[derive(Debug)]
pub(super) struct Reading {
    /// The next entry to send.
    cursor: u64,
    position: watch::Receiver<u64>,
    /// The last entry to send before the device is told that it was removed.
    last: Option<u64>,
    /// Frames to send once the cursor has got to a position.
    then: Option<(u64, Vec<Bytes>)>,
}

impl Reading {
    /// Reads from `cursor` on; `then` are frames to send once the cursor is at a position.
    pub(super) fn new(room: &Room, cursor: u64, then: Option<(u64, Vec<Bytes>)>) -> Self {
        Self {
            cursor,
            position: room.position(),
            last: None,
            then,
        }
    }

    /// The next entry to send.
    pub(super) fn cursor(&self) -> u64 {
        self.cursor
    }

    /// So many entries were sent.
    pub(super) fn advance(&mut self, entries: usize) {
        self.cursor += entries as u64;
    }

    /// Nothing after entry `last` is the device's to read.
    pub(super) fn end_at(&mut self, last: u64) {
        self.last = Some(last);
    }

    /// Whether the device was removed.
    pub(super) fn is_ending(&self) -> bool {
        self.last.is_some()
    }

    /// The frames that are due where the cursor is now.
    pub(super) fn take_then(&mut self) -> Option<Vec<Bytes>> {
        self.then
            .take_if(|(at, _)| self.cursor >= *at)
            .map(|(_, frames)| frames)
    }

    /// Whether the log holds something that is still to be sent.
    pub(super) fn is_behind(&mut self) -> bool {
        let position = *self.position.borrow_and_update();
        let goal = self.last.map_or(position, |last| last + 1);
        self.cursor < goal
    }

    /// Waits until the log has moved since [`Reading::is_behind`].
    pub(super) async fn moved(&mut self) {
        if self.position.changed().await.is_err() {
            // The room is gone, and with it the line, which ends the connection.
            std::future::pending().await
        }
    }
}
