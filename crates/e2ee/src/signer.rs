//! The signature key of one leaf.

use std::fmt;

use aws_lc_rs::rand;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::types::SignatureScheme;
use zeroize::Zeroizing;

use crate::CryptoFailure;

/// An Ed25519 key that lives as long as one membership and is never stored.
pub(crate) struct LeafSigner {
    pair: Ed25519KeyPair,
    public: [u8; 32],
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
        Ok(Self { pair, public })
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
