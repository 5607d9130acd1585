//! The contact book in memory, and its rules.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Contact, ContactId, ContactsError, MAX_CONTACTS, MAX_NAME_LEN, Trust};
use crate::likeness::Likeness;

/// Contacts by device key, and how often they were changed.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Book {
    changes: u64,
    entries: BTreeMap<[u8; 32], Entry>,
}

#[derive(Clone, PartialEq, Eq)]
struct Entry {
    name: String,
    /// Of the name; kept since making it costs more than comparing it.
    likeness: Likeness,
    since: u64,
    verified: Option<u64>,
}

/// The form on disk (postcard).
#[derive(Serialize, Deserialize)]
struct Written {
    changes: u64,
    contacts: Vec<WrittenContact>,
}

#[derive(Serialize, Deserialize)]
struct WrittenContact {
    device_key: [u8; 32],
    name: String,
    since: u64,
    verified: Option<u64>,
}

impl Book {
    /// Grows with every change that was written: an older book has a smaller number.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    pub(super) fn count_up(&mut self) {
        self.changes = self.changes.saturating_add(1);
    }

    pub(super) fn trust(&self, device_key: &[u8; 32], name: &str) -> Trust {
        let shown = Likeness::of(name);
        let own = self.entries.get(device_key);
        // Who shows the name that he is known by is who he was, also when others have the same.
        if let Some(own) = own.filter(|own| own.likeness.is_like(&shown)) {
            return own.trust();
        }
        // Its own entry is not among these: it was not alike.
        let named_so = || {
            let entries = self.entries.values();
            entries.filter(|entry| entry.likeness.is_like(&shown))
        };
        // The warning names the verified one, if there is one: that is the one to compare with.
        let verified = named_so().find(|entry| entry.verified.is_some());
        match verified.or_else(|| named_so().next()) {
            Some(other) => Trust::Changed {
                name: other.name.clone(),
                was_verified: verified.is_some(),
            },
            None => own.map_or(Trust::New, Entry::trust),
        }
    }

    pub(super) fn contact(&self, device_key: &[u8; 32]) -> Option<Contact> {
        let entry = self.entries.get(device_key)?;
        Some(entry.contact(device_key))
    }

    pub(super) fn contacts(&self) -> Vec<Contact> {
        let entries = self.entries.iter();
        entries.map(|(key, entry)| entry.contact(key)).collect()
    }

    pub(super) fn record(
        &mut self,
        device_key: &[u8; 32],
        name: &str,
        when: SystemTime,
    ) -> Result<(), ContactsError> {
        let name = name.trim();
        if name.is_empty() || name.len() > MAX_NAME_LEN {
            return Err(ContactsError::BadName);
        }
        if self.entries.len() >= MAX_CONTACTS {
            return Err(ContactsError::Full);
        }
        let entry = Entry::new(name.to_owned(), seconds(when), None);
        self.entries.insert(*device_key, entry);
        Ok(())
    }

    pub(super) fn verify(
        &mut self,
        device_key: &[u8; 32],
        verified: Option<SystemTime>,
    ) -> Result<(), ContactsError> {
        let entry = self
            .entries
            .get_mut(device_key)
            .ok_or(ContactsError::Unknown)?;
        entry.verified = verified.map(seconds);
        Ok(())
    }

    pub(super) fn forget(&mut self, id: ContactId) -> bool {
        let before = self.entries.len();
        self.entries.retain(|key, _| ContactId::of(key) != id);
        self.entries.len() < before
    }

    /// The bytes to keep; they hold names.
    pub(crate) fn write(&self) -> Option<Zeroizing<Vec<u8>>> {
        let contacts = self.entries.iter().map(|(key, entry)| WrittenContact {
            device_key: *key,
            name: entry.name.clone(),
            since: entry.since,
            verified: entry.verified,
        });
        let written = Written {
            changes: self.changes,
            contacts: contacts.collect(),
        };
        postcard::to_allocvec(&written).ok().map(Zeroizing::new)
    }

    /// Reads what [`Book::write`] wrote and what follows it; `None` when it is no book within the
    /// bounds.
    pub(crate) fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (written, rest) = postcard::take_from_bytes::<Written>(bytes).ok()?;
        if written.contacts.len() > MAX_CONTACTS {
            return None;
        }
        let mut entries = BTreeMap::new();
        for contact in written.contacts {
            if contact.name.is_empty() || contact.name.len() > MAX_NAME_LEN {
                return None;
            }
            let entry = Entry::new(contact.name, contact.since, contact.verified);
            entries.insert(contact.device_key, entry);
        }
        let changes = written.changes;
        Some((Self { changes, entries }, rest))
    }
}

