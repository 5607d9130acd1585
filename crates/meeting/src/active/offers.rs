//! Making the commit that the wishes ask for, and offering it to the service.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::time::Instant;

use conclave_e2ee::{Change as GroupChange, CommitBundle, Leaf, VerifiedKeyPackage};
use conclave_wire::{Admission, Blob, ClientMessage, Commit, DeviceId, Door, List};

use super::Active;
use super::commits::{MAX_BATCH, RETRY, Wish};
use super::pending::{Pending, place_of};
use super::rules::{RuleWish, apply, batch};
use super::standing::wire_token;
use crate::context::Context;
use crate::event::Warning;
use crate::lobby::Described;
use crate::policy::{Policy, Role, judge};
use crate::seal::Purpose;

/// What a commit does.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) admitted: Vec<DeviceId>,
    pub(super) removed: Vec<DeviceId>,
    /// So many of the rule wishes it fulfils.
    pub(super) rules: usize,
    pub(super) policy: Option<Policy>,
}

impl Active {
    /// Offers the next commit, if one is wished for and none is on its way.
    pub(super) fn step(&mut self, context: &mut Context, now: Instant) {
        if !self.may_offer() {
            return;
        }
        self.offer_again(context, now);
        let present: BTreeSet<_> = self.devices().collect();
        self.commits
            .removals
            .retain(|device| present.contains(device));
        let keeps_door = self.desk.is_some();
        match self.commits.ready(now, keeps_door) {
            Some(Wish::Removals) => self.offer_removals(context),
            Some(Wish::Rules) => self.offer_rules(context),
            Some(Wish::Admissions) => self.offer_admissions(context, now),
            Some(Wish::Rekey) => self.offer_rekey(context, now),
            None => {}
        }
    }

    /// Offers the commit on its way again: where it was, if the service did not take it, and sealed
    /// for the next place, if the log has moved on without it. It is the same commit everywhere:
    /// who has taken it already, unseen by us, stands where we are to stand.
    fn offer_again(&mut self, context: &mut Context, now: Instant) {
        let Some(mut pending) = self.commits.pending.take() else {
            return;
        };
        if pending.is_due(now, self.position.next_seq, self.position.log_epoch) {
            pending.resend_at_seq = None;
            pending.resend_at = None;
            if pending.message.expected_epoch != self.position.log_epoch {
                let Pending {
                    bundle,
                    draft,
                    door,
                    ..
                } = &pending;
                match self.seal_commit(context, bundle, draft, door.clone()) {
                    Some(message) => pending.sealed_as(message),
                    None => context.warn(Warning::NotPossible),
                }
            }
            context.send(ClientMessage::Commit(pending.message.clone()));
        }
        self.commits.pending = Some(pending);
    }

    /// Whether the log is read as far as the service said that it reaches, has come as far as this
    /// device, and no way back into the group is under way.
    pub(super) fn may_offer(&self) -> bool {
        self.has_read_all() && !self.returning.is_under_way() && !self.is_off_log()
    }

    fn leaves(&self, devices: &[DeviceId]) -> Vec<Leaf> {
        let wanted: HashSet<_> = devices.iter().map(|device| device.0).collect();
        self.group
            .members()
            .into_iter()
            .filter(|member| wanted.contains(&member.pseudonym.0))
            .map(|member| member.leaf)
            .collect()
    }

