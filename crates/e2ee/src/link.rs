//! The secret of an invite link, and everything that is derived from it.

use std::fmt;

use aws_lc_rs::{hmac, rand};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{BlobKey, CryptoFailure, Token32};

/// Salt of every derivation: the version of the link format.
const SALT: &[u8] = b"Conclave link v1";

const KNOCK_TOKEN: &[u8] = b"knock token";
const DESCRIPTOR_KEY: &[u8] = b"descriptor key";
const HANDSHAKE_KEY: &[u8] = b"handshake key";
const GROUP_PSK: &[u8] = b"group psk";
const GROUP_PSK_ID: &[u8] = b"group psk id";
const CARD_PSK: &[u8] = b"card psk";
const CARD_PSK_ID: &[u8] = b"card psk id";

/// The 32 random bytes in the fragment of an invite link.
///
/// Whoever holds it may knock. It never reaches a server.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct LinkSecret([u8; 32]);

/// A pre-shared key with the public name that selects it.
pub(crate) struct Psk {
    pub(crate) id: [u8; 32],
    pub(crate) secret: Zeroizing<[u8; 32]>,
}

impl LinkSecret {
    /// Draws a fresh secret.
    ///
    /// # Errors
    /// [`CryptoFailure`] when the system gives no randomness.
    pub fn generate() -> Result<Self, CryptoFailure> {
        let mut secret = Self([0; 32]);
        rand::fill(&mut secret.0)?;
        Ok(secret)
    }

    /// Takes the secret out of a link.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for the one purpose of writing the link.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// What a joiner shows the server so that it passes the knock on. The
    /// server keeps only its SHA-256.
    pub fn knock_token(&self) -> Token32 {
        Token32::new(*self.derive(KNOCK_TOKEN))
    }

    /// Key of the meeting's descriptor (title, times, policy) on the server.
    pub fn descriptor_key(&self) -> BlobKey {
        BlobKey::new(self.derive(DESCRIPTOR_KEY))
    }

    /// Key of the outer layer around every handshake message, which keeps even
    /// the form of MLS from the server.
    pub fn handshake_key(&self) -> BlobKey {
        BlobKey::new(self.derive(HANDSHAKE_KEY))
    }

    /// The external PSK of every commit that adds a member (RFC 9420 §8.4).
    pub(crate) fn group_psk(&self) -> Psk {
        Psk {
            id: *self.derive(GROUP_PSK_ID),
            secret: self.derive(GROUP_PSK),
        }
    }

    /// The PSK of sealed cards (RFC 9180 §5.1.2).
    pub(crate) fn card_psk(&self) -> Psk {
        Psk {
            id: *self.derive(CARD_PSK_ID),
            secret: self.derive(CARD_PSK),
        }
    }

    /// HKDF-SHA256 for an output of one block (RFC 5869 §2.2, §2.3).
    fn derive(&self, label: &[u8]) -> Zeroizing<[u8; 32]> {
        let pseudorandom = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SALT), &self.0);
        let mut expand =
            hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, pseudorandom.as_ref()));
        expand.update(label);
        expand.update(&[1]);
        let mut output = Zeroizing::new([0; 32]);
        output.copy_from_slice(expand.sign().as_ref());
        output
    }
}

impl fmt::Debug for LinkSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkSecret(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use aws_lc_rs::hkdf;

    use super::*;

    const LABELS: [&[u8]; 7] = [
        KNOCK_TOKEN,
        DESCRIPTOR_KEY,
        HANDSHAKE_KEY,
        GROUP_PSK,
        GROUP_PSK_ID,
        CARD_PSK,
        CARD_PSK_ID,
    ];

    #[test]
    fn derivation_is_hkdf_sha256() {
        let secret = LinkSecret::from_bytes([7; 32]);
        for label in LABELS {
            let mut expected = [0; 32];
            hkdf::Salt::new(hkdf::HKDF_SHA256, SALT)
                .extract(&[7; 32])
                .expand(&[label], hkdf::HKDF_SHA256)
                .unwrap()
                .fill(&mut expected)
                .unwrap();
            assert_eq!(*secret.derive(label), expected);
        }
    }

    #[test]
    fn derivations_are_those_of_the_vectors() {
        let text = include_str!("../../../docs/vectors/link.json");
        let vectors: serde_json::Value = serde_json::from_str(text).unwrap();
        let secret = LinkSecret::from_bytes(std::array::from_fn(|place| place as u8));
        let hex = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
        assert_eq!(vectors["secret"], hex(secret.expose()));
        for label in LABELS {
            let name = std::str::from_utf8(label).unwrap().replace(' ', "_");
            let derived = hex(secret.derive(label).as_slice());
            assert_eq!(vectors["derived"][&name], derived, "{name}");
        }
        let psks = [secret.group_psk(), secret.card_psk()];
        for (psk, name) in psks.iter().zip(["group_psk", "card_psk"]) {
            let id = format!("{name}_id");
            assert_eq!(vectors["derived"][name], hex(psk.secret.as_slice()));
            assert_eq!(vectors["derived"][&id], hex(&psk.id));
        }
    }

    #[test]
    fn every_label_gives_another_key() {
        let secret = LinkSecret::generate().unwrap();
        let keys: HashSet<_> = LABELS.iter().map(|label| *secret.derive(label)).collect();
        assert_eq!(keys.len(), LABELS.len());
    }
}
