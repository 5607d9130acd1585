//! Changing the rules, and what a change of the rules brings with it: roles taken up and given
//! up, a renewed link, a door that shows something else.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use conclave_e2ee::{KnockKey, LinkSecret, Pseudonym, fingerprint16};
use conclave_wire::{Blob, ClientMessage, DeviceId, Door};

use super::desk::Desk;
use super::standing::Standing;
use super::{Active, Flow};
use crate::content::Content;
use crate::context::Context;
use crate::descriptor::Descriptor;
use crate::event::{Event, LeftReason, Warning};
use crate::lobby::{Described, knock_token};
use crate::policy::{MAX_ROLES, Policy, Role, Secrecy};
use crate::warrant::{MAX_CHAIN, Warrant};

/// The first successor acts when no host has been heard of for so long.
const SUCCESSION: Duration = Duration::from_secs(30);
/// Each further one waits so much longer, so that the first comes first.
const SUCCESSION_STEP: Duration = Duration::from_secs(15);

/// One wished change of the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RuleWish {
    Locked(bool),
    WaitingRoom(bool),
    Secrecy(Secrecy),
    Strict(bool),
    Role(DeviceId, Role),
    Successor(DeviceId, bool),
    RenewLink {
        single_use: bool,
        valid_s: Option<u32>,
    },
    /// This device makes itself a host: it was named, and the hosts have gone.
    Succeed,
}

impl RuleWish {
    /// The rules after this change; `None` if it cannot be fulfilled.
    fn apply(self, policy: &Policy, me: DeviceId) -> Option<Policy> {
        let mut new = policy.clone();
        match self {
            Self::Locked(locked) => new.locked = locked,
            Self::WaitingRoom(on) => new.waiting_room = on,
            Self::Secrecy(secrecy) => new.secrecy = secrecy,
            Self::Strict(strict) => new.strict = strict,
            Self::Role(device, role) => return policy.with_role(device.0, role),
            Self::Successor(device, named) => return policy.with_successor(device.0, named),
            Self::RenewLink {
                single_use,
                valid_s,
            } => {
                new.link.generation = policy.link.generation.checked_add(1)?;
                new.link.single_use = single_use;
                new.link.valid_s = valid_s;
            }
            Self::Succeed => return policy.succeeded_by(me.0),
        }
        Some(new)
    }
}

/// The rules after all these changes, as far as they can be fulfilled; `None` if nothing changes.
/// At most one of them renews the link: a commit raises the generation by one.
pub(super) fn apply(wishes: &[RuleWish], policy: &Policy, me: DeviceId) -> Option<Policy> {
    let mut new = policy.clone();
    for wish in wishes {
        let renewed = new.link.generation > policy.link.generation;
        if renewed && matches!(wish, RuleWish::RenewLink { .. }) {
            continue;
        }
        if let Some(next) = wish.apply(&new, me) {
            new = next;
        }
    }
    (new != *policy).then_some(new)
}

/// What the door needs beside the descriptor.
#[derive(Default)]
pub(super) struct Doorkeeper {
    /// Knock keys of the role-holders, as they told them.
    knock_keys: BTreeMap<DeviceId, Vec<u8>>,
    /// Our right to speak for the host whom the link names.
    warrants: Vec<Warrant>,
    /// When the link that is in force ends.
    pub(super) link_ends_at: Option<Instant>,
}

impl Active {
    pub(super) fn role(&self, device: DeviceId) -> Role {
        self.policy.role(Pseudonym(device.0))
    }

    /// A wish of the person at this computer; refused at once where the role does not allow it.
    pub(super) fn want_rule(&mut self, context: &mut Context, wish: RuleWish) {
        let needed = match wish {
            RuleWish::Locked(_) | RuleWish::WaitingRoom(_) | RuleWish::RenewLink { .. } => {
                Role::CoHost
            }
            RuleWish::Succeed => Role::Participant,
            _ => Role::Host,
        };
        if self.role(context.device) < needed {
            return context.warn(Warning::NotAllowed);
        }
        if wish.apply(&self.policy, context.device).is_none() {
            return context.warn(Warning::NotPossible);
        }
        self.commits.want_rule(wish);
    }