    fn offer_removals(&mut self, context: &mut Context) {
        let (may, may_not): (Vec<_>, Vec<_>) = self
            .commits
            .removals
            .iter()
            .copied()
            .partition(|device| self.may_remove(context, *device));
        // A co-host leaves hosts to the hosts.
        for device in may_not {
            self.commits.removals.remove(&device);
        }
        let removed: Vec<_> = may.into_iter().take(MAX_BATCH).collect();
        if removed.is_empty() {
            return;
        }
        let gone: HashSet<_> = removed.iter().map(|device| device.0).collect();
        let policy = Some(self.policy.without(&gone)).filter(|policy| *policy != self.policy);
        let leaves = self.leaves(&removed);
        let change = GroupChange {
            removes: &leaves,
            ..GroupChange::default()
        };
        let draft = Draft {
            removed,
            policy,
            ..Draft::default()
        };
        if !self.offer(context, change, draft) {
            self.commits.removals.clear();
            // Who is absent is wished away again, but not at once.
            self.commits.retry_at = context.now.map(|now| now + RETRY);
            context.warn(Warning::NotPossible);
        }
    }

    fn offer_rules(&mut self, context: &mut Context) {
        let wishes = batch(&self.commits.rules);
        let rules = wishes.len();
        let Some(policy) = apply(wishes, &self.policy, context.device) else {
            self.commits.rules.drain(..rules);
            return;
        };
        let draft = Draft {
            rules,
            policy: Some(policy),
            ..Draft::default()
        };
        if !self.offer(context, GroupChange::default(), draft) {
            self.commits.rules.drain(..rules);
            context.warn(Warning::NotPossible);
        }
    }

    fn offer_admissions(&mut self, context: &mut Context, now: Instant) {
        let single_use = self.policy.link.single_use;
        let locked = self.policy.locked;
        let members: HashSet<_> = self.devices().collect();
        let mut draft = Draft::default();
        let mut packages: Vec<VerifiedKeyPackage> = Vec::new();
        let mut returning = Vec::new();
        for (device, admittance) in &self.commits.admissions {
            let may_go = |old: &DeviceId| members.contains(old) && self.may_remove(context, *old);
            let old = admittance.replaces.filter(may_go);
            let is_new = old.is_none();
            let full =
                packages.len() >= MAX_BATCH || (single_use && is_new && !packages.is_empty());
            // One place cannot be taken twice at a time.
            let is_taken = old.is_some_and(|old| draft.removed.contains(&old));
            if full || is_taken || (locked && is_new) {
                continue;
            }
            packages.push(admittance.knocker.key_package.clone());
            draft.admitted.push(*device);
            if let Some(old) = old {
                draft.removed.push(old);
                returning.push((old, *device));
            } else if single_use {
                break;
            }
        }
        if packages.is_empty() {
            // The door was locked meanwhile.
            let waiting: Vec<_> = self.commits.admissions.keys().copied().collect();
            return self.drop_batch(context, &waiting);
        }
        let is_newcomer = draft.admitted.len() > draft.removed.len();
        draft.policy = self.policy_with(context, &returning, single_use && is_newcomer);
        let leaves = self.leaves(&draft.removed);
        let change = GroupChange {
            adds: &packages,
            removes: &leaves,
            ..GroupChange::default()
        };
        let admitted = draft.admitted.clone();
        if !self.offer(context, change, draft) {
            self.drop_batch(context, &admitted);
        }
        if !self.commits.admissions.is_empty() {
            self.commits.admit_at = Some(now);
        }
    }

    /// The rules that go with an admission: who comes back keeps his role, and a link for one
    /// ends with the one it let in.
    fn policy_with(
        &self,
        context: &Context,
        returning: &[(DeviceId, DeviceId)],
        renews_link: bool,
    ) -> Option<Policy> {
        let mut policy = self.policy.clone();
        if self.role(context.device) == Role::Host {
            for (old, new) in returning {
                let role = policy.role(conclave_e2ee::Pseudonym(old.0));
                let gone = HashSet::from([old.0]);
                policy = policy.without(&gone);
                policy = policy.with_role(new.0, role).unwrap_or(policy);
            }
        } else {
            policy = policy.without(&returning.iter().map(|(old, _)| old.0).collect());
        }
        let rules = policy.link;
        let renewal = RuleWish::RenewLink {
            single_use: rules.single_use,
            valid_s: rules.valid_s,
        };
        if renews_link && let Some(renewed) = apply(&[renewal], &policy, context.device) {
            policy = renewed;
        }
        (policy != self.policy).then_some(policy)
    }

