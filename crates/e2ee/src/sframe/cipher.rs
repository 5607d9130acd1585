//! Sealing and opening of one frame (RFC 9605 §4.4.3, §4.4.4).

use std::fmt;

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::header::{Header, MAX_HEADER_LEN};
use super::kdf::{self, NONCE_LEN, Suite};
use crate::CryptoFailure;

/// Length of the authentication tag in bytes.
pub const TAG_LEN: usize = 16;

/// Key and salt of one key id.
pub struct Key {
    aead: LessSafeKey,
    salt: Zeroizing<[u8; NONCE_LEN]>,
    kid: u64,
}

/// Why a frame did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SframeError {
    /// Peer or server: no header, or no room for a tag.
    #[error("A frame cannot be read.")]
    Malformed,
    /// Misuse: sealed under another key id.
    #[error("A frame was sealed with another key.")]
    OtherKey,
    /// Peer or server: frame, metadata and key do not belong together.
    #[error("A frame is forged.")]
    Forged,
}

impl Key {
    /// Derives the key for one key id from a base key.
    ///
    /// # Errors
    /// [`CryptoFailure`] when the library fails.
    pub fn derive(suite: Suite, kid: u64, base_key: &[u8]) -> Result<Self, CryptoFailure> {
        let derived = kdf::derive(suite, kid, base_key)?;
        let aead = LessSafeKey::new(UnboundKey::new(suite.aead(), &derived.key)?);
        Ok(Self {
            aead,
            salt: derived.salt,
            kid,
        })
    }

    /// Seals a frame into `out`, which is emptied first.
    ///
    /// Dangerous: two frames under one counter give both away and let anyone
    /// forge. [`crate::Sealer`] counts for you.
    ///
    /// # Errors
    /// [`CryptoFailure`] when the library fails; `out` is empty then.
    pub fn dangerous_seal(
        &self,
        ctr: u64,
        metadata: &[u8],
        plaintext: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), CryptoFailure> {
        out.clear();
        out.reserve(MAX_HEADER_LEN + plaintext.len() + TAG_LEN);
        Header { kid: self.kid, ctr }.write(out);
        let header_len = out.len();
        let aad = [out.as_slice(), metadata].concat();
        out.extend_from_slice(plaintext);
        let sealed = self.aead.seal_in_place_separate_tag(
            self.nonce(ctr),
            Aad::from(aad),
            &mut out[header_len..],
        );
        match sealed {
            Ok(tag) => {
                out.extend_from_slice(tag.as_ref());
                Ok(())
            }
            Err(error) => {
                out.fill(0);
                out.clear();
                Err(error.into())
            }
        }
    }

    /// Opens a frame into `out`, which is emptied first, and returns its counter.
    ///
    /// # Errors
    /// See [`SframeError`]; `out` is empty then.
    pub fn open(
        &self,
        metadata: &[u8],
        frame: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<u64, SframeError> {
        out.clear();
        let (header, header_len) = Header::read(frame).ok_or(SframeError::Malformed)?;
        let (header_bytes, body) = frame.split_at(header_len);
        if body.len() < TAG_LEN {
            return Err(SframeError::Malformed);
        }
        if header.kid != self.kid {
            return Err(SframeError::OtherKey);
        }
        let aad = [header_bytes, metadata].concat();
        out.extend_from_slice(body);
        let opened = self
            .aead
            .open_in_place(self.nonce(header.ctr), Aad::from(aad), out)
            .map(|p| p.len());
        match opened {
            Ok(len) => {
                out.truncate(len);
                Ok(header.ctr)
            }
            Err(_) => {
                out.clear();
                Err(SframeError::Forged)
            }
        }
    }

    fn nonce(&self, ctr: u64) -> Nonce {
        Nonce::assume_unique_for_key(kdf::nonce(&self.salt, ctr))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key(kid {:#x}, redacted)", self.kid)
    }
}
