//! What becomes of a commit that was offered: it is in the log, and now, not before, it counts; or
//! another was first; or the service did not take it.

use std::time::Instant;

use conclave_e2ee::Leaf;
use conclave_wire::{DeviceId, ErrorCode};

use super::commits::RETRY;
use super::offers::Draft;
use super::pending::Pending;
use super::{Active, Flow};
use crate::context::Context;
use crate::event::LeftReason;
use crate::name::DisplayName;
use crate::snapshot::Change;

impl Active {
    /// The log shows our own commit, of these bytes, and has come to the epoch that it begins.
    pub(super) fn own_commit_won(
        &mut self,
        context: &mut Context,
        now: Instant,
        sealed: &[u8],
    ) -> Flow {
        let Some(pending) = self.commits.pending.take() else {
            return Flow::Stay;
        };
        let Draft {
            admitted,
            removed,
            rules,
            policy,
        } = pending.draft;
        let gone: Vec<_> = removed
            .iter()
            .filter_map(|device| self.people.name(*device).cloned())
            .collect();
        if self.group.merge_pending().is_err() {
            return Flow::Leave(LeftReason::Fault);
        }
        let is_removal = !removed.is_empty();
        let has_path = is_removal || policy.is_some() || admitted.is_empty();
        let joined = self.settle_admissions(now, &admitted);
        for device in &removed {
            self.commits.removals.remove(device);
        }
        let done = rules.min(self.commits.rules.len());
        self.commits.rules.drain(..done);
        self.commits.note_added(admitted.clone());
        let change = match (admitted.is_empty(), is_removal) {
            (false, _) => Change::Joined(joined),
            (true, true) => Change::Gone(gone),
            (true, false) if policy.is_some() => Change::Rules,
            (true, false) => Change::Renewed,
        };
        let step = (self.position.log_epoch.saturating_sub(1), sealed);
        let flow = self.new_epoch(context, now, change, is_removal, Some(step));
        let places = pending.places.iter().map(|(epoch, _)| *epoch);
        self.position.begun_otherwise = places
            .filter(|epoch| *epoch != self.position.begun_at)
            .collect();
        if has_path {
            self.path_renewed(now, self.group.own_leaf());
        }
        if !admitted.is_empty() {
            self.introduce_all(context);
            self.podium.owe();
        }
        let next_link = pending.bundle.next_link;
        match (flow, policy) {
            (Flow::Stay, Some(policy)) => {
                self.rules_changed(context, now, policy, next_link, pending.described)
            }
            (flow, _) => flow,
        }
    }

    /// The service let this device attach by the token of the epoch that its commit on its way
    /// begins: somebody restored the meeting there, so that the commit was in the log before.
    ///
    /// The service could say so falsely, as it could show us an entry that it shows nobody else;
    /// the heartbeats tell either.
    pub(super) fn own_commit_was_taken(
        &mut self,
        context: &mut Context,
        now: Instant,
        begun_at: u64,
    ) -> Flow {
        let places = self.commits.pending.iter().flat_map(|one| &one.places);
        let place = places.clone().find(|(epoch, _)| *epoch == begun_at);
        let Some((epoch, sealed)) = place.cloned() else {
            return Flow::Stay;
        };
        self.position.log_epoch = epoch;
        self.own_commit_won(context, now, sealed.as_slice())
    }

    /// The admitted are members: their cards move from the desk to the people.
    fn settle_admissions(&mut self, now: Instant, admitted: &[DeviceId]) -> Vec<DisplayName> {
        let mut names = Vec::new();
        for device in admitted {
            let Some(admittance) = self.commits.admissions.remove(device) else {
                // The person here thought better of it while the commit was on its way.
                self.commits.want_removal(*device);
                continue;
            };
            if let Some(old) = admittance.replaces {
                self.commits.place_passed_on(old, *device);
            }
            let knocker = admittance.knocker;
            names.push(knocker.card.name.clone());
            self.people
                .introduce(knocker.signed, knocker.card, Default::default());
        }
        self.commits.admit_at = (!self.commits.admissions.is_empty()).then_some(now);
        names
    }

    /// Who renewed his path last begins the round; everybody else has his turn after him.
    pub(super) fn path_renewed(&mut self, now: Instant, by: Leaf) {
        let members = self.group.members();
        let place = |leaf| members.iter().position(|member| member.leaf == leaf);
        let turn = turn(place(self.group.own_leaf()), place(by), members.len());
        self.commits
            .path_renewed(now, u32::try_from(turn).unwrap_or(u32::MAX));
    }

    pub(super) fn conflict(&mut self, now: Instant, epoch: u64) -> Flow {
        // Where it names the epoch that ours is for, it speaks of an older commit that was offered
        // again.
        let is_pending = |pending: &Pending| pending.message.expected_epoch != epoch;
        if !self.commits.pending.as_ref().is_some_and(is_pending) {
            return Flow::Stay;
        }
        if epoch > self.position.log_epoch {
            self.commits.doubt(now);
        } else {
            // Its log held what it does not count. It has the last word, but not again and again.
            self.position.log_epoch = epoch;
            self.commits.note_setback(now);
            if epoch < self.position.begun_at {
                self.pulse.look_again(now);
            }
        }
        Flow::Stay
    }

    /// The service did not take what was offered: try again soon, or let it be if it can never fit.
    pub(super) fn not_taken(&mut self, context: &mut Context, now: Instant, code: ErrorCode) {
        let Some(pending) = &self.commits.pending else {
            return;
        };
        let admitted = pending.draft.admitted.clone();
        if code == ErrorCode::TooLarge && !admitted.is_empty() {
            self.commits.lost(&mut self.group);
            self.commits.retry_at = Some(now + RETRY);
            self.drop_batch(context, &admitted);
        } else {
            self.commits.say_again(now);
        }
    }
}

/// How many of so many members renew their paths before the one at place `own`, when the one at
/// `by` has just done it: who stands behind `by` is first, and `by` last.
fn turn(own: Option<usize>, by: Option<usize>, members: usize) -> usize {
    match (own, by) {
        (Some(own), Some(by)) => (own + 2 * members - by - 1) % members,
        (own, _) => own.unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::turn;

    #[test]
    fn the_round_begins_behind_who_renewed_last() {
        let turns = |by| [0, 1, 2, 3].map(|own| turn(Some(own), by, 4));
        assert_eq!(turns(Some(0)), [3, 0, 1, 2]);
        assert_eq!(turns(Some(2)), [1, 2, 3, 0]);
        assert_eq!(turns(Some(3)), [0, 1, 2, 3]);
        assert_eq!(turns(None), [0, 1, 2, 3], "who renewed it has gone");
        assert_eq!(turn(Some(0), Some(0), 1), 0, "alone");
    }
}
