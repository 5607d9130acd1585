//! The failure that is nobody's fault: a primitive that refused to work.

/// A cryptographic primitive failed on input that is valid by construction.
///
/// This means exhausted memory, a broken source of randomness or a defect in
/// this program, never something that a peer or the server sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("A cryptographic operation failed on this computer. Restart the program and try again.")]
pub struct CryptoFailure;

impl From<aws_lc_rs::error::Unspecified> for CryptoFailure {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self
    }
}
