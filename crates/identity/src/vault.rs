//! Where the few secrets of a device lie between two runs of the program.

mod file;
mod keyring;
mod memory;

use std::fmt;
use std::io;

use conclave_e2ee::CryptoFailure;
use zeroize::Zeroizing;

use crate::SealedError;

pub use file::FileVault;
pub use keyring::KeyringVault;
pub use memory::MemoryVault;

/// Longest name of a secret in bytes.
pub const MAX_SECRET_NAME_LEN: usize = 32;
/// Longest secret in bytes. The strictest key store (Windows) takes 2560.
pub const MAX_SECRET_LEN: usize = 1024;

/// A store of named small secrets.
///
/// A name has 1 to [`MAX_SECRET_NAME_LEN`] lower-case letters, digits and hyphens. Every call may
/// block: a key store may ask the person at the screen for a password.
pub trait Vault: Send + Sync {
    /// The secret of this name; `None` when there is none.
    ///
    /// # Errors
    /// [`VaultError`] when the store does not answer.
    fn get(&self, name: &str) -> Result<Option<Secret>, VaultError>;

    /// Keeps a secret in the place of the one that had its name.
    ///
    /// # Errors
    /// [`VaultError`] when it is not kept; the one before is then still there.
    fn put(&self, name: &str, secret: &Secret) -> Result<(), VaultError>;

    /// Removes a secret; says whether there was one.
    ///
    /// # Errors
    /// [`VaultError`] when it is still there.
    fn delete(&self, name: &str) -> Result<bool, VaultError>;
}

/// Bytes that nobody else may see. They are wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

/// Why a vault did not do as it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// Local: no key store runs here, as on a computer without a desktop.
    #[error(
        "This computer has no key store that answers. Start one, or protect the profile with a passphrase."
    )]
    NoKeyring,
    /// Local: the key store is locked, or its owner said no.
    #[error("The key store is locked or refused. Unlock it and try again.")]
    Refused,
    /// Local: the key store failed in a way of its own.
    #[error("The key store failed. Try again, or protect the profile with a passphrase.")]
    KeyringFailed,
    /// Local: two secrets under one name; another program put one there.
    #[error(
        "The key store holds two secrets of one name. Remove one of them with the system's own program."
    )]
    Ambiguous,
    /// The file did not open: see the inner error for whose fault.
    #[error(transparent)]
    Sealed(#[from] SealedError),
    /// Local: the file could not be read or written.
    #[error("The vault's file cannot be used ({0}). Check the disk and the rights of its folder.")]
    Disk(io::ErrorKind),
    /// Misuse: not a name, or more than [`MAX_SECRET_LEN`] bytes, or too many secrets.
    #[error("A secret has a wrong name, is too long, or is one too many.")]
    BadSecret,
    /// Local: the library failed.
    #[error(transparent)]
    Crypto(#[from] CryptoFailure),
}

impl Secret {
    /// Takes the bytes over.
    pub fn new(bytes: impl Into<Zeroizing<Vec<u8>>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes, for the one purpose of using them as a key or keeping them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

impl From<io::Error> for VaultError {
    fn from(error: io::Error) -> Self {
        Self::Disk(error.kind())
    }
}

fn check_name(name: &str) -> Result<(), VaultError> {
    let fits = (1..=MAX_SECRET_NAME_LEN).contains(&name.len());
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    if fits && name.bytes().all(plain) {
        Ok(())
    } else {
        Err(VaultError::BadSecret)
    }
}

fn check(name: &str, secret: &Secret) -> Result<(), VaultError> {
    check_name(name)?;
    if secret.expose().len() > MAX_SECRET_LEN {
        return Err(VaultError::BadSecret);
    }
    Ok(())
}

/// What every vault promises, tried on each of them.
#[cfg(test)]
fn keeps_its_promises(vault: &dyn Vault) {
    let secret = |text: &str| Secret::new(text.as_bytes().to_vec());
    assert_eq!(vault.get("one").unwrap(), None);
    assert!(!vault.delete("one").unwrap());
    vault.put("one", &secret("first")).unwrap();
    vault.put("two", &secret("other")).unwrap();
    vault.put("one", &secret("second")).unwrap();
    assert_eq!(vault.get("one").unwrap(), Some(secret("second")));
    assert!(vault.delete("one").unwrap());
    assert_eq!(vault.get("one").unwrap(), None);
    assert!(vault.get("two").unwrap().is_some(), "the other one stays");
    for name in ["", "Upper", "a/b", "with space", &"x".repeat(33)] {
        assert_eq!(vault.get(name), Err(VaultError::BadSecret));
        assert_eq!(vault.put(name, &secret("")), Err(VaultError::BadSecret));
        assert_eq!(vault.delete(name), Err(VaultError::BadSecret));
    }
    let binary: Vec<u8> = (0..MAX_SECRET_LEN).map(|i| i as u8).collect();
    vault.put("one", &Secret::new(binary.clone())).unwrap();
    assert_eq!(vault.get("one").unwrap().unwrap().expose(), binary);
    let too_long = Secret::new(vec![0; MAX_SECRET_LEN + 1]);
    assert_eq!(vault.put("one", &too_long), Err(VaultError::BadSecret));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show_itself() {
        let secret = Secret::new(b"hush".to_vec());
        assert_eq!(format!("{secret:?}"), "Secret(redacted)");
    }
}
