//! What is to be changed in the group: wishes, and the one commit that is on its way.
//!
//! Wishes stay in the queue until a commit that fulfils them is in the log, so that a lost race
//! or a broken link costs nothing but a second try. The commit on its way is given up only for
//! another one that is merged: until then somebody may have taken it, unseen by us, and a second
//! one in its place would part us from him.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use conclave_e2ee::{Group, Token32};
use conclave_wire::DeviceId;

use super::desk::Knocker;
use super::pending::Pending;
use super::rules::RuleWish;
use crate::policy::LinkRules;

/// Admissions wait so long for company: one commit lets in all who knock together.
const BATCH: Duration = Duration::from_millis(250);
/// People let in or removed by one commit: its Welcome stays well within the service's bound.
pub(super) const MAX_BATCH: usize = 128;
/// Pause before a commit is offered again that the service had no room or time for.
pub(super) const RETRY: Duration = Duration::from_secs(1);
/// How long the service is believed that another commit was first without showing it.
const DOUBT: Duration = Duration::from_secs(3);
/// Keys are renewed by one member's path commit after so long without one.
const REKEY: Duration = Duration::from_secs(5 * 60);
/// The members take turns: each waits so much longer than the one before.
const TURN: Duration = Duration::from_secs(3);
/// From so many members on, the first newcomer of a batch renews its path at once ('heal as you
/// grow'): a later removal then costs a logarithm and not the whole tree.
const HEAL_FROM: usize = 16;
/// Newcomers of one batch spread their healing over this time; the first makes it needless for
/// the others.
const HEAL_WITHIN_MS: u64 = 2000;

#[derive(Default)]
pub(super) struct Commits {
    pub(super) admissions: BTreeMap<DeviceId, Admittance>,
    pub(super) admit_at: Option<Instant>,
    pub(super) removals: BTreeSet<DeviceId>,
    pub(super) rules: Vec<RuleWish>,
    pub(super) pending: Option<Pending>,
    /// After a refusal for want of room: the time of the next try.
    pub(super) retry_at: Option<Instant>,
    setback_at: Option<Instant>,
    rekey_at: Option<Instant>,
    last_added: Option<Vec<DeviceId>>,
}

/// Somebody who is to be let in.
pub(super) struct Admittance {
    pub(super) knocker: Knocker,
    /// The leaf that he had before, which goes in the same commit.
    pub(super) replaces: Option<DeviceId>,
}

/// What the next commit is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Removals,
    Rules,
    Admissions,
    Rekey,
}

impl Commits {
    pub(super) fn want_admission(
        &mut self,
        now: Instant,
        knocker: Knocker,
        replaces: Option<DeviceId>,
    ) {
        let device = knocker.card.device;
        self.admissions
            .insert(device, Admittance { knocker, replaces });
        self.admit_at.get_or_insert(now + BATCH);
    }

    pub(super) fn drop_admissions(&mut self) {
        self.admissions.clear();
        self.admit_at = None;
    }

    /// Whom the commit on its way lets in.
    fn offered(&self) -> &[DeviceId] {
        let pending = self.pending.as_ref();
        pending.map_or(&[], |pending| &pending.draft.admitted)
    }

    /// Takes back the admission of whoever was to take the place of `old`; gives who that was.
    pub(super) fn drop_returns_of(&mut self, old: DeviceId) -> Vec<DeviceId> {
        self.drop_returns(old, |_| true)
    }

    /// Somebody is to take the place of `old` who knocked later than others who were to: his
    /// connection broke meanwhile. Gives those, without whoever is on his way in.
    pub(super) fn drop_older_returns_of(&mut self, old: DeviceId) -> Vec<DeviceId> {
        let offered = self.offered().to_vec();
        self.drop_returns(old, |device| !offered.contains(device))
    }

    fn drop_returns(&mut self, old: DeviceId, which: impl Fn(&DeviceId) -> bool) -> Vec<DeviceId> {
        let dropped = self.admissions.extract_if(.., |device, admittance| {
            admittance.replaces == Some(old) && which(device)
        });
        dropped.map(|(device, _)| device).collect()
    }

    /// Who was to take the place of `old` is to take that of `new`, who has taken it.
    pub(super) fn place_passed_on(&mut self, old: DeviceId, new: DeviceId) {
        for admittance in self.admissions.values_mut() {
            if admittance.replaces == Some(old) {
                admittance.replaces = Some(new);
            }
        }
    }

    pub(super) fn wants_removal(&self, device: DeviceId) -> bool {
        self.removals.contains(&device)
    }

    pub(super) fn want_removal(&mut self, device: DeviceId) {
        self.removals.insert(device);
    }

    /// Whether this change is wished for already, or on its way.
    pub(super) fn wants_rule(&self, wish: RuleWish) -> bool {
        self.rules.contains(&wish)
    }

    pub(super) fn want_rule(&mut self, wish: RuleWish) {
        // Those that the pending commit fulfils are counted from the front.
        let taken = self
            .pending
            .as_ref()
            .map_or(0, |pending| pending.draft.rules);
        if !self.rules.iter().skip(taken).any(|queued| *queued == wish) {
            self.rules.push(wish);
        }
    }