impl Entry {
    fn new(name: String, since: u64, verified: Option<u64>) -> Self {
        let likeness = Likeness::of(&name);
        Self {
            name,
            likeness,
            since,
            verified,
        }
    }

    fn trust(&self) -> Trust {
        let name = self.name.clone();
        match self.verified {
            Some(when) => Trust::Verified {
                name,
                since: moment(when),
            },
            None => Trust::Known {
                name,
                since: moment(self.since),
            },
        }
    }

    fn contact(&self, device_key: &[u8; 32]) -> Contact {
        Contact {
            id: ContactId::of(device_key),
            device_key: *device_key,
            name: self.name.clone(),
            since: moment(self.since),
            verified: self.verified.map(moment),
        }
    }
}

impl fmt::Debug for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Book({} contacts, redacted)", self.entries.len())
    }
}

/// Seconds since 1970; a clock before that counts as 1970.
fn seconds(when: SystemTime) -> u64 {
    when.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// A moment that the system cannot express counts as 1970.
fn moment(seconds: u64) -> SystemTime {
    UNIX_EPOCH
        .checked_add(Duration::from_secs(seconds))
        .unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(number: usize) -> ([u8; 32], String) {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&number.to_be_bytes());
        (key, format!("Person {number}"))
    }

    #[test]
    fn the_number_of_contacts_is_bounded() {
        let mut book = Book::default();
        for number in 0..MAX_CONTACTS {
            let (key, name) = named(number);
            book.record(&key, &name, UNIX_EPOCH).unwrap();
        }
        let (key, name) = named(MAX_CONTACTS);
        assert_eq!(
            book.record(&key, &name, UNIX_EPOCH),
            Err(ContactsError::Full)
        );
        let written = book.write().unwrap();
        let (again, rest) = Book::read(&written).unwrap();
        assert_eq!((again, rest), (book, [].as_slice()));
    }

    #[test]
    fn names_are_bounded() {
        let mut book = Book::default();
        let longest = "\u{1F600}".repeat(64);
        book.record(&[1; 32], &longest, UNIX_EPOCH).unwrap();
        for bad in ["", " \t", &"x".repeat(MAX_NAME_LEN + 1)] {
            assert_eq!(
                book.record(&[2; 32], bad, UNIX_EPOCH),
                Err(ContactsError::BadName)
            );
        }
    }

    #[test]
    fn bytes_that_are_no_book_are_refused() {
        let mut book = Book::default();
        book.record(&[1; 32], "Ana", UNIX_EPOCH).unwrap();
        let written = book.write().unwrap();
        for length in 0..written.len() {
            assert!(Book::read(&written[..length]).is_none());
        }
        let nameless = Written {
            changes: 0,
            contacts: vec![WrittenContact {
                device_key: [1; 32],
                name: String::new(),
                since: 0,
                verified: None,
            }],
        };
        assert!(Book::read(&postcard::to_allocvec(&nameless).unwrap()).is_none());
    }

    #[test]
    fn a_moment_beyond_all_calendars_does_no_harm() {
        assert_eq!(moment(u64::MAX), UNIX_EPOCH);
        let before = UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(seconds(before), 0);
    }
}
