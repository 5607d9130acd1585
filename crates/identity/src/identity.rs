//! One device: its key, its contacts, and the folder that keeps both.

mod error;
mod transfer;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use conclave_e2ee::{CryptoFailure, DeviceKey};
use zeroize::Zeroizing;

use crate::aead::AeadKey;
use crate::contacts::{self, Book, Shelf};
use crate::home::{self, Home, IDENTITY, MakeVault};
use crate::{Contacts, Protection, ProtectionKind, SafetyNumber, Secret, VaultError};

pub use error::{BookFault, Erasure, IdentityError, Leftover};
pub use transfer::{Existing, read_export, write_export};

/// Version of the secret that is the identity.
const VERSION: u8 = 1;
/// Version, seed of the device key, key of the contact book.
const IDENTITY_LEN: usize = 1 + 32 + 32;

/// Who this device is, and whom it knows.
///
/// One program at a time has a profile open; other profiles are other folders.
pub struct Identity {
    key: Arc<DeviceKey>,
    contacts: Contacts,
    /// `None` for one that keeps nothing.
    home: Option<Home>,
}

/// What to do about a contact book that does not open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FaultyBook {
    Refuse,
    Replace,
}

/// The two secrets of a profile, kept as one so that there is never one without the other.
struct Keys {
    device: DeviceKey,
    contacts: AeadKey,
}

impl Identity {
    /// Opens the profile in a folder, and makes the device key on first use.
    ///
    /// It blocks: on the derivation of a key from the passphrase (about a quarter of a second), on
    /// the disk, and on the key store, which may ask the person at the screen for a password.
    ///
    /// # Errors
    /// [`IdentityError`]. An identity that was there and is lost is an error, never a new one:
    /// nobody would recognise this device any more.
    pub fn open(folder: &Path, protection: Protection) -> Result<Self, IdentityError> {
        Self::open_by(folder, &protection, FaultyBook::Refuse)
    }

    /// Opens the profile and begins an empty contact book if the one that is there does not open:
    /// the answer to [`IdentityError::Book`] when no copy is to be had. **All trust marks are lost
    /// then**, and everybody is new.
    ///
    /// # Errors
    /// As for [`Identity::open`], but of the faults of a book only [`BookFault::TooNew`].
    pub fn dangerous_open_without_contacts(
        folder: &Path,
        protection: Protection,
    ) -> Result<Self, IdentityError> {
        Self::open_by(folder, &protection, FaultyBook::Replace)
    }

    /// The key by which other devices know this one.
    pub fn key(&self) -> Arc<DeviceKey> {
        Arc::clone(&self.key)
    }

    /// Whom this device knows.
    pub fn contacts(&self) -> &Contacts {
        &self.contacts
    }

    /// The number to compare with the owner of another device, given by its public key. Takes
    /// some milliseconds.
    pub fn safety_number(&self, other_public: &[u8; 32]) -> SafetyNumber {
        SafetyNumber::new(&self.key.public(), other_public)
    }

    /// Removes key and contacts from this computer, and says what could not be removed. Exported
    /// files stay, and so do copies that the disk or a backup has made on its own. The key is gone
    /// from memory when the last [`Arc`] of [`Identity::key`] is dropped.
    pub fn erase(self) -> Erasure {
        self.home.map(Home::erase).unwrap_or_default()
    }

    /// Erases a profile without opening it: its passphrase is forgotten, or it is damaged.
    ///
    /// # Errors
    /// [`IdentityError::InUse`], [`IdentityError::ProfileDamaged`] and their like; nothing was
    /// removed then.
    pub fn dangerous_erase(folder: &Path) -> Result<Erasure, IdentityError> {
        // A crash may have left part of it, or all, beside the folder.
        home::end_move(folder)?;
        home::erase_unopened(folder)
    }

    fn open_by(
        folder: &Path,
        protection: &Protection,
        faulty: FaultyBook,
    ) -> Result<Self, IdentityError> {
        let Some(kind) = home::kept_by(protection) else {
            return Self::ephemeral(Keys::generate()?.device, Book::default());
        };
        let make_vault = |id: &str, file: &Path| home::make_vault(protection, id, file);
        Self::open_with(folder, kind, &make_vault, faulty)
    }

    fn open_with(
        folder: &Path,
        kind: ProtectionKind,
        make_vault: &MakeVault<'_>,
        faulty: FaultyBook,
    ) -> Result<Self, IdentityError> {
        let home = Home::open(folder, kind, make_vault)?;
        let keys = match home.vault().get(IDENTITY)? {
            Some(secret) => Keys::from_secret(&secret)?,
            None if home.is_used()? => return Err(IdentityError::KeyMissing),
            None => {
                let keys = Keys::generate()?;
                if let Err(error) = keys.keep(&home) {
                    home.give_up();
                    return Err(error.into());
                }
                keys
            }
        };
        let shelf = shelf(&home, keys.contacts);
        let book = match contacts::load(&shelf) {
            Ok(Some(book)) => book,
            Ok(None) => contacts::create(&shelf, Book::default())?,
            Err(IdentityError::Book(fault))
                if faulty == FaultyBook::Replace && fault != BookFault::TooNew =>
            {
                contacts::create(&shelf, Book::default())?
            }
            Err(error) => return Err(error),
        };
        Ok(Self {
            key: Arc::new(keys.device),
            contacts: Contacts::new(book, shelf),
            home: Some(home),
        })
    }

    fn ephemeral(device: DeviceKey, book: Book) -> Result<Self, IdentityError> {
        Ok(Self {
            key: Arc::new(device),
            contacts: Contacts::new(book, Shelf::Memory),
            home: None,
        })
    }
}

fn shelf(home: &Home, key: AeadKey) -> Shelf {
    Shelf::Disk {
        path: home.contacts_file(),
        key,
        vault: Arc::clone(home.vault()),
    }
}

impl Keys {
    fn generate() -> Result<Self, CryptoFailure> {
        Ok(Self {
            device: DeviceKey::generate()?,
            contacts: AeadKey::generate()?,
        })
    }

    fn keep(&self, home: &Home) -> Result<(), VaultError> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(IDENTITY_LEN));
        bytes.push(VERSION);
        bytes.extend_from_slice(self.device.expose_seed());
        bytes.extend_from_slice(self.contacts.expose());
        home.vault().put(IDENTITY, &Secret::new(bytes))
    }

    fn from_secret(secret: &Secret) -> Result<Self, IdentityError> {
        let damaged = IdentityError::KeyDamaged;
        let (version, rest) = secret.expose().split_first().ok_or(damaged)?;
        if *version > VERSION {
            return Err(IdentityError::ProfileTooNew);
        }
        let (seed, rest) = rest.split_first_chunk::<32>().ok_or(damaged)?;
        let contacts: &[u8; 32] = rest.try_into().map_err(|_| damaged)?;
        Ok(Self {
            device: DeviceKey::from_seed(Zeroizing::new(*seed))?,
            contacts: AeadKey::new(Zeroizing::new(*contacts)),
        })
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(redacted)")
    }
}
