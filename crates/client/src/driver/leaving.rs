//! Leaving without leaving the others alone: who was just named to follow is waited for.

use std::time::{Duration, Instant};

use conclave_meeting::{Command, Input, Policy, Role, Snapshot};
use conclave_wire::DeviceId;

use super::Driver;

/// How long a leaving host waits until whom he named is in the rules.
const APPOINTMENT: Duration = Duration::from_secs(3);

/// Who was named to follow and is not yet in the rules, and the leave that waits for it.
///
/// A wish about roles takes a commit to be in force, and the machine finds an heir only by the
/// rules in force: a host who names somebody and goes at once would end the meeting for all.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    named: Vec<DeviceId>,
    at: Option<Instant>,
}

impl Leaving {
    /// When the leave that waits does so no longer.
    pub(super) fn at(&self) -> Option<Instant> {
        self.at
    }

    fn appoint(&mut self, device: DeviceId, named: bool) {
        self.named.retain(|known| *known != device);
        if named {
            self.named.push(device);
        }
    }

    /// Forgets those who are in the rules.
    fn settle(&mut self, policy: &Policy) {
        self.named.retain(|device| !is_heir(policy, *device));
    }

    /// Whether to leave now; otherwise the leave waits until the rules name an heir.
    fn may_leave(&mut self, snapshot: &Snapshot, now: Instant) -> bool {
        let others = || snapshot.members.iter().filter(|member| !member.is_me);
        let awaited = others().any(|member| self.named.contains(&member.device));
        let has_heir = snapshot
            .policy
            .as_ref()
            .is_some_and(|policy| others().any(|member| is_heir(policy, member.device)));
        // Asked twice: whoever insists is not kept.
        if has_heir || !awaited || self.at.is_some() {
            return true;
        }
        self.at = Some(now + APPOINTMENT);
        false
    }
}

/// Whether the machine hands over to this member: a host, a co-host or a successor.
fn is_heir(policy: &Policy, device: DeviceId) -> bool {
    [&policy.hosts, &policy.co_hosts, &policy.successors]
        .into_iter()
        .any(|named| named.contains(&device.0))
}

impl Driver {
    /// Somebody is to have a role or to be a successor, or not any more.
    pub(super) fn appoint(&mut self, device: DeviceId, named: bool) {
        let may = self.role(&self.snapshot()) == Role::Host;
        self.leaving.appoint(device, named && may);
    }

    /// Leaves, if need be once the one who was just named is in the rules.
    pub(super) fn leave(&mut self) {
        let snapshot = self.snapshot();
        // A server of our own goes with us, and the meeting with it. Who is no host any more cannot
        // say so to the others, and goes all the same.
        if self.sidecar.is_some() && self.role(&snapshot) == Role::Host {
            return self.input(Input::Command(Command::End));
        }
        if self.leaving.may_leave(&snapshot, Instant::now()) {
            self.leave_now();
        }
    }

    pub(super) fn leave_now(&mut self) {
        self.leaving.at = None;
        self.input(Input::Command(Command::Leave));
    }

    /// The rules are others: a leave that waited for them does so no longer.
    pub(super) fn settle_appointments(&mut self, policy: &Policy) {
        self.leaving.settle(policy);
        if self.leaving.at.is_some() && self.leaving.named.is_empty() {
            self.leave_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use conclave_e2ee::Leaf;
    use conclave_meeting::{Change, MediaState, MemberView, Phase};

    use super::*;

    const ANA: DeviceId = DeviceId([1; 16]);
    const BEN: DeviceId = DeviceId([2; 16]);

    fn meeting(policy: Policy) -> Snapshot {
        let member = |device: DeviceId| MemberView {
            device,
            leaf: Leaf(device.0[0].into()),
            name: None,
            device_key: None,
            role: Role::Participant,
            successor: false,
            silent: false,
            is_me: device == ANA,
            media: MediaState {
                muted: false,
                camera: false,
                screen: false,
            },
            online: true,
            place: true,
            hand: None,
        };
        Snapshot {
            phase: Phase::Active,
            device: ANA,
            title: None,
            host_name: None,
            epoch: 1,
            code: None,
            change: Change::Begun,
            policy: Some(policy),
            link_ends_at: None,
            members: vec![member(ANA), member(BEN)],
            floor: Default::default(),
            knocks: Vec::new(),
            link_up: true,
        }
    }

    fn rules() -> Policy {
        Policy::founded_by(ANA.0)
    }

    #[test]
    fn a_leave_waits_for_whom_was_just_named_and_for_nobody_else() {
        let now = Instant::now();
        let mut leaving = Leaving::default();
        assert!(leaving.may_leave(&meeting(rules()), now));
        leaving.appoint(DeviceId([9; 16]), true);
        assert!(leaving.may_leave(&meeting(rules()), now), "who is not here");
        leaving.appoint(BEN, true);
        assert!(!leaving.may_leave(&meeting(rules()), now));
        assert_eq!(leaving.at(), Some(now + APPOINTMENT));
        assert!(leaving.may_leave(&meeting(rules()), now), "asked twice");
    }

    #[test]
    fn who_is_in_the_rules_is_waited_for_no_longer() {
        let mut named = rules();
        named.successors.push(BEN.0);
        let mut leaving = Leaving::default();
        leaving.appoint(BEN, true);
        assert!(leaving.may_leave(&meeting(named.clone()), Instant::now()));
        leaving.settle(&named);
        assert!(leaving.named.is_empty());
        leaving.appoint(BEN, true);
        leaving.appoint(BEN, false);
        assert!(
            leaving.may_leave(&meeting(rules()), Instant::now()),
            "taken back"
        );
    }
}
