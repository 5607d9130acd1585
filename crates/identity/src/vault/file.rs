//! A vault in one file under a passphrase.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use super::{MAX_SECRET_LEN, MAX_SECRET_NAME_LEN, Secret, Vault, VaultError, check, check_name};
use crate::sealed::{FileKey, Purpose};
use crate::{Passphrase, SealedError, disk};

/// Most secrets in one file.
const MAX_SECRETS: usize = 16;
/// Longest list of secrets in bytes: a length of one byte, a name, a length of two, a secret.
const MAX_LIST_LEN: usize = MAX_SECRETS * (3 + MAX_SECRET_NAME_LEN + MAX_SECRET_LEN);
/// Longest file in bytes, with room for its header.
const MAX_FILE_LEN: u64 = MAX_LIST_LEN as u64 + 128;

type Secrets = BTreeMap<String, Secret>;

/// Secrets in a file that only a passphrase opens: for a computer without a key store.
///
/// The key that the passphrase gave stays in memory as long as the vault, so that a change does
/// not derive it anew. Two vaults on one file would overwrite each other's changes;
/// [`Identity`](crate::Identity) holds a lock against that.
pub struct FileVault {
    path: PathBuf,
    key: FileKey,
    secrets: Mutex<Secrets>,
}

impl FileVault {
    /// Opens the file, or prepares a new one that is written with the first secret. Takes about a
    /// quarter of a second and 64 MiB: that is what each guess costs a thief.
    ///
    /// # Errors
    /// [`VaultError::Sealed`] with [`SealedError::WrongPassphrase`] and its like, or
    /// [`VaultError::Disk`].
    pub fn open(path: &Path, passphrase: &Passphrase) -> Result<Self, VaultError> {
        let path = path.to_owned();
        let (key, secrets) = match disk::read(&path, MAX_FILE_LEN)? {
            Some(file) => {
                let (key, list) = FileKey::open(passphrase, Purpose::Vault, &file)?;
                (key, read_list(&list).ok_or(SealedError::Damaged)?)
            }
            None => (FileKey::new(passphrase, Purpose::Vault)?, BTreeMap::new()),
        };
        let secrets = Mutex::new(secrets);
        Ok(Self { path, key, secrets })
    }

    /// What is in memory changes only after the disk.
    fn keep(&self, kept: &mut Secrets, changed: Secrets) -> Result<(), VaultError> {
        let file = self.key.seal(&write_list(&changed))?;
        disk::replace(&self.path, &file)?;
        *kept = changed;
        Ok(())
    }

    fn secrets(&self) -> MutexGuard<'_, Secrets> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Vault for FileVault {
    fn get(&self, name: &str) -> Result<Option<Secret>, VaultError> {
        check_name(name)?;
        Ok(self.secrets().get(name).cloned())
    }

    fn put(&self, name: &str, secret: &Secret) -> Result<(), VaultError> {
        check(name, secret)?;
        let mut kept = self.secrets();
        let mut changed = kept.clone();
        changed.insert(name.to_owned(), secret.clone());
        if changed.len() > MAX_SECRETS {
            return Err(VaultError::BadSecret);
        }
        self.keep(&mut kept, changed)
    }

    fn delete(&self, name: &str) -> Result<bool, VaultError> {
        check_name(name)?;
        let mut kept = self.secrets();
        let mut changed = kept.clone();
        if changed.remove(name).is_none() {
            return Ok(false);
        }
        self.keep(&mut kept, changed)?;
        Ok(true)
    }
}

impl fmt::Debug for FileVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileVault(redacted)")
    }
}

/// Room for the longest list from the start: no secret is left behind by a growing buffer.
fn write_list(secrets: &Secrets) -> Zeroizing<Vec<u8>> {
    let mut list = Zeroizing::new(Vec::with_capacity(MAX_LIST_LEN));
    for (name, secret) in secrets {
        // Both lengths were checked when the secret was put.
        list.push(name.len() as u8);
        list.extend_from_slice(name.as_bytes());
        list.extend_from_slice(&(secret.expose().len() as u16).to_be_bytes());
        list.extend_from_slice(secret.expose());
    }
    list
}

