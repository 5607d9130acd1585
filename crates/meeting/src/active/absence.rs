//! Members who are away for so long that they are removed.

use std::time::Instant;

use super::Active;
use crate::context::Context;

impl Active {
    /// When somebody whom this device may remove will have been absent for long enough.
    pub(super) fn absence_due(&self, context: &Context) -> Option<Instant> {
        self.commits
            .absent(&self.people, &self.pulse)
            .filter(|(device, _)| self.policy.may_remove(context.device.0, device.0))
            .map(|(_, due)| due)
            .min()
    }

    /// Wishes away whom [`Self::absence_due`] speaks of, once it is time.
    pub(super) fn remove_absent(&mut self, context: &Context, now: Instant) {
        let due: Vec<_> = self
            .commits
            .absent(&self.people, &self.pulse)
            .filter(|(device, due)| {
                *due <= now && self.policy.may_remove(context.device.0, device.0)
            })
            .map(|(device, _)| device)
            .collect();
        for device in due {
            self.commits.want_removal(device);
        }
    }
}
