//! An identity that moves into a folder: whole, or not at all.

use super::*;

const KIND: ProtectionKind = ProtectionKind::Keyring;

/// Everything under a folder, by its path.
fn everything(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(everything(&path)),
            false => all.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
    all.sort();
    all
}

impl Computer {
    fn site(&self) -> std::path::PathBuf {
        self.folder.path().join("profile.new")
    }

    fn settle(&self, make_vault: &MakeVault<'_>) -> Result<Identity, IdentityError> {
        let device = DeviceKey::generate().unwrap();
        let folder = self.folder.path().join("profile");
        let book = Book::default();
        Identity::settle(&folder, KIND, make_vault, device, book, Existing::Keep)
    }
}

#[test]
fn somebody_who_lives_there_stays_whole_or_in_part() {
    let computer = Computer::new();
    let make_vault = |_: &str, _: &Path| Ok(Arc::clone(&computer.store) as Arc<dyn Vault>);
    drop(computer.settle(&make_vault).unwrap());
    assert!(!computer.site().exists());
    let again = || computer.settle(&make_vault).unwrap_err();
    assert_eq!(again(), IdentityError::AlreadyThere);
    computer.store.delete(IDENTITY).unwrap();
    assert_eq!(computer.fault(), IdentityError::KeyMissing);
    fs::remove_file(computer.file("profile")).unwrap();
    let before = everything(computer.folder.path());
    assert_eq!(again(), IdentityError::AlreadyThere);
    assert_eq!(everything(computer.folder.path()), before);
}

#[test]
fn a_key_store_that_refuses_in_the_middle_leaves_nothing() {
    let computer = Computer::new();
    let make_vault = |_: &str, _: &Path| Ok(Arc::clone(&computer.store) as Arc<dyn Vault>);
    computer.store.refuse_writes(true);
    assert!(computer.settle(&make_vault).is_err());
    // Only the way to a key that the store might have kept, for the next try to remove.
    let left = everything(computer.folder.path());
    let names: Vec<_> = left
        .iter()
        .map(|(path, _)| path.file_name().unwrap())
        .collect();
    assert_eq!(names, ["profile"], "{left:?}");
    assert!(!computer.file("profile").exists());
    computer.store.refuse_writes(false);
    assert!(computer.open().is_ok(), "the folder is free");
}

#[test]
fn a_disk_that_refuses_in_the_middle_leaves_nothing() {
    let computer = Computer::new();
    // In the way of the contacts, which are written after the profile's file.
    let make_vault = |_: &str, file: &Path| {
        fs::create_dir(file.with_file_name("contacts.new")).unwrap();
        Ok(Arc::clone(&computer.store) as Arc<dyn Vault>)
    };
    let fault = computer.settle(&make_vault).unwrap_err();
    assert!(
        matches!(fault, IdentityError::Contacts(_) | IdentityError::Disk(_)),
        "{fault:?}"
    );
    assert_eq!(everything(computer.folder.path()), []);
    assert_eq!(computer.store.get(IDENTITY).unwrap(), None);
    fs::remove_dir_all(computer.site()).unwrap();
    let make_vault = |_: &str, _: &Path| Ok(Arc::clone(&computer.store) as Arc<dyn Vault>);
    let settled = computer.settle(&make_vault).unwrap().key().public();
    assert_eq!(computer.open().unwrap().key().public(), settled);
}

#[test]
fn one_that_is_replaced_stays_until_the_new_one_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("profile");
    let passphrase = Passphrase::new("correct horse battery").unwrap();
    let protection = || Protection::Passphrase(passphrase.clone());
    let old = Identity::open(&place, protection()).unwrap();
    old.contacts().meet(&ANA, "Ana", now()).unwrap();
    let old_key = old.key().public();
    drop(old);
    let new = Identity::open(folder.path(), Protection::Ephemeral).unwrap();
    let file = new.export(&passphrase).unwrap();
    let import = || {
        let replace = Existing::Replace;
        Identity::import(&place, protection(), &file, &passphrase, replace)
    };
    // In the way of the new one.
    let site = folder.path().join("profile.new");
    fs::create_dir(&site).unwrap();
    fs::create_dir(site.join("contacts.new")).unwrap();
    let before = everything(&place);
    assert_eq!(import().unwrap_err(), IdentityError::NotErased);
    assert_eq!(everything(&place), before);
    let still = Identity::open(&place, protection()).unwrap();
    assert_eq!(still.key().public(), old_key);
    assert!(knows_ana(&still));
    // It is not replaced under somebody who has it open.
    fs::remove_dir(site.join("contacts.new")).unwrap();
    assert_eq!(import().unwrap_err(), IdentityError::InUse);
    drop(still);
    let imported = import().unwrap();
    assert_eq!(imported.key().public(), new.key().public());
    assert!(!knows_ana(&imported));
    assert!(!site.exists());
}

#[test]
fn what_a_crash_left_of_an_earlier_try_is_not_in_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("profile");
    let site = folder.path().join("profile.new");
    let protection = || Protection::Passphrase(Passphrase::new("correct horse battery").unwrap());
    drop(Identity::open(&site, protection()).unwrap());
    let fleeting = Identity::open(&place, Protection::Ephemeral).unwrap();
    let kept = fleeting.keep(&place, protection()).unwrap();
    assert_eq!(kept.key().public(), fleeting.key().public());
    assert!(!site.exists());
}
