//! The one commit that is on its way: one commit, whatever place in the log it is offered for.

use std::collections::VecDeque;
use std::time::Instant;

use conclave_e2ee::CommitBundle;
use conclave_wire::{Commit, CommitBlob, Door};

use super::offers::Draft;
use crate::lobby::Described;

/// Places in the log for which it is known by its bytes; older ones are forgotten.
const MAX_PLACES: usize = 16;

/// An own commit that the service has not confirmed.
pub(super) struct Pending {
    /// As it is offered now.
    pub(super) message: Commit,
    /// The log's epochs that it was sealed to begin, each with its bytes there.
    pub(super) places: VecDeque<(u64, CommitBlob)>,
    pub(super) bundle: CommitBundle,
    pub(super) draft: Draft,
    /// What the door is to show from it on.
    pub(super) door: Option<Door>,
    pub(super) described: Option<Described>,
    /// After a new attachment: once the log is read so far without it, it was never taken.
    pub(super) resend_at_seq: Option<u64>,
    /// It may have been too much for the service: offered again then.
    pub(super) resend_at: Option<Instant>,
}

/// The log's epoch that a commit begins where it is sealed for, with its bytes there.
pub(super) fn place_of(message: &Commit) -> Option<(u64, CommitBlob)> {
    let epoch = message.expected_epoch.checked_add(1)?;
    Some((epoch, message.commit.clone()))
}

impl Pending {
    /// Offered in another place of the log from now on.
    pub(super) fn sealed_as(&mut self, message: Commit) {
        self.places.extend(place_of(&message));
        self.message = message;
        if self.places.len() > MAX_PLACES {
            self.places.pop_front();
        }
    }

    /// Whether it is to be offered now, the log being read as far as `next_seq` and its next place
    /// being in `log_epoch`.
    pub(super) fn is_due(&self, now: Instant, next_seq: u64, log_epoch: u64) -> bool {
        let was_never_taken = self.resend_at_seq.is_some_and(|seq| seq <= next_seq);
        let is_elsewhere = self.message.expected_epoch != log_epoch;
        was_never_taken || self.resend_at.map_or(is_elsewhere, |at| at <= now)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use conclave_e2ee::{Group, LinkSecret, Pseudonym};
    use conclave_wire::{Blob, List, Token};

    use super::*;

    /// A commit of these bytes, as it is offered to end the log's `expected_epoch`.
    pub(in super::super) fn message(expected_epoch: u64, bytes: &[u8]) -> Commit {
        Commit {
            expected_epoch,
            commit: Blob::new(bytes.to_vec()).unwrap(),
            member_hash: Token([0; 32]).hash(),
            admission: None,
            removed: List::default(),
            door: None,
        }
    }

    /// A commit on its way, offered to begin the log's epoch 8.
    pub(in super::super) fn pending(draft: Draft) -> Pending {
        let link = LinkSecret::generate().unwrap();
        let mut group = Group::create(Pseudonym([1; 16]), &link, b"").unwrap();
        let message = message(7, &[7; 3]);
        Pending {
            places: VecDeque::from_iter(place_of(&message)),
            message,
            bundle: group.rekey().unwrap(),
            draft,
            door: None,
            described: None,
            resend_at_seq: None,
            resend_at: None,
        }
    }

    #[test]
    fn it_is_known_in_every_place_that_it_was_offered_for_lately() {
        let mut pending = pending(Draft::default());
        pending.sealed_as(message(9, &[9; 3]));
        let (_, bytes) = pending.places.back().unwrap();
        assert_eq!(bytes.as_slice(), &[9; 3]);
        let epochs = |pending: &Pending| pending.places.iter().map(|(epoch, _)| *epoch).collect();
        let known: Vec<_> = epochs(&pending);
        assert_eq!(known, [8, 10]);
        for epoch in 10..25 {
            pending.sealed_as(message(epoch, &[1]));
        }
        let known: Vec<_> = epochs(&pending);
        assert_eq!(known, (10..=25).collect::<Vec<_>>());
    }

    #[test]
    fn it_is_offered_again_where_the_log_has_moved_on_or_never_took_it() {
        let (mut pending, now) = (pending(Draft::default()), Instant::now());
        assert!(!pending.is_due(now, 30, 7), "it is on its way");
        assert!(pending.is_due(now, 30, 8), "its place is taken");

        // The service asked for patience, wherever the log is.
        pending.resend_at = Some(now);
        let before = now - Duration::from_millis(1);
        assert!(!pending.is_due(before, 30, 8));
        assert!(pending.is_due(now, 30, 7));

        // The log was read as far as it reached, without it.
        pending.resend_at_seq = Some(30);
        assert!(!pending.is_due(before, 29, 8));
        assert!(pending.is_due(before, 30, 7));
    }
}
