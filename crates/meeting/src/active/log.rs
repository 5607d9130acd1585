//! Reading the service's log: one entry after the other, each with a verdict.
//!
//! A commit that breaks the rules, or cannot be read, is refused and the meeting goes on: the
//! log's count of epochs moves on, the group's does not. All honest clients come to the same
//! verdict, so that they stay together. Who nevertheless finds himself apart (a commit was made
//! unreadable for him alone, or the service showed him another log) learns it from the others'
//! heartbeats; see `pulse`.

use std::time::Instant;

use conclave_e2ee::{CommitSummary, Leaf, Processed, Pseudonym, Staged};
use conclave_wire::{DeviceId, Entry, EntryBody};

use super::{Active, Flow};
use crate::card::SignedCard;
use crate::content::{Content, MediaState};
use crate::context::Context;
use crate::event::{Event, LeftReason, Warning};
use crate::policy::{Policy, Role, Violation, judge};
use crate::seal::Purpose;
use crate::snapshot::Change;

impl Active {
    pub(super) fn entry(&mut self, context: &mut Context, now: Instant, entry: Entry) -> Flow {
        if entry.seq < self.position.next_seq {
            return Flow::Stay;
        }
        if entry.seq > self.position.next_seq {
            context.warn_once(Warning::Gap);
            self.pulse.want_reread(now);
            return Flow::Stay;
        }
        self.position.next_seq = self.position.next_seq.saturating_add(1);
        let flow = match entry.body {
            EntryBody::Commit { epoch, commit } => {
                self.commit_entry(context, now, epoch, commit.as_slice())
            }
            // Our own, come back; MLS does not open what one has sealed oneself. What the service
            // says of its sender counts for nothing.
            EntryBody::Application { message } => match self.echoes.take(message.as_slice()) {
                Some(said) => self.said(context, said),
                None => self.application(context, now, message.as_slice()),
            },
        };
        self.position.note_read();
        flow
    }

    fn commit_entry(
        &mut self,
        context: &mut Context,
        now: Instant,
        epoch: u64,
        sealed: &[u8],
    ) -> Flow {
        // The others' commits open at their own place in the log only. Ours is known by its bytes:
        // what the service says of its place counts for nothing.
        let own = self.commits.own_epoch(sealed);
        let way_back = self.returning.own_epoch(sealed);
        let epoch = own.or(way_back).unwrap_or(epoch);
        self.position.note_commit(epoch);
        if way_back.is_some() {
            return self.came_back(context, now);
        }
        self.returning.give_up_way();
        if epoch <= self.position.begun_at {
            // Merged before the link broke, or before the service lost its log.
            return Flow::Stay;
        }
        if own.is_some() {
            return self.own_commit_won(context, now, sealed);
        }
        let message = match context.seal.open(Purpose::Commit, epoch, sealed) {
            Ok(message) => message,
            Err(_) => {
                context.warn_once(Warning::Foreign);
                self.commits.place_taken();
                return Flow::Stay;
            }
        };
        match self.group.process(&message) {
            Ok(Processed::Commit(staged)) => {
                // It opened there, whatever the service said of those before it.
                let ended = epoch.saturating_sub(1);
                self.foreign_commit(context, now, (ended, sealed), staged)
            }
            _ => {
                self.refuse_commit(context, None, Violation::Unreadable);
                Flow::Stay
            }
        }
    }

    /// Somebody else's commit: staged, judged, and only then merged.
    pub(super) fn foreign_commit(
        &mut self,
        context: &mut Context,
        now: Instant,
        step: (u64, &[u8]),
        staged: Staged,
    ) -> Flow {
        let members = self.group.members();
        let summary = staged.summary();
        if let Err(violation) = judge(summary, &members, &self.policy) {
            self.refuse_commit(context, summary.committer, violation);
            return Flow::Stay;
        }
        let returns = summary.resyncs(&members).is_some();
        if summary.removes_me {
            // By somebody who has our leaf key and took our place with it, we were not removed.
            return match returns {
                true => Flow::Recover,
                false => Flow::Leave(LeftReason::Removed),
            };
        }
        let path_by = summary.committer.filter(|_| summary.has_path);
        let change = self.describe(summary);
        let added = summary
            .adds
            .iter()
            .map(|(pseudonym, _)| DeviceId(pseudonym.0))
            .collect();
        let removal = !summary.removes.is_empty();
        self.note_sent_away(summary);
        if returns && self.describer() == Some(context.device) {
            // He has missed what was said meanwhile.
            self.podium.owe();
        }
        let policy = summary.changes_policy.as_deref().and_then(Policy::decode);
        self.commits.lost(&mut self.group);
        if self.group.merge(staged).is_err() {
            return Flow::Recover;
        }
        self.position.has_taken_up = false;
        self.commits.note_added(added);
        let flow = self.new_epoch(context, now, change, removal, Some(step));
        if let Some(leaf) = path_by {
            self.path_renewed(now, leaf);
        }
        match (flow, policy) {
            (Flow::Stay, Some(policy)) => self.rules_changed(context, now, policy, None, None),
            (flow, _) => flow,
        }
    }

    /// Tells who tried what; the group stays as it is, and what was under way here is offered
    /// again at the log's next epoch.
    fn refuse_commit(&mut self, context: &mut Context, by: Option<Leaf>, violation: Violation) {
        let who = by
            .and_then(|leaf| self.device_at(leaf))
            .and_then(|device| self.people.name(device).cloned());
        context.warn(Warning::Refused { who, violation });
        self.commits.place_taken();
    }