    fn offer_rekey(&mut self, context: &mut Context, now: Instant) {
        let Ok(bundle) = self.group.rekey() else {
            return self.commits.put_off_rekey(now);
        };
        if !self.send_commit(context, bundle, Draft::default()) {
            self.commits.put_off_rekey(now);
        }
    }

    pub(super) fn drop_batch(&mut self, context: &mut Context, devices: &[DeviceId]) {
        for device in devices {
            self.commits.admissions.remove(device);
            context.send(ClientMessage::Refuse { device: *device });
        }
        self.commits.admit_at = None;
        context.warn(Warning::BadKnock);
    }

    /// Makes the commit of a draft and offers it; whether it could be made.
    fn offer(&mut self, context: &mut Context, change: GroupChange<'_>, draft: Draft) -> bool {
        let encoded = match draft.policy.as_ref().map(Policy::encode) {
            Some(None) => return false,
            encoded => encoded.flatten(),
        };
        let generation = draft.policy.as_ref().map(|policy| policy.link.generation);
        let change = GroupChange {
            policy: encoded.as_deref(),
            renews_link: generation.filter(|new| *new != self.policy.link.generation),
            ..change
        };
        match self.group.change(change) {
            Ok(bundle) => self.send_commit(context, bundle, draft),
            Err(_) => false,
        }
    }

    fn send_commit(&mut self, context: &mut Context, bundle: CommitBundle, draft: Draft) -> bool {
        if !self.is_lawful() {
            self.commits.lost(&mut self.group);
            return false;
        }
        let new_door = match (&bundle.next_link, &draft.policy) {
            (Some(secret), Some(policy)) => self.door_under(context, policy, secret),
            _ => None,
        };
        let (described, door): (Option<Described>, Option<Door>) = new_door.unzip();
        let Some(message) = self.seal_commit(context, &bundle, &draft, door.clone()) else {
            self.commits.lost(&mut self.group);
            return false;
        };
        context.send(ClientMessage::Commit(message.clone()));
        self.commits.pending = Some(Pending {
            places: VecDeque::from_iter(place_of(&message)),
            message,
            bundle,
            draft,
            door,
            described,
            resend_at_seq: None,
            resend_at: None,
        });
        true
    }

    /// Whether the others will let the commit just made pass. Whoever sent what they refuse would
    /// move on alone.
    fn is_lawful(&self) -> bool {
        let summary = self.group.pending_summary();
        let verdict = summary.map(|summary| judge(&summary, &self.group.members(), &self.policy));
        verdict.is_some_and(|verdict| verdict.is_ok())
    }

    pub(super) fn seal_commit(
        &self,
        context: &Context,
        bundle: &CommitBundle,
        draft: &Draft,
        door: Option<Door>,
    ) -> Option<Commit> {
        let epoch = self.position.log_epoch.checked_add(1)?;
        let seal = |purpose, bytes: &[u8]| context.seal.seal(purpose, epoch, bytes);
        let admission = match (&bundle.welcome, &bundle.tree) {
            (Some(welcome), Some(tree)) if !draft.admitted.is_empty() => Some(Admission {
                devices: List::new(draft.admitted.clone()).ok()?,
                welcome: Blob::new(seal(Purpose::Welcome, welcome)?).ok()?,
                tree: Blob::new(seal(Purpose::Tree, tree)?).ok()?,
            }),
            _ => None,
        };
        Some(Commit {
            expected_epoch: self.position.log_epoch,
            commit: Blob::new(seal(Purpose::Commit, &bundle.commit)?).ok()?,
            member_hash: wire_token(&bundle.delivery_token).hash(),
            admission,
            removed: List::new(draft.removed.clone()).ok()?,
            door,
        })
    }
}
