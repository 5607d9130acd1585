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

#[derive(Default)]
pub(crate) struct Lobby {
    pub(crate) described: Option<Described>,
    /// Join was pressed before the descriptor had come.
    wants_in: bool,
    /// Since when the service has not known the meeting.
    lost_since: Option<Instant>,
    retry_at: Option<Instant>,
}

/// A service that restarted has lost the meeting until a member restores it: so long we ask again.
const RESTORE_GRACE: Duration = Duration::from_secs(6);
const RETRY: Duration = Duration::from_millis(500);

impl Lobby {
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.retry_at
    }

    pub(crate) fn handle(
        mut self: Box<Self>,
        context: &mut Context,
        now: Instant,
        input: Input,
    ) -> State {
        match input {
            Input::LinkUp if self.described.is_none() => look(context),
            Input::LinkDown => self.retry_at = None,
            Input::Tick if self.retry_at.is_some_and(|at| at <= now) => {
                self.retry_at = None;
                look(context);
            }
            Input::Command(Command::Join) => self.wants_in = true,
            Input::Command(Command::Leave) => return leave(context, LeftReason::ByChoice),
            Input::Message(message) => match *message {
                ServerMessage::Descriptor { descriptor } => {
                    match open_door(context, descriptor.into_vec()) {
                        Ok(described) => self.described = Some(described),
                        Err(reason) => return leave(context, reason),
                    }
                }
                ServerMessage::Error {
                    code: ErrorCode::NoSuchMeeting,
                } if now < *self.lost_since.get_or_insert(now) + RESTORE_GRACE => {
                    self.retry_at = Some(now + RETRY);
                }
                ServerMessage::Error { code } => {
                    return leave_for(context, code, State::Lobby(self));
                }
                _ => {}
            },
            _ => {}
        }
        match (self.wants_in && context.link_up, self.described.take()) {
            (true, Some(described)) => Joining::knock(context, described),
            (_, described) => {
                self.described = described;
                State::Lobby(self)
            }
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

pub(crate) fn look(context: &mut Context) {
    let knock_token = knock_token(&context.link.secret);
    context.send(ClientMessage::Look {
        meeting: context.link.meeting,
        knock_token,
    });
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
