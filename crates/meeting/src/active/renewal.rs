//! Who misses the very commit that renews the link is parted from the others: they speak under a
//! link that he does not know, so that not even their heartbeats tell him where they stand. They
//! still read his, under the link before, and repeat the commit for him. It is for the members of
//! the epoch that he is in, and passes the same judge as from the log.

use std::time::Instant;

use conclave_e2ee::Processed;
use conclave_wire::DeviceId;

use super::pulse::STEP_GRACE;
use super::{Active, Flow};
use crate::context::Context;
use crate::seal::Purpose;
use crate::signal::Signal;

/// The commit that brought the link that is in force.
pub(super) struct Renewal {
    /// The group's epoch that it ended.
    epoch: u64,
    /// The log's epoch that it began.
    log_epoch: u64,
    /// As it stands in the log.
    commit: Vec<u8>,
    /// When it was merged, or last repeated.
    shown_at: Instant,
}

impl Active {
    /// The present epoch brought a renewed link.
    pub(super) fn note_renewal(&mut self, now: Instant) {
        let renewal = self.commits.last_commit().and_then(|(ended, commit)| {
            Some(Renewal {
                epoch: self.group.epoch().checked_sub(1)?,
                log_epoch: ended.checked_add(1)?,
                commit: commit.to_vec(),
                shown_at: now,
            })
        });
        self.keeper.renewal = renewal;
    }

    /// A member gave a sign of life in `epoch`. The keeper of the door repeats the renewal for one
    /// who is still where it began, after he has had the time to read it himself.
    pub(super) fn repeat_renewal(
        &mut self,
        context: &mut Context,
        now: Instant,
        to: DeviceId,
        epoch: u64,
    ) {
        if self.describer() != Some(context.device) {
            return;
        }
        let renewal = self.keeper.renewal.as_mut();
        let is_due =
            |renewal: &&mut Renewal| renewal.epoch == epoch && renewal.shown_at + STEP_GRACE <= now;
        let Some(renewal) = renewal.filter(is_due) else {
            return;
        };
        renewal.shown_at = now;
        let signal = Signal::Renewal {
            log_epoch: renewal.log_epoch,
            commit: renewal.commit.clone(),
        };
        self.signal_before_renewal(context, to, signal);
    }

    /// A member repeats a commit. It counts only in a place of the log that this device has read
    /// in vain: nobody is to be ahead of the log.
    pub(super) fn renewal_came(
        &mut self,
        context: &mut Context,
        now: Instant,
        log_epoch: u64,
        sealed: &[u8],
    ) -> Flow {
        if log_epoch <= self.begun_at || log_epoch > self.log_epoch {
            return Flow::Stay;
        }
        let Ok(message) = context.seal.open(Purpose::Commit, log_epoch, sealed) else {
            return Flow::Stay;
        };
        match self.group.process(&message) {
            Ok(Processed::Commit(staged)) => {
                self.foreign_commit(context, now, (log_epoch - 1, sealed), staged)
            }
            // One's own, or one for an epoch that has passed.
            _ => Flow::Stay,
        }
    }
}
