//! Members who are away for so long that they are removed.

use std::time::Instant;

use conclave_wire::DeviceId;

use super::Active;
use crate::context::Context;
use crate::policy::Role;

impl Active {
    /// Whether this device may remove another member.
    pub(super) fn may_remove(&self, context: &Context, device: DeviceId) -> bool {
        let mine = self.role(context.device);
        // A co-host leaves hosts to the hosts.
        mine == Role::Host || (mine == Role::CoHost && self.role(device) == Role::Participant)
    }

    /// When somebody whom this device may remove will have been absent for long enough.
    pub(super) fn absence_due(&self, context: &Context) -> Option<Instant> {
        self.commits
            .absent(&self.people, &self.pulse)
            .filter(|(device, _)| self.may_remove(context, *device))
            .map(|(_, due)| due)
            .min()
    }

    /// Wishes away whom [`Self::absence_due`] speaks of, once it is time.
    pub(super) fn remove_absent(&mut self, context: &Context, now: Instant) {
        let due: Vec<_> = self
            .commits
            .absent(&self.people, &self.pulse)
            .filter(|(device, due)| *due <= now && self.may_remove(context, *device))
            .map(|(device, _)| device)
            .collect();
        for device in due {
            self.commits.want_removal(device);
        }
    }
}
