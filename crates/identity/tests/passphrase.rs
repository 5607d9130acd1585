//! A profile in files under a passphrase, and the file by which it travels.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use conclave_identity::{
    Comparison, Erasure, Existing, Identity, IdentityError, Passphrase, Protection, ProtectionKind,
    SealedError, Trust, VaultError,
};

const ANA: [u8; 32] = [1; 32];

fn passphrase() -> Passphrase {
    Passphrase::new("correct horse battery").expect("long enough")
}

fn other() -> Passphrase {
    Passphrase::new("correct horse batterie").expect("long enough")
}

fn open(folder: &Path) -> Result<Identity, IdentityError> {
    Identity::open(folder, Protection::Passphrase(passphrase()))
}

fn now() -> SystemTime {
    UNIX_EPOCH
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("a plain name");
    let mut names: Vec<_> = entries
        .map(|entry| name(entry.expect("an entry")))
        .collect();
    names.sort();
    names
}

#[test]
fn a_passphrase_brings_device_and_contacts_back() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path()).unwrap();
    let key = first.key().public();
    first.contacts().meet(&ANA, "Ana", now()).unwrap();
    first.contacts().verify(&ANA, true, now()).unwrap();
    drop(first);
    assert_eq!(
        files(folder.path()),
        ["contacts", "lock", "profile", "vault"]
    );
    let second = open(folder.path()).unwrap();
    assert_eq!(second.key().public(), key);
    assert!(matches!(
        second.contacts().trust(&ANA, "Ana"),
        Trust::Verified { .. }
    ));
}

#[test]
fn a_wrong_passphrase_or_another_protection_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    let wrong = Identity::open(folder.path(), Protection::Passphrase(other())).unwrap_err();
    assert_eq!(
        wrong,
        VaultError::Sealed(SealedError::WrongPassphrase).into()
    );
    assert_eq!(
        Identity::open(folder.path(), Protection::Keyring).unwrap_err(),
        IdentityError::OtherProtection(ProtectionKind::Passphrase)
    );
    assert!(open(folder.path()).is_ok());
}

#[test]
fn a_vault_that_was_touched_does_not_open() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    let path = folder.path().join("vault");
    let whole = fs::read(&path).unwrap();
    let mut changed = whole.clone();
    *changed.last_mut().unwrap() ^= 1;
    let damaged = VaultError::Sealed(SealedError::Damaged).into();
    for broken in [&changed[..], &whole[..whole.len() - 1], &whole[..20], &[]] {
        fs::write(&path, broken).unwrap();
        assert_eq!(open(folder.path()).unwrap_err(), damaged);
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(open(folder.path()).unwrap_err(), IdentityError::KeyMissing);
    fs::write(&path, &whole).unwrap();
    assert!(open(folder.path()).is_ok());
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_a_profile() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("profiles/work");
    drop(open(&folder).unwrap());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o077;
    assert_eq!(mode(&folder), 0);
    for file in files(&folder) {
        assert_eq!(mode(&folder.join(&file)), 0, "{file}");
    }
}

#[test]
fn an_exported_identity_is_the_same_device_elsewhere() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let original = open(here.path()).unwrap();
    original.contacts().meet(&ANA, "Ana", now()).unwrap();
    let file = original.export(&other()).unwrap();
    let protection = Protection::Passphrase(passphrase());
    let import = |passphrase: &Passphrase, file: &[u8], existing| {
        Identity::import(there.path(), protection.clone(), file, passphrase, existing)
    };

    let wrong = import(&passphrase(), &file, Existing::Keep).unwrap_err();
    assert_eq!(wrong, SealedError::WrongPassphrase.into());
    assert!(
        files(there.path()).is_empty(),
        "a file that does not open makes no profile"
    );

    let copy = import(&other(), &file, Existing::Keep).unwrap();
    assert_eq!(copy.key().public(), original.key().public());
    assert_eq!(copy.contacts().list(), original.contacts().list());
    drop(copy);
    let again = open(there.path()).unwrap();
    assert_eq!(again.key().public(), original.key().public());
}

