//! The delivery service: who is in which meeting, and the log of each.
//!
//! It stores and forwards what it cannot read: ids are random, tokens are kept as hashes, blobs
//! are sealed. Everything is in memory and bounded by [`Limits`](crate::limits::Limits); losing it
//! costs no secrecy, and the members restore the meeting (see `Open` and `Attach` in
//! `conclave-wire`).
//!
//! ```text
//! socket ── Session ──┬── DeliveryService ── Meeting   (who: a lock for each meeting)
//!                     │          ├── Log               (what: entries in order)
//!                     │          └── Grants            (media: rights to the relay)
//!                     └── outbox of notices + the log's position + signals
//! ```
//!
//! Log entries never queue for a connection: a [`Session`] holds a cursor into the log and is told
//! how far the log has got. A slow reader therefore costs nothing, and resuming after a broken
//! connection is the same thing as reading on.
//!
//! Signals stand in no log. They wait in a queue of their own, which loses what it cannot hold.

mod bucket;
mod epochs;
mod grants;
mod log;
mod meeting;
mod memory_log;
mod notice;
mod registry;
mod service;
mod session;
mod signals;

pub use grants::{Grants, NotGranted, RelayRight};
pub use log::{AppendError, Log, ReadError};
pub use memory_log::MemoryLog;
pub use service::DeliveryService;
pub use session::{Next, Session};
