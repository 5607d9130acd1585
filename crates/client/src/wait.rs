//! Waiting for a moment that may not be set, in a `select!` that goes on without it.

use std::time::Instant;

use tokio::time::sleep_until;

/// Resolves at the instant; never, without one.
pub(crate) async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
