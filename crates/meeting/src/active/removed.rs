//! Whom somebody removed: he does not come back by himself, whoever keeps the door.
//!
//! A commit does not say why it removes. Who said goodbye, or has not been heard of, was cleared
//! away and may come back; so may who takes his own old place. Everybody else was sent away.

use std::collections::HashSet;

use conclave_e2ee::CommitSummary;
use conclave_wire::DeviceId;

use super::Active;

#[derive(Default)]
pub(super) struct Removed {
    /// Device keys of those who were sent away.
    keys: HashSet<[u8; 32]>,
    /// Members who have said that they go.
    gone: HashSet<DeviceId>,
}

impl Removed {
    pub(super) fn has(&self, device_key: &[u8; 32]) -> bool {
        self.keys.contains(device_key)
    }

    pub(super) fn said_goodbye(&mut self, device: DeviceId) {
        self.gone.insert(device);
    }

    pub(super) fn retain(&mut self, present: &HashSet<DeviceId>) {
        self.gone.retain(|device| present.contains(device));
    }
}

impl Active {
    /// The person at this computer sends somebody away.
    pub(super) fn send_away(&mut self, device: DeviceId) {
        self.removed.keys.extend(self.people.device_key(device));
    }

    /// Somebody else's commit is about to be merged.
    pub(super) fn note_sent_away(&mut self, summary: &CommitSummary) {
        if !summary.adds.is_empty() || summary.enters.is_some() {
            return;
        }
        let leaves = summary.removes.iter();
        let devices: Vec<_> = leaves.filter_map(|leaf| self.device_at(*leaf)).collect();
        for device in devices {
            if !self.removed.gone.contains(&device) && !self.pulse.is_silent(device) {
                self.send_away(device);
            }
        }
    }
}