    /// Why the code changes, in names; those whose cards have not come yet have none.
    pub(super) fn describe(&self, summary: &CommitSummary) -> Change {
        let name = |device| self.people.name(device).cloned();
        if summary.enters.is_some() {
            // A member came back: nobody new is here, and nobody has gone.
            return Change::Renewed;
        }
        if !summary.removes.is_empty() {
            let leaves = |leaf: &Leaf| self.device_at(*leaf).and_then(name);
            return Change::Gone(summary.removes.iter().filter_map(leaves).collect());
        }
        if !summary.adds.is_empty() {
            let adds = summary.adds.iter();
            return Change::Joined(adds.filter_map(|(who, _)| name(DeviceId(who.0))).collect());
        }
        match summary.changes_policy {
            Some(_) => Change::Rules,
            None => Change::Renewed,
        }
    }

    pub(super) fn device_at(&self, leaf: Leaf) -> Option<DeviceId> {
        let members = self.group.members();
        members
            .iter()
            .find(|member| member.leaf == leaf)
            .map(|member| DeviceId(member.pseudonym.0))
    }

    fn application(&mut self, context: &mut Context, now: Instant, sealed: &[u8]) -> Flow {
        let Ok(message) = context.seal.open(Purpose::Application, 0, sealed) else {
            context.warn_once(Warning::Foreign);
            return Flow::Stay;
        };
        let content = match self.group.process(&message) {
            Ok(Processed::Application {
                pseudonym, bytes, ..
            }) => Content::decode(&bytes).map(|content| (pseudonym, content)),
            // A commit where a message should be could only come from a lying service.
            Ok(Processed::Commit(_)) | Err(_) => None,
        };
        match content {
            Some((from, content)) => self.hear(context, now, from, content),
            None => {
                context.warn_once(Warning::Unreadable);
                Flow::Stay
            }
        }
    }

    fn hear(
        &mut self,
        context: &mut Context,
        now: Instant,
        from: Pseudonym,
        content: Content,
    ) -> Flow {
        let device = DeviceId(from.0);
        // What was said before this device came back is no sign of life: who said it may have gone.
        if self.position.next_seq > self.position.read_until.0 {
            self.people.set_online(device, true, now);
            self.pulse.heard(device, now);
        }
        let role = self.policy.role(from);
        match content {
            Content::Cards(cards) => self.cards(context, from, cards),
            content if content.is_of_floor() => self.hear_of_floor(context, from, content),
            Content::Leave => {
                self.removed.said_goodbye(device);
                self.people.set_online(device, false, now);
                if self.desk.is_some() {
                    self.commits.want_removal(device);
                }
            }
            Content::End if role == Role::Host => return Flow::Leave(LeftReason::Ended),
            Content::Descriptor(sealed) if role >= Role::CoHost => {
                self.hear_descriptor(context, device, sealed);
            }
            Content::KnockKey(key) if role >= Role::CoHost => {
                self.hear_knock_key(context, device, key);
            }
            Content::Warrants(chain) if role == Role::Host => self.hear_warrants(context, chain),
            Content::LinkEnds { generation, in_s } if role >= Role::CoHost => {
                self.hear_link_ends(context, now, generation, in_s);
            }
            Content::End => context.warn_once(Warning::Unreadable),
            // From somebody who has just lost the role, or never had it: it says nothing.
            Content::Descriptor(_)
            | Content::KnockKey(_)
            | Content::Warrants(_)
            | Content::LinkEnds { .. } => {}
            // Heard above.
            Content::Media(_) | Content::Hand(_) | Content::Speaking { .. } | Content::Floor(_) => {
            }
        }
        Flow::Stay
    }

    /// A card names the leaf that it belongs to, but only its maker's key signs it. So a member
    /// is believed about itself, and a host, who has seen card and KeyPackage together, about all.
    fn cards(
        &mut self,
        context: &mut Context,
        from: Pseudonym,
        cards: Vec<(SignedCard, MediaState)>,
    ) {
        let by_host = self.policy.role(from) >= Role::CoHost;
        let group_id = self.group.group_id();
        let members = self.group.members();
        let host = &self.described.descriptor;
        for (signed, media) in cards {
            // Each admission brings everybody's cards: in a large meeting checking all of them again
            // would take longer than all else.
            if self.people.knows(&signed) {
                continue;
            }
            let Ok(card) = signed.clone().verify(context.link.meeting, &group_id) else {
                context.warn(Warning::FalseCard);
                continue;
            };
            let leaf = members
                .iter()
                .find(|member| member.pseudonym.0 == card.device.0);
            // Somebody who has gone meanwhile: nothing false about it.
            let Some(leaf) = leaf else { continue };
            let false_host = card.device == host.host_device && card.device_key != host.host_key;
            let not_theirs = !by_host && card.device.0 != from.0;
            if leaf.leaf_key != card.leaf_key || false_host || not_theirs {
                context.warn(Warning::FalseCard);
                continue;
            }
            self.people.introduce(signed, card, media);
        }
        self.name_the_newcomers();
        context.event(Event::Roster);
    }

    /// A commit comes before the cards of those whom it adds; the reason is completed after.
    fn name_the_newcomers(&mut self) {
        if let (Change::Joined(names), Some(added)) = (&mut self.change, self.commits.last_added())
        {
            *names = added
                .iter()
                .filter_map(|device| self.people.name(*device).cloned())
                .collect();
        }
    }
}
