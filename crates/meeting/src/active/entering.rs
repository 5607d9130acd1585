//! The ways into a meeting: found it, or be let in.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use conclave_e2ee::{Group, KnockKey, Leaf};

use super::desk::Desk;
use super::standing::{Proof, Standing};
use super::{
    Active, Commits, Doorkeeper, Echoes, Place, Podium, Position, Pulse, Removed, Repeats,
    Returning, Steps,
};
use crate::card::{Card, SignedCard};
use crate::content::Content;
use crate::context::Context;
use crate::lobby::Described;
use crate::machine::State;
use crate::people::People;
use crate::policy::{Policy, Role};
use crate::snapshot::Change;

/// How long the meeting lives at the service when it is restored by somebody who does not know
/// its first lifetime.
const RESTORED_LIFETIME: Duration = Duration::from_secs(12 * 3600);

impl Active {
    /// The host, alone in a new group.
    pub(crate) fn founded(
        context: &Context,
        group: Group,
        described: Described,
        knock_key: KnockKey,
        lifetime: Duration,
    ) -> Option<Self> {
        let own = group
            .members()
            .into_iter()
            .find(|member| member.leaf == group.own_leaf())?;
        let card = Card {
            name: context.identity.name.clone(),
            device_key: context.identity.key.public(),
            meeting: context.link.meeting,
            group_id: group.group_id(),
            device: context.device,
            leaf_key: own.leaf_key,
            key_package_hash: [0; 32],
        };
        let by_leaf = |domain: &str, msg: &[u8]| group.sign(domain, msg);
        let signed = SignedCard::sign(card.clone(), &context.identity.key, by_leaf)?;
        let place = Place {
            epoch: group.epoch(),
            next_seq: 0,
        };
        let mut active = Self::new(group, described, lifetime, Standing::Unopened, place)?;
        active.people.introduce(signed, card, context.media);
        active.desk = Some(Desk::new(knock_key));
        Some(active)
    }

    /// A newcomer whose Welcome opened; `None` if the group is not what the host described.
    pub(crate) fn joined(
        context: &mut Context,
        now: Instant,
        group: Group,
        described: Described,
        (signed, card): (SignedCard, Card),
        place: Place,
    ) -> Option<Self> {
        let standing = Standing::Attached;
        let mut active = Self::new(group, described, RESTORED_LIFETIME, standing, place)?;
        let host = active.described.descriptor.host_device;
        if !active.devices().any(|device| device == host) || active.role(host) < Role::CoHost {
            return None;
        }
        active.people.introduce(signed, card, context.media);
        active.catch_up_with_link(context)?;
        active.pulse.begin(now);
        active.path_renewed(now, Leaf(0));
        let members = active.group.members().len();
        active.commits.heal(now, members, context.random());
        Some(active)
    }

    /// A link for one person was renewed by the very commit that let us in.
    fn catch_up_with_link(&mut self, context: &mut Context) -> Option<()> {
        // Who knocks again after a renewal may still have the descriptor from before it.
        let known = context.seal.generation();
        let generation = self.policy.link.generation;
        if generation == known {
            return Some(());
        }
        if known.checked_add(1) != Some(generation) {
            return None;
        }
        let secret = self.group.next_link(generation).ok()?;
        self.hold_link(context, secret)
    }

    fn new(
        group: Group,
        described: Described,
        lifetime: Duration,
        standing: Standing,
        place: Place,
    ) -> Option<Self> {
        let policy = Policy::decode(&group.policy()?)?;
        Some(Self {
            token: group.delivery_token().ok()?,
            group,
            policy,
            described,
            lifetime,
            standing,
            is_open: false,
            shown: Proof::default(),
            proofs_shown: 0,
            wants_grant: false,
            position: Position::at(place),
            people: People::default(),
            podium: Podium::default(),
            seen: HashSet::new(),
            commits: Commits::default(),
            steps: Steps::default(),
            echoes: Echoes::default(),
            pulse: Pulse::default(),
            returning: Returning::default(),
            repeats: Repeats::default(),
            removed: Removed::default(),
            keeper: Doorkeeper::default(),
            desk: None,
            leaves_by: None,
            change: Change::Begun,
        })
    }

    /// The first epoch that a newcomer is in.
    pub(crate) fn begin(mut self, context: &mut Context, now: Instant) -> State {
        self.enter_audience(context);
        let flow = self.new_epoch(context, now, Change::Begun, false, None);
        self.publish(context, &Content::Media(context.media));
        // Who comes back has the role that he had.
        self.take_role(context);
        self.go(context, now, flow)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use conclave_e2ee::{DeviceKey, LinkSecret, Pseudonym};
    use conclave_wire::{DeviceId, MeetingId};

    use super::*;
    use crate::card::tests::{candidate, card_of, signed};
    use crate::content::MediaState;
    use crate::context::Identity;
    use crate::descriptor::Descriptor;
    use crate::link::InviteLink;

    const FOUNDER: DeviceId = DeviceId([1; 16]);
    const STRANGER: DeviceId = DeviceId([2; 16]);
    const DORA: DeviceId = DeviceId([4; 16]);

    /// Whether Dora enters a group that its founder made under a policy whose host is `rules`, after
    /// a door that `keeps` has signed.
    fn enters(rules: DeviceId, keeps: DeviceId) -> bool {
        let secret = LinkSecret::generate().unwrap();
        let key = Arc::new(DeviceKey::generate().unwrap());
        let policy = Policy::founded_by(rules.0).encode().unwrap();
        let group = Group::create(Pseudonym(FOUNDER.0), &secret, &policy).unwrap();
        let link = InviteLink {
            host: "meet.example.org".into(),
            port: 443,
            meeting: MeetingId([3; 16]),
            secret,
            host_key: [0; 16],
            certificate: None,
        };
        let descriptor = Descriptor {
            version: conclave_wire::VERSION,
            meeting: link.meeting,
            group_id: group.group_id(),
            generation: 0,
            title: "Merger".parse().unwrap(),
            host_name: "Ana".parse().unwrap(),
            host_device: keeps,
            host_key: [0; 32],
            warrants: Vec::new(),
            knock_keys: Vec::new(),
            waiting_room: true,
            locked: false,
        };
        let described = Described {
            descriptor,
            sealed: Vec::new(),
        };
        let leaf = candidate(DORA);
        let card = card_of(DORA, &leaf, &key);
        let shown = signed(card.clone(), &key, &leaf);
        let name = "Dora".parse().unwrap();
        let identity = Identity { name, key };
        let entropy = Box::new(|bytes: &mut [u8]| bytes.fill(7));
        let mut context = Context::new(identity, link, MediaState::default(), entropy);
        let place = Place {
            epoch: 0,
            next_seq: 0,
        };
        let now = Instant::now();
        Active::joined(&mut context, now, group, described, (shown, card), place).is_some()
    }

    /// Whoever welcomes must have the door's keeper in the group, and in his role: a group of his
    /// own making, under the meeting's name, is not the meeting.
    #[test]
    fn a_newcomer_enters_no_group_but_that_of_who_keeps_the_door() {
        assert!(enters(FOUNDER, FOUNDER));
        assert!(!enters(FOUNDER, STRANGER), "he is not in it");
        assert!(!enters(STRANGER, FOUNDER), "he keeps no door in it");
        assert!(!enters(STRANGER, STRANGER));
    }
}
