//! Sealing of whole messages that rest on the server or pass through it.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use zeroize::Zeroizing;

use crate::CryptoFailure;

const TAG_LEN: usize = 16;

/// Longest plaintext of a blob in bytes: the ratchet tree of a thousand
/// members, with room.
pub const MAX_BLOB_LEN: usize = 4 * 1024 * 1024;

/// An AES-256-GCM key whose nonces are random.
///
/// Random 96-bit nonces stay safe for 2^32 messages under one key (NIST SP
/// 800-38D §8.3); a meeting's control messages stay far below that.
#[derive(Clone)]
pub struct BlobKey(Zeroizing<[u8; 32]>);

/// Why a blob could not be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    /// Peer or server: not sealed with this key, or for another purpose.
    #[error("A message was altered on its way or sealed with another key. It was thrown away.")]
    Forged,
    /// Peer or server: too short to be a blob.
    #[error("A message is too short to be a sealed one. It was thrown away.")]
    Malformed,
    /// Misuse, or a peer without measure: longer than [`MAX_BLOB_LEN`].
    #[error("A message is longer than the {MAX_BLOB_LEN} bytes that fit.")]
    TooLong,
    /// Local: the library failed.
    #[error(transparent)]
    Crypto(#[from] CryptoFailure),
}

impl BlobKey {
    pub(crate) fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self(key)
    }

    /// A fresh key, for one message that several may open.
    pub(crate) fn generate() -> Result<Self, CryptoFailure> {
        let mut key = Zeroizing::new([0; 32]);
        rand::fill(key.as_mut_slice())?;
        Ok(Self(key))
    }

    /// The bytes, for the one purpose of sealing them to whoever may open.
    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Seals `plaintext` and binds it to `aad`, which is not sent along.
    ///
    /// # Errors
    /// [`BlobError::TooLong`], or [`BlobError::Crypto`].
    pub fn seal(&self, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, BlobError> {
        if plaintext.len() > MAX_BLOB_LEN {
            return Err(BlobError::TooLong);
        }
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).map_err(CryptoFailure::from)?;
        let mut sealed = Vec::with_capacity(NONCE_LEN + plaintext.len() + TAG_LEN);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plaintext);
        let tag = self
            .aead()?
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(aad),
                &mut sealed[NONCE_LEN..],
            )
            .map_err(CryptoFailure::from)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens what [`BlobKey::seal`] made with the same `aad`.
    ///
    /// # Errors
    /// [`BlobError::Forged`], [`BlobError::Malformed`], [`BlobError::TooLong`],
    /// or [`BlobError::Crypto`].
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, BlobError> {
        if sealed.len() > NONCE_LEN + MAX_BLOB_LEN + TAG_LEN {
            return Err(BlobError::TooLong);
        }
        let (nonce, body) = sealed
            .split_first_chunk::<NONCE_LEN>()
            .ok_or(BlobError::Malformed)?;
        if body.len() < TAG_LEN {
            return Err(BlobError::Malformed);
        }
        let mut plaintext = body.to_vec();
        let len = self
            .aead()?
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(aad),
                &mut plaintext,
            )
            .map_err(|_| BlobError::Forged)?
            .len();
        plaintext.truncate(len);
        Ok(plaintext)
    }

    fn aead(&self) -> Result<LessSafeKey, CryptoFailure> {
        Ok(LessSafeKey::new(UnboundKey::new(
            &AES_256_GCM,
            self.0.as_slice(),
        )?))
    }
}

impl fmt::Debug for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlobKey(redacted)")
    }
}
