//! AES-256-GCM with random nonces, for what rests on disk.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::rand;
use conclave_e2ee::CryptoFailure;
use zeroize::Zeroizing;

const TAG_LEN: usize = 16;

/// A key that lives in a vault or is derived from a passphrase.
///
/// Random 96-bit nonces stay safe for 2^32 messages under one key (NIST SP 800-38D §8.3). One
/// message is one change of a file, so no person comes near that.
pub(crate) struct AeadKey(Zeroizing<[u8; 32]>);

/// Not sealed with this key and for this purpose, or changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Forged;

impl AeadKey {
    pub(crate) fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self(key)
    }

    pub(crate) fn generate() -> Result<Self, CryptoFailure> {
        let mut key = Zeroizing::new([0; 32]);
        rand::fill(key.as_mut_slice())?;
        Ok(Self(key))
    }

    /// For the one purpose of putting the key into a vault.
    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Nonce, ciphertext, tag; bound to `aad`.
    pub(crate) fn seal(&self, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, CryptoFailure> {
        // Encrypted in place in a buffer of the full length: no plaintext is left in a freed one.
        let mut body = Vec::with_capacity(plaintext.len() + TAG_LEN);
        body.extend_from_slice(plaintext);
        let nonce = self
            .cipher()?
            .seal_in_place_append_tag(Aad::from(aad), &mut body)?;
        let mut sealed = Vec::with_capacity(NONCE_LEN + body.len());
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&body);
        Ok(sealed)
    }

    /// Opens what [`AeadKey::seal`] made with the same `aad`.
    pub(crate) fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Forged> {
        let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(Forged)?;
        let mut plaintext = Zeroizing::new(body.to_vec());
        let len = self
            .cipher()
            .map_err(|_| Forged)?
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(aad),
                plaintext.as_mut_slice(),
            )
            .map_err(|_| Forged)?
            .len();
        plaintext.truncate(len);
        Ok(plaintext)
    }

    fn cipher(&self) -> Result<RandomizedNonceKey, CryptoFailure> {
        Ok(RandomizedNonceKey::new(&AES_256_GCM, self.0.as_slice())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_and_nothing_else_does() {
        let key = AeadKey::generate().unwrap();
        let sealed = key.seal(b"for one purpose", b"text").unwrap();
        assert_eq!(sealed.len(), NONCE_LEN + 4 + TAG_LEN);
        assert_eq!(
            key.open(b"for one purpose", &sealed).unwrap().as_slice(),
            b"text"
        );
        assert_eq!(key.open(b"for another", &sealed), Err(Forged));
        let other = AeadKey::generate().unwrap();
        assert_eq!(other.open(b"for one purpose", &sealed), Err(Forged));
        for length in 0..sealed.len() {
            assert_eq!(key.open(b"for one purpose", &sealed[..length]), Err(Forged));
        }
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert_eq!(key.open(b"for one purpose", &changed), Err(Forged));
        }
    }

    #[test]
    fn the_same_text_is_never_sealed_the_same() {
        let key = AeadKey::generate().unwrap();
        assert_ne!(
            key.seal(b"", b"text").unwrap(),
            key.seal(b"", b"text").unwrap()
        );
    }
}