    /// The rules that a commit brought are in force.
    pub(super) fn rules_changed(
        &mut self,
        context: &mut Context,
        now: Instant,
        new: Policy,
        next_link: Option<LinkSecret>,
    ) -> Flow {
        let old = std::mem::replace(&mut self.policy, new);
        if self.policy.link.generation != old.link.generation {
            let next =
                next_link.map_or_else(|| self.group.next_link(self.policy.link.generation), Ok);
            let Ok(secret) = next else {
                return Flow::Leave(LeftReason::Fault);
            };
            if self.take_link(context, now, secret).is_none() {
                return Flow::Leave(LeftReason::Fault);
            }
        }
        self.take_role(context);
        self.give_warrants(context, &old);
        context.event(Event::Rules);
        Flow::Stay
    }

    /// From now on the renewed link is the meeting's link.
    fn take_link(&mut self, context: &mut Context, now: Instant, secret: LinkSecret) -> Option<()> {
        self.hold_link(context, secret)?;
        self.keeper.link_ends_at = self
            .policy
            .link
            .valid_s
            .and_then(|valid| now.checked_add(Duration::from_secs(valid.into())));
        // Warrants and knocks were for the old one.
        self.keeper.warrants.clear();
        self.clear_desk(context);
        self.commits.drop_admissions();
        context.event(Event::Link);
        Some(())
    }

    /// Seals, opens and admits by the link of the policy's generation.
    pub(super) fn hold_link(&mut self, context: &mut Context, secret: LinkSecret) -> Option<()> {
        self.group.set_link(&secret).ok()?;
        context.seal.renew(self.policy.link.generation, &secret);
        context.link.secret = secret;
        Some(())
    }

    /// Tells newcomers when the link ends: any of them may keep the door by then.
    pub(super) fn tell_link_end(&mut self, context: &mut Context) {
        if let (Some(now), Some(at)) = (context.now, self.keeper.link_ends_at) {
            let left_s = at.saturating_duration_since(now).as_secs();
            let content = Content::LinkEnds {
                generation: self.policy.link.generation,
                in_s: u32::try_from(left_s).unwrap_or(u32::MAX),
            };
            self.publish(context, &content);
        }
    }

    /// The first word counts: it was the nearest in time.
    pub(super) fn hear_link_ends(
        &mut self,
        context: &mut Context,
        now: Instant,
        generation: u32,
        in_s: u32,
    ) {
        let rules = self.policy.link;
        let fits = rules.generation == generation && rules.valid_s.is_some_and(|all| in_s <= all);
        if fits && self.keeper.link_ends_at.is_none() {
            self.keeper.link_ends_at = now.checked_add(Duration::from_secs(in_s.into()));
            context.event(Event::Link);
        }
    }

    /// Sits down at the desk, or leaves it, as the rules now say.
    fn take_role(&mut self, context: &mut Context) {
        let keeps_door = self.role(context.device) >= Role::CoHost;
        if keeps_door && self.desk.is_none() {
            let Ok(knock_key) = KnockKey::generate() else {
                return context.warn(Warning::NotPossible);
            };
            self.keeper
                .knock_keys
                .insert(context.device, knock_key.public());
            self.desk = Some(Desk::new(knock_key));
            self.is_open = true;
            if self.standing == Standing::Attached {
                context.send(ClientMessage::WantKnocks(true));
            }
        } else if !keeps_door && self.desk.is_some() {
            self.clear_desk(context);
            self.desk = None;
            if self.standing == Standing::Attached {
                context.send(ClientMessage::WantKnocks(false));
            }
        }
        self.announce_door(context);
    }

    /// Tells the others our knock key, and the service what the door shows, if that is ours to do.
    pub(super) fn announce_door(&mut self, context: &mut Context) {
        let Some(desk) = &self.desk else { return };
        let knock_key = desk.public();
        self.keeper
            .knock_keys
            .insert(context.device, knock_key.clone());
        self.publish(context, &Content::KnockKey(knock_key));
        self.redescribe(context);
    }

