//! An identity in one file, to carry it to another computer or to keep it safe.
//!
//! The file is sealed under a passphrase of its own ([`crate::SealedError`] says how it can fail);
//! inside are the seed of the device key (32 bytes) and the contact book. Two computers with one
//! identity are one device to everybody else: what a thief does with a stolen export, the owner
//! did.

use std::io;
use std::path::Path;

use conclave_e2ee::DeviceKey;
use zeroize::Zeroizing;

use super::{FaultyBook, Identity, IdentityError, Keys, shelf};
use crate::aead::AeadKey;
use crate::contacts::{self, Book, MAX_CONTACTS, MAX_NAME_LEN};
use crate::disk;
use crate::home::{self, Home, MakeVault};
use crate::sealed::{FileKey, Purpose};
use crate::{Passphrase, Protection, ProtectionKind, SealedError};

/// Longest exported file in bytes.
const MAX_EXPORT_LEN: usize = MAX_CONTACTS * (32 + MAX_NAME_LEN + 24) + 512;

/// Writes an exported identity into a new file that only its owner can read.
///
/// # Errors
/// What the system says; also when there is such a file, which stays as it is.
pub fn write_export(path: &Path, sealed: &[u8]) -> io::Result<()> {
    disk::write_new(path, sealed)
}

/// Reads an exported identity.
///
/// # Errors
/// What the system says, and [`io::ErrorKind::FileTooLarge`] for a file that cannot be one.
pub fn read_export(path: &Path) -> io::Result<Vec<u8>> {
    let bytes = disk::read(path, MAX_EXPORT_LEN as u64)?;
    bytes.ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// What an import does about an identity that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Refuse with [`IdentityError::AlreadyThere`].
    Keep,
    /// Erase it, contacts and all. There is no way back but an export of it.
    Replace,
}

impl Identity {
    /// Key and contacts in one file, for [`Identity::import`]. Blocks for about a quarter of a
    /// second.
    ///
    /// # Errors
    /// [`SealedError::Crypto`].
    pub fn export(&self, passphrase: &Passphrase) -> Result<Vec<u8>, SealedError> {
        let book = self.contacts.snapshot().write().ok_or(crypto())?;
        let mut plaintext = Zeroizing::new(Vec::with_capacity(32 + book.len()));
        plaintext.extend_from_slice(self.key.expose_seed());
        plaintext.extend_from_slice(&book);
        let key = FileKey::new(passphrase, Purpose::Export)?;
        Ok(key.seal(&plaintext)?)
    }

    /// Makes the profile in a folder from an exported file, and opens it.
    ///
    /// It is made whole beside the folder before one that is there is erased: a full disk, a key
    /// store that refuses, or a crash leaves everything as it was. After a crash at the very end the
    /// new one moves in when the folder is opened next.
    ///
    /// # Errors
    /// [`IdentityError::Sealed`] when the file does not open, [`IdentityError::AlreadyThere`], and
    /// those of [`Identity::open`]; nothing was changed. [`IdentityError::NotErased`] when what was
    /// there, or what an earlier try has left, could not be removed.
    pub fn import(
        folder: &Path,
        protection: Protection,
        file: &[u8],
        passphrase: &Passphrase,
        existing: Existing,
    ) -> Result<Self, IdentityError> {
        let (device, book) = read(file, passphrase)?;
        let Some(kind) = home::kept_by(&protection) else {
            return Self::ephemeral(device, book);
        };
        let make_vault = |id: &str, file: &Path| home::make_vault(&protection, id, file);
        Self::settle(folder, kind, &make_vault, device, book, existing)
    }

    /// Keeps an identity that was kept nowhere, or elsewhere, in a folder of its own from now on:
    /// the same key, and the contacts as they are now. What this one learns later is not in it.
    ///
    /// # Errors
    /// [`IdentityError::AlreadyThere`] when somebody lives in the folder, and those of
    /// [`Identity::open`]; this one stays as it is, and so does the folder.
    pub fn keep(&self, folder: &Path, protection: Protection) -> Result<Self, IdentityError> {
        let device = DeviceKey::from_seed(Zeroizing::new(*self.key.expose_seed()))?;
        let book = self.contacts.snapshot();
        let Some(kind) = home::kept_by(&protection) else {
            return Self::ephemeral(device, book);
        };
        let make_vault = |id: &str, file: &Path| home::make_vault(&protection, id, file);
        Self::settle(folder, kind, &make_vault, device, book, Existing::Keep)
    }

    /// Whatever needs room on the disk, or the good will of a key store, is done before anything
    /// in the folder is touched.
    pub(super) fn settle(
        folder: &Path,
        kind: ProtectionKind,
        make_vault: &MakeVault<'_>,
        device: DeviceKey,
        book: Book,
        existing: Existing,
    ) -> Result<Self, IdentityError> {
        home::end_move(folder)?;
        let is_taken = Home::is_taken(folder)?;
        if is_taken && existing == Existing::Keep {
            return Err(IdentityError::AlreadyThere);
        }
        let site = home::building_site(folder)?;
        let home = Home::open(&site, kind, make_vault).inspect_err(|_| {
            // The first failure is the one to tell of; what is left goes with the next try.
            let _ = home::erase_unopened(&site);
        })?;
        let built = build(&home, device, book)
            .and_then(|()| home::declare_whole(&site))
            .and_then(|()| match is_taken {
                true => home::clear(folder),
                false => Ok(()),
            });
        if let Err(error) = built {
            home.erase();
            return Err(error);
        }
        drop(home);
        home::move_in(&site, folder).inspect_err(|_| {
            let _ = home::erase_unopened(&site);
        })?;
        Self::open_with(folder, kind, make_vault, FaultyBook::Refuse)
    }
}

/// The contacts first: a profile that has them and no key is known to be in part.
fn build(home: &Home, device: DeviceKey, book: Book) -> Result<(), IdentityError> {
    let keys = Keys {
        device,
        contacts: AeadKey::generate()?,
    };
    let contacts_key = AeadKey::new(Zeroizing::new(*keys.contacts.expose()));
    contacts::create(&shelf(home, contacts_key), book)?;
    Ok(keys.keep(home)?)
}

fn read(file: &[u8], passphrase: &Passphrase) -> Result<(DeviceKey, Book), SealedError> {
    let (_, plaintext) = FileKey::open(passphrase, Purpose::Export, file)?;
    let (seed, book) = plaintext
        .split_first_chunk::<32>()
        .ok_or(SealedError::Damaged)?;
    let (book, rest) = Book::read(book).ok_or(SealedError::Damaged)?;
    if !rest.is_empty() {
        return Err(SealedError::Damaged);
    }
    let device = DeviceKey::from_seed(Zeroizing::new(*seed))?;
    Ok((device, book))
}

fn crypto() -> SealedError {
    conclave_e2ee::CryptoFailure.into()
}
