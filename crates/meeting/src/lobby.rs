//! Before knocking: look at what the link leads to.

use std::time::{Duration, Instant};

use conclave_e2ee::LinkSecret;
use conclave_wire::{ClientMessage, ErrorCode, ServerMessage, Token};

use crate::context::Context;
use crate::descriptor::{Descriptor, DescriptorError};
use crate::event::{Command, Event, Input, LeftReason, Warning};
use crate::joining::Joining;
use crate::left::Left;
use crate::machine::State;
use crate::seal::OuterSeal;

/// The descriptor, as opened and as the service keeps it (any member may have to restore it).
#[derive(Clone)]
pub(crate) struct Described {
    pub(crate) descriptor: Descriptor,
    pub(crate) sealed: Vec<u8>,
}

/// Looks at the door, again and again while the service does not know the meeting: one that
/// restarted has lost it until a member restores it.
pub(crate) struct Look {
    /// For how long a lost meeting is waited for.
    grace: Duration,
    lost_since: Option<Instant>,
    retry_at: Option<Instant>,
}

const RETRY: Duration = Duration::from_millis(500);

impl Look {
    pub(crate) fn new(grace: Duration) -> Self {
        Self {
            grace,
            lost_since: None,
            retry_at: None,
        }
    }

    pub(crate) fn now(&mut self, context: &mut Context) {
        self.retry_at = None;
        context.send(ClientMessage::Look {
            meeting: context.link.meeting,
            knock_token: knock_token(&context.link.secret),
        });
    }

    /// The service does not know the meeting. Whether that is to be believed by now.
    pub(crate) fn lost(&mut self, now: Instant) -> bool {
        let over = now.duration_since(*self.lost_since.get_or_insert(now)) >= self.grace;
        self.retry_at = (!over).then(|| now + RETRY);
        over
    }

    pub(crate) fn found(&mut self) {
        self.lost_since = None;
    }

    pub(crate) fn cancel(&mut self) {
        self.retry_at = None;
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.retry_at.is_some_and(|at| at <= now)
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.retry_at
    }
}

pub(crate) struct Lobby {
    pub(crate) described: Option<Described>,
    /// Join was pressed before the descriptor had come.
    wants_in: bool,
    look: Look,
}

/// Somebody is looking at the screen.
const LOBBY_GRACE: Duration = Duration::from_secs(6);

impl Lobby {
    pub(crate) fn new() -> Self {
        Self {
            described: None,
            wants_in: false,
            look: Look::new(LOBBY_GRACE),
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.look.deadline()
    }

    pub(crate) fn handle(
        mut self: Box<Self>,
        context: &mut Context,
        now: Instant,
        input: Input,
    ) -> State {
        match input {
            Input::LinkUp if self.described.is_none() || self.wants_in => self.look.now(context),
            Input::LinkDown => self.look.cancel(),
            Input::Tick if self.look.is_due(now) => self.look.now(context),
            Input::Command(Command::Join) => {
                self.wants_in = true;
                // What was seen some time ago may not be true any more. Before the first answer
                // the first look is on its way.
                if self.described.is_some() {
                    self.look.now(context);
                }
            }
            Input::Command(Command::Leave) => return leave(context, LeftReason::ByChoice),
            Input::Message(message) => match *message {
                ServerMessage::Descriptor { descriptor } => {
                    return self.described(context, descriptor.into_vec());
                }
                ServerMessage::Error {
                    code: ErrorCode::NoSuchMeeting,
                } if !self.look.lost(now) => {}
                ServerMessage::Error { code } => {
                    return leave_for(context, code, State::Lobby(self));
                }
                _ => {}
            },
            _ => {}
        }
        State::Lobby(self)
    }

    fn described(mut self: Box<Self>, context: &mut Context, sealed: Vec<u8>) -> State {
        match open_door(context, sealed) {
            Ok(described) if self.wants_in => Joining::knock(context, described),
            Ok(described) => {
                self.described = Some(described);
                State::Lobby(self)
            }
            Err(reason) => leave(context, reason),
        }
    }
}

/// Reads what the door shows, and takes it for true if the link's host says it.
pub(crate) fn open_door(context: &mut Context, sealed: Vec<u8>) -> Result<Described, LeftReason> {
    let key = context.link.secret.descriptor_key();
    let descriptor = Descriptor::open(&sealed, &key, context.link.meeting, &context.link.host_key)
        .map_err(|error| match error {
            DescriptorError::Sealed => LeftReason::WrongLink,
            DescriptorError::Malformed => LeftReason::Version,
            DescriptorError::NotByHost => LeftReason::NotByHost,
        })?;
    context.event(Event::Described {
        title: descriptor.title.clone(),
        host_name: descriptor.host_name.clone(),
    });
    context.seal = OuterSeal::new(
        context.link.meeting,
        descriptor.generation,
        &context.link.secret,
    );
    Ok(Described { descriptor, sealed })
}

pub(crate) fn knock_token(secret: &LinkSecret) -> Token {
    Token(*secret.knock_token().expose())
}

pub(crate) fn leave(context: &mut Context, reason: LeftReason) -> State {
    State::Left(Left::enter(context, reason))
}

/// Errors of the service that end it before we are in; the others are only told.
pub(crate) fn leave_for(context: &mut Context, code: ErrorCode, otherwise: State) -> State {
    match fatal(code) {
        Some(reason) => leave(context, reason),
        None => {
            context.warn(Warning::Server(code));
            otherwise
        }
    }
}

fn fatal(code: ErrorCode) -> Option<LeftReason> {
    match code {
        ErrorCode::NoSuchMeeting => Some(LeftReason::NoSuchMeeting),
        ErrorCode::MeetingOver => Some(LeftReason::Over),
        ErrorCode::WrongKnockToken => Some(LeftReason::WrongLink),
        ErrorCode::Full => Some(LeftReason::Full),
        ErrorCode::UnsupportedVersion | ErrorCode::Malformed => Some(LeftReason::Version),
        _ => None,
    }
}