    /// The link is another one: who wished for one like it has got it.
    pub(super) fn is_renewed(&mut self, link: LinkRules) {
        self.rules.retain(|wish| match wish {
            RuleWish::RenewLink {
                single_use,
                valid_s,
            } => (*single_use, *valid_s) != (link.single_use, link.valid_s),
            _ => true,
        });
    }

    pub(super) fn withdraw(&mut self, device: DeviceId) {
        if !self.offered().contains(&device) {
            self.admissions.remove(&device);
        }
        if self.admissions.is_empty() {
            self.admit_at = None;
        }
    }

    /// Keys were renewed by a path: the next renewal is due a while after, one member after the
    /// other, `turn` being our place behind the one who did it.
    pub(super) fn path_renewed(&mut self, now: Instant, turn: u32) {
        self.rekey_at = now.checked_add(REKEY + TURN.saturating_mul(turn));
    }

    /// A newcomer's first path; `random` spreads those who came together.
    pub(super) fn heal(&mut self, now: Instant, members: usize, random: u64) {
        if members >= HEAL_FROM {
            let pause = Duration::from_millis(500 + random % HEAL_WITHIN_MS);
            self.rekey_at = Some(now + pause);
        }
    }

    /// When [`Self::ready`] may say something else than now, if nothing happens before.
    pub(super) fn deadline(&self, keeps_door: bool) -> Option<Instant> {
        if let Some(pending) = &self.pending {
            return pending.resend_at;
        }
        if self.retry_at.is_some() {
            return self.retry_at;
        }
        let admission = self
            .admit_at
            .filter(|_| keeps_door && !self.admissions.is_empty());
        [admission, self.rekey_at].into_iter().flatten().min()
    }

    /// The service counts fewer epochs than its log showed. The first time the commit is offered
    /// again at once; soon after that, later.
    pub(super) fn note_setback(&mut self, now: Instant) {
        if self.setback_at.is_some_and(|at| now < at + RETRY) {
            self.say_again(now);
        }
        self.setback_at = Some(now);
    }

    /// In the place that the pending commit is sealed for stands one that is refused: it goes to
    /// the next place, at once.
    pub(super) fn place_taken(&mut self) {
        if let Some(pending) = &mut self.pending {
            pending.resend_at = None;
        }
    }

    /// Another commit was first, by the service's word. The pending one is kept until the log shows
    /// the other: if it was taken after all, nobody but us could not read it.
    pub(super) fn doubt(&mut self, now: Instant) {
        self.say_again_at(now + DOUBT);
    }

    /// The service had no time or no room for one of our messages, perhaps for the commit.
    pub(super) fn say_again(&mut self, now: Instant) {
        self.say_again_at(now + RETRY);
    }

    fn say_again_at(&mut self, at: Instant) {
        if let Some(pending) = &mut self.pending {
            pending.resend_at.get_or_insert(at);
        }
    }

    /// Whether something keeps back the next commit for a time.
    pub(super) fn is_held(&self) -> bool {
        self.retry_at.is_some()
    }

    /// The log's epoch that the pending commit begins, if these are its bytes there.
    pub(super) fn own_epoch(&self, sealed: &[u8]) -> Option<u64> {
        let mut places = self.pending.as_ref()?.places.iter();
        places
            .find(|(_, commit)| commit.as_slice() == sealed)
            .map(|(epoch, _)| *epoch)
    }

    /// Another commit is first, or this one can never be taken; the wishes stay.
    pub(super) fn lost(&mut self, group: &mut Group) {
        self.pending = None;
        // The group holds it before it is offered. Should it fail, merging the winner replaces the
        // pending commit all the same.
        let _ = group.clear_pending();
    }

    pub(super) fn attached(&mut self, next_seq: u64) {
        if let Some(pending) = &mut self.pending {
            pending.resend_at_seq = Some(next_seq);
        }
    }

    /// The log's epochs that the pending commit may begin, the last that it was offered for first,
    /// and the token of each.
    pub(super) fn pending_epochs(&self) -> impl Iterator<Item = (u64, Token32)> {
        self.pending.iter().flat_map(|pending| {
            let token = &pending.bundle.delivery_token;
            let places = pending.places.iter().rev();
            places.map(|(epoch, _)| (*epoch, token.clone()))
        })
    }

    pub(super) fn last_added(&self) -> Option<&[DeviceId]> {
        self.last_added.as_deref()
    }

    pub(super) fn note_added(&mut self, added: Vec<DeviceId>) {
        self.last_added = (!added.is_empty()).then_some(added);
    }

    /// The most urgent wish whose time has come.
    pub(super) fn ready(&mut self, now: Instant, keeps_door: bool) -> Option<Wish> {
        let early = self.retry_at.is_some_and(|at| now < at);
        if self.pending.is_some() || early {
            return None;
        }
        self.retry_at = None;
        if keeps_door && !self.removals.is_empty() {
            return Some(Wish::Removals);
        }
        if !self.rules.is_empty() {
            return Some(Wish::Rules);
        }
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if keeps_door && due(self.admit_at) && !self.admissions.is_empty() {
            return Some(Wish::Admissions);
        }
        due(self.rekey_at).then_some(Wish::Rekey)
    }

    /// Renewing the keys turned out to be impossible now.
    pub(super) fn put_off_rekey(&mut self, now: Instant) {
        self.rekey_at = now.checked_add(REKEY);
    }
}
