//! Reading the service's log: one entry after the other, each with a verdict.

use std::time::Instant;

use conclave_e2ee::{CommitSummary, Leaf, Processed, Pseudonym, Staged, Track};
use conclave_wire::{DeviceId, Entry, EntryBody};

use super::{Active, Flow};
use crate::card::SignedCard;
use crate::content::{Content, MediaState};
use crate::context::Context;
use crate::event::{Event, LeftReason, Output, Warning};
use crate::policy::{Policy, judge};
use crate::seal::{Purpose, aad};
use crate::snapshot::Change;

impl Active {
    pub(super) fn entry(&mut self, context: &mut Context, now: Instant, entry: Entry) -> Flow {
        if entry.seq < self.next_seq {
            return Flow::Stay;
        }
        if entry.seq > self.next_seq {
            context.warn(Warning::Gap);
            context.emit(Output::Reconnect);
            return Flow::Stay;
        }
        self.next_seq += 1;
        match entry.body {
            EntryBody::Commit { epoch, commit } => {
                self.commit_entry(context, now, epoch, commit.as_slice())
            }
            EntryBody::Application { message } if entry.from != context.device => {
                self.application(context, now, message.as_slice())
            }
            // Our own, come back; MLS does not open what one has sealed oneself.
            EntryBody::Application { .. } => Flow::Stay,
        }
    }

    fn commit_entry(
        &mut self,
        context: &mut Context,
        now: Instant,
        epoch: u64,
        sealed: &[u8],
    ) -> Flow {
        if self.commits.is_own(sealed) {
            return self.own_commit_won(context, now);
        }
        if epoch <= self.group.epoch() {
            // Merged before the link broke, or before the service lost its log.
            return Flow::Stay;
        }
        let aad = aad(Purpose::Commit, context.link.meeting, epoch);
        let Ok(message) = context.handshake_key.open(&aad, sealed) else {
            context.warn(Warning::Foreign);
            return Flow::Recover;
        };
        match self.group.process(&message) {
            Ok(Processed::Commit(staged)) => self.foreign_commit(context, now, sealed, staged),
            _ => Flow::Recover,
        }
    }

    /// Somebody else's commit: staged, judged, and only then merged.
    fn foreign_commit(
        &mut self,
        context: &mut Context,
        now: Instant,
        sealed: &[u8],
        staged: Staged,
    ) -> Flow {
        let members = self.group.members();
        let summary = staged.summary();
        if summary.removes_me {
            return match judge(summary, &members, &self.policy) {
                Ok(()) => Flow::Leave(LeftReason::Removed),
                Err(violation) => self.reject(context, violation),
            };
        }
        if let Err(violation) = judge(summary, &members, &self.policy) {
            return self.reject(context, violation);
        }
        let change = self.describe(summary);
        let added = summary
            .adds
            .iter()
            .map(|(pseudonym, _)| DeviceId(pseudonym.0))
            .collect();
        let removal = !summary.removes.is_empty();
        let policy = summary.changes_policy.as_deref().and_then(Policy::decode);
        let before = self.group.epoch();
        self.commits.lost(&mut self.group);
        if self.group.merge(staged).is_err() {
            return Flow::Recover;
        }
        if let Some(policy) = policy {
            self.policy = policy;
        }
        self.commits.note_added(added);
        self.new_epoch(context, now, change, removal, Some((before, sealed)))
    }

    /// The group that others may have moved to is not one that we follow.
    fn reject(&mut self, context: &mut Context, violation: crate::policy::Violation) -> Flow {
        context.warn(Warning::Refused(violation));
        Flow::Recover
    }

    /// Why the code changes, in names; those whose cards have not come yet have none.
    pub(super) fn describe(&self, summary: &CommitSummary) -> Change {
        let name = |device| self.people.name(device).cloned();
        if !summary.removes.is_empty() {
            let leaves = |leaf: &Leaf| self.device_at(*leaf).and_then(name);
            return Change::Gone(summary.removes.iter().filter_map(leaves).collect());
        }
        if !summary.adds.is_empty() {
            let adds = summary.adds.iter();
            return Change::Joined(adds.filter_map(|(who, _)| name(DeviceId(who.0))).collect());
        }
        Change::Renewed
    }

    fn device_at(&self, leaf: Leaf) -> Option<DeviceId> {
        let members = self.group.members();
        members
            .iter()
            .find(|member| member.leaf == leaf)
            .map(|member| DeviceId(member.pseudonym.0))
    }

    fn application(&mut self, context: &mut Context, now: Instant, sealed: &[u8]) -> Flow {
        let aad = aad(Purpose::Application, context.link.meeting, 0);
        let Ok(message) = context.handshake_key.open(&aad, sealed) else {
            context.warn(Warning::Foreign);
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
                context.warn(Warning::Unreadable);
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
        self.people.set_online(device, true, now);
        match content {
            Content::Cards(cards) => self.cards(context, from, cards),
            Content::Media(media) => {
                self.people.set_media(device, media);
                context.event(Event::Roster);
            }
            Content::Leave => {
                self.people.set_online(device, false, now);
                if self.desk.is_some() {
                    self.commits.want_removal(device);
                }
            }
            Content::End if self.policy.is_host(from) => return Flow::Leave(LeftReason::Ended),
            Content::End => context.warn(Warning::Unreadable),
            Content::KeyFrame { device, track } if device == context.device => {
                if let Some(track) = Track::new(track) {
                    context.event(Event::KeyFrameWanted { track });
                }
            }
            Content::KeyFrame { .. } => {}
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
        let by_host = self.policy.is_host(from);
        let group_id = self.group.group_id();
        let members = self.group.members();
        let host = &self.described.descriptor;
        for (signed, media) in cards {
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
