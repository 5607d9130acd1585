//! Ed25519 signatures that hold for one kind of key and one purpose.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

/// What is signed: the kind of key, the purpose and the message. The length in
/// front of the purpose keeps ("a", "bc") and ("ab", "c") apart, and no kind is
/// the beginning of another.
pub(crate) fn to_be_signed(kind: &[u8], purpose: &str, msg: &[u8]) -> Vec<u8> {
    let purpose_len = (purpose.len() as u64).to_be_bytes();
    [kind, &purpose_len, purpose.as_bytes(), msg].concat()
}

/// Whether `sig` is by the key `public`, of this kind, for this purpose, over `msg`.
pub(crate) fn is_valid(
    public: &[u8; 32],
    kind: &[u8],
    purpose: &str,
    msg: &[u8],
    sig: &[u8; 64],
) -> bool {
    UnparsedPublicKey::new(&ED25519, public)
        .verify(&to_be_signed(kind, purpose, msg), sig)
        .is_ok()
}
