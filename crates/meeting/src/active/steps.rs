//! The commits that led here lately: what a service that lost its memory is shown, and brought on
//! with, where others restored the meeting at an earlier epoch.

use std::collections::VecDeque;

use conclave_e2ee::Token32;
use conclave_wire::{Commit, CommitBlob, List};

use super::standing::wire_token;

/// The last epochs that a log which lost them is given again.
const MAX_STEPS: usize = 16;
/// The last epochs that can be proven. Somebody who lags further behind and restores the meeting
/// throws everybody else out of it.
pub(super) const MAX_PROOFS: usize = 32;
/// Refused commits in a row that such a log is given a substitute for.
const MAX_FILLED: u64 = 64;

/// The last steps of the group, oldest first, each beginning where the one before it ended.
#[derive(Default)]
pub(super) struct Steps(VecDeque<Step>);

/// A commit that led here, unless it is too long ago, and the token of the epoch that it ended.
struct Step {
    from_epoch: u64,
    token_epoch: u64,
    token: Token32,
    commit: Option<Commit>,
}

impl Steps {
    /// Remembers the commit that ended the log's `from_epoch`; `token` was valid since `token_epoch`.
    pub(super) fn keep(
        &mut self,
        from_epoch: u64,
        (token_epoch, token): (u64, Token32),
        sealed: &[u8],
        next: &Token32,
    ) {
        let Ok(commit) = CommitBlob::new(sealed.to_vec()) else {
            return self.forget();
        };
        let commit = Commit {
            expected_epoch: from_epoch,
            commit,
            member_hash: wire_token(next).hash(),
            admission: None,
            removed: List::default(),
            door: None,
        };
        self.0.push_back(Step {
            from_epoch,
            token_epoch,
            token,
            commit: Some(commit),
        });
        if self.0.len() > MAX_PROOFS {
            self.0.pop_front();
        }
        if let Some(old) = self.0.iter_mut().rev().nth(MAX_STEPS) {
            old.commit = None;
        }
    }

    /// The group is another one: what led to the old one leads nowhere.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    /// Log epochs and tokens of the group's epochs before the present one, the last first.
    pub(super) fn tokens(&self) -> impl Iterator<Item = (u64, Token32)> {
        let steps = self.0.iter().rev();
        steps.map(|step| (step.token_epoch, step.token.clone()))
    }

    /// What brings a log that stands at `epoch` to where the group's present epoch began: the
    /// commits that led here, without their admissions (who was let in by one and did not hear of it
    /// knocks again). Each is sealed for one place in the log. Places before that one, where commits
    /// stood that all refused, are filled with the same bytes, which nobody can open there.
    pub(super) fn since(&self, mut epoch: u64) -> Vec<Commit> {
        let kept = || {
            let steps = self.0.iter();
            steps.filter_map(|step| Some((step, step.commit.as_ref()?)))
        };
        // Who took up a log where others had gone on leads no other one on by what came before.
        let is_one_way = kept().is_sorted_by_key(|(step, _)| step.from_epoch);
        let begins_before = |(step, _): (&Step, _)| step.token_epoch <= epoch;
        let mut commits = Vec::new();
        if !is_one_way || !kept().next().is_some_and(begins_before) {
            return commits;
        }
        for (step, commit) in kept() {
            if step.from_epoch.saturating_sub(epoch) > MAX_FILLED {
                return Vec::new();
            }
            let at = |expected_epoch| Commit {
                expected_epoch,
                ..commit.clone()
            };
            commits.extend((epoch..=step.from_epoch).map(at));
            epoch = epoch.max(step.from_epoch.saturating_add(1));
        }
        commits
    }
}

#[cfg(test)]
mod tests {
    use conclave_e2ee::{Group, LinkSecret, Pseudonym};

    use super::*;

    fn token() -> Token32 {
        let link = LinkSecret::generate().unwrap();
        let group = Group::create(Pseudonym([1; 16]), &link, b"").unwrap();
        group.delivery_token().unwrap()
    }

    /// Steps that ended these epochs of the log; where one is left out, a refused commit stood.
    fn steps(ended: &[u64]) -> Steps {
        let mut steps = Steps::default();
        let mut began = 0;
        let token = token();
        for from in ended {
            steps.keep(*from, (began, token.clone()), &[*from as u8], &token);
            began = from + 1;
        }
        steps
    }

    fn told(steps: &Steps, epoch: u64) -> Vec<(u64, u8)> {
        let commits = steps.since(epoch);
        let told = commits.iter();
        told.map(|one| (one.expected_epoch, one.commit.as_slice()[0]))
            .collect()
    }

    #[test]
    fn a_log_is_given_what_it_lacks_each_in_its_place() {
        let steps = steps(&[0, 1, 3]);
        assert_eq!(told(&steps, 0), [(0, 0), (1, 1), (2, 3), (3, 3)]);
        assert_eq!(told(&steps, 1), [(1, 1), (2, 3), (3, 3)]);
        assert_eq!(told(&steps, 3), [(3, 3)]);
        assert_eq!(told(&steps, 4), []);
    }

    #[test]
    fn only_the_last_steps_are_kept_and_more_of_the_proofs() {
        let (last, kept) = (MAX_PROOFS as u64, MAX_STEPS as u64);
        let mut steps = steps(&(0..=last).collect::<Vec<_>>());
        assert_eq!(told(&steps, last - kept), [], "there is no way from there");
        assert_eq!(told(&steps, last + 1 - kept).len(), MAX_STEPS);
        let proven = steps.tokens().map(|(epoch, _)| epoch);
        assert!(proven.eq((1..=last).rev()));
        steps.forget();
        assert_eq!(told(&steps, last), []);
    }

    #[test]
    fn a_way_that_went_on_in_another_log_is_not_offered() {
        assert_eq!(told(&steps(&[0, 1, 2, 1]), 1), []);
    }

    #[test]
    fn too_many_refused_commits_in_a_row_are_not_filled() {
        assert_eq!(told(&steps(&[0, MAX_FILLED]), 0).len(), 65);
        assert_eq!(told(&steps(&[0, MAX_FILLED + 2]), 0), []);
    }
}
