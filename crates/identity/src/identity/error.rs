//! Why a profile was not opened, carried over or erased.

use std::io;
use std::path::PathBuf;

use conclave_e2ee::CryptoFailure;

use crate::{ContactsError, ProtectionKind, SealedError, VaultError};

/// Why there is no identity to work with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Misuse: another program, or this one, has the profile open.
    #[error(
        "This profile is open in another window or program. Close that one, or take another profile."
    )]
    InUse,
    /// Misuse: the profile is protected in another way than it was opened.
    #[error("This profile is protected by {0}. Open it that way.")]
    OtherProtection(ProtectionKind),
    /// Misuse: importing would take the place of an identity.
    #[error(
        "There is an identity already. Export or erase it first, or say that it may be replaced."
    )]
    AlreadyThere,
    /// Local: the vault has no key, but the profile was in use.
    #[error(
        "The key of this profile is gone from the key store. Import it from an exported file, or erase the profile and begin anew."
    )]
    KeyMissing,
    /// Local: the vault holds something else than a key of ours.
    #[error(
        "The key of this profile is damaged. Import it from an exported file, or erase the profile and begin anew."
    )]
    KeyDamaged,
    /// Local: the profile's file is not one that we write.
    #[error(
        "The file 'profile' of this profile is damaged. Restore it from a copy, or take another profile."
    )]
    ProfileDamaged,
    /// Local: written by a newer version of the program.
    #[error("This profile was written by a newer version of Conclave. Update the program.")]
    ProfileTooNew,
    /// Local: the identity to be replaced could not be erased.
    #[error("The identity that is there could not be erased, so nothing was imported.")]
    NotErased,
    /// Local: the contact book does not open.
    #[error(transparent)]
    Book(#[from] BookFault),
    /// Local: the contact book could not be written.
    #[error(transparent)]
    Contacts(#[from] ContactsError),
    /// The vault did not open; see the inner error for whose fault.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The exported file did not open; see the inner error for whose fault.
    #[error(transparent)]
    Sealed(#[from] SealedError),
    /// Local: the folder cannot be used.
    #[error(
        "The profile's folder cannot be used ({0}). Check the disk and the rights of the folder."
    )]
    Disk(io::ErrorKind),
    /// Local: the library failed.
    #[error(transparent)]
    Crypto(#[from] CryptoFailure),
}

/// What is wrong with a contact book. The identity's key is not affected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BookFault {
    /// Cut short, changed after it was written, or of another profile.
    #[error(
        "The contact book is damaged or was tampered with. Restore it from a copy, or begin an empty one."
    )]
    Damaged,
    /// There was one, and now there is none.
    #[error("The contact book is gone. Restore it from a copy, or begin an empty one.")]
    Missing,
    /// It is an older copy of itself.
    #[error(
        "The contact book is an old copy of itself. Put the newest in its place, or begin an empty one."
    )]
    RolledBack,
    /// Written by a newer version of the program.
    #[error("The contact book was written by a newer version of Conclave. Update the program.")]
    TooNew,
}

/// What erasing left behind. Empty when all is gone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Erasure {
    /// What is still there, and why.
    pub left: Vec<Leftover>,
}

/// Something that could not be removed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Leftover {
    /// The secrets in the key store. The file that leads to them was kept, so that erasing can be
    /// tried again.
    #[error("The key is still in the key store. {0}")]
    Secrets(VaultError),
    /// A file.
    #[error("A file is still there ({kind}). Remove it by hand: {}", path.display())]
    File {
        /// Where it is.
        path: PathBuf,
        /// Why it is still there.
        kind: io::ErrorKind,
    },
}

impl std::fmt::Display for ProtectionKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Keyring => "the system's key store",
            Self::Passphrase => "a passphrase",
        })
    }
}

impl From<io::Error> for IdentityError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::FileTooLarge => BookFault::Damaged.into(),
            kind => Self::Disk(kind),
        }
    }
}
