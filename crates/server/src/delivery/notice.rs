//! What a meeting tells a connection, besides the log.

use bytes::Bytes;
use conclave_wire::ErrorCode;
use tokio::sync::mpsc;

/// Names a connection within the process, so that a late goodbye of an old connection does not
/// take a new one's place away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineId(pub u64);

/// Something for a connection to send or to do.
#[derive(Debug)]
pub enum Notice {
    /// Send this.
    Frame(Bytes),
    /// A knock was answered: send this, and read the log from `cursor` on.
    Welcome {
        /// The encoded message.
        frame: Bytes,
        /// The first entry that the newcomer reads.
        cursor: u64,
    },
    /// A knock was turned down: send this, and be a stranger again.
    Refused {
        /// The encoded message.
        frame: Bytes,
    },
    /// A commit removed the device: read the log up to and with that commit, say so, close.
    Removed {
        /// Position of the commit.
        through: u64,
    },
    /// The device has a newer connection.
    Replaced,
    /// The meeting has ended.
    Ended(ErrorCode),
}

/// The meeting's end of a connection. Dropping it closes the connection.
#[derive(Debug)]
pub struct Line {
    id: LineId,
    outbox: mpsc::Sender<Notice>,
}

impl Line {
    /// A line and the connection's end of it, for up to `outbox` waiting notices.
    pub fn new(id: LineId, outbox: usize) -> (Self, mpsc::Receiver<Notice>) {
        let (outbox, notices) = mpsc::channel(outbox);
        (Self { id, outbox }, notices)
    }

    /// Which connection this is.
    pub fn id(&self) -> LineId {
        self.id
    }

    /// Hands a notice over; false when the connection is gone or too far behind.
    pub fn say(&self, notice: Notice) -> bool {
        self.outbox.try_send(notice).is_ok()
    }
}
