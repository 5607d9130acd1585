//! openmls's storage, held in memory that is wiped when it is given up.
//!
//! Nothing reaches a disk. Values are encoded into [`SecretBuffer`]s, which
//! leave no copy behind when they grow, and rest in [`Zeroizing`] vectors, so
//! that overwriting, deleting or dropping a value wipes it.

mod buffer;
mod provider;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use buffer::SecretBuffer;

/// The kinds of values that openmls keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Cell {
    ApplicationExportTree,
    ConfirmationTag,
    Context,
    EncryptionKeyPair,
    EpochKeyPairs,
    EpochSecrets,
    GroupState,
    InterimTranscriptHash,
    JoinConfig,
    KeyPackage,
    MessageSecrets,
    OwnLeafIndex,
    OwnLeafNodes,
    Proposal,
    ProposalRefs,
    Psk,
    ResumptionPsks,
    SignatureKeyPair,
    Tree,
}

impl Cell {
    /// Whether openmls asks for such a value while a group lives.
    ///
    /// After each change it writes its whole state, so that a program may go on
    /// after a restart by `MlsGroup::load`. Conclave never does: a device that
    /// starts again has a new leaf. What only that would read is not kept. It
    /// would be a second copy of the epoch's secrets, and writing it takes most
    /// of the time of a change in a large group.
    fn is_read(self) -> bool {
        match self {
            Self::EncryptionKeyPair
            | Self::EpochKeyPairs
            | Self::KeyPackage
            | Self::Proposal
            | Self::ProposalRefs
            | Self::Psk
            | Self::SignatureKeyPair => true,
            Self::ApplicationExportTree
            | Self::ConfirmationTag
            | Self::Context
            | Self::EpochSecrets
            | Self::GroupState
            | Self::InterimTranscriptHash
            | Self::JoinConfig
            | Self::MessageSecrets
            | Self::OwnLeafIndex
            | Self::OwnLeafNodes
            | Self::ResumptionPsks
            | Self::Tree => false,
        }
    }
}

/// Keys are identifiers and public keys: they need no wiping.
type Key = (Cell, Vec<u8>);

/// One value: a single item, or a list that grows.
type Items = Vec<Zeroizing<Vec<u8>>>;

/// The storage of one membership.
#[derive(Default)]
pub(crate) struct SecretStorage {
    cells: Mutex<HashMap<Key, Items>>,
}

/// A value could not be encoded or decoded: a defect in this program or in
/// openmls. The cause is left out, since it could quote a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StorageError {
    /// Bug.
    #[error("A value of the group's state could not be encoded.")]
    Encode,
    /// Bug.
    #[error("A value of the group's state could not be decoded.")]
    Decode,
}

impl SecretStorage {
    /// A panic elsewhere cannot leave the map half-written, so a poisoned lock
    /// is as good as a sound one.
    fn cells(&self) -> MutexGuard<'_, HashMap<Key, Items>> {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many values are kept.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.cells().len()
    }

    fn put(
        &self,
        cell: Cell,
        key: &impl Serialize,
        value: &(impl Serialize + ?Sized),
    ) -> Result<(), StorageError> {
        if !cell.is_read() {
            return Ok(());
        }
        let items = vec![encode(value)?];
        self.cells().insert((cell, encode_key(key)?), items);
        Ok(())
    }

    fn get<T: DeserializeOwned>(
        &self,
        cell: Cell,
        key: &impl Serialize,
    ) -> Result<Option<T>, StorageError> {
        let key = (cell, encode_key(key)?);
        self.cells()
            .get(&key)
            .and_then(|items| items.first())
            .map(|item| decode(item))
            .transpose()
    }

    fn delete(&self, cell: Cell, key: &impl Serialize) -> Result<(), StorageError> {
        self.cells().remove(&(cell, encode_key(key)?));
        Ok(())
    }

    fn push(
        &self,
        cell: Cell,
        key: &impl Serialize,
        value: &impl Serialize,
    ) -> Result<(), StorageError> {
        if !cell.is_read() {
            return Ok(());
        }
        let item = encode(value)?;
        self.cells()
            .entry((cell, encode_key(key)?))
            .or_default()
            .push(item);
        Ok(())
    }

    fn list<T: DeserializeOwned>(
        &self,
        cell: Cell,
        key: &impl Serialize,
    ) -> Result<Vec<T>, StorageError> {
        let key = (cell, encode_key(key)?);
        self.cells().get(&key).map_or(Ok(Vec::new()), |items| {
            items.iter().map(|item| decode(item)).collect()
        })
    }

    fn pull(
        &self,
        cell: Cell,
        key: &impl Serialize,
        value: &impl Serialize,
    ) -> Result<(), StorageError> {
        let gone = encode(value)?;
        if let Some(items) = self.cells().get_mut(&(cell, encode_key(key)?)) {
            items.retain(|item| *item != gone);
        }
        Ok(())
    }
}

