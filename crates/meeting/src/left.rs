//! Over. Nothing more is sent; nothing that comes is read.

use crate::context::Context;
use crate::event::{Event, LeftReason, Output};

pub(crate) struct Left {
    pub(crate) reason: LeftReason,
}

impl Left {
    /// Tells the person and the driver; the only way into this state.
    pub(crate) fn enter(context: &mut Context, reason: LeftReason) -> Self {
        context.event(Event::Left(reason));
        context.emit(Output::Close);
        Self { reason }
    }
}
