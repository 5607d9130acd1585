//! Whom this device knows, by their device keys.
//!
//! **Trust on first use.** [`Contacts::meet`] records a key that nobody was known by, with the name
//! that it showed. From then on the key is [`Trust::Known`], whatever name it shows; after the
//! people compared their safety number, [`Trust::Verified`].
//!
//! **Another key under a known name** is [`Trust::Changed`], and nothing that happens by itself
//! makes it anything else: `meet` records nothing then. What the warning may say is only what is
//! known: *this is another device key than the one you know as Ana*. There are four reasons for
//! it, and no program can tell them apart:
//!
//! 1. Ana has a new device, or lost the key of the old one.
//! 2. Ana uses a second device.
//! 3. It is another person whose name is Ana too, or whose name looks like it.
//! 4. Somebody poses as Ana.
//!
//! A person decides. [`Contacts::accept`] records the key *beside* the one that was known, so that
//! both are contacts of the same name, each with its own mark; a verified mark never passes from
//! one key to another. In case 1 the old one can then be forgotten. As long as nobody decides,
//! every meeting warns again. Two people of one name are two contacts with equal names; a window
//! tells them apart by when they were met and whether they are verified.
//!
//! **A known key under the name of another contact** is `Changed` too: Ben's device that calls
//! itself Ana is another device than Ana's, whoever holds it.
//!
//! **What this does not see.** Whoever shows Ana's name before Ana does is recorded as Ana, and the
//! real Ana is warned of. Only the safety number shows who is who. A name that a person reads as
//! Ana's and that is not alike by the rules of this crate (another order of words, a nickname, a
//! missing accent) is not warned of.

mod book;
mod shelf;

use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use conclave_e2ee::{CryptoFailure, fingerprint16};

use crate::VaultError;

pub(crate) use book::Book;
pub(crate) use shelf::{FILE, MARK, Shelf, create, load};

/// Most contacts.
pub const MAX_CONTACTS: usize = 10_000;
/// Longest name in bytes of UTF-8: 64 characters of the longest kind.
pub const MAX_NAME_LEN: usize = 256;

/// The contact book of one profile. What it says is on disk when a call returns.
///
/// Every call that changes something writes the whole book, and may ask the key store; it blocks
/// for as long as that takes.
#[derive(Debug)]
pub struct Contacts {
    book: Mutex<Book>,
    shelf: Shelf,
}

/// A device that was met.
#[derive(Clone, PartialEq, Eq)]
pub struct Contact {
    /// By what it is forgotten.
    pub id: ContactId,
    /// Its public device key.
    pub device_key: [u8; 32],
    /// The name that it showed when it was recorded.
    pub name: String,
    /// When it was recorded, to the second.
    pub since: SystemTime,
    /// When the safety number was found equal, to the second.
    pub verified: Option<SystemTime>,
}

/// A short name of a device key (its [`fingerprint16`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContactId(pub [u8; 16]);

/// What the contact book says about a device that shows a name.
#[derive(Clone, PartialEq, Eq)]
pub enum Trust {
    /// Neither the key nor the name is known.
    New,
    /// The key was met before.
    Known {
        /// The name that it was recorded with, which may differ from the one shown now.
        name: String,
        /// When it was recorded.
        since: SystemTime,
    },
    /// The key was met before, and its safety number was found equal.
    Verified {
        /// The name that it was recorded with, which may differ from the one shown now.
        name: String,
        /// When it was verified.
        since: SystemTime,
    },
    /// This is another device key than the one known by this name.
    Changed {
        /// The name of the contact that has it, as it was recorded.
        name: String,
        /// Whether a contact of this name is verified.
        was_verified: bool,
    },
}

/// Why the contact book was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ContactsError {
    /// Local: [`MAX_CONTACTS`] are recorded.
    #[error("The contact book is full with {MAX_CONTACTS} contacts. Forget some of them.")]
    Full,
    /// Peer: an empty name, or one longer than [`MAX_NAME_LEN`].
    #[error("The name is empty or too long to be recorded.")]
    BadName,
    /// Misuse: no contact has this key.
    #[error("This device is not in the contact book. Record it first.")]
    Unknown,
    /// Local: the file could not be written; nothing has changed.
    #[error(
        "The contact book cannot be written ({0}). Check the disk and the rights of its folder."
    )]
    Disk(io::ErrorKind),
    /// Local: the change is kept, but the vault did not note it, so that an older copy of the
    /// book could be laid in its place unnoticed until the next change.
    #[error("The contact book was saved, but not its mark against old copies: {0}")]
    Unmarked(VaultError),
    /// Local: the library failed.
    #[error(transparent)]
    Crypto(#[from] CryptoFailure),
}

impl Contacts {
    pub(crate) fn new(book: Book, shelf: Shelf) -> Self {
        let book = Mutex::new(book);
        Self { book, shelf }
    }