    /// The member that signs the descriptor: who did so before, as long as he keeps the door, and
    /// after him the first host.
    pub(super) fn describer(&self) -> Option<DeviceId> {
        let members = self.group.members();
        let is_in = |device: [u8; 16]| members.iter().any(|member| member.pseudonym.0 == device);
        let before = self.described.descriptor.host_device;
        if is_in(before.0) && self.role(before) >= Role::CoHost {
            return Some(before);
        }
        let hosts = self.policy.hosts.iter().copied();
        hosts.map(DeviceId).find(|host| is_in(host.0))
    }

    /// Whether a descriptor signed by this device fits the link that is in force.
    fn speaks_for_link(&self, context: &Context) -> bool {
        fingerprint16(&context.identity.key.public()) == context.link.host_key
            || !self.keeper.warrants.is_empty()
    }

    /// What the door is to show under `policy`, sealed for `secret`; `None` if this device is not
    /// the one to say so.
    pub(super) fn door_under(
        &self,
        context: &Context,
        policy: &Policy,
        secret: &LinkSecret,
    ) -> Option<(Described, Door)> {
        let is_new_link = policy.link.generation != self.described.descriptor.generation;
        let mine = self.describer()? == context.device;
        // A renewed link names whoever renews it.
        if !mine && !is_new_link {
            return None;
        }
        let own_key = context.identity.key.public();
        let is_named = is_new_link || fingerprint16(&own_key) == context.link.host_key;
        let warrants = match is_named {
            true => Vec::new(),
            false => self.keeper.warrants.clone(),
        };
        let descriptor = Descriptor {
            host_name: context.identity.name.clone(),
            host_device: context.device,
            host_key: own_key,
            warrants,
            knock_keys: self.knock_keys(context, policy),
            ..self.described.descriptor.clone()
        }
        .under(policy);
        let sealed = descriptor
            .clone()
            .seal(&context.identity.key, &secret.descriptor_key())?;
        let door = Door {
            knock_hash: knock_token(secret).hash(),
            descriptor: Blob::new(sealed.clone()).ok()?,
        };
        Some((Described { descriptor, sealed }, door))
    }

    /// Our own key first, then those of the others who may let people in.
    fn knock_keys(&self, context: &Context, policy: &Policy) -> Vec<Vec<u8>> {
        let own = self.desk.as_ref().map(Desk::public);
        let others = self.keeper.knock_keys.iter().filter(|(device, _)| {
            **device != context.device && policy.role(Pseudonym(device.0)) >= Role::CoHost
        });
        own.into_iter()
            .chain(others.map(|(_, key)| key.clone()))
            .take(MAX_ROLES)
            .collect()
    }

    /// Shows at the door what the rules now say, if that is ours to do and anything changed.
    pub(super) fn redescribe(&mut self, context: &mut Context) {
        if self.standing != Standing::Attached || self.describer() != Some(context.device) {
            return;
        }
        if !self.speaks_for_link(context) {
            // The link names somebody who no longer keeps the door: it ends with him.
            let rules = self.policy.link;
            self.commits.want_rule(RuleWish::RenewLink {
                single_use: rules.single_use,
                valid_s: rules.valid_s,
            });
            return;
        }
        let secret = context.link.secret.clone();
        let Some((described, door)) = self.door_under(context, &self.policy, &secret) else {
            return;
        };
        if described.descriptor != self.described.descriptor {
            context.send(ClientMessage::Describe(door));
            self.set_described(context, described);
        }
    }

    /// The door that is in force from now on; all members keep it, for any of them may have to
    /// restore the meeting.
    pub(super) fn set_described(&mut self, context: &mut Context, described: Described) {
        if described.descriptor.warrants.is_empty() {
            context.link.host_key = fingerprint16(&described.descriptor.host_key);
        }
        self.publish(context, &Content::Descriptor(described.sealed.clone()));
        self.described = described;
    }

