//! The door: what it shows, under which link, and who may speak for it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use conclave_e2ee::{LinkSecret, Pseudonym, fingerprint16};
use conclave_wire::{Blob, ClientMessage, DeviceId, Door};

use super::Active;
use super::desk::Desk;
use super::rules::{RuleWish, SUCCESSION};
use super::standing::Standing;
use crate::content::Content;
use crate::context::Context;
use crate::descriptor::Descriptor;
use crate::event::{Event, Warning};
use crate::lobby::{Described, knock_token};
use crate::policy::{MAX_ROLES, Policy, Role};
use crate::warrant::{MAX_CHAIN, Warrant};

/// What the door needs beside the descriptor.
#[derive(Default)]
pub(super) struct Doorkeeper {
    /// Knock keys of the role-holders, as they told them.
    knock_keys: BTreeMap<DeviceId, Vec<u8>>,
    /// Our right to speak for the host whom the link names.
    warrants: Vec<Warrant>,
    /// The silent keeper of the door from whom this device has taken it over.
    passed_from: Option<DeviceId>,
    /// The service may show another door than the one we know of.
    pub(super) owes_door: bool,
    /// When the link that is in force ends.
    pub(super) link_ends_at: Option<Instant>,
}

impl Active {
    /// From now on the renewed link is the meeting's link.
    pub(super) fn take_link(
        &mut self,
        context: &mut Context,
        now: Instant,
        secret: LinkSecret,
    ) -> Option<()> {
        self.hold_link(context, secret)?;
        self.repeats.renewed(now);
        self.keeper.link_ends_at = self
            .policy
            .link
            .valid_s
            .and_then(|valid| now.checked_add(Duration::from_secs(valid.into())));
        // Warrants and knocks were for the old one.
        self.keeper.warrants.clear();
        self.clear_desk(context);
        self.commits.drop_admissions();
        self.commits.is_renewed(self.policy.link);
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

    /// The member that signs the descriptor: who did so before, as long as he keeps the door and
    /// is heard of, and after him the first host or co-host of whom that is true. Cards are sealed
    /// to those whom he names: if he were gone, nobody could open them.
    pub(super) fn describer(&self) -> Option<DeviceId> {
        let members = self.group.members();
        let is_here = |device: &DeviceId| {
            let is_in = members.iter().any(|member| member.pseudonym.0 == device.0);
            is_in && !self.pulse.is_silent(*device)
        };
        let before = self.described.descriptor.host_device;
        if is_here(&before) && self.role(before) >= Role::CoHost {
            return Some(before);
        }
        let keepers = self.policy.hosts.iter().chain(&self.policy.co_hosts);
        keepers.copied().map(DeviceId).find(is_here)
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

    /// When the door is to pass to this device, because its keeper is silent, or because he keeps it
    /// no more and who was to say so at once is silent too.
    pub(super) fn door_passes_at(&self, context: &Context) -> Option<Instant> {
        let keeper = self.described.descriptor.host_device;
        let at = match self.pulse.counts(keeper) && self.role(keeper) >= Role::CoHost {
            true => self.pulse.silent_since(keeper)?.checked_add(SUCCESSION)?,
            false => context.now?,
        };
        // Last, for it asks for all members, and this after everything that happens.
        let is_due =
            self.keeper.passed_from != Some(keeper) && self.describer() == Some(context.device);
        is_due.then_some(at)
    }

    /// Takes the door over from a keeper who is silent for long, or gone: nothing else might change
    /// that would pass it on, and who knocks would wait for nobody.
    pub(super) fn keep_door(&mut self, context: &mut Context, now: Instant) {
        if self.door_passes_at(context).is_some_and(|at| at <= now) {
            self.keeper.passed_from = Some(self.described.descriptor.host_device);
            self.redescribe(context);
            // Those whom he let in last may have been told nothing.
            self.podium.owe();
        }
    }

    /// Shows at the door what the rules now say, if that is ours to do and anything changed.
    pub(super) fn redescribe(&mut self, context: &mut Context) {
        if self.standing != Standing::Attached || self.describer() != Some(context.device) {
            return;
        }
        // Somebody else renewed the link, which names him: what it shows is his to say, and on its
        // way.
        if self.policy.link.generation != self.described.descriptor.generation {
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
        let is_owed = std::mem::take(&mut self.keeper.owes_door);
        if is_owed || described.descriptor != self.described.descriptor {
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
    pub(super) fn give_warrants(&mut self, context: &mut Context, old: &Policy) {
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
}