    /// What is known about a device that shows `name`. Changes nothing.
    pub fn trust(&self, device_key: &[u8; 32], name: &str) -> Trust {
        self.book().trust(device_key, name)
    }

    /// Records a device that is [`Trust::New`] and leaves every other one as it is. Gives back
    /// what was known before.
    ///
    /// # Errors
    /// [`ContactsError`]; nothing is recorded then, except under [`ContactsError::Unmarked`].
    pub fn meet(
        &self,
        device_key: &[u8; 32],
        name: &str,
        when: SystemTime,
    ) -> Result<Trust, ContactsError> {
        self.change(|book| match book.trust(device_key, name) {
            Trust::New => book.record(device_key, name, when).map(|()| Trust::New),
            known => Ok(known),
        })
    }

    /// Like [`Contacts::meet`] for everybody in a room, with one write in place of many. Who
    /// cannot be recorded, for his name or because the book is full, stays [`Trust::New`].
    ///
    /// # Errors
    /// As for [`Contacts::meet`], but for [`ContactsError::BadName`] and [`ContactsError::Full`].
    pub fn meet_all<'a>(
        &self,
        people: impl IntoIterator<Item = (&'a [u8; 32], &'a str)>,
        when: SystemTime,
    ) -> Result<Vec<Trust>, ContactsError> {
        self.change(|book| {
            let meet = |(device_key, name)| {
                let trust = book.trust(device_key, name);
                if trust == Trust::New {
                    let _stays_new = book.record(device_key, name, when);
                }
                trust
            };
            Ok(people.into_iter().map(meet).collect())
        })
    }

    /// Records a device that is [`Trust::Changed`] beside the contact that has its name: the
    /// person at the screen said that it is right so. Gives back what is known now.
    ///
    /// A device whose key is known keeps the name and mark that it has.
    ///
    /// # Errors
    /// As for [`Contacts::meet`].
    pub fn accept(
        &self,
        device_key: &[u8; 32],
        name: &str,
        when: SystemTime,
    ) -> Result<Trust, ContactsError> {
        self.change(|book| {
            if book.contact(device_key).is_none() {
                book.record(device_key, name, when)?;
            }
            Ok(book.trust(device_key, name))
        })
    }

    /// Notes that the safety number was compared and found equal, or takes that back.
    ///
    /// # Errors
    /// [`ContactsError::Unknown`] when no contact has this key, or one of the others.
    pub fn verify(
        &self,
        device_key: &[u8; 32],
        verified: bool,
        when: SystemTime,
    ) -> Result<(), ContactsError> {
        self.change(|book| book.verify(device_key, verified.then_some(when)))
    }

    /// Removes a contact; says whether there was one. When it is met again, it is new.
    ///
    /// # Errors
    /// [`ContactsError`] when it is still there.
    pub fn forget(&self, id: ContactId) -> Result<bool, ContactsError> {
        self.change(|book| Ok(book.forget(id)))
    }

    /// All contacts, the one known longest first.
    pub fn list(&self) -> Vec<Contact> {
        let mut contacts = self.book().contacts();
        contacts.sort_by_key(|contact| contact.since);
        contacts
    }

    pub(crate) fn snapshot(&self) -> Book {
        self.book().clone()
    }

    /// Changes a copy, writes it, and only then holds it for true.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Book) -> Result<T, ContactsError>,
    ) -> Result<T, ContactsError> {
        let mut kept = self.book();
        let mut changed = kept.clone();
        let result = change(&mut changed)?;
        if changed == *kept {
            return Ok(result);
        }
        changed.count_up();
        let saved = self.shelf.save(&changed);
        if matches!(saved, Ok(()) | Err(ContactsError::Unmarked(_))) {
            *kept = changed;
        }
        saved.map(|()| result)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ContactId {
    /// The id of a device key.
    pub fn of(device_key: &[u8; 32]) -> Self {
        Self(fingerprint16(device_key))
    }
}

impl fmt::Display for ContactId {
    /// 32 lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// The text is not 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("The id of a contact is 32 hexadecimal digits.")]
pub struct InvalidContactId;

impl FromStr for ContactId {
    type Err = InvalidContactId;

    /// Reads what `Display` writes.
    fn from_str(text: &str) -> Result<Self, InvalidContactId> {
        let mut id = [0; 16];
        hex::decode_to_slice(text, &mut id).map_err(|_| InvalidContactId)?;
        Ok(Self(id))
    }
}

impl fmt::Debug for Contact {
    /// Whom somebody knows belongs on screens, not in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Contact(redacted)")
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::New => "New",
            Self::Known { .. } => "Known(redacted)",
            Self::Verified { .. } => "Verified(redacted)",
            Self::Changed { .. } => "Changed(redacted)",
        })
    }
}
