//! A vault that keeps nothing.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Secret, Vault, VaultError, check, check_name};

/// Secrets that end with the program: for a computer that is not one's own.
#[derive(Debug, Default)]
pub struct MemoryVault(Mutex<BTreeMap<String, Secret>>);

impl MemoryVault {
    fn secrets(&self) -> MutexGuard<'_, BTreeMap<String, Secret>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Vault for MemoryVault {
    fn get(&self, name: &str) -> Result<Option<Secret>, VaultError> {
        check_name(name)?;
        Ok(self.secrets().get(name).cloned())
    }

    fn put(&self, name: &str, secret: &Secret) -> Result<(), VaultError> {
        check(name, secret)?;
        self.secrets().insert(name.to_owned(), secret.clone());
        Ok(())
    }

    fn delete(&self, name: &str) -> Result<bool, VaultError> {
        check_name(name)?;
        Ok(self.secrets().remove(name).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vault_in_memory_keeps_its_promises() {
        super::super::keeps_its_promises(&MemoryVault::default());
    }
}
