//! Bearer tokens that are shown to the server.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A 32-byte proof that its holder knows a secret of the meeting.
///
/// The server keeps only its SHA-256 and compares that.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Token32([u8; 32]);

impl Token32 {
    pub(crate) fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The token itself, for the one message that presents it.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for Token32 {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Token32 {}

impl fmt::Debug for Token32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token32(redacted)")
    }
}
