//! What openmls runs on: RustCrypto's primitives and a storage that forgets.

use openmls::prelude::OpenMlsProvider;
use openmls::schedule::errors::PskError;
use openmls::schedule::{ExternalPsk, PreSharedKeyId, Psk as MlsPsk};
use openmls_rust_crypto::RustCrypto;

use crate::link::Psk;
use crate::storage::SecretStorage;
use crate::suite::CIPHERSUITE;

/// One provider for each membership: nothing is shared, and all of it is gone
/// when the group is dropped.
#[derive(Debug, Default)]
pub(crate) struct Provider {
    crypto: RustCrypto,
    storage: SecretStorage,
}

impl Provider {
    /// Makes the link's PSK known, so that commits that carry it can be made
    /// and processed.
    pub(crate) fn store_psk(&self, psk: &Psk) -> Result<(), PskError> {
        self.fresh_psk_id(&psk.id)?
            .store(self, psk.secret.as_slice())
    }

    /// A reference to a stored PSK with a fresh nonce (RFC 9420 §8.4).
    pub(crate) fn fresh_psk_id(&self, id: &[u8; 32]) -> Result<PreSharedKeyId, PskError> {
        let psk = MlsPsk::External(ExternalPsk::new(id.to_vec()));
        PreSharedKeyId::new(CIPHERSUITE, self.rand(), psk).map_err(|_| PskError::Storage)
    }
}

impl OpenMlsProvider for Provider {
    type CryptoProvider = RustCrypto;
    type RandProvider = RustCrypto;
    type StorageProvider = SecretStorage;

    fn storage(&self) -> &SecretStorage {
        &self.storage
    }

    fn crypto(&self) -> &RustCrypto {
        &self.crypto
    }

    fn rand(&self) -> &RustCrypto {
        &self.crypto
    }
}
