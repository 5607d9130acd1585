//! Changing the group: one commit at a time, offered to the service, which takes one for each
//! epoch. Wishes stay in the queue until a commit that fulfils them is in the log, so that a lost
//! race or a broken link costs nothing but a second try.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use conclave_e2ee::{CommitBundle, Group, Leaf, Token32};
use conclave_wire::{
    Admission, Blob, ClientMessage, Commit, CommitBlob, DeviceId, ErrorCode, List,
};

use super::desk::Knocker;
use super::standing::{Standing, wire_token};
use super::{Active, Flow};
use crate::context::Context;
use crate::event::{LeftReason, Warning};
use crate::people::People;
use crate::seal::{Purpose, aad};
use crate::snapshot::Change;

/// Admissions wait so long for company: one commit lets in all who knock together.
const BATCH: Duration = Duration::from_millis(250);
/// People let in or removed by one commit: its Welcome stays well within the service's bound.
const MAX_BATCH: usize = 128;
/// Pause before a commit is offered again that the service had no room for.
const RETRY: Duration = Duration::from_secs(1);
/// A member whose connection is gone for so long is removed by the host.
const ABSENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(super) struct Commits {
    admissions: BTreeMap<DeviceId, Knocker>,
    admit_at: Option<Instant>,
    removals: BTreeSet<DeviceId>,
    pending: Option<Pending>,
    /// After a lost race: the epoch that must be reached before the next try.
    blocked_until: u64,
    /// After a refusal for want of room: the time of the next try.
    retry_at: Option<Instant>,
    /// What a service that lost one epoch can be brought on with.
    last: Option<Step>,
    last_added: Option<Vec<DeviceId>>,
}

/// An own commit that the service has not confirmed.
struct Pending {
    message: Commit,
    admitted: Vec<DeviceId>,
    removed: bool,
    /// After a new attachment: once the log is read so far without it, it was never taken.
    resend_at_seq: Option<u64>,
}

/// The commit that led to the present epoch, and the token of the one before.
struct Step {
    from_epoch: u64,
    token: Token32,
    commit: Commit,
}

impl Commits {
    pub(super) fn want_admission(&mut self, now: Instant, device: DeviceId, knocker: Knocker) {
        self.admissions.insert(device, knocker);
        self.admit_at.get_or_insert(now + BATCH);
    }

    pub(super) fn wants_removal(&self, device: DeviceId) -> bool {
        self.removals.contains(&device)
    }

    pub(super) fn want_removal(&mut self, device: DeviceId) {
        self.removals.insert(device);
    }

    pub(super) fn withdraw(&mut self, device: DeviceId) {
        let offered = self
            .pending
            .as_ref()
            .is_some_and(|pending| pending.admitted.contains(&device));
        if !offered {
            self.admissions.remove(&device);
        }
    }

    pub(super) fn remove_absent(&mut self, people: &People, is_host: bool, now: Instant) {
        if is_host {
            let absent = people.away().filter(|(_, since)| now >= *since + ABSENCE);
            self.removals.extend(absent.map(|(device, _)| device));
        }
    }

    pub(super) fn deadline(
        &self,
        people: &People,
        is_host: bool,
        attached: bool,
    ) -> Option<Instant> {
        let batch = self.admit_at.filter(|_| attached && self.pending.is_none());
        let retry = self.retry_at.filter(|_| attached && self.pending.is_none());
        let absence = people
            .away()
            .filter(|(device, _)| is_host && !self.removals.contains(device))
            .map(|(_, since)| since + ABSENCE)
            .min();
        batch.into_iter().chain(retry).chain(absence).min()
    }

    pub(super) fn is_own(&self, sealed: &[u8]) -> bool {
        self.pending
            .as_ref()
            .is_some_and(|pending| pending.message.commit.as_slice() == sealed)
    }

    /// Another commit is first; the wishes stay.
    pub(super) fn lost(&mut self, group: &mut Group) {
        if self.pending.take().is_some() {
            // Should it fail, merging the winner replaces the pending commit all the same.
            let _ = group.clear_pending();
        }
    }

    pub(super) fn attached(&mut self, next_seq: u64) {
        if let Some(pending) = &mut self.pending {
            pending.resend_at_seq = Some(next_seq);
        }
    }

    /// Epoch and token of the one before the present.
    pub(super) fn previous_token(&self) -> Option<(u64, Token32)> {
        self.last
            .as_ref()
            .map(|step| (step.from_epoch, step.token.clone()))
    }

