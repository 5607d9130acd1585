//! Bearer tokens that are shown to the server.

use std::fmt;

use aws_lc_rs::digest;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A 32-byte proof that its holder knows a secret of the meeting.
///
/// The server keeps only [`Token32::sha256`] and compares that.
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

    /// What the server stores in place of the token.
    pub fn sha256(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, &self.0).as_ref());
        hash
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
