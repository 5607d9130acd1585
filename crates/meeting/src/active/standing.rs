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

/// An epoch whose token proves to the service that this device is a member, with its number in the
/// log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Proof {
    #[default]
    Present,
    /// The present one under another number: the own commit that began it was offered in other
    /// places of the log too, and others may have taken it there.
    Otherwise(u64),
    /// The one that the own commit on its way begins: it was in the log, unseen by us, when the
    /// service lost its memory, and somebody who had seen it restored the meeting there.
    Coming(u64),
    /// One before the present: the meeting was restored by somebody who had not come as far.
    Previous(u64),
}

impl Active {
    pub(super) fn link_up(&mut self, context: &mut Context) {
        match self.standing {
            Standing::Unopened => self.open(context),
            _ => self.attach_anew(context),
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
            epoch: self.position.begun_at,
            member_hash: wire_token(&self.token).hash(),
            wants_knocks: self.desk.is_some(),
        };
        context.send(ClientMessage::Open(open));
        self.standing = Standing::Opening;
    }

    /// Shows the service every proof that there is, the likeliest first, until it knows one.
    fn attach_anew(&mut self, context: &mut Context) {
        self.proofs_shown = 0;
        self.attach(context);
    }

    /// Shows the next proof; `false` when there is none left.
    fn attach(&mut self, context: &mut Context) -> bool {
        let Some((proof, token)) = self.proofs().nth(self.proofs_shown) else {
            return false;
        };
        let epoch = match proof {
            Proof::Present => self.position.begun_at,
            Proof::Otherwise(epoch) | Proof::Coming(epoch) | Proof::Previous(epoch) => epoch,
        };
        let attach = Attach {
            meeting: context.link.meeting,
            device: context.device,
            device_token: context.device_token.clone(),
            proof: MemberProof {
                epoch,
                token: wire_token(&token),
            },
            from_seq: self.position.next_seq,
            wants_knocks: self.desk.is_some(),
        };
        context.send(ClientMessage::Attach(attach));
        self.standing = Standing::Attaching;
        self.shown = proof;
        self.proofs_shown = self.proofs_shown.saturating_add(1);
        true
    }

    fn proofs(&self) -> impl Iterator<Item = (Proof, Token32)> {
        let present = |proof| (proof, self.token.clone());
        let others = self.position.begun_otherwise.iter();
        let others = others.map(move |epoch| present(Proof::Otherwise(*epoch)));
        let coming = self.commits.pending_epochs();
        let coming = coming.map(|(epoch, token)| (Proof::Coming(epoch), token));
        let before = self.steps.tokens();
        let before = before.map(|(epoch, token)| (Proof::Previous(epoch), token));
        std::iter::once(present(Proof::Present))
            .chain(others)
            .chain(coming)
            .chain(before)
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
                self.attach_anew(context);
                Flow::Stay
            }
            // It was restored at an epoch beside ours: prove that one, then bring the rest on.
            (Standing::Attaching, ErrorCode::NotAMember) => match self.attach(context) {
                true => Flow::Stay,
                false => Flow::Recover,
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
            self.position.next_seq = first_seq;
            if self.group.members().len() > 1 {
                // Whoever restored the meeting may not have read the end of the log that is lost.
                self.podium.log_begins();
            }
        }
        match self.shown {
            Proof::Coming(begun_at) if !known && !opened => {
                match self.own_commit_was_taken(context, now, begun_at) {
                    Flow::Stay => {}
                    flow => return flow,
                }
            }
            Proof::Otherwise(begun_at) if !opened => self.position.begun_at = begun_at,
            _ => {}
        }
        // Presence follows for those who are here; of the others nothing is known.
        let others = self.devices().filter(|device| *device != context.device);
        for device in others {
            self.people.set_online(device, false, now);
        }
        self.position.read_until = (next_seq, epoch);
        self.position.note_read();
        self.pulse.begin(now);
        self.commits.attached(next_seq);
        self.catch_up(context, now, epoch);
        self.publish(context, &Content::Media(context.media));
        self.say_hand_again(context);
        if self.desk.is_some() {
            self.clear_desk(context);
            self.introduce_all(context);
            self.podium.owe();
            // What the service was shown last may have been lost with the connection, or with its
            // memory.
            self.keeper.owes_door |= !opened;
            self.announce_door(context);
        }
        self.ask_for_grant(context);
        context.event(Event::Roster);
        Flow::Stay
    }

    /// At once, or as soon as the service hears it again: after a break the media are waiting for it.
    pub(super) fn ask_for_grant(&mut self, context: &mut Context) {
        if self.standing == Standing::Attached && std::mem::take(&mut self.wants_grant) {
            context.send(ClientMessage::RequestGrant);
        }
    }

    /// The log may stand behind us at `epoch`: what it lost is offered again. Where others have gone
    /// on from what we had in common, our way leads nowhere, and would part the log for good.
    fn catch_up(&mut self, context: &mut Context, now: Instant, epoch: u64) {
        if epoch >= self.position.begun_at {
            self.position.looks = 0;
            return;
        }
        if self.shown == Proof::Previous(epoch) {
            for commit in self.steps.since(epoch) {
                context.send(ClientMessage::Commit(commit));
            }
        }
        self.position.looks = self.position.looks.saturating_add(1);
        self.take_up_log(context);
        if self.stand_elsewhere(context) {
            self.pulse.goes_astray(now);
        } else if self.is_off_log() {
            // Nothing can be offered until it catches up. It may have erred, or lied.
            self.pulse.look_again(now);
        }
    }

    /// Whether the log is read as far as the service said that it reaches.
    pub(super) fn has_read_all(&self) -> bool {
        self.standing == Standing::Attached && self.position.has_read_all()
    }

    /// Whether the log has not come to where this device stands.
    pub(super) fn is_off_log(&self) -> bool {
        self.standing == Standing::Attached && self.position.is_off_log()
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