fn read_list(mut list: &[u8]) -> Option<Secrets> {
    let mut secrets = BTreeMap::new();
    while let Some((name_len, rest)) = list.split_first() {
        let (name, rest) = rest.split_at_checked(usize::from(*name_len))?;
        let (len, rest) = rest.split_first_chunk()?;
        let (secret, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
        let name = std::str::from_utf8(name).ok()?;
        let secret = Secret::new(secret.to_vec());
        check(name, &secret).ok()?;
        secrets.insert(name.to_owned(), secret);
        list = rest;
    }
    (secrets.len() <= MAX_SECRETS).then_some(secrets)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn passphrase() -> Passphrase {
        Passphrase::new("correct horse battery").unwrap()
    }

    fn secret() -> Secret {
        Secret::new(b"twenty secret bytes!".to_vec())
    }

    #[test]
    fn a_vault_in_a_file_keeps_its_promises() {
        let folder = tempfile::tempdir().unwrap();
        let vault = FileVault::open(&folder.path().join("vault"), &passphrase()).unwrap();
        super::super::keeps_its_promises(&vault);
    }

    #[test]
    fn secrets_outlive_the_program_and_are_not_in_the_clear() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault");
        let vault = FileVault::open(&path, &passphrase()).unwrap();
        assert!(
            !path.exists(),
            "nothing is written before there is a secret"
        );
        vault.put("one", &secret()).unwrap();
        drop(vault);
        let file = fs::read(&path).unwrap();
        assert!(!file.windows(6).any(|window| window == b"secret"));
        let vault = FileVault::open(&path, &passphrase()).unwrap();
        assert_eq!(vault.get("one").unwrap(), Some(secret()));
    }

    #[test]
    fn a_wrong_passphrase_opens_nothing_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault");
        let vault = FileVault::open(&path, &passphrase()).unwrap();
        vault.put("one", &secret()).unwrap();
        let before = fs::read(&path).unwrap();
        let wrong = Passphrase::new("correct horse batterie").unwrap();
        assert_eq!(
            FileVault::open(&path, &wrong).unwrap_err(),
            VaultError::Sealed(SealedError::WrongPassphrase)
        );
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_secret_that_could_not_be_written_is_not_pretended_to_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault");
        let vault = FileVault::open(&path, &passphrase()).unwrap();
        vault.put("one", &secret()).unwrap();
        fs::create_dir(disk::beside(&path)).unwrap();
        assert!(matches!(
            vault.put("one", &Secret::new(vec![9])),
            Err(VaultError::Disk(_))
        ));
        assert!(matches!(vault.delete("one"), Err(VaultError::Disk(_))));
        assert_eq!(vault.get("one").unwrap(), Some(secret()));
    }

    #[test]
    fn the_number_of_secrets_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault");
        let vault = FileVault::open(&path, &passphrase()).unwrap();
        let longest = Secret::new(vec![1; MAX_SECRET_LEN]);
        let name = |number: usize| format!("{number:0>32}");
        for number in 0..MAX_SECRETS {
            vault.put(&name(number), &longest).unwrap();
        }
        assert_eq!(vault.put("more", &secret()), Err(VaultError::BadSecret));
        drop(vault);
        let full = FileVault::open(&path, &passphrase()).unwrap();
        assert_eq!(full.get(&name(15)).unwrap(), Some(longest));
    }

    #[test]
    fn a_list_that_is_cut_short_is_no_list() {
        let secrets = BTreeMap::from([("one".to_owned(), secret())]);
        let list = write_list(&secrets);
        assert_eq!(read_list(&list), Some(secrets));
        for length in 1..list.len() {
            assert_eq!(read_list(&list[..length]), None);
        }
    }
}