#[test]
fn an_import_takes_nobodys_place_unless_told_to() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let original = open(here.path()).unwrap();
    let file = original.export(&other()).unwrap();
    let resident = open(there.path()).unwrap();
    let key = resident.key().public();
    let import = |existing, file: &[u8]| {
        let protection = Protection::Passphrase(passphrase());
        Identity::import(there.path(), protection, file, &other(), existing)
    };
    assert_eq!(
        import(Existing::Replace, &file).unwrap_err(),
        IdentityError::InUse
    );
    drop(resident);
    assert_eq!(
        import(Existing::Keep, &file).unwrap_err(),
        IdentityError::AlreadyThere
    );
    let mut broken = file.clone();
    *broken.last_mut().unwrap() ^= 1;
    assert_eq!(
        import(Existing::Replace, &broken).unwrap_err(),
        SealedError::Damaged.into()
    );
    assert_eq!(open(there.path()).unwrap().key().public(), key);
    let replaced = import(Existing::Replace, &file).unwrap();
    assert_eq!(replaced.key().public(), original.key().public());
}

#[test]
fn an_export_is_no_vault_and_a_vault_is_no_export() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let original = open(here.path()).unwrap();
    let export = original.export(&passphrase()).unwrap();
    drop(original);
    let vault = here.path().join("vault");
    let protection = Protection::Passphrase(passphrase());
    let imported = Identity::import(
        there.path(),
        protection,
        &fs::read(&vault).unwrap(),
        &passphrase(),
        Existing::Keep,
    );
    assert_eq!(imported.unwrap_err(), SealedError::OtherKind.into());
    fs::write(&vault, export).unwrap();
    assert_eq!(
        open(here.path()).unwrap_err(),
        VaultError::Sealed(SealedError::OtherKind).into()
    );
}

#[test]
fn a_profile_whose_passphrase_is_forgotten_can_be_erased() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("profile");
    let identity = open(&folder).unwrap();
    let key = identity.key().public();
    assert_eq!(
        Identity::dangerous_erase(&folder).unwrap_err(),
        IdentityError::InUse
    );
    drop(identity);
    assert_eq!(Identity::dangerous_erase(&folder), Ok(Erasure::default()));
    assert!(!folder.exists());
    assert_eq!(Identity::dangerous_erase(&folder), Ok(Erasure::default()));
    let next = Identity::open(&folder, Protection::Passphrase(other())).unwrap();
    assert_ne!(next.key().public(), key);
    assert_eq!(next.erase(), Erasure::default());
    assert!(!folder.exists());
}

#[test]
fn a_device_in_memory_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let here = Identity::open(folder.path(), Protection::Ephemeral).unwrap();
    let there = Identity::open(folder.path(), Protection::Ephemeral).unwrap();
    assert_ne!(here.key().public(), there.key().public());
    here.contacts().meet(&ANA, "Ana", now()).unwrap();
    let file = here.export(&other()).unwrap();
    let moved = Identity::import(
        folder.path(),
        Protection::Ephemeral,
        &file,
        &other(),
        Existing::Keep,
    );
    assert_eq!(moved.unwrap().key().public(), here.key().public());
    assert_eq!(here.erase(), Erasure::default());
    assert!(files(folder.path()).is_empty());
}

#[test]
fn two_devices_compare_one_number() {
    let open = || Identity::open("unused".as_ref(), Protection::Ephemeral).unwrap();
    let (ana, ben) = (open(), open());
    let at_ana = ana.safety_number(&ben.key().public());
    let at_ben = ben.safety_number(&ana.key().public());
    assert_eq!(at_ana.digits(), at_ben.digits());
    assert_eq!(at_ana.matches_scanned(&[]), Comparison::NotASafetyNumber);
}
