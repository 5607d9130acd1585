//! In the meeting: a member of the group.
//!
//! ```text
//! standing   Unopened ─▶ Opening ────▶ Attached     whether the service knows us
//!                          ▲  │ exists    ▲   │
//!                  unknown │  ▼           │   │ LinkDown
//!                        Attaching ───────┘   │
//!                          ▲   LinkUp         ▼
//!                          └──────────────── Away
//! ```
//! The subjects of the submodules: `entering` (how one gets here), `obey` (what the person wants),
//! `standing` (being known to the service, also after it lost its memory), `position` (where in its
//! log one stands), `log` (its entries), `commits`, `pending`, `offers` and `settling` (changing the
//! group, one step at a time), `steps` (the last of them, for a service that lost them), `rules`
//! (roles, and what goes with them), `door` (what it shows, under which link), `desk` (answers to
//! those who knock), `absence` (who is away for too long), `removed` (who was sent away), `signals`
//! (what members tell each other outside the log), `pulse` (heartbeats, and what silence means),
//! `speaking` (turns and hands), `returning` (coming back by oneself), `repeating` (for those who
//! missed a renewed link) and `echoes` (whether what was sent arrives).

mod absence;
mod commits;
mod desk;
mod door;
mod echoes;
mod entering;
mod log;
mod obey;
mod offers;
mod pending;
mod position;
mod pulse;
mod removed;
mod repeating;
mod returning;
mod rules;
mod settling;
mod signals;
mod speaking;
mod standing;
mod steps;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use conclave_e2ee::{Group, Token32};
use conclave_wire::{Blob, ClientMessage, DeviceId, ErrorCode, ServerMessage};

use self::commits::Commits;
use self::desk::Desk;
use self::door::Doorkeeper;
use self::echoes::{Echoes, Said};
pub(crate) use self::position::Place;
use self::position::Position;
use self::pulse::Pulse;
use self::removed::Removed;
use self::repeating::Repeats;
use self::returning::Returning;
use self::rules::RuleWish;
use self::speaking::Podium;
use self::standing::{Proof, Standing};
use self::steps::Steps;
use crate::content::Content;
use crate::context::Context;
use crate::event::{Event, Input, LeftReason, Output, Warning};
use crate::lobby::{Described, leave};
use crate::machine::State;
use crate::people::People;
use crate::policy::Policy;
use crate::recovering::Recovering;
use crate::seal::Purpose;
use crate::snapshot::{Change, MemberView, Phase, Snapshot};

/// How long senders wait before they use the keys of an epoch that only let somebody in.
const SENDERS_WAIT: Duration = Duration::from_millis(100);

pub(crate) struct Active {
    group: Group,
    /// Proves membership of the present epoch to the service.
    token: Token32,
    policy: Policy,
    described: Described,
    lifetime: Duration,
    standing: Standing,
    /// Whether the host has been told that the meeting is open.
    is_open: bool,
    /// What was shown to the service last, to attach, and how much in a row.
    shown: Proof,
    proofs_shown: usize,
    /// A right to connect to the relay was wanted when the service could not be asked.
    wants_grant: bool,
    position: Position,
    people: People,
    podium: Podium,
    /// Every device that was ever in the group as we saw it: none of them knocks again.
    seen: HashSet<DeviceId>,
    commits: Commits,
    steps: Steps,
    echoes: Echoes,
    pulse: Pulse,
    returning: Returning,
    repeats: Repeats,
    removed: Removed,
    keeper: Doorkeeper,
    /// Present with hosts and co-hosts only.
    desk: Option<Desk>,
    /// The host goes as soon as somebody else is one, and at this time in any case.
    leaves_by: Option<Instant>,
    change: Change,
}

/// What came of an input: go on, or a way out of this state.
enum Flow {
    Stay,
    Leave(LeftReason),
    /// Out of step with the group; get back in.
    Recover,
}

impl Active {
    pub(crate) fn handle(
        mut self: Box<Self>,
        context: &mut Context,
        now: Instant,
        input: Input,
    ) -> State {
        let flow = match input {
            Input::LinkUp => {
                self.link_up(context);
                Flow::Stay
            }
            Input::LinkDown => {
                self.link_down();
                Flow::Stay
            }
            Input::Message(message) => self.receive(context, now, *message),
            Input::Command(command) => self.obey(context, now, command),
            Input::Tick => self.tick(context, now),
        };
        let flow = match flow {
            Flow::Stay => self.after(context, now),
            flow => flow,
        };
        self.go(context, now, flow)
    }

    /// What every input may have made possible.
    fn after(&mut self, context: &mut Context, now: Instant) -> Flow {
        self.step(context, now);
        self.settle_floor(context);
        match self.leaves_by {
            Some(at) if at <= now || self.has_another_host(context) => {
                self.farewell(context, &Content::Leave)
            }
            _ => Flow::Stay,
        }
    }

