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
    /// The log's epoch that it begins if it is taken where it is offered now, with its bytes there.
    pub(super) fn place(&self) -> Option<(u64, CommitBlob)> {
        place_of(&self.message)
    }

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
