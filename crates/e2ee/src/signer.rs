//! The signature key of one leaf.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rand;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::types::SignatureScheme;
use zeroize::Zeroizing;

use crate::CryptoFailure;
use crate::signature::{is_valid, to_be_signed};

const SIGNATURE_DOMAIN: &[u8] = b"Conclave leaf signature v1";

/// An Ed25519 key that lives as long as one membership and is never stored.
///
/// Clones share the key; it is freed with the last of them.
#[derive(Clone)]
pub(crate) struct LeafSigner {
    pair: Arc<Ed25519KeyPair>,
    public: [u8; 32],
}

/// Why a signature of a leaf was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LeafError {
    /// Peer: the signature is not by this leaf, over this message, for this purpose.
    #[error("A signature does not match the member it names. Do not trust what it claims.")]
    BadSignature,
}

/// Checks a signature made by [`crate::Group::sign`].
///
/// # Errors
/// [`LeafError::BadSignature`] when key, purpose, message and signature do not
/// belong together.
pub fn verify_leaf(
    leaf_key: &[u8; 32],
    domain: &str,
    msg: &[u8],
    sig: &[u8; 64],
) -> Result<(), LeafError> {
    if is_valid(leaf_key, SIGNATURE_DOMAIN, domain, msg, sig) {
        Ok(())
    } else {
        Err(LeafError::BadSignature)
    }
}

impl LeafSigner {
    pub(crate) fn generate() -> Result<Self, CryptoFailure> {
        let mut seed = Zeroizing::new([0; 32]);
        rand::fill(seed.as_mut_slice())?;
        let pair =
            Ed25519KeyPair::from_seed_unchecked(seed.as_slice()).map_err(|_| CryptoFailure)?;
        let public = pair
            .public_key()
            .as_ref()
            .try_into()
            .map_err(|_| CryptoFailure)?;
        Ok(Self {
            pair: Arc::new(pair),
            public,
        })
    }

    /// Signs `msg` for the purpose named by `domain`, apart from every
    /// signature that MLS itself makes with this key (RFC 9420 §5.1.2: those
    /// begin with a length and "MLS 1.0 ").
    pub(crate) fn sign_for(&self, domain: &str, msg: &[u8]) -> Result<[u8; 64], CryptoFailure> {
        let signature = self
            .pair
            .try_sign(&to_be_signed(SIGNATURE_DOMAIN, domain, msg))?;
        signature.as_ref().try_into().map_err(|_| CryptoFailure)
    }

    pub(crate) fn public(&self) -> [u8; 32] {
        self.public
    }
}

impl Signer for LeafSigner {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        let signature = self
            .pair
            .try_sign(payload)
            .map_err(|_| SignerError::SigningError)?;
        Ok(signature.as_ref().to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

impl fmt::Debug for LeafSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LeafSigner(redacted)")
    }
}
