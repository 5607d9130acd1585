//! Key and salt of a key id (RFC 9605 §4.4.2).

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Algorithm};
use aws_lc_rs::hkdf::{self, HKDF_SHA256, HKDF_SHA512, KeyType};
use zeroize::Zeroizing;

use crate::CryptoFailure;

const KEY_LABEL: &[u8] = b"SFrame 1.0 Secret key ";
const SALT_LABEL: &[u8] = b"SFrame 1.0 Secret salt ";
/// Nn of every suite.
pub(super) const NONCE_LEN: usize = 12;

/// The cipher suites with a full tag (RFC 9605 §4.5). Conclave uses the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// AES_128_GCM_SHA256_128, number 4.
    Aes128GcmSha256,
    /// AES_256_GCM_SHA512_128, number 5.
    Aes256GcmSha512,
}

impl Suite {
    /// Its number in the registry.
    pub fn number(self) -> u16 {
        match self {
            Self::Aes128GcmSha256 => 4,
            Self::Aes256GcmSha512 => 5,
        }
    }

    pub(super) fn aead(self) -> &'static Algorithm {
        match self {
            Self::Aes128GcmSha256 => &AES_128_GCM,
            Self::Aes256GcmSha512 => &AES_256_GCM,
        }
    }

    fn hkdf(self) -> hkdf::Algorithm {
        match self {
            Self::Aes128GcmSha256 => HKDF_SHA256,
            Self::Aes256GcmSha512 => HKDF_SHA512,
        }
    }
}

/// What a base key gives for one key id.
pub(super) struct Derived {
    pub(super) key: Zeroizing<Vec<u8>>,
    pub(super) salt: Zeroizing<[u8; NONCE_LEN]>,
}

pub(super) fn derive(suite: Suite, kid: u64, base_key: &[u8]) -> Result<Derived, CryptoFailure> {
    expand(
        suite.hkdf(),
        suite.number(),
        suite.aead().key_len(),
        kid,
        base_key,
    )
}

/// `derive_key_salt` of RFC 9605 §4.4.2, for a suite by its parts.
pub(super) fn expand(
    hash: hkdf::Algorithm,
    suite: u16,
    key_len: usize,
    kid: u64,
    base_key: &[u8],
) -> Result<Derived, CryptoFailure> {
    let secret = hkdf::Salt::new(hash, &[]).extract(base_key);
    let (kid, suite) = (kid.to_be_bytes(), suite.to_be_bytes());
    let mut key = Zeroizing::new(vec![0; key_len]);
    secret
        .expand(&[KEY_LABEL, &kid, &suite], OutputLen(key_len))?
        .fill(&mut key)?;
    let mut salt = Zeroizing::new([0; NONCE_LEN]);
    secret
        .expand(&[SALT_LABEL, &kid, &suite], OutputLen(NONCE_LEN))?
        .fill(salt.as_mut_slice())?;
    Ok(Derived { key, salt })
}

/// The salt with the counter in its last eight bytes (RFC 9605 §4.4.3).
pub(super) fn nonce(salt: &[u8; NONCE_LEN], ctr: u64) -> [u8; NONCE_LEN] {
    let mut nonce = *salt;
    for (byte, count) in nonce[NONCE_LEN - 8..].iter_mut().zip(ctr.to_be_bytes()) {
        *byte ^= count;
    }
    nonce
}

struct OutputLen(usize);

impl KeyType for OutputLen {
    fn len(&self) -> usize {
        self.0
    }
}
