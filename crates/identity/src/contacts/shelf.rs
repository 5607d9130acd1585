//! Where the contact book lies: a sealed file, and a mark in the vault.
//!
//! ```text
//! magic "CNCLBOOK" 8 | version 1 | nonce 12 | ciphertext | tag 16
//! ```
//!
//! AES-256-GCM under a key that lies in the vault; the header is authenticated. The plaintext is
//! padded with zeros to a multiple of [`BUCKET`], so that the length of the file tells little of
//! how many people somebody knows.
//!
//! The mark is the number of changes that the vault has seen. A file with fewer is an old copy and
//! is refused. The file is written first: after a crash in between it is ahead of the mark, which is
//! fine. Who can put back file *and* vault together (a backup of the whole folder, when the vault
//! is a file) is not noticed.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use conclave_e2ee::CryptoFailure;
use zeroize::Zeroizing;

use super::{Book, ContactsError, MAX_CONTACTS, MAX_NAME_LEN};
use crate::aead::AeadKey;
use crate::{BookFault, IdentityError, Secret, Vault, VaultError, disk};

/// Name of the file.
pub(crate) const FILE: &str = "contacts";
/// Name of the mark in the vault.
pub(crate) const MARK: &str = "contacts-mark";

const MAGIC: &[u8; 8] = b"CNCLBOOK";
const VERSION: u8 = 1;
const HEADER: [u8; 9] = [
    MAGIC[0], MAGIC[1], MAGIC[2], MAGIC[3], MAGIC[4], MAGIC[5], MAGIC[6], MAGIC[7], VERSION,
];
/// Plaintexts are padded to a multiple of this, in bytes.
const BUCKET: usize = 4096;
/// Longest file in bytes: a full book (keys, names, two moments and lengths), and its padding.
const MAX_FILE_LEN: u64 = (MAX_CONTACTS * (32 + MAX_NAME_LEN + 24) + 2 * BUCKET) as u64;

/// Where changes go.
pub(crate) enum Shelf {
    /// Nowhere: the book ends with the program.
    Memory,
    /// Into a file.
    Disk {
        path: PathBuf,
        key: AeadKey,
        vault: Arc<dyn Vault>,
    },
}

impl Shelf {
    pub(super) fn save(&self, book: &Book) -> Result<(), ContactsError> {
        let Self::Disk { path, key, vault } = self else {
            return Ok(());
        };
        let file = seal(key, book)?;
        disk::replace(path, &file).map_err(|error| ContactsError::Disk(error.kind()))?;
        let mark = Secret::new(book.changes().to_be_bytes().to_vec());
        vault.put(MARK, &mark).map_err(ContactsError::Unmarked)
    }
}

/// Writes the first book of a profile.
pub(crate) fn create(shelf: &Shelf, mut book: Book) -> Result<Book, ContactsError> {
    book.count_up();
    shelf.save(&book)?;
    Ok(book)
}

/// Reads the book; `None` when a profile has none yet.
pub(crate) fn load(shelf: &Shelf) -> Result<Option<Book>, IdentityError> {
    let Shelf::Disk { path, key, vault } = shelf else {
        return Ok(None);
    };
    let seen = mark(vault.as_ref())?;
    let Some(file) = disk::read(path, MAX_FILE_LEN)? else {
        return match seen {
            Some(_) => Err(BookFault::Missing.into()),
            None => Ok(None),
        };
    };
    let book = open(key, &file)?;
    if book.changes() < seen.unwrap_or_default() {
        return Err(BookFault::RolledBack.into());
    }
    Ok(Some(book))
}

fn mark(vault: &dyn Vault) -> Result<Option<u64>, VaultError> {
    let Some(mark) = vault.get(MARK)? else {
        return Ok(None);
    };
    // A mark that is none was not put there by us: everything counts as older than it.
    let number = mark.expose().try_into().map(u64::from_be_bytes);
    Ok(Some(number.unwrap_or(u64::MAX)))
}

fn seal(key: &AeadKey, book: &Book) -> Result<Vec<u8>, CryptoFailure> {
    let written = book.write().ok_or(CryptoFailure)?;
    let padded = written.len().next_multiple_of(BUCKET);
    let mut plaintext = Zeroizing::new(Vec::with_capacity(padded));
    plaintext.extend_from_slice(&written);
    plaintext.resize(padded, 0);
    let sealed = key.seal(&HEADER, &plaintext)?;
    Ok([HEADER.as_slice(), &sealed].concat())
}

fn open(key: &AeadKey, file: &[u8]) -> Result<Book, BookFault> {
    let rest = file.strip_prefix(MAGIC).ok_or(BookFault::Damaged)?;
    let (version, sealed) = rest.split_first().ok_or(BookFault::Damaged)?;
    if *version > VERSION {
        return Err(BookFault::TooNew);
    }
    let plaintext = key.open(&HEADER, sealed).map_err(|_| BookFault::Damaged)?;
    let (book, _padding) = Book::read(&plaintext).ok_or(BookFault::Damaged)?;
    Ok(book)
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "Memory",
            Self::Disk { .. } => "Disk(redacted)",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn book(people: usize) -> Book {
        let mut book = Book::default();
        for number in 0..people {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&number.to_be_bytes());
            book.record(&key, &"n".repeat(MAX_NAME_LEN), UNIX_EPOCH)
                .unwrap();
        }
        book
    }

    #[test]
    fn the_fullest_book_fits_into_its_file() {
        let key = AeadKey::generate().unwrap();
        let full = book(MAX_CONTACTS);
        let file = seal(&key, &full).unwrap();
        assert!(file.len() as u64 <= MAX_FILE_LEN);
        assert_eq!(open(&key, &file), Ok(full));
    }

    #[test]
    fn the_length_of_the_file_tells_little() {
        let key = AeadKey::generate().unwrap();
        let nobody = seal(&key, &book(0)).unwrap();
        let some = seal(&key, &book(10)).unwrap();
        assert_eq!(nobody.len(), some.len());
    }

    #[test]
    fn every_change_and_every_cut_of_the_file_is_noticed() {
        let key = AeadKey::generate().unwrap();
        let file = seal(&key, &book(1)).unwrap();
        for position in (0..HEADER.len() + 20).chain(file.len() - 20..file.len()) {
            let mut changed = file.clone();
            changed[position] ^= 0x80;
            let fault = open(&key, &changed).unwrap_err();
            let expected = match position {
                8 => BookFault::TooNew,
                _ => BookFault::Damaged,
            };
            assert_eq!(fault, expected, "byte {position}");
            assert_eq!(open(&key, &file[..position]), Err(BookFault::Damaged));
        }
    }
}
