//! Who this device is, and whom it knows.
//!
//! ```text
//! Identity ─┬─ DeviceKey      by which others know this device   (conclave-e2ee)
//!           ├─ Contacts       whom it knows, and how well        (contacts)
//!           └─ SafetyNumber   two people compare it, or scan it  (safety, qr)
//! Vault  ◄──  where key and contacts' key lie: key store, file under a passphrase, memory
//! ```
//!
//! The crate knows no network and no meeting. It blocks: on the disk, on the key store, on the
//! derivation of keys from passphrases. Call it from a thread that may wait.
//!
//! # What a thief of the disk gets
//!
//! A profile is a folder with four files, readable by their owner only (on Windows, with the
//! rights of the folder that they are in):
//!
//! | File | Who has the disk, switched off, learns |
//! |---|---|
//! | `profile` | that there is a profile, how it is protected, and a random id |
//! | `vault` (only under a passphrase) | nothing, unless he guesses the passphrase; each guess costs Argon2id with 64 MiB and three passes |
//! | `contacts` | roughly how many contacts there are (steps of 4 KiB), and when the book was changed last |
//! | `lock` | nothing; it is empty |
//!
//! With the system's key store the device key lies there: what a thief gets is then what the store
//! gives him. The Secret Service and the macOS Keychain encrypt under the login password; the
//! Windows Credential Manager under the account's. A store without a password (some people set
//! none, and automatic login needs that) gives away everything. The disk's own encryption is the
//! better protection against thieves; this one is against who gets only the files, such as a backup.
//!
//! With [`Protection::Ephemeral`] nothing is written, and nobody recognises the device next time.
//! There is no protection that writes secrets in the clear.
//!
//! **Who has the key** can pose as this device to everybody who knows it, until they learn of it.
//! He cannot read meetings with it, past or present: those have keys of their own that are never on
//! disk.
//!
//! **What this does not hold against:** a program that runs as the same user while the profile is
//! open (it can ask the key store, or read memory); who records the passphrase as it is typed; the
//! swap file and hibernation; copies that file systems, SSDs and backups keep of what was erased;
//! and whoever can put an old copy of the *whole* folder in place, vault and all. An old copy of
//! `contacts` alone is noticed and refused.
//!
//! **What is lost:** without the passphrase, or when the key store forgets, the identity is gone.
//! Nobody can restore it but its owner, from an exported file.

mod aead;
mod contacts;
mod disk;
mod home;
mod identity;
mod likeness;
mod passphrase;
mod qr;
mod safety;
mod sealed;
mod vault;

pub use contacts::{
    Contact, ContactId, Contacts, ContactsError, InvalidContactId, MAX_CONTACTS, MAX_NAME_LEN,
    Trust,
};
pub use home::{Protection, ProtectionKind};
pub use identity::{
    BookFault, Erasure, Existing, Identity, IdentityError, Leftover, read_export, write_export,
};
pub use passphrase::{MAX_PASSPHRASE_LEN, MIN_PASSPHRASE_CHARS, Passphrase, PassphraseError};
pub use qr::{QUIET_ZONE, Qr};
pub use safety::{Comparison, SCANNED_LEN, SafetyNumber};
pub use sealed::SealedError;
pub use vault::{
    FileVault, KeyringVault, MAX_SECRET_LEN, MAX_SECRET_NAME_LEN, MemoryVault, Secret, Vault,
    VaultError,
};
