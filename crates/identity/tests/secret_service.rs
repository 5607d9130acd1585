//! A profile in the key store of a real desktop. Not run by default, since it writes into the key
//! store of whoever runs it. In a session of its own:
//!
//! ```sh
//! tests/with-key-store cargo nextest run --workspace --run-ignored only -E 'binary(secret_service)'
//! ```

use std::time::UNIX_EPOCH;

use conclave_identity::{
    Erasure, Existing, Identity, KeyringVault, Passphrase, Protection, Secret, Trust, Vault,
};

const ANA: [u8; 32] = [1; 32];

#[test]
#[ignore = "needs a key store that may be written to"]
fn a_key_store_brings_device_and_contacts_back_and_forgets_them() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("profile");
    let first = Identity::open(&folder, Protection::Keyring).unwrap();
    let key = first.key().public();
    first.contacts().meet(&ANA, "Ana", UNIX_EPOCH).unwrap();
    let export = first
        .export(&Passphrase::new("correct horse").unwrap())
        .unwrap();
    drop(first);
    assert!(!folder.join("vault").exists());

    let second = Identity::open(&folder, Protection::Keyring).unwrap();
    assert_eq!(second.key().public(), key);
    let trust = second.contacts().trust(&ANA, "Ana");
    assert!(matches!(trust, Trust::Known { .. }));
    drop(second);

    let replaced = Identity::import(
        &folder,
        Protection::Keyring,
        &export,
        &Passphrase::new("correct horse").unwrap(),
        Existing::Replace,
    );
    assert_eq!(replaced.unwrap().key().public(), key);
    assert_eq!(Identity::dangerous_erase(&folder), Ok(Erasure::default()));
    assert!(!folder.exists());
    let fresh = Identity::open(&folder, Protection::Keyring).unwrap();
    assert_ne!(fresh.key().public(), key);
    assert_eq!(fresh.erase(), Erasure::default());
}

#[test]
#[ignore = "needs a key store that may be written to"]
fn a_key_store_keeps_bytes_as_they_are() {
    let vault = KeyringVault::open("0123456789abcdef-test").unwrap();
    let bytes: Vec<u8> = (0..=255).collect();
    vault.put("bytes", &Secret::new(bytes.clone())).unwrap();
    vault.put("bytes", &Secret::new(bytes.clone())).unwrap();
    assert_eq!(vault.get("bytes").unwrap().unwrap().expose(), bytes);
    assert!(vault.delete("bytes").unwrap());
    assert!(!vault.delete("bytes").unwrap());
    assert_eq!(vault.get("bytes").unwrap(), None);
}
