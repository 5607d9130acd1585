//! Being known to the service: the first time, after a broken link, and after it restarted with
//! its memory lost. Members carry the meeting on; any of them can restore it.

use std::time::{Duration, Instant};

use conclave_e2ee::Token32;
use conclave_wire::{
    Attach, Blob, ClientMessage, Door, ErrorCode, MemberProof, OpenMeeting, Token,
};

use super::{Active, Flow};
use crate::content::Content;
use crate::context::Context;
use crate::event::{Event, Warning};
use crate::lobby::knock_token;

/// Whether the service counts us as present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has not heard of the meeting yet.
    Unopened,
    /// The link is down.
    Away,
    /// Opened or restored, not answered.
    Opening,
    /// Asked, not answered.
    Attaching,
    /// Present.
    Attached,
}

/// An epoch whose token proves to the service that this device is a member.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Proof {
    #[default]
    Present,
    /// The one that the own commit on its way begins: it was in the log, unseen by us, when the
    /// service lost its memory, and somebody who had seen it restored the meeting there.
    Coming,
    /// So many before the present: the meeting was restored by somebody who had not come as far.
    Previous(usize),
}

impl Active {
    pub(super) fn link_up(&mut self, context: &mut Context) {
        match self.standing {
            Standing::Unopened => self.open(context),
            _ => self.attach(context, Proof::Present, (self.begun_at, self.token.clone())),
        }
    }

    pub(super) fn link_down(&mut self) {
        self.pulse.pause();
        self.echoes.forget_times();
        // Whether an `Open` came through is not known; the service says so when it is asked again.
        let unanswered = self.standing == Standing::Opening && self.desk.is_some() && !self.is_open;
        if self.standing != Standing::Unopened {
            self.standing = if unanswered {
                Standing::Unopened
            } else {
                Standing::Away
            };
        }
    }

    fn open(&mut self, context: &mut Context) {
        let Ok(descriptor) = Blob::new(self.described.sealed.clone()) else {
            return;
        };
        let open = OpenMeeting {
            meeting: context.link.meeting,
            door: Door {
                knock_hash: knock_token(&context.link.secret).hash(),
                descriptor,
            },
            lifetime_s: seconds(self.lifetime),
            device: context.device,
            device_token: context.device_token.clone(),
            epoch: self.begun_at,
            member_hash: wire_token(&self.token).hash(),
            wants_knocks: self.desk.is_some(),
        };
        context.send(ClientMessage::Open(open));
        self.standing = Standing::Opening;
    }

    fn attach(&mut self, context: &mut Context, proof: Proof, (epoch, token): (u64, Token32)) {
        let attach = Attach {
            meeting: context.link.meeting,
            device: context.device,
            device_token: context.device_token.clone(),
            proof: MemberProof {
                epoch,
                token: wire_token(&token),
            },
            from_seq: self.next_seq,
            wants_knocks: self.desk.is_some(),
        };
        context.send(ClientMessage::Attach(attach));
        self.standing = Standing::Attaching;
        self.shown = proof;
    }

    /// The proof to show after the one that the service did not know, with its epoch and token.
    fn next_proof(&self) -> Option<(Proof, (u64, Token32))> {
        let coming = self.commits.pending_token();
        if let (Proof::Present, Some(token)) = (self.shown, coming) {
            return Some((Proof::Coming, token));
        }
        let before = match self.shown {
            Proof::Present | Proof::Coming => 1,
            Proof::Previous(before) => before.checked_add(1)?,
        };
        let token = self.steps.token(before)?;
        Some((Proof::Previous(before), token))
    }

    /// The epoch before the present one that the service knew us by: the nearest that it knows.
    fn proven_epoch(&self) -> Option<u64> {
        match self.shown {
            Proof::Previous(before) => self.steps.token(before).map(|(epoch, _)| epoch),
            Proof::Present | Proof::Coming => None,
        }
    }

