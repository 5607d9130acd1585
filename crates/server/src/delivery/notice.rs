//! What a meeting tells a connection, besides the log.

use bytes::Bytes;
use conclave_wire::ErrorCode;
use tokio::sync::mpsc;

use super::signals::{self, Signal, SignalReceiver, SignalSender};
use crate::limits::Limits;

/// Names a connection within the process, so that a late goodbye of an old connection does not
/// take a new one's place away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineId(pub u64);

/// Something for a connection to send or to do.
#[derive(Debug)]
pub enum Notice {
    /// Send this.
    Frame(Bytes),
    /// Send these, in this order.
    Frames(Vec<Bytes>),
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
    signals: SignalSender,
}

/// The connection's end of its line.
#[derive(Debug)]
pub struct LineEnd {
    /// Which connection this is.
    pub id: LineId,
    /// What the meeting has to say; it ends when the meeting lets the connection go.
    pub notices: mpsc::Receiver<Notice>,
    /// Signals of other members.
    pub signals: SignalReceiver,
}

impl Line {
    /// A line and the connection's end of it.
    pub fn new(id: LineId, limits: &Limits) -> (Self, LineEnd) {
        let (outbox, notices) = mpsc::channel(limits.outbox);
        let (sender, signals) = signals::queue(limits);
        let line = Self {
            id,
            outbox,
            signals: sender,
        };
        let end = LineEnd {
            id,
            notices,
            signals,
        };
        (line, end)
    }

    /// Which connection this is.
    pub fn id(&self) -> LineId {
        self.id
    }

    /// Hands a notice over; false when the connection is gone or too far behind.
    pub fn say(&self, notice: Notice) -> bool {
        self.outbox.try_send(notice).is_ok()
    }

    /// Hands a signal over, or loses it.
    pub fn signal(&self, signal: &Signal) {
        self.signals.send(signal);
    }
}
