//! Members who are away for so long that they are removed.

use std::time::{Duration, Instant};

use conclave_wire::DeviceId;

use super::Active;
use crate::context::Context;

/// A member whose connection is gone, and of whom nothing is heard, for so long is removed.
const ABSENCE: Duration = Duration::from_secs(60);

impl Active {
    /// When somebody whom this device may remove will have been absent for long enough.
    pub(super) fn absence_due(&self, context: &Context) -> Option<Instant> {
        self.absent(context).map(|(_, due)| due).min()
    }

    /// Wishes away whom [`Self::absence_due`] speaks of, once it is time.
    pub(super) fn remove_absent(&mut self, context: &Context, now: Instant) {
        let due = self.absent(context).filter(|(_, due)| *due <= now);
        let due: Vec<_> = due.map(|(device, _)| device).collect();
        for device in due {
            self.commits.want_removal(device);
        }
    }

    /// Who is away by the service's word, silent by our own ears and ours to remove, and when that
    /// will have been so for long enough; without those whose removal is wished for already.
    fn absent(&self, context: &Context) -> impl Iterator<Item = (DeviceId, Instant)> {
        let is_ours = |device: &DeviceId| {
            !self.commits.wants_removal(*device)
                && self.pulse.is_silent(*device)
                && self.may_remove(context, *device)
        };
        let away = self.people.away();
        away.filter(move |(device, _)| is_ours(device))
            .map(|(device, since)| (device, since + ABSENCE))
    }
}
