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
//! The subjects of the submodules: `standing` (being known to the service, also after it lost
//! its memory), `log` (its entries), `commits` (changing the group, one step at a time) and
//! `desk` (a host's answers to those who knock).

mod commits;
mod desk;
mod log;
mod standing;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use conclave_e2ee::{Group, KnockKey, Token32};
use conclave_wire::{Blob, ClientMessage, DeviceId, ErrorCode, ServerMessage};

use self::commits::Commits;
use self::desk::Desk;
use self::standing::Standing;
use crate::card::{Card, SignedCard};
use crate::content::Content;
use crate::context::Context;
use crate::event::{Command, Event, Input, LeftReason, Output, Warning};
use crate::lobby::{Described, leave};
use crate::machine::State;
use crate::people::People;
use crate::policy::Policy;
use crate::recovering::Recovering;
use crate::seal::{Purpose, aad};
use crate::snapshot::{Change, KnockView, MemberView, Phase, Role, Snapshot};

/// How long senders wait before they use the keys of an epoch that only let somebody in.
const SENDERS_WAIT: Duration = Duration::from_millis(100);
/// How long the meeting lives at the service when it is restored by somebody who does not know
/// its first lifetime.
const RESTORED_LIFETIME: Duration = Duration::from_secs(12 * 3600);

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
    /// Whether the token of the epoch before was shown on this connection.
    tried_previous: bool,
    /// The next log entry that is ours to read.
    next_seq: u64,
    people: People,
    commits: Commits,
    /// Present with hosts only.
    desk: Option<Desk>,
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
    /// The host, alone in a new group.
    pub(crate) fn founded(
        context: &Context,
        group: Group,
        described: Described,
        knock_key: KnockKey,
        lifetime: Duration,
    ) -> Option<Self> {
        let own = group
            .members()
            .into_iter()
            .find(|member| member.leaf == group.own_leaf())?;
        let card = Card {
            name: context.identity.name.clone(),
            device_key: context.identity.key.public(),
            meeting: context.link.meeting,
            group_id: group.group_id(),
            device: context.device,
            leaf_key: own.leaf_key,
            key_package_hash: [0; 32],
        };
        let signed = SignedCard::sign(card.clone(), &context.identity.key)?;
        let mut active = Self::new(group, described, lifetime, Standing::Unopened)?;
        active.people.introduce(signed, card, context.media);
        active.desk = Some(Desk::new(knock_key));
        Some(active)
    }

    /// A newcomer whose Welcome opened; `None` if the group is not what the host described.
    pub(crate) fn joined(
        context: &Context,
        group: Group,
        described: Described,
        (signed, card): (SignedCard, Card),
        next_seq: u64,
    ) -> Option<Self> {
        let mut active = Self::new(group, described, RESTORED_LIFETIME, Standing::Attached)?;
        let host = active.described.descriptor.host_device;
        let host_is_in = active
            .group
            .members()
            .iter()
            .any(|member| member.pseudonym.0 == host.0);
        if !host_is_in || !active.policy.hosts.contains(&host.0) {
            return None;
        }
        active.next_seq = next_seq;
        active.people.introduce(signed, card, context.media);
        Some(active)
    }

    fn new(
        group: Group,
        described: Described,
        lifetime: Duration,
        standing: Standing,
    ) -> Option<Self> {
        let policy = Policy::decode(&group.policy()?)?;
        Some(Self {
            token: group.delivery_token().ok()?,
            group,
            policy,
            described,
            lifetime,
            standing,
            is_open: false,
            tried_previous: false,
            next_seq: 0,
            people: People::default(),
            commits: Commits::default(),
            desk: None,
            change: Change::Begun,
        })
    }

    /// The first epoch that a newcomer is in.
    pub(crate) fn begin(mut self, context: &mut Context, now: Instant) -> State {
        let flow = self.new_epoch(context, now, Change::Begun, false, None);
        self.publish(context, &Content::Media(context.media));
        self.go(context, now, flow)
    }

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
            Input::Tick => {
                self.commits
                    .remove_absent(&self.people, self.desk.is_some(), now);
                Flow::Stay
            }
        };
        if matches!(flow, Flow::Stay) {
            self.step(context, now);
        }
        self.go(context, now, flow)
    }

    fn go(self, context: &mut Context, now: Instant, flow: Flow) -> State {
        match flow {
            Flow::Stay => State::Active(Box::new(self)),
            Flow::Leave(reason) => leave(context, reason),
            // Nobody could let a host back in.
            Flow::Recover if self.desk.is_some() => leave(context, LeftReason::Lost),
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
            ServerMessage::CommitConflict { epoch } => self.conflict(epoch),
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
            ServerMessage::Removed => Flow::Leave(LeftReason::RemovedByServer),
            ServerMessage::Error { code } => self.refused_by_service(context, now, code),
            ServerMessage::Descriptor { .. }
            | ServerMessage::Signal { .. }
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
            ErrorCode::WrongKnockToken
            | ErrorCode::Malformed
            | ErrorCode::TooLarge
            | ErrorCode::Full
            | ErrorCode::TooFast => {
                self.not_taken(context, now, code);
                context.warn(Warning::Server(code));
                Flow::Stay
            }
        }
    }

    fn obey(&mut self, context: &mut Context, now: Instant, command: Command) -> Flow {
        match command {
            Command::Join => {}
            Command::Admit(device) => self.admit(now, device),
            Command::Refuse(device) => self.refuse(context, device),
            Command::Remove(device) if self.desk.is_some() && device != context.device => {
                self.commits.want_removal(device);
            }
            Command::Remove(_) => {}
            Command::SetMedia(media) => {
                context.media = media;
                self.people.set_media(context.device, media);
                context.event(Event::Roster);
                self.publish(context, &Content::Media(media));
            }
            Command::RequestGrant => {
                if self.standing == Standing::Attached {
                    context.send(ClientMessage::RequestGrant);
                }
            }
            Command::RequestKeyFrame(device, track) => {
                self.publish(
                    context,
                    &Content::KeyFrame {
                        device,
                        track: track.number(),
                    },
                );
            }
            Command::Leave => {
                let content = match self.desk {
                    Some(_) => Content::End,
                    None => Content::Leave,
                };
                self.publish(context, &content);
                context.send(ClientMessage::Leave);
                return Flow::Leave(LeftReason::ByChoice);
            }
        }
        Flow::Stay
    }

    /// Sends to all members. While away nothing is sent: what must not be lost is sent again when
    /// the service knows us again.
    fn publish(&mut self, context: &mut Context, content: &Content) {
        if self.standing != Standing::Attached {
            return;
        }
        let aad = aad(Purpose::Application, context.link.meeting, 0);
        let sealed = content
            .encode()
            .and_then(|bytes| self.group.protect(&bytes).ok())
            .and_then(|message| context.handshake_key.seal(&aad, &message).ok())
            .and_then(|sealed| Blob::new(sealed).ok());
        if let Some(message) = sealed {
            context.send(ClientMessage::Publish { message });
        }
    }

    /// Hands out the keys of the epoch just begun and tells what changed. `step` is the epoch
    /// that ended and the sealed commit that ended it.
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
            self.commits.merged(epoch, before, sealed, &self.token);
        }
        let present: HashSet<_> = self.devices().collect();
        self.people.retain(&present);
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

    fn devices(&self) -> impl Iterator<Item = DeviceId> + use<> {
        self.group
            .members()
            .into_iter()
            .map(|member| DeviceId(member.pseudonym.0))
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.commits.deadline(
            &self.people,
            self.desk.is_some(),
            self.standing == Standing::Attached,
        )
    }

    pub(crate) fn snapshot(&self, context: &Context) -> Snapshot {
        let members = self.group.members().into_iter().map(|member| {
            let device = DeviceId(member.pseudonym.0);
            MemberView {
                device,
                leaf: member.leaf,
                name: self.people.name(device).cloned(),
                role: match self.policy.is_host(member.pseudonym) {
                    true => Role::Host,
                    false => Role::Participant,
                },
                is_me: device == context.device,
                media: self.people.media(device),
                online: self.people.is_online(device),
            }
        });
        Snapshot {
            phase: Phase::Active,
            device: context.device,
            title: Some(self.described.descriptor.title.clone()),
            host_name: Some(self.described.descriptor.host_name.clone()),
            epoch: self.group.epoch(),
            code: Some(self.group.security_code().digits()),
            change: self.change.clone(),
            members: members.collect(),
            knocks: self.desk.as_ref().map_or_else(Vec::new, |desk| {
                desk.waiting()
                    .map(|(device, name)| KnockView { device, name })
                    .collect()
            }),
            link_up: context.link_up,
        }
    }
}