    fn tick(&mut self, context: &mut Context, now: Instant) -> Flow {
        if self.standing != Standing::Attached {
            return Flow::Stay;
        }
        self.remove_absent(context, now);
        self.keep_rules(context, now);
        self.keep_door(context, now);
        if self.echoes.are_missing(now) {
            context.warn(Warning::Withheld);
            context.emit(Output::Reconnect);
        }
        self.keep_watch(context, now)
    }

    fn go(self, context: &mut Context, now: Instant, flow: Flow) -> State {
        match flow {
            Flow::Stay => State::Active(Box::new(self)),
            Flow::Leave(reason) => leave(context, reason),
            // Nobody could let the only host back in.
            Flow::Recover if !self.could_be_let_in(context) => leave(context, LeftReason::Lost),
            Flow::Recover => Recovering::enter(context, now, self.described),
        }
    }

    fn receive(&mut self, context: &mut Context, now: Instant, message: ServerMessage) -> Flow {
        match message {
            ServerMessage::Attached {
                epoch,
                known,
                first_seq,
                next_seq,
            } => self.attached(context, now, epoch, known, first_seq, next_seq),
            ServerMessage::Entry(entry) => self.entry(context, now, entry),
            ServerMessage::CommitConflict { epoch } => self.conflict(now, epoch),
            ServerMessage::Knock { device, card } => {
                self.knocked(context, now, device, card.as_slice());
                Flow::Stay
            }
            ServerMessage::KnockWithdrawn { device } => {
                self.knock_withdrawn(context, device);
                Flow::Stay
            }
            ServerMessage::Presence { device, online } => {
                // The service may claim what it likes of strangers and of ourselves.
                if device != context.device && self.devices().any(|member| member == device) {
                    self.people.set_online(device, online, now);
                    context.event(Event::Roster);
                }
                Flow::Stay
            }
            ServerMessage::Grant {
                path,
                token,
                lifetime_s,
            } => {
                let lifetime = Duration::from_secs(lifetime_s.into());
                context.emit(Output::Grant {
                    path,
                    token,
                    lifetime,
                });
                Flow::Stay
            }
            // A commit that is lawful has removed us before this comes. On the service's word alone,
            // or that of a member who lied to it, we knock again.
            ServerMessage::Removed => Flow::Recover,
            ServerMessage::Error { code } => self.refused_by_service(context, now, code),
            ServerMessage::Signal { message, .. } => {
                self.hear_signal(context, now, message.as_slice())
            }
            ServerMessage::Descriptor { .. }
            | ServerMessage::Waiting
            | ServerMessage::Refused
            | ServerMessage::Welcome { .. } => Flow::Stay,
        }
    }

    fn refused_by_service(&mut self, context: &mut Context, now: Instant, code: ErrorCode) -> Flow {
        match code {
            ErrorCode::NoSuchMeeting
            | ErrorCode::MeetingExists
            | ErrorCode::NotAMember
            | ErrorCode::TooFarBehind => self.not_attached(context, code),
            ErrorCode::MeetingOver => Flow::Leave(LeftReason::Over),
            ErrorCode::UnsupportedVersion => Flow::Leave(LeftReason::Version),
            ErrorCode::Full if self.standing != Standing::Attached => Flow::Leave(LeftReason::Full),
            // It does not say which message was too much. What counts is said again.
            ErrorCode::TooFast => {
                self.commits.say_again(now);
                Flow::Stay
            }
            ErrorCode::WrongKnockToken
            | ErrorCode::Malformed
            | ErrorCode::TooLarge
            | ErrorCode::Full => {
                self.not_taken(context, now, code);
                context.warn(Warning::Server(code));
                Flow::Stay
            }
        }
    }

    /// Sends to all members. While away nothing is sent: what must not be lost is sent again when
    /// the service knows us again.
    fn publish(&mut self, context: &mut Context, content: &Content) {
        if self.standing != Standing::Attached {
            return;
        }
        let Some(plain) = content.encode() else {
            return;
        };
        let message = self.group.protect(&plain).ok();
        let sealed =
            message.and_then(|message| context.seal.seal(Purpose::Application, 0, &message));
        let Some(sealed) = sealed else { return };
        if let Some(now) = context.now {
            let said = Said {
                epoch: self.group.epoch(),
                plain: content.is_of_floor().then_some(plain),
            };
            self.echoes.await_echo(now, sealed.clone(), said);
        }
        if let Ok(message) = Blob::new(sealed) {
            context.send(ClientMessage::Publish { message });
        }
    }

