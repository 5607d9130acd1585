//! Thrown out of step: knock again, as a new device, with proof of the same long-term key. The
//! host's client knows the key and lets it in without asking.

use std::time::{Duration, Instant};

use crate::context::Context;
use crate::event::{Event, Input, LeftReason, Output};
use crate::joining::Joining;
use crate::lobby::{Described, leave};
use crate::machine::State;

/// After this long without success the person is told and may join by hand.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Recovering {
    pub(crate) joining: Box<Joining>,
    give_up_at: Instant,
}

impl Recovering {
    /// Forgets the group and makes ready to knock on a new connection.
    pub(crate) fn enter(context: &mut Context, now: Instant, described: Described) -> State {
        context.event(Event::Recovering);
        context.renew_device();
        context.emit(Output::Reconnect);
        State::Recovering(Self {
            joining: Box::new(Joining::away(described)),
            give_up_at: now + PATIENCE,
        })
    }

    pub(crate) fn handle(self, context: &mut Context, now: Instant, input: Input) -> State {
        if now >= self.give_up_at {
            return leave(context, LeftReason::Lost);
        }
        match self.joining.handle(context, now, input) {
            State::Joining(joining) => State::Recovering(Self { joining, ..self }),
            next => next,
        }
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.joining
            .deadline()
            .map_or(self.give_up_at, |at| at.min(self.give_up_at))
    }
}