impl fmt::Debug for SecretStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretStorage(redacted)")
    }
}

fn encode(value: &(impl Serialize + ?Sized)) -> Result<Zeroizing<Vec<u8>>, StorageError> {
    let mut buffer = SecretBuffer::default();
    serde_json::to_writer(&mut buffer, value).map_err(|_| StorageError::Encode)?;
    Ok(buffer.into_inner())
}

fn encode_key(key: &impl Serialize) -> Result<Vec<u8>, StorageError> {
    serde_json::to_vec(key).map_err(|_| StorageError::Encode)
}

fn decode<T: DeserializeOwned>(item: &[u8]) -> Result<T, StorageError> {
    serde_json::from_slice(item).map_err(|_| StorageError::Decode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_got_until_it_is_deleted() {
        let storage = SecretStorage::default();
        storage.put(Cell::Psk, &"id", &vec![1_u8, 2, 3]).unwrap();
        assert_eq!(
            storage.get::<Vec<u8>>(Cell::Psk, &"id").unwrap(),
            Some(vec![1, 2, 3])
        );
        assert_eq!(storage.get::<Vec<u8>>(Cell::Tree, &"id").unwrap(), None);

        storage.put(Cell::Psk, &"id", &vec![9_u8]).unwrap();
        assert_eq!(
            storage.get::<Vec<u8>>(Cell::Psk, &"id").unwrap(),
            Some(vec![9])
        );

        storage.delete(Cell::Psk, &"id").unwrap();
        assert_eq!(storage.get::<Vec<u8>>(Cell::Psk, &"id").unwrap(), None);
        assert!(storage.cells().is_empty());
    }

    #[test]
    fn lists_grow_and_shrink() {
        let storage = SecretStorage::default();
        for item in [1_u8, 2, 1] {
            storage.push(Cell::ProposalRefs, &0, &item).unwrap();
        }
        storage.pull(Cell::ProposalRefs, &0, &1_u8).unwrap();
        assert_eq!(storage.list::<u8>(Cell::ProposalRefs, &0).unwrap(), [2]);
        assert!(
            storage
                .list::<u8>(Cell::ProposalRefs, &1)
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn what_only_a_restart_would_read_is_not_kept() {
        let storage = SecretStorage::default();
        storage.put(Cell::MessageSecrets, &0, &"a secret").unwrap();
        storage.push(Cell::OwnLeafNodes, &0, &"a leaf").unwrap();
        assert!(storage.cells().is_empty());
    }

    #[test]
    fn values_are_of_a_type_that_wipes_itself() {
        fn wipes_on_drop<T: zeroize::ZeroizeOnDrop>(_: &T) {}
        let storage = SecretStorage::default();
        storage.put(Cell::Psk, &0, &7_u8).unwrap();
        wipes_on_drop(&storage.cells()[&(Cell::Psk, b"0".to_vec())][0]);
    }

    #[test]
    fn debug_shows_no_value() {
        let storage = SecretStorage::default();
        storage.put(Cell::Psk, &"id", &"a secret").unwrap();
        assert_eq!(format!("{storage:?}"), "SecretStorage(redacted)");
    }
}
