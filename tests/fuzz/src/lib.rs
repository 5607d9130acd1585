//! What the fuzz targets share: inputs read as plans, and people to try them on.
//!
//! A target is a test under `tests/`, one file a subject. Run as a test it reads its corpus (in
//! `tests/__fuzz__`) and a bounded number of random inputs; `./dev fuzz` runs it for as long as one
//! likes. Random bytes alone get no further than the first check, so that most targets take an
//! input as a plan by which a real message is changed ([`Feed::forge`]).

// A fuzzer's build instruments this too, and links its runtime only with what uses it.
#[cfg(test)]
use bolero as _;

pub mod corpus;
mod feed;
mod insider;
mod shared;
mod table;

pub use feed::Feed;
pub use insider::{Insider, outer_seal};
pub use shared::Shared;
pub use table::Table;

/// The people and the service of the meeting's own tests.
#[path = "../../../crates/meeting/tests/sim"]
#[allow(missing_docs, clippy::new_without_default)]
pub mod sim {
    pub mod mallory;
    pub mod people;
    pub mod service;
}
