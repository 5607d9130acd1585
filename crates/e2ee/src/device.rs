//! The long-term signature key of a device.

use std::fmt;

use aws_lc_rs::digest;
use aws_lc_rs::rand;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use zeroize::Zeroizing;

use crate::CryptoFailure;
use crate::signature::{is_valid, to_be_signed};

const SIGNATURE_DOMAIN: &[u8] = b"Conclave device signature v1";
const FINGERPRINT_DOMAIN: &[u8] = b"Conclave fingerprint v1";

/// The Ed25519 key (RFC 8032) by which a device is known across meetings.
///
/// It signs cards, never MLS messages: those are signed by keys that live as
/// long as one membership.
pub struct DeviceKey {
    seed: Zeroizing<[u8; 32]>,
    pair: Ed25519KeyPair,
    public: [u8; 32],
}

/// Why a device's signature was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// Peer: the signature is not by this key, over this message, for this purpose.
    #[error("A signature does not match its device key. Do not trust what it claims.")]
    BadSignature,
}

impl DeviceKey {
    /// Draws a fresh key.
    ///
    /// # Errors
    /// [`CryptoFailure`] when the system gives no randomness.
    pub fn generate() -> Result<Self, CryptoFailure> {
        let mut seed = Zeroizing::new([0; 32]);
        rand::fill(seed.as_mut_slice())?;
        Self::from_seed(seed)
    }

    /// Restores a key from its seed, as the system's key store kept it.
    ///
    /// # Errors
    /// [`CryptoFailure`] when the library refuses the seed.
    pub fn from_seed(seed: impl Into<Zeroizing<[u8; 32]>>) -> Result<Self, CryptoFailure> {
        let seed = seed.into();
        let pair =
            Ed25519KeyPair::from_seed_unchecked(seed.as_slice()).map_err(|_| CryptoFailure)?;
        let public = pair
            .public_key()
            .as_ref()
            .try_into()
            .map_err(|_| CryptoFailure)?;
        Ok(Self { seed, pair, public })
    }

    /// The seed, for the one purpose of keeping it in the system's key store.
    pub fn expose_seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// The public key.
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    /// Signs `msg` for the purpose named by `domain`. A signature for one
    /// purpose is worthless for another.
    pub fn sign(&self, domain: &str, msg: &[u8]) -> [u8; 64] {
        let signature = self.pair.sign(&to_be_signed(SIGNATURE_DOMAIN, domain, msg));
        let mut bytes = [0; 64];
        bytes.copy_from_slice(signature.as_ref());
        bytes
    }
}

/// Checks a signature made by [`DeviceKey::sign`].
///
/// # Errors
/// [`DeviceError::BadSignature`] when key, purpose, message and signature do
/// not belong together.
pub fn verify_device(
    public: &[u8; 32],
    domain: &str,
    msg: &[u8],
    sig: &[u8; 64],
) -> Result<(), DeviceError> {
    if is_valid(public, SIGNATURE_DOMAIN, domain, msg, sig) {
        Ok(())
    } else {
        Err(DeviceError::BadSignature)
    }
}

/// A short name of a public key: its SHA-256 in a domain of its own, cut to 16
/// bytes. Only a second preimage (2^128 work) could stand in for the key, since
/// an attacker does not choose the key that is named.
pub fn fingerprint16(public: &[u8]) -> [u8; 16] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(FINGERPRINT_DOMAIN);
    context.update(public);
    let mut fingerprint = [0; 16];
    fingerprint.copy_from_slice(&context.finish().as_ref()[..16]);
    fingerprint
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceKey(redacted)")
    }
}
