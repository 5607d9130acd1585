//! SFrame (RFC 9605): one frame, sealed whole.
//!
//! This module knows keys, counters and metadata, not epochs or members: which
//! key seals which frame is decided by [`crate::Sealer`] and [`crate::Opener`].

mod cipher;
mod header;
mod kdf;
#[cfg(test)]
mod tests;

pub use cipher::{Key, SframeError, TAG_LEN};
pub use header::{Header, MAX_HEADER_LEN};
pub use kdf::Suite;