    /// The commit that ends `epoch`, without the admission: who was let in by it and did not hear
    /// of it knocks again.
    pub(super) fn last_step(&self, epoch: u64) -> Option<Commit> {
        self.last
            .as_ref()
            .filter(|step| step.from_epoch == epoch)
            .map(|step| step.commit.clone())
    }

    pub(super) fn last_added(&self) -> Option<&[DeviceId]> {
        self.last_added.as_deref()
    }

    /// Remembers the commit that ended `from_epoch`, whose token was `token`.
    pub(super) fn merged(
        &mut self,
        from_epoch: u64,
        token: Token32,
        sealed: &[u8],
        next: &Token32,
    ) {
        let Ok(commit) = CommitBlob::new(sealed.to_vec()) else {
            return;
        };
        let commit = Commit {
            expected_epoch: from_epoch,
            commit,
            member_hash: wire_token(next).hash(),
            admission: None,
            removed: List::default(),
            door: None,
        };
        self.last = Some(Step {
            from_epoch,
            token,
            commit,
        });
    }

    pub(super) fn note_added(&mut self, added: Vec<DeviceId>) {
        self.last_added = (!added.is_empty()).then_some(added);
    }

    fn ready(&self, now: Instant, epoch: u64) -> Option<Wish> {
        let early = self.retry_at.is_some_and(|at| now < at);
        if self.pending.is_some() || epoch < self.blocked_until || early {
            return None;
        }
        if !self.removals.is_empty() {
            return Some(Wish::Removals);
        }
        (self.admit_at.is_some_and(|at| at <= now) && !self.admissions.is_empty())
            .then_some(Wish::Admissions)
    }
}

/// What the next commit is to do.
enum Wish {
    Removals,
    Admissions,
}

impl Active {
    /// Offers the next commit, if one is wished for and none is on its way.
    pub(super) fn step(&mut self, context: &mut Context, now: Instant) {
        if self.standing != Standing::Attached {
            return;
        }
        if let Some(pending) = &mut self.commits.pending {
            if pending
                .resend_at_seq
                .is_some_and(|seq| seq <= self.next_seq)
            {
                pending.resend_at_seq = None;
                context.send(ClientMessage::Commit(pending.message.clone()));
            }
            return;
        }
        if self.desk.is_none() {
            return;
        }
        let present: BTreeSet<_> = self.devices().collect();
        self.commits
            .removals
            .retain(|device| present.contains(device));
        let wish = self.commits.ready(now, self.group.epoch());
        if self.commits.retry_at.is_some_and(|at| at <= now) {
            self.commits.retry_at = None;
        }
        match wish {
            Some(Wish::Removals) => self.offer_removals(context),
            Some(Wish::Admissions) => self.offer_admissions(context),
            None => {}
        }
    }

    fn offer_removals(&mut self, context: &mut Context) {
        let members = self.group.members();
        let (leaves, devices): (Vec<Leaf>, Vec<DeviceId>) = members
            .iter()
            .map(|member| (member.leaf, DeviceId(member.pseudonym.0)))
            .filter(|(_, device)| self.commits.removals.contains(device))
            .take(MAX_BATCH)
            .unzip();
        match self.group.remove(&leaves) {
            Ok(bundle) => self.offer(context, bundle, Vec::new(), devices),
            Err(_) => {
                self.commits.removals.clear();
                context.warn(Warning::Unreadable);
            }
        }
    }

    fn offer_admissions(&mut self, context: &mut Context) {
        let batch: Vec<_> = self.commits.admissions.iter().take(MAX_BATCH).collect();
        let devices: Vec<_> = batch.iter().map(|(device, _)| **device).collect();
        let packages: Vec<_> = batch
            .iter()
            .map(|(_, knocker)| knocker.key_package.clone())
            .collect();
        match self.group.add(&packages) {
            Ok(bundle) => self.offer(context, bundle, devices, Vec::new()),
            Err(_) => self.drop_batch(context, &devices),
        }
    }

    fn drop_batch(&mut self, context: &mut Context, devices: &[DeviceId]) {
        for device in devices {
            self.commits.admissions.remove(device);
            context.send(ClientMessage::Refuse { device: *device });
        }
        self.commits.admit_at = None;
        context.warn(Warning::BadKnock);
    }