    /// Hands out the keys of the epoch just begun and tells what changed. `step` is the log's
    /// epoch that ended and the sealed commit that ended it.
    fn new_epoch(
        &mut self,
        context: &mut Context,
        now: Instant,
        change: Change,
        at_once: bool,
        step: Option<(u64, &[u8])>,
    ) -> Flow {
        let (Ok(keys), Ok(token)) = (self.group.media_epoch(), self.group.delivery_token()) else {
            return Flow::Leave(LeftReason::Fault);
        };
        let before = std::mem::replace(&mut self.token, token);
        if let Some((epoch, sealed)) = step {
            let token = (self.position.begun_at, before);
            self.steps.keep(epoch, token, sealed, &self.token);
            self.position.begin_epoch();
            let ended = self.group.epoch().saturating_sub(1);
            self.repeats.keep(ended, self.position.begun_at, sealed);
        }
        let present: HashSet<_> = self.devices().collect();
        self.people.retain(&present);
        self.podium.floor.retain(&present);
        self.podium.touch();
        self.seen.extend(&present);
        for device in self.pulse.retain(&present, now) {
            self.came_in(context, now, device);
        }
        let place = (self.group.epoch(), self.group.authenticator_hash());
        self.pulse.moves(place);
        self.repeats.retain(&present);
        self.removed.retain(&present);
        self.change = change;
        let senders_move_at = if at_once { now } else { now + SENDERS_WAIT };
        context.emit(Output::Keys {
            keys: Box::new(keys),
            senders_move_at,
        });
        context.event(Event::Roster);
        context.event(Event::Code);
        Flow::Stay
    }

    /// A member that was none in the epoch before.
    fn came_in(&mut self, context: &mut Context, now: Instant, device: DeviceId) {
        // Whoever let it in, and whatever the service says of its knock.
        self.knock_withdrawn(context, device);
        if device != context.device {
            // Until it says something, or the service tells of it: it may have gone meanwhile, and
            // one whose Welcome was lost is a leaf without a person.
            self.people.set_online(device, false, now);
        }
    }

    fn devices(&self) -> impl Iterator<Item = DeviceId> + use<> {
        self.group
            .members()
            .into_iter()
            .map(|member| DeviceId(member.pseudonym.0))
    }

    pub(crate) fn deadline(&self, context: &Context) -> Option<Instant> {
        if self.standing != Standing::Attached {
            return self.leaves_by;
        }
        let keeps_door = self.desk.is_some();
        let commits = self
            .commits
            .deadline(keeps_door)
            .filter(|_| self.may_offer());
        // What could not be offered is tried again when the commits say so.
        let may_wish = !self.commits.is_held();
        let absence = self.absence_due(context).filter(|_| may_wish);
        let may_succeed = self.may_offer() && !self.commits.wants_rule(RuleWish::Succeed);
        let succession = self.succeeds_at(context).filter(|_| may_succeed);
        let link = self.renews_link_at(context);
        let pulse = self.pulse.deadline(context.device);
        let echoes = self.echoes.deadline();
        let leave = self.leaves_by;
        let door = self.door_passes_at(context);
        let all = [
            commits, absence, succession, door, link, pulse, echoes, leave,
        ];
        all.into_iter().flatten().min()
    }

    pub(crate) fn snapshot(&self, context: &Context) -> Snapshot {
        let members = self.group.members();
        let speakers = self.speakers(&members);
        let places = self.places(&speakers);
        let members = members.into_iter().map(|member| {
            let device = DeviceId(member.pseudonym.0);
            let mut media = self.people.media(device);
            // Judged here and not when it was said: rules change, and word of them may come later.
            media.screen &= self.policy.may_share(member.pseudonym);
            MemberView {
                device,
                leaf: member.leaf,
                name: self.people.name(device).cloned(),
                device_key: self.people.device_key(device),
                role: self.policy.role(member.pseudonym),
                successor: self.policy.successors.contains(&device.0),
                silent: self.pulse.is_silent(device),
                is_me: device == context.device,
                media,
                online: self.people.is_online(device),
                place: places.contains(&device),
                hand: self.podium.floor.hand_of(device),
            }
        });
        Snapshot {
            phase: Phase::Active,
            device: context.device,
            title: Some(self.described.descriptor.title.clone()),
            host_name: Some(self.described.descriptor.host_name.clone()),
            epoch: self.group.epoch(),
            code: Some(self.group.security_code()),
            change: self.change.clone(),
            policy: Some(self.policy.clone()),
            link_ends_at: self.keeper.link_ends_at,
            members: members.collect(),
            floor: self.floor_view(context, &speakers),
            knocks: self
                .desk
                .as_ref()
                .map_or_else(Vec::new, |desk| desk.waiting().collect()),
            link_up: context.link_up,
        }
    }
}
