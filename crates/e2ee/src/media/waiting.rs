//! Frames that came before the keys of their epoch.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{FrameMeta, OpenError};

/// How long a frame waits for its epoch.
pub const MAX_WAIT: Duration = Duration::from_secs(2);
/// Frames that wait at most, for each track of each member.
pub const MAX_WAITING_FRAMES: usize = 128;
/// Bytes that wait at most, for each track of each member.
pub const MAX_WAITING_BYTES: usize = 1024 * 1024;

/// A frame that waited, and what became of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Released {
    /// Its group, as it was given.
    pub group: u64,
    /// Its position in the group, as it was given.
    pub frame: u64,
    /// Its plaintext, or why there is none.
    pub outcome: Result<Vec<u8>, OpenError>,
}

/// A sealed frame with the position it must open at.
pub(super) struct Waiting {
    deadline: Instant,
    track: String,
    group: u64,
    frame: u64,
    pub(super) epoch_low: u8,
    pub(super) sealed: Vec<u8>,
}

impl Waiting {
    pub(super) fn meta(&self) -> FrameMeta<'_> {
        FrameMeta {
            track: &self.track,
            group: self.group,
            frame: self.frame,
        }
    }
}

/// The frames that wait, oldest first, within all three bounds.
#[derive(Default)]
pub(super) struct WaitingRoom {
    frames: VecDeque<Waiting>,
    bytes: usize,
}

impl WaitingRoom {
    /// Lets a frame wait. The oldest give way when it is full: live media is
    /// worth more the newer it is.
    pub(super) fn push(
        &mut self,
        now: Instant,
        meta: &FrameMeta<'_>,
        epoch_low: u8,
        sealed: &[u8],
    ) -> Result<(), OpenError> {
        if sealed.len() > MAX_WAITING_BYTES {
            return Err(OpenError::TooLong);
        }
        self.drop_overdue(now);
        while self.frames.len() >= MAX_WAITING_FRAMES
            || self.bytes + sealed.len() > MAX_WAITING_BYTES
        {
            self.drop_oldest();
        }
        self.bytes += sealed.len();
        self.frames.push_back(Waiting {
            deadline: now + MAX_WAIT,
            track: meta.track.to_owned(),
            group: meta.group,
            frame: meta.frame,
            epoch_low,
            sealed: sealed.to_vec(),
        });
        Ok(())
    }

    /// Takes out, in order, the frames for which `ready` says so.
    pub(super) fn take(&mut self, now: Instant, ready: impl Fn(u8) -> bool) -> Vec<Waiting> {
        self.drop_overdue(now);
        let all = std::mem::take(&mut self.frames);
        let (out, stay): (VecDeque<_>, VecDeque<_>) =
            all.into_iter().partition(|frame| ready(frame.epoch_low));
        self.frames = stay;
        self.bytes = self.frames.iter().map(|frame| frame.sealed.len()).sum();
        out.into()
    }

    fn drop_overdue(&mut self, now: Instant) {
        while self
            .frames
            .front()
            .is_some_and(|frame| frame.deadline < now)
        {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(frame) = self.frames.pop_front() {
            self.bytes -= frame.sealed.len();
        }
    }
}