    fn offer(
        &mut self,
        context: &mut Context,
        bundle: CommitBundle,
        admitted: Vec<DeviceId>,
        removed: Vec<DeviceId>,
    ) {
        let is_removal = !removed.is_empty();
        let Some(message) = self.seal_commit(context, bundle, &admitted, removed) else {
            self.commits.lost(&mut self.group);
            self.drop_batch(context, &admitted);
            return;
        };
        context.send(ClientMessage::Commit(message.clone()));
        self.commits.pending = Some(Pending {
            message,
            admitted,
            removed: is_removal,
            resend_at_seq: None,
        });
    }

    fn seal_commit(
        &self,
        context: &Context,
        bundle: CommitBundle,
        admitted: &[DeviceId],
        removed: Vec<DeviceId>,
    ) -> Option<Commit> {
        let key = &context.handshake_key;
        let epoch = self.group.epoch() + 1;
        let aad = |purpose| aad(purpose, context.link.meeting, epoch);
        let admission = match (bundle.welcome, bundle.tree) {
            (Some(welcome), Some(tree)) if !admitted.is_empty() => Some(Admission {
                devices: List::new(admitted.to_vec()).ok()?,
                welcome: Blob::new(key.seal(&aad(Purpose::Welcome), &welcome).ok()?).ok()?,
                tree: Blob::new(key.seal(&aad(Purpose::Tree), &tree).ok()?).ok()?,
            }),
            _ => None,
        };
        Some(Commit {
            expected_epoch: self.group.epoch(),
            commit: Blob::new(key.seal(&aad(Purpose::Commit), &bundle.commit).ok()?).ok()?,
            member_hash: wire_token(&bundle.delivery_token).hash(),
            admission,
            removed: List::new(removed).ok()?,
            door: None,
        })
    }

    /// The log shows our own commit: now, and not before, it counts.
    pub(super) fn own_commit_won(&mut self, context: &mut Context, now: Instant) -> Flow {
        let Some(pending) = self.commits.pending.take() else {
            return Flow::Stay;
        };
        let before = self.group.epoch();
        let gone = pending.message.removed.as_slice().iter();
        let gone: Vec<_> = gone
            .filter_map(|device| self.people.name(*device).cloned())
            .collect();
        if self.group.merge_pending().is_err() {
            return Flow::Leave(LeftReason::Fault);
        }
        let joined = self.settle_admissions(now, &pending.admitted);
        for device in pending.message.removed.as_slice() {
            self.commits.removals.remove(device);
        }
        self.commits.note_added(pending.admitted.clone());
        let change = match (pending.removed, pending.admitted.is_empty()) {
            (true, _) => Change::Gone(gone),
            (false, false) => Change::Joined(joined),
            (false, true) => Change::Renewed,
        };
        let step = Some((before, pending.message.commit.as_slice()));
        let flow = self.new_epoch(context, now, change, pending.removed, step);
        if !pending.admitted.is_empty() {
            self.introduce_all(context);
        }
        flow
    }

    /// The admitted are members: their cards move from the desk to the people.
    fn settle_admissions(
        &mut self,
        now: Instant,
        admitted: &[DeviceId],
    ) -> Vec<crate::name::DisplayName> {
        let mut names = Vec::new();
        for device in admitted {
            if let Some(knocker) = self.commits.admissions.remove(device) {
                names.push(knocker.card.name.clone());
                self.people
                    .introduce(knocker.signed, knocker.card, Default::default());
                // Until it says something: one whose Welcome was lost is a leaf without a person.
                self.people.set_online(*device, false, now);
            }
        }
        self.commits.admit_at = (!self.commits.admissions.is_empty()).then_some(now);
        names
    }

    pub(super) fn conflict(&mut self, epoch: u64) -> Flow {
        // It may speak of an older commit that was offered again; the pending one still stands.
        let is_pending = |pending: &Pending| pending.message.expected_epoch < epoch;
        if self.commits.pending.as_ref().is_some_and(is_pending) {
            self.commits.lost(&mut self.group);
            self.commits.blocked_until = epoch;
        }
        Flow::Stay
    }

    /// The service did not take what was offered: try again soon, or let it be if it can never fit.
    pub(super) fn not_taken(&mut self, context: &mut Context, now: Instant, code: ErrorCode) {
        let Some(pending) = &self.commits.pending else {
            return;
        };
        let admitted = pending.admitted.clone();
        self.commits.lost(&mut self.group);
        self.commits.retry_at = Some(now + RETRY);
        if code == ErrorCode::TooLarge {
            self.drop_batch(context, &admitted);
        }
    }
}
