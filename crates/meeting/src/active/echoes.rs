//! What this device has sent to all and not yet seen in the log.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Messages whose echo is waited for; an older one makes room.
const MAX_ECHOES: usize = 256;
/// A message that is not in the log after so long is being withheld.
const PATIENCE: Duration = Duration::from_secs(15);

#[derive(Default)]
pub(super) struct Echoes {
    /// With the time, as long as the connection that it was sent on stands.
    sent: VecDeque<Sent>,
}

struct Sent {
    at: Option<Instant>,
    message: Vec<u8>,
    /// What it says, if that counts from its place in the log on.
    plain: Option<Vec<u8>>,
}

impl Echoes {
    pub(super) fn await_echo(&mut self, now: Instant, message: Vec<u8>, plain: Option<Vec<u8>>) {
        if self.sent.len() == MAX_ECHOES {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent {
            at: Some(now),
            message,
            plain,
        });
    }

    /// Whether the message is one of ours, and what it says if that counts now; it is expected once.
    pub(super) fn take(&mut self, message: &[u8]) -> Option<Option<Vec<u8>>> {
        let place = self.sent.iter().position(|sent| sent.message == message)?;
        self.sent.remove(place).map(|sent| sent.plain)
    }

    /// The connection is gone, and what was on it may be lost: nothing can be concluded.
    pub(super) fn forget_times(&mut self) {
        for sent in &mut self.sent {
            sent.at = None;
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let times = self.sent.iter().filter_map(|sent| sent.at);
        times.min().map(|at| at + PATIENCE)
    }

    /// Whether something is missing for too long; told once for all that are.
    pub(super) fn are_missing(&mut self, now: Instant) -> bool {
        let before = self.sent.len();
        self.sent
            .retain(|sent| sent.at.is_none_or(|at| at + PATIENCE > now));
        self.sent.len() < before
    }
}
