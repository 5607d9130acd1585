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

/// A new profile beside the place of an old one, and their device keys.
struct Move {
    folder: tempfile::TempDir,
    old: [u8; 32],
    new: [u8; 32],
}

impl Move {
    /// As a crash leaves it just before the old one goes.
    fn whole() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let make = |place: &str| {
            let identity = Identity::open(&folder.path().join(place), protection()).unwrap();
            identity.contacts().meet(&ANA, "Ana", now()).unwrap();
            identity.key().public()
        };
        let (old, new) = (make("profile"), make("profile.new"));
        fs::write(folder.path().join("profile.new/whole"), b"").unwrap();
        Self { folder, old, new }
    }

    fn place(&self) -> std::path::PathBuf {
        self.folder.path().join("profile")
    }

    /// Who is there when somebody looks.
    fn found(&self) -> [u8; 32] {
        let identity = Identity::open(&self.place(), protection()).unwrap();
        assert!(knows_ana(&identity));
        identity.key().public()
    }

    fn forget(&self, names: &[&str]) {
        for name in names {
            fs::remove_file(self.place().join(name)).unwrap();
        }
    }
}

fn protection() -> Protection {
    Protection::Passphrase(Passphrase::new("correct horse battery").unwrap())
}

#[test]
fn a_move_that_a_crash_interrupts_is_ended_by_who_opens_the_folder() {
    let files = ["vault", "contacts", "profile"];
    for erased in 0..=files.len() {
        let moving = Move::whole();
        moving.forget(&files[..erased]);
        assert_eq!(moving.found(), moving.new, "after {erased} were erased");
        assert!(!moving.folder.path().join("profile.new").exists());
        assert_eq!(moving.found(), moving.new, "once more");
    }
    let files = ["vault", "profile", "contacts"];
    for moved in 1..=files.len() {
        let moving = Move::whole();
        moving.forget(&files);
        for name in &files[..moved] {
            let from = moving.folder.path().join("profile.new").join(name);
            fs::rename(from, moving.place().join(name)).unwrap();
        }
        assert_eq!(moving.found(), moving.new, "after {moved} had moved");
        assert!(!moving.folder.path().join("profile.new").exists());
    }
}

#[test]
fn what_is_not_whole_does_not_move_in() {
    let moving = Move::whole();
    fs::remove_file(moving.folder.path().join("profile.new/whole")).unwrap();
    assert_eq!(moving.found(), moving.old);
}

#[test]
fn who_erases_in_the_middle_of_a_move_erases_both() {
    let moving = Move::whole();
    let erased = Identity::dangerous_erase(&moving.place()).unwrap();
    assert!(erased.left.is_empty(), "{erased:?}");
    assert_eq!(everything(moving.folder.path()), []);
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