    pub(super) fn not_attached(&mut self, context: &mut Context, code: ErrorCode) -> Flow {
        match (self.standing, code) {
            // It restarted: whoever comes first restores the meeting at his epoch …
            (Standing::Attaching, ErrorCode::NoSuchMeeting) => {
                self.open(context);
                Flow::Stay
            }
            // … and the others find it there.
            (Standing::Opening, ErrorCode::MeetingExists) => {
                self.attach(context, Proof::Present, (self.begun_at, self.token.clone()));
                Flow::Stay
            }
            // It was restored at an epoch beside ours: prove that one, then bring the rest on.
            (Standing::Attaching, ErrorCode::NotAMember) => match self.next_proof() {
                Some((proof, token)) => {
                    self.attach(context, proof, token);
                    Flow::Stay
                }
                None => Flow::Recover,
            },
            (Standing::Opening | Standing::Attaching, _) => Flow::Recover,
            (Standing::Attached, ErrorCode::NotAMember | ErrorCode::TooFarBehind) => Flow::Recover,
            _ => {
                context.warn(Warning::Server(code));
                Flow::Stay
            }
        }
    }

    pub(super) fn attached(
        &mut self,
        context: &mut Context,
        now: Instant,
        epoch: u64,
        known: bool,
        first_seq: u64,
        next_seq: u64,
    ) -> Flow {
        let opened = std::mem::replace(&mut self.standing, Standing::Attached) == Standing::Opening;
        if self.desk.is_some() && !std::mem::replace(&mut self.is_open, true) {
            context.event(Event::Admitted);
            context.event(Event::Code);
        }
        if !known || opened {
            // A new log: its numbers are its own.
            self.next_seq = first_seq;
            if self.group.members().len() > 1 {
                self.log_begins();
            }
        }
        let is_ahead = !known && !opened && self.shown == Proof::Coming;
        match is_ahead.then(|| self.own_commit_was_taken(context, now)) {
            None | Some(Flow::Stay) => {}
            Some(flow) => return flow,
        }
        // Presence follows for those who are here; of the others nothing is known.
        let others = self.devices().filter(|device| *device != context.device);
        for device in others {
            self.people.set_online(device, false, now);
        }
        self.read_until = (next_seq, epoch);
        self.note_read();
        self.pulse.begin(now);
        self.commits.attached(next_seq);
        // The log stands behind us: what it lost is offered again. Where others have gone on from
        // what we had in common, our way leads nowhere, and would part the log for good.
        if epoch < self.begun_at {
            if self.proven_epoch() == Some(epoch) {
                for commit in self.steps.since(epoch) {
                    context.send(ClientMessage::Commit(commit));
                }
            }
            self.look_again(context, now);
        }
        self.publish(context, &Content::Media(context.media));
        self.say_hand_again(context);
        if self.desk.is_some() {
            self.clear_desk(context);
            self.introduce_all(context);
            self.podium.owe();
            self.announce_door(context);
        }
        context.event(Event::Roster);
        Flow::Stay
    }

    /// The service lost its memory. Whoever restored the meeting may not have read the end of the
    /// log that is lost, nor seen what was at the door.
    fn log_begins(&mut self) {
        self.podium.log_begins();
        self.keeper.owes_door = true;
    }

    /// Whether the log is read as far as the service said that it reaches.
    pub(super) fn has_read_all(&self) -> bool {
        self.standing == Standing::Attached && self.next_seq >= self.read_until.0
    }

    /// Whether the log has not come to where this device stands.
    pub(super) fn is_off_log(&self) -> bool {
        let epoch = match self.has_read_all() {
            true => self.log_epoch,
            false => self.read_until.1,
        };
        self.standing == Standing::Attached && epoch < self.begun_at
    }

    /// The service counts fewer epochs than this device. Nothing can be offered until it catches
    /// up, so that it is asked again in a while, in case it erred or lied; unless the others have
    /// gone where the log ends by another way.
    fn look_again(&mut self, context: &Context, now: Instant) {
        self.take_up_log(context);
        match self.stand_elsewhere(context) {
            true => self.pulse.goes_astray(now),
            false => self.pulse.look_again(now),
        }
    }

    /// Whatever the entries said, the log has the epoch that the service counts.
    pub(super) fn note_read(&mut self) {
        let (until, epoch) = self.read_until;
        if self.next_seq == until {
            self.log_epoch = epoch;
        }
    }

    /// Sends all cards, for those who came while we were away or in the epoch just begun.
    pub(super) fn introduce_all(&mut self, context: &mut Context) {
        for content in self.people.introductions() {
            self.publish(context, &content);
        }
        self.tell_link_end(context);
    }
}

pub(super) fn wire_token(token: &Token32) -> Token {
    Token(*token.expose())
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}
