//! The epochs that a meeting went through here: how membership in each is proven, and whom each
//! removed.

use std::collections::VecDeque;

use conclave_wire::{DeviceId, MemberProof, TokenHash};

/// The latest epochs, the current one last. Never empty.
#[derive(Debug)]
pub struct Epochs {
    current: u64,
    steps: VecDeque<Step>,
    kept: usize,
    /// Ids in all `removed` together.
    removed: usize,
}

/// Removed devices remembered for one meeting: a commit may name any ids, so they need a bound of
/// their own.
const MAX_REMOVED: usize = 4096;

#[derive(Debug)]
struct Step {
    epoch: u64,
    /// None when the epoch was begun through another server.
    member_hash: Option<TokenHash>,
    removed: Vec<DeviceId>,
}

impl Epochs {
    /// Begins at the epoch in which the meeting was opened; keeps the latest `kept`.
    pub fn new(epoch: u64, member_hash: TokenHash, kept: usize) -> Self {
        let first = Step {
            epoch,
            member_hash: Some(member_hash),
            removed: Vec::new(),
        };
        Self {
            current: epoch,
            steps: VecDeque::from([first]),
            kept: kept.max(1),
            removed: 0,
        }
    }

    /// The current epoch.
    pub fn current(&self) -> u64 {
        self.current
    }

    /// A commit began `epoch` and removed these devices.
    pub fn begin(&mut self, epoch: u64, member_hash: Option<TokenHash>, removed: Vec<DeviceId>) {
        self.current = epoch;
        self.removed += removed.len();
        self.steps.push_back(Step {
            epoch,
            member_hash,
            removed,
        });
        while self.steps.len() > self.kept || (self.removed > MAX_REMOVED && self.steps.len() > 1) {
            let oldest = self.steps.pop_front();
            self.removed -= oldest.map_or(0, |step| step.removed.len());
        }
    }

    /// Whether the proof shows that the device was a member in an epoch kept here, from which no
    /// later one removed it.
    pub fn admits(&self, device: DeviceId, proof: &MemberProof) -> bool {
        let Some(at) = self.steps.iter().position(|step| step.epoch == proof.epoch) else {
            return false;
        };
        let proven = self.steps[at]
            .member_hash
            .is_some_and(|hash| hash.admits(&proof.token));
        proven
            && !self
                .steps
                .range(at + 1..)
                .any(|step| step.removed.contains(&device))
    }
}

#[cfg(test)]
mod tests {
    use conclave_wire::Token;

    use super::*;

    const DEVICE: DeviceId = DeviceId([7; 16]);

    fn token(epoch: u64) -> Token {
        Token([epoch as u8; 32])
    }

    fn proof(epoch: u64) -> MemberProof {
        MemberProof {
            epoch,
            token: token(epoch),
        }
    }

    fn epochs(kept: usize) -> Epochs {
        let mut epochs = Epochs::new(3, token(3).hash(), kept);
        epochs.begin(4, Some(token(4).hash()), Vec::new());
        epochs.begin(5, Some(token(5).hash()), vec![DEVICE]);
        epochs
    }

    #[test]
    fn every_kept_epoch_can_be_proven_and_no_other() {
        let epochs = epochs(8);
        let other = DeviceId([8; 16]);
        assert!((3..=5).all(|epoch| epochs.admits(other, &proof(epoch))));
        assert!(!epochs.admits(other, &proof(2)));
        assert!(!epochs.admits(other, &proof(6)));
        assert!(!epochs.admits(
            other,
            &MemberProof {
                epoch: 5,
                token: token(4)
            }
        ));
    }

    #[test]
    fn a_removed_device_returns_only_with_a_proof_of_the_epoch_after_its_removal() {
        let epochs = epochs(8);
        assert!(!epochs.admits(DEVICE, &proof(3)));
        assert!(!epochs.admits(DEVICE, &proof(4)));
        assert!(epochs.admits(DEVICE, &proof(5)));
    }

    #[test]
    fn old_epochs_are_forgotten() {
        let epochs = epochs(2);
        let other = DeviceId([8; 16]);
        assert!(!epochs.admits(other, &proof(3)));
        assert!(epochs.admits(other, &proof(4)));
        assert_eq!(epochs.current(), 5);
    }
}
