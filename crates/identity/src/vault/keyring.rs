//! A vault in the key store of the operating system.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use keyring_core::{CredentialStore, Entry, Error};

use super::{Secret, Vault, VaultError, check, check_name};

/// By what the system's own programs list our secrets.
const SERVICE: &str = "Conclave";

/// Secrets in the Secret Service (Linux, BSD), the Keychain (macOS) or the Credential Manager
/// (Windows), as the crate `keyring` finds them.
///
/// Whoever runs programs as the same user while the store is unlocked can ask it for the secrets
/// too; on macOS the system asks the person first.
///
/// A call blocks, and longer than a moment when the store asks for its password: keep it away from
/// threads that must not wait.
pub struct KeyringVault {
    store: Arc<CredentialStore>,
    profile: String,
    /// Whether the store shows a label to the person; the others refuse what they do not know.
    has_labels: bool,
}

impl KeyringVault {
    /// Connects to the key store. Secrets of one `profile` are apart from those of another.
    ///
    /// Whether there is a key store is asked once; one that starts later is found after a restart
    /// of the program.
    ///
    /// # Errors
    /// [`VaultError::NoKeyring`].
    pub fn open(profile: &str) -> Result<Self, VaultError> {
        if keyring::Entry::store_status().is_err() {
            return Err(VaultError::NoKeyring);
        }
        let store = keyring_core::get_default_store().ok_or(VaultError::NoKeyring)?;
        Ok(Self {
            store,
            profile: profile.to_owned(),
            has_labels: cfg!(all(unix, not(target_vendor = "apple"))),
        })
    }

    fn entry(&self, name: &str) -> Result<Entry, VaultError> {
        check_name(name)?;
        let user = format!("{}/{name}", self.profile);
        let label = format!("Conclave {name}");
        let modifiers = HashMap::from([("label", label.as_str())]);
        let modifiers = self.has_labels.then_some(&modifiers);
        self.store.build(SERVICE, &user, modifiers).map_err(failure)
    }
}

impl Vault for KeyringVault {
    fn get(&self, name: &str) -> Result<Option<Secret>, VaultError> {
        match self.entry(name)?.get_secret() {
            Ok(secret) => Ok(Some(Secret::new(secret))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(failure(error)),
        }
    }

    fn put(&self, name: &str, secret: &Secret) -> Result<(), VaultError> {
        check(name, secret)?;
        let entry = self.entry(name)?;
        entry.set_secret(secret.expose()).map_err(failure)
    }

    fn delete(&self, name: &str) -> Result<bool, VaultError> {
        match self.entry(name)?.delete_credential() {
            Ok(()) => Ok(true),
            Err(Error::NoEntry) => Ok(false),
            Err(error) => Err(failure(error)),
        }
    }
}

/// What a store says besides may hold names and secrets; it is dropped here.
fn failure(error: Error) -> VaultError {
    match error {
        Error::NoStorageAccess(_) => VaultError::Refused,
        Error::NoDefaultStore => VaultError::NoKeyring,
        Error::Ambiguous(_) => VaultError::Ambiguous,
        Error::TooLong(..) | Error::Invalid(..) => VaultError::BadSecret,
        _ => VaultError::KeyringFailed,
    }
}

impl fmt::Debug for KeyringVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyringVault(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use keyring_core::mock;

    use super::*;

    fn mocked() -> KeyringVault {
        KeyringVault {
            store: mock::Store::new().unwrap(),
            profile: "profile".to_owned(),
            has_labels: false,
        }
    }

    #[test]
    fn a_vault_in_a_mocked_key_store_keeps_its_promises() {
        super::super::keeps_its_promises(&mocked());
    }

    #[test]
    fn profiles_do_not_see_each_other() {
        let one = mocked();
        let two = KeyringVault {
            store: Arc::clone(&one.store),
            profile: "another".to_owned(),
            has_labels: false,
        };
        let secret = Secret::new(b"of one".to_vec());
        one.put("name", &secret).unwrap();
        assert_eq!(two.get("name").unwrap(), None);
        assert!(!two.delete("name").unwrap());
        assert_eq!(one.get("name").unwrap(), Some(secret));
    }

    #[test]
    fn what_a_store_refuses_is_not_taken_for_absent() {
        let trouble = || Box::new(std::io::Error::other("name of the person"));
        for (error, expected) in [
            (Error::NoStorageAccess(trouble()), VaultError::Refused),
            (Error::PlatformFailure(trouble()), VaultError::KeyringFailed),
            (Error::Ambiguous(Vec::new()), VaultError::Ambiguous),
            (Error::NoDefaultStore, VaultError::NoKeyring),
        ] {
            assert_eq!(failure(error), expected);
        }
    }

    #[test]
    fn a_locked_store_is_an_error_and_not_an_empty_one() {
        let vault = mocked();
        vault.put("name", &Secret::new(b"kept".to_vec())).unwrap();
        let fail = || {
            let entry = vault.entry("name").unwrap();
            let cred: &mock::Cred = entry.as_any().downcast_ref().unwrap();
            cred.set_error(Error::NoStorageAccess(Box::new(std::io::Error::other(
                "locked",
            ))));
        };
        fail();
        assert_eq!(vault.get("name"), Err(VaultError::Refused));
        fail();
        assert_eq!(vault.delete("name"), Err(VaultError::Refused));
        assert!(vault.get("name").unwrap().is_some());
    }
}