    /// A host tells what the door shows. It must hold by the same rules as for a newcomer, except
    /// that a renewed link names a host whom this device knows from inside.
    pub(super) fn hear_descriptor(
        &mut self,
        context: &mut Context,
        from: DeviceId,
        sealed: Vec<u8>,
    ) {
        let Some(key) = self.people.device_key(from) else {
            return;
        };
        let named = match self.policy.link.generation != self.described.descriptor.generation {
            true => fingerprint16(&key),
            false => context.link.host_key,
        };
        let secret = &context.link.secret;
        let opened = Descriptor::open(
            &sealed,
            &secret.descriptor_key(),
            context.link.meeting,
            &named,
        );
        let Ok(descriptor) = opened else {
            return context.warn(Warning::Unreadable);
        };
        let is_own = descriptor.host_device == from && descriptor.host_key == key;
        if !is_own || descriptor.group_id != self.group.group_id() {
            return context.warn(Warning::Unreadable);
        }
        context.link.host_key = named;
        self.described = Described { descriptor, sealed };
    }

    pub(super) fn hear_knock_key(&mut self, context: &mut Context, from: DeviceId, key: Vec<u8>) {
        self.keeper.knock_keys.insert(from, key);
        self.redescribe(context);
    }

    /// A host lets those who may come after him speak at the door.
    fn give_warrants(&mut self, context: &mut Context, old: &Policy) {
        if self.role(context.device) < Role::Host {
            return;
        }
        let policy = &self.policy;
        let renewed = policy.link.generation != old.link.generation;
        let entitled = |policy: &Policy, device: &[u8; 16]| {
            policy.hosts.contains(device)
                || policy.co_hosts.contains(device)
                || policy.successors.contains(device)
        };
        let fresh: Vec<_> = self
            .devices()
            .filter(|device| *device != context.device)
            .filter(|device| entitled(policy, &device.0) && (renewed || !entitled(old, &device.0)))
            .collect();
        for device in fresh {
            self.give_warrant(context, device);
        }
    }

    fn give_warrant(&mut self, context: &mut Context, device: DeviceId) {
        if !self.speaks_for_link(context) {
            return;
        }
        let Some(key) = self.people.device_key(device) else {
            return;
        };
        let warrant = Warrant::sign(
            &context.identity.key,
            context.link.meeting,
            self.group.group_id(),
            self.policy.link.generation,
            key,
        );
        let chain: Vec<_> = self
            .keeper
            .warrants
            .iter()
            .cloned()
            .chain(warrant)
            .collect();
        if chain.len() <= MAX_CHAIN {
            self.publish(context, &Content::Warrants(chain));
        }
    }

    pub(super) fn hear_warrants(&mut self, context: &Context, chain: Vec<Warrant>) {
        let own = context.identity.key.public();
        if chain.len() <= MAX_CHAIN && chain.last().is_some_and(|last| *last.key() == own) {
            self.keeper.warrants = chain;
        }
    }

    /// When this device, named as a successor, makes itself a host: `None` while a host is heard.
    pub(super) fn succeeds_at(&self, context: &Context) -> Option<Instant> {
        let place = self
            .policy
            .successors
            .iter()
            .position(|successor| *successor == context.device.0)?;
        if self.role(context.device) == Role::Host {
            return None;
        }
        let members = self.group.members();
        let mut gone_since = None;
        for host in &self.policy.hosts {
            if !members.iter().any(|member| member.pseudonym.0 == *host) {
                continue;
            }
            let device = DeviceId(*host);
            let since = self
                .pulse
                .silent_since(device)
                .or_else(|| self.people.away_since(device))?;
            gone_since = gone_since.max(Some(since));
        }
        let steps = u32::try_from(place).unwrap_or(u32::MAX);
        gone_since?.checked_add(SUCCESSION + SUCCESSION_STEP.saturating_mul(steps))
    }

    /// Renews a link whose time is over, and takes a vanished host's place.
    pub(super) fn keep_rules(&mut self, context: &Context, now: Instant) {
        if self.keeper.link_ends_at.is_some_and(|at| at <= now) {
            self.keeper.link_ends_at = None;
            if self.desk.is_some() {
                self.commits.want_rule(RuleWish::RenewLink {
                    single_use: self.policy.link.single_use,
                    valid_s: None,
                });
            }
        }
        if self.succeeds_at(context).is_some_and(|at| at <= now) {
            self.commits.want_rule(RuleWish::Succeed);
        }
    }
}
