//! The machine itself: one state at a time, consumed by each input.

use std::time::{Duration, Instant};

use conclave_e2ee::{DeviceKey, Group, KnockKey, LinkSecret, Pseudonym, fingerprint16};
use conclave_wire::MeetingId;

use crate::active::Active;
use crate::content::MediaState;
use crate::context::{Context, Entropy, Identity};
use crate::descriptor::Descriptor;
use crate::event::{Command, Input, LeftReason, Output};
use crate::joining::Joining;
use crate::left::Left;
use crate::link::InviteLink;
use crate::lobby::{Described, Lobby};
use crate::name::{DisplayName, Title};
use crate::policy::{LinkRules, Policy, Secrecy};
use crate::recovering::Recovering;
use crate::snapshot::{Change, FloorView, Phase, Snapshot};

/// The state that the machine is in; consumed on every input.
pub(crate) enum State {
    Lobby(Box<Lobby>),
    Joining(Box<Joining>),
    Active(Box<Active>),
    Recovering(Recovering),
    Left(Left),
}

/// What a new meeting is made of.
#[derive(Debug)]
pub struct HostParams {
    /// The server's host name or address.
    pub host: String,
    /// The server's port.
    pub port: u16,
    /// The server's certificate, SHA-256, if it is to be pinned.
    pub certificate: Option<[u8; 32]>,
    /// What the meeting is about.
    pub title: Title,
    /// Whether newcomers wait to be admitted.
    pub waiting_room: bool,
    /// What the traffic may tell.
    pub secrecy: Secrecy,
    /// Whether what is not verified as its sender's own is muted.
    pub strict: bool,
    /// After this the service forgets the meeting.
    pub lifetime: Duration,
}

/// Why a meeting could not be begun: the random source or the cryptography of this computer
/// failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Conclave's encryption failed on this computer; restart it and try again")]
pub struct StartError;

/// One meeting as this device lives it.
pub struct Meeting {
    context: Context,
    state: State,
}

impl Meeting {
    /// Begins a meeting as its host. The link is ready at once; the service learns of the meeting
    /// when the control connection stands.
    ///
    /// # Errors
    /// [`StartError`] if keys cannot be made.
    pub fn host(
        params: HostParams,
        identity: Identity,
        media: MediaState,
        mut entropy: Entropy,
    ) -> Result<Self, StartError> {
        let mut meeting = [0; 16];
        entropy(&mut meeting);
        let link = InviteLink {
            host: params.host.clone(),
            port: params.port,
            meeting: MeetingId(meeting),
            secret: LinkSecret::generate().map_err(|_| StartError)?,
            host_key: fingerprint16(&identity.key.public()),
            certificate: params.certificate,
        };
        let context = Context::new(identity, link, media, entropy);
        let active = found(&context, params).ok_or(StartError)?;
        Ok(Self {
            context,
            state: State::Active(Box::new(active)),
        })
    }

    /// Makes ready to join by a link; begins in the lobby.
    pub fn join(link: InviteLink, identity: Identity, media: MediaState, entropy: Entropy) -> Self {
        let context = Context::new(identity, link, media, entropy);
        Self {
            context,
            state: State::Lobby(Box::new(Lobby::new())),
        }
    }

    /// Changes the name to be shown. Without effect once a card is made: in the lobby only.
    pub fn set_name(&mut self, name: DisplayName) {
        if matches!(self.state, State::Lobby(_)) {
            self.context.identity.name = name;
        }
    }

    /// Takes one input. Then [`Meeting::poll`] until it gives nothing more.
    pub fn handle(&mut self, now: Instant, input: Input) {
        self.context.now = Some(now);
        match input {
            Input::LinkUp => self.context.connected(),
            Input::LinkDown => self.context.link_up = false,
            // Outside the group nobody is told yet; it holds from the first word inside.
            Input::Command(Command::SetMedia(media)) if !matches!(self.state, State::Active(_)) => {
                self.context.media = media;
            }
            _ => {}
        }
        let context = &mut self.context;
        // Replaced below in every case; the placeholder is never seen.
        let state = std::mem::replace(
            &mut self.state,
            State::Left(Left {
                reason: LeftReason::Fault,
            }),
        );
        self.state = match state {
            State::Lobby(lobby) => lobby.handle(context, now, input),
            State::Joining(joining) => joining.handle(context, now, input),
            State::Active(active) => active.handle(context, now, input),
            State::Recovering(recovering) => recovering.handle(context, now, input),
            State::Left(left) => State::Left(left),
        };
    }

    /// The next thing to do, if any.
    pub fn poll(&mut self) -> Option<Output> {
        self.context.poll()
    }

    /// When the machine wants [`Input::Tick`] at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Left(_) => None,
            State::Lobby(lobby) => lobby.deadline(),
            State::Joining(joining) => joining.deadline(),
            State::Active(active) => active.deadline(&self.context),
            State::Recovering(recovering) => Some(recovering.deadline()),
        }
    }

    /// What this device sends of itself: a microphone for which there is no place is muted.
    pub fn media(&self) -> MediaState {
        self.context.media
    }

    /// The invite link, for the person to hand on.
    pub fn link(&self) -> &InviteLink {
        &self.context.link
    }

    /// The meeting as it stands.
    pub fn snapshot(&self) -> Snapshot {
        match &self.state {
            State::Active(active) => active.snapshot(&self.context),
            State::Lobby(lobby) => self.outside(Phase::Lobby, lobby.described.as_ref()),
            State::Joining(joining) => self.outside(Phase::Joining, Some(&joining.described)),
            State::Recovering(state) => {
                self.outside(Phase::Recovering, Some(&state.joining.described))
            }
            State::Left(left) => self.outside(Phase::Left(left.reason), None),
        }
    }

    fn outside(&self, phase: Phase, described: Option<&Described>) -> Snapshot {
        let descriptor = described.map(|described| &described.descriptor);
        Snapshot {
            phase,
            device: self.context.device,
            title: descriptor.map(|descriptor| descriptor.title.clone()),
            host_name: descriptor.map(|descriptor| descriptor.host_name.clone()),
            epoch: 0,
            code: None,
            change: Change::Begun,
            policy: None,
            link_ends_at: None,
            members: Vec::new(),
            floor: FloorView::default(),
            knocks: Vec::new(),
            link_up: self.context.link_up,
        }
    }
}

/// Founds the group of which the host is the only member yet.
fn found(context: &Context, params: HostParams) -> Option<Active> {
    let policy = Policy {
        waiting_room: params.waiting_room,
        secrecy: params.secrecy,
        strict: params.strict,
        ..Policy::founded_by(context.device.0)
    };
    let group = Group::create(
        Pseudonym(context.device.0),
        &context.link.secret,
        &policy.encode()?,
    )
    .ok()?;
    let knock_key = KnockKey::generate().ok()?;
    let key: &DeviceKey = &context.identity.key;
    let descriptor = Descriptor {
        version: conclave_wire::VERSION,
        meeting: context.link.meeting,
        group_id: group.group_id(),
        generation: LinkRules::default().generation,
        title: params.title,
        host_name: context.identity.name.clone(),
        host_device: context.device,
        host_key: key.public(),
        warrants: Vec::new(),
        knock_keys: vec![knock_key.public()],
        waiting_room: params.waiting_room,
        locked: false,
    };
    let sealed = descriptor
        .clone()
        .seal(key, &context.link.secret.descriptor_key())?;
    Active::founded(
        context,
        group,
        Described { descriptor, sealed },
        knock_key,
        params.lifetime,
    )
}
