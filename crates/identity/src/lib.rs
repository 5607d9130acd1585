//! Who this device is, and whom it knows.

mod aead;
mod disk;
mod passphrase;
mod qr;
mod safety;
mod sealed;
mod vault;

pub use passphrase::{MAX_PASSPHRASE_LEN, MIN_PASSPHRASE_CHARS, Passphrase, PassphraseError};
pub use qr::{QUIET_ZONE, Qr};
pub use safety::{Comparison, SCANNED_LEN, SafetyNumber};
pub use sealed::SealedError;
pub use vault::{
    FileVault, KeyringVault, MAX_SECRET_LEN, MAX_SECRET_NAME_LEN, MemoryVault, Secret, Vault,
    VaultError,
};
