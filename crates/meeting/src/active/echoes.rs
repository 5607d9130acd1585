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
    said: Said,
}

/// What a message of ours says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// The group's epoch that it was sealed in: who came later cannot read it.
    pub(super) epoch: u64,
    /// Its content, if that counts from its place in the log on.
    pub(super) plain: Option<Vec<u8>>,
}

impl Echoes {
    pub(super) fn await_echo(&mut self, now: Instant, message: Vec<u8>, said: Said) {
        if self.sent.len() == MAX_ECHOES {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent {
            at: Some(now),
            message,
            said,
        });
    }

    /// What the message says if it is one of ours; it is expected once.
    pub(super) fn take(&mut self, message: &[u8]) -> Option<Said> {
        let place = self.sent.iter().position(|sent| sent.message == message)?;
        self.sent.remove(place).map(|sent| sent.said)
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

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn said(plain: Option<Vec<u8>>) -> Said {
        Said { epoch: 1, plain }
    }

    #[test]
    fn an_echo_is_expected_once_and_says_what_counts_from_its_place_on() {
        let (mut echoes, now) = (Echoes::default(), Instant::now());
        echoes.await_echo(now, vec![1], said(None));
        echoes.await_echo(now, vec![2], said(Some(vec![20])));
        assert_eq!(echoes.take(&[3]), None);
        assert_eq!(echoes.take(&[2]), Some(said(Some(vec![20]))));
        assert_eq!(echoes.take(&[2]), None);
        assert_eq!(echoes.take(&[1]), Some(said(None)));
    }

    #[test]
    fn what_does_not_come_back_is_missing_after_a_while_and_told_once() {
        let (mut echoes, now) = (Echoes::default(), Instant::now());
        assert_eq!(echoes.deadline(), None);
        echoes.await_echo(now, vec![1], said(None));
        echoes.await_echo(now + 500 * MS, vec![2], said(None));
        let at = now + 15_000 * MS;
        assert_eq!(echoes.deadline(), Some(at));
        assert!(!echoes.are_missing(at - MS));
        assert!(echoes.are_missing(at));
        assert!(!echoes.are_missing(at), "told");
        assert_eq!(echoes.deadline(), Some(at + 500 * MS));
    }

    #[test]
    fn what_was_on_a_broken_connection_may_come_or_not() {
        let (mut echoes, now) = (Echoes::default(), Instant::now());
        echoes.await_echo(now, vec![1], said(None));
        echoes.forget_times();
        assert_eq!(echoes.deadline(), None);
        assert!(!echoes.are_missing(now + 60_000 * MS));
        assert!(echoes.take(&[1]).is_some(), "it came after all");
    }

    #[test]
    fn what_is_waited_for_is_bounded() {
        let (mut echoes, now) = (Echoes::default(), Instant::now());
        for number in 0..=MAX_ECHOES {
            echoes.await_echo(now, number.to_be_bytes().to_vec(), said(None));
        }
        assert_eq!(echoes.sent.len(), MAX_ECHOES);
        assert_eq!(echoes.take(&0_usize.to_be_bytes()), None);
        assert!(echoes.take(&MAX_ECHOES.to_be_bytes()).is_some());
    }
}
