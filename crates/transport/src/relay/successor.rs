//! A session that takes the place of another.

use std::future::{Future, pending};

use super::Relay;
use crate::task::OwnedTask;

/// A better session that may come; it is given up when this is dropped.
pub struct Successor(Option<OwnedTask<Option<Relay>>>);

impl Successor {
    pub(super) fn none() -> Self {
        Self(None)
    }

    pub(super) fn of(coming: impl Future<Output = Option<Relay>> + Send + 'static) -> Self {
        Self(Some(OwnedTask::spawn(coming)))
    }

    /// Waits until it is there; for ever where none comes. A wait that is cancelled loses nothing.
    pub async fn come(&mut self) -> Relay {
        if let Some(coming) = &mut self.0 {
            let came = coming.end().await.flatten();
            self.0 = None;
            if let Some(relay) = came {
                return relay;
            }
        }
        pending().await
    }
}
