//! Who misses a commit that renews the link is parted from the others: they speak under a link that
//! he does not know, so that not even their heartbeats tell him where they stand. They still read
//! his, under the link before, and repeat for him what he has missed. Each commit is for the members
//! of the epoch that it ends, and passes the same judge as from the log.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Instant;

use conclave_e2ee::Processed;
use conclave_wire::DeviceId;

use super::pulse::STEP_GRACE;
use super::{Active, Flow};
use crate::context::Context;
use crate::seal::Purpose;
use crate::signal::Signal;

/// Commits that are kept, and their bytes. A link for one person is renewed by each admission.
const MAX_KEPT: usize = 16;
const MAX_BYTES: usize = 512 * 1024;

/// A commit that led here.
struct Kept {
    /// The group's epoch that it ended.
    ended: u64,
    /// The log's epoch that it began.
    log_epoch: u64,
    /// As it stands in the log.
    sealed: Vec<u8>,
}

/// The last commits, oldest first, and for whom they were repeated.
#[derive(Default)]
pub(super) struct Repeats {
    kept: VecDeque<Kept>,
    /// When the present link came to be known here.
    renewed_at: Option<Instant>,
    told_at: BTreeMap<DeviceId, Instant>,
}

impl Repeats {
    /// Keeps the commit that ended the group's epoch `ended` and the log's epoch before `log_epoch`.
    pub(super) fn keep(&mut self, ended: u64, log_epoch: u64, sealed: &[u8]) {
        self.kept.push_back(Kept {
            ended,
            log_epoch,
            sealed: sealed.to_vec(),
        });
        let bytes = |kept: &VecDeque<Kept>| kept.iter().map(|one| one.sealed.len()).sum::<usize>();
        while self.kept.len() > MAX_KEPT || bytes(&self.kept) > MAX_BYTES {
            self.kept.pop_front();
        }
    }

    /// Whether this commit led here.
    fn has(&self, sealed: &[u8]) -> bool {
        self.kept.iter().any(|one| one.sealed == sealed)
    }

    pub(super) fn renewed(&mut self, now: Instant) {
        self.renewed_at = Some(now);
    }

    pub(super) fn retain(&mut self, present: &HashSet<DeviceId>) {
        self.told_at.retain(|device, _| present.contains(device));
    }

    /// What is to be told now to a member that is in `epoch`: everything since. Who is where none of
    /// these commits leads on from is told the last one, if he `may_despair`, to learn that none does.
    fn since(
        &mut self,
        epoch: u64,
        to: DeviceId,
        may_despair: bool,
        now: Instant,
    ) -> Vec<(u64, Vec<u8>)> {
        // He may be about to read it himself.
        let early = |at: &Instant| now < *at + STEP_GRACE;
        let is_early = self.renewed_at.as_ref().is_none_or(early);
        if is_early || self.told_at.get(&to).is_some_and(early) {
            return Vec::new();
        }
        let from = self.kept.iter().position(|one| one.ended == epoch);
        let last = self.kept.len().saturating_sub(1);
        let from = from.or_else(|| may_despair.then_some(last));
        let missed: Vec<_> = self
            .kept
            .iter()
            .skip(from.unwrap_or(self.kept.len()))
            .map(|one| (one.log_epoch, one.sealed.clone()))
            .collect();
        if !missed.is_empty() {
            self.told_at.insert(to, now);
        }
        missed
    }
}

impl Active {
    /// A member gave a sign of life in `epoch` under an older link: the keeper of the door repeats
    /// what he has missed.
    pub(super) fn repeat_for(
        &mut self,
        context: &mut Context,
        now: Instant,
        to: DeviceId,
        epoch: u64,
        generation: u32,
    ) {
        if self.describer() != Some(context.device) {
            return;
        }
        // Who is alone with the link that he has taken sends nobody away for it: he goes himself.
        let has_company = self.pulse.hears_any_but(&[context.device, to]);
        for (log_epoch, commit) in self.repeats.since(epoch, to, has_company, now) {
            let signal = Signal::Missed { log_epoch, commit };
            self.signal_under(context, generation, to, signal);
        }
    }

    /// A member repeats a commit. It counts only in a place of the log that this device has read
    /// in vain: nobody is to be ahead of the log.
    pub(super) fn repeated(
        &mut self,
        context: &mut Context,
        now: Instant,
        from: DeviceId,
        log_epoch: u64,
        sealed: &[u8],
    ) -> Flow {
        let reached = self.position.log_epoch;
        // One's own is offered again until it counts.
        let is_own = self.commits.own_epoch(sealed).is_some();
        if log_epoch > reached || is_own || self.repeats.has(sealed) {
            return Flow::Stay;
        }
        // Where this device has come by another way it is in vain.
        let is_ahead = log_epoch > self.position.begun_at;
        let message = is_ahead.then(|| context.seal.open(Purpose::Commit, log_epoch, sealed));
        let message = message.and_then(Result::ok);
        let processed = message.map(|message| self.group.process(&message));
        let Some(Ok(Processed::Commit(staged))) = processed else {
            // Made for another state than ours. No single participant parts us from the others, but
            // a host could send us away as well.
            if self.role(from).may_remove(self.role(context.device)) {
                self.pulse.told_in_vain(now);
            }
            return Flow::Stay;
        };
        // It begins its epoch in its own place; what follows may be repeated too.
        self.position.log_epoch = log_epoch;
        let flow = self.foreign_commit(context, now, (log_epoch - 1, sealed), staged);
        self.position.log_epoch = reached;
        flow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEN: DeviceId = DeviceId([2; 16]);

    fn repeats(now: Instant) -> Repeats {
        let mut repeats = Repeats::default();
        for epoch in 5..8 {
            repeats.keep(epoch, epoch + 10, &[epoch as u8]);
        }
        repeats.renewed(now);
        repeats
    }

    #[test]
    fn everything_since_an_epoch_is_repeated_once_there_was_time_to_read_it() {
        let now = Instant::now();
        let mut repeats = repeats(now);
        assert!(repeats.since(6, BEN, false, now).is_empty());
        let later = now + STEP_GRACE;
        let told = repeats.since(6, BEN, false, later);
        assert_eq!(told, [(16, vec![6]), (17, vec![7])]);
        assert!(repeats.since(6, BEN, false, later).is_empty(), "just told");
        assert_eq!(repeats.since(6, BEN, false, later + STEP_GRACE).len(), 2);
    }

    #[test]
    fn who_cannot_be_led_on_is_told_so_or_nothing() {
        let now = Instant::now();
        for epoch in [4, 8] {
            let mut repeats = repeats(now);
            let told = repeats.since(epoch, BEN, false, now + STEP_GRACE);
            assert_eq!(told, []);
            let told = repeats.since(epoch, BEN, true, now + STEP_GRACE);
            assert_eq!(told, [(17, vec![7])]);
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut repeats = Repeats::default();
        for epoch in 0..100 {
            repeats.keep(epoch, epoch, &[0; 100]);
        }
        assert_eq!(repeats.kept.len(), MAX_KEPT);
        repeats.keep(100, 100, &[0; MAX_BYTES]);
        assert_eq!(repeats.kept.len(), 1);
    }
}
