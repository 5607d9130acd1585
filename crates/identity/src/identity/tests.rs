//! Profiles whose vault is in memory, so that a test can look into it and break it.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

mod settling;

use super::*;
use crate::contacts::MARK;
use crate::{ContactsError, MemoryVault, Passphrase, Trust, Vault};

const ANA: [u8; 32] = [1; 32];
const BEN: [u8; 32] = [2; 32];

/// A key store that outlives the program, and that can be made to refuse.
#[derive(Default)]
struct Store {
    kept: MemoryVault,
    refuses_writes: AtomicBool,
}

impl Store {
    fn refuse_writes(&self, refuse: bool) {
        self.refuses_writes.store(refuse, Ordering::SeqCst);
    }

    fn answer(&self) -> Result<(), VaultError> {
        if self.refuses_writes.load(Ordering::SeqCst) {
            return Err(VaultError::Refused);
        }
        Ok(())
    }
}

impl Vault for Store {
    fn get(&self, name: &str) -> Result<Option<Secret>, VaultError> {
        self.kept.get(name)
    }

    fn put(&self, name: &str, secret: &Secret) -> Result<(), VaultError> {
        self.answer()?;
        self.kept.put(name, secret)
    }

    fn delete(&self, name: &str) -> Result<bool, VaultError> {
        self.answer()?;
        self.kept.delete(name)
    }
}

/// A computer with a folder and a key store.
struct Computer {
    folder: tempfile::TempDir,
    store: Arc<Store>,
}

impl Computer {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            store: Arc::default(),
        }
    }

    fn open(&self) -> Result<Identity, IdentityError> {
        self.open_by(FaultyBook::Refuse)
    }

    fn open_by(&self, faulty: FaultyBook) -> Result<Identity, IdentityError> {
        let make_vault = |_: &str, _: &Path| Ok(Arc::clone(&self.store) as Arc<dyn Vault>);
        let folder = self.folder.path().join("profile");
        Identity::open_with(&folder, ProtectionKind::Keyring, &make_vault, faulty)
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join("profile").join(name)
    }

    fn fault(&self) -> IdentityError {
        self.open().unwrap_err()
    }
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn knows_ana(identity: &Identity) -> bool {
    identity.contacts().trust(&ANA, "Ana") != Trust::New
}

#[test]
fn a_device_is_the_same_the_next_time() {
    let computer = Computer::new();
    let first = computer.open().unwrap();
    let key = first.key().public();
    first.contacts().meet(&ANA, "Ana", now()).unwrap();
    drop(first);
    let second = computer.open().unwrap();
    assert_eq!(second.key().public(), key);
    assert!(knows_ana(&second));
}

#[test]
fn what_was_kept_nowhere_is_kept_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("profile");
    let protection = || Protection::Passphrase(Passphrase::new("correct horse battery").unwrap());
    let fleeting = Identity::open(&place, Protection::Ephemeral).unwrap();
    fleeting.contacts().meet(&ANA, "Ana", now()).unwrap();
    let kept = fleeting.keep(&place, protection()).unwrap();
    assert_eq!(kept.key().public(), fleeting.key().public());
    let again = fleeting.keep(&place, protection()).unwrap_err();
    assert_eq!(again, IdentityError::AlreadyThere);
    drop(kept);
    let opened = Identity::open(&place, protection()).unwrap();
    assert_eq!(opened.key().public(), fleeting.key().public());
    assert!(knows_ana(&opened));
}

#[test]
fn two_profiles_are_two_devices() {
    let (one, two) = (Computer::new(), Computer::new());
    let (one, two) = (one.open().unwrap(), two.open().unwrap());
    assert_ne!(one.key().public(), two.key().public());
}

#[test]
fn one_program_at_a_time_has_a_profile_open() {
    let computer = Computer::new();
    let first = computer.open().unwrap();
    assert_eq!(computer.fault(), IdentityError::InUse);
    drop(first);
    assert!(computer.open().is_ok());
}

#[test]
fn programs_that_start_together_make_one_device() {
    let computer = Computer::new();
    let keys: Vec<[u8; 32]> = std::thread::scope(|scope| {
        let start = || loop {
            match computer.open() {
                Ok(identity) => return identity.key().public(),
                Err(IdentityError::InUse) => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
        threads.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(keys.iter().all(|key| *key == keys[0]));
}

#[test]
fn a_lost_key_is_not_replaced_in_silence() {
    let computer = Computer::new();
    drop(computer.open().unwrap());
    computer.store.delete(IDENTITY).unwrap();
    assert_eq!(computer.fault(), IdentityError::KeyMissing);
    // The mark alone tells it too, and so does the book alone.
    let book = fs::read(computer.file("contacts")).unwrap();
    fs::remove_file(computer.file("contacts")).unwrap();
    assert_eq!(computer.fault(), IdentityError::KeyMissing);
    fs::write(computer.file("contacts"), book).unwrap();
    computer.store.delete(MARK).unwrap();
    assert_eq!(computer.fault(), IdentityError::KeyMissing);
}

#[test]
fn a_secret_that_is_no_identity_is_refused() {
    let computer = Computer::new();
    drop(computer.open().unwrap());
    let whole = computer.store.get(IDENTITY).unwrap().unwrap();
    let put = |bytes: &[u8]| {
        let secret = Secret::new(bytes.to_vec());
        computer.store.put(IDENTITY, &secret).unwrap();
        computer.fault()
    };
    assert_eq!(put(&whole.expose()[..64]), IdentityError::KeyDamaged);
    assert_eq!(put(&[]), IdentityError::KeyDamaged);
    assert_eq!(put(&[2; 65]), IdentityError::ProfileTooNew);
}

#[test]
fn an_old_copy_of_the_contacts_is_refused() {
    let computer = Computer::new();
    let identity = computer.open().unwrap();
    identity.contacts().meet(&ANA, "Ana", now()).unwrap();
    let old = fs::read(computer.file("contacts")).unwrap();
    identity.contacts().verify(&ANA, true, now()).unwrap();
    drop(identity);
    fs::write(computer.file("contacts"), old).unwrap();
    assert_eq!(computer.fault(), BookFault::RolledBack.into());
}

#[test]
fn contacts_that_are_gone_damaged_or_of_another_device_are_refused() {
    let (computer, other) = (Computer::new(), Computer::new());
    drop((computer.open().unwrap(), other.open().unwrap()));
    let file = computer.file("contacts");
    let whole = fs::read(&file).unwrap();

    fs::remove_file(&file).unwrap();
    assert_eq!(computer.fault(), BookFault::Missing.into());
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(computer.fault(), BookFault::Damaged.into());
    fs::copy(other.file("contacts"), &file).unwrap();
    assert_eq!(computer.fault(), BookFault::Damaged.into());
    fs::write(&file, vec![0; 8 << 20]).unwrap();
    assert_eq!(computer.fault(), BookFault::Damaged.into());
    fs::write(&file, &whole).unwrap();
    assert!(computer.open().is_ok());
}

#[test]
fn a_device_goes_on_without_contacts_when_told_to() {
    let computer = Computer::new();
    let identity = computer.open().unwrap();
    let key = identity.key().public();
    identity.contacts().meet(&ANA, "Ana", now()).unwrap();
    drop(identity);
    // Nothing is lost when nothing is wrong.
    assert!(knows_ana(&computer.open_by(FaultyBook::Replace).unwrap()));
    fs::write(computer.file("contacts"), b"CNCLBOOK\x01nonsense").unwrap();
    let identity = computer.open_by(FaultyBook::Replace).unwrap();
    assert_eq!(identity.key().public(), key);
    assert!(!knows_ana(&identity));
    drop(identity);
    assert!(computer.open().is_ok());
    fs::write(computer.file("contacts"), b"CNCLBOOK\x02newer").unwrap();
    let refused = computer.open_by(FaultyBook::Replace).unwrap_err();
    assert_eq!(refused, BookFault::TooNew.into());
}

#[test]
fn a_crash_between_two_writes_loses_nothing() {
    let computer = Computer::new();
    let identity = computer.open().unwrap();
    identity.contacts().meet(&ANA, "Ana", now()).unwrap();
    let mark = computer.store.get(MARK).unwrap().unwrap();
    identity.contacts().meet(&BEN, "Ben", now()).unwrap();
    drop(identity);
    // The file was written, the mark was not.
    computer.store.put(MARK, &mark).unwrap();
    // And the next version was begun.
    fs::write(computer.file("contacts.new"), b"CNCL").unwrap();
    let identity = computer.open().unwrap();
    assert_eq!(identity.contacts().list().len(), 2);
    identity.contacts().verify(&BEN, true, now()).unwrap();
    drop(identity);
    assert!(computer.open().is_ok());
}

#[test]
fn a_crash_at_first_use_is_made_good() {
    // After the key and before the contacts.
    let computer = Computer::new();
    let identity = computer.open().unwrap();
    let key = identity.key().public();
    drop(identity);
    fs::remove_file(computer.file("contacts")).unwrap();
    computer.store.delete(MARK).unwrap();
    assert_eq!(computer.open().unwrap().key().public(), key);
}

#[test]
fn a_key_store_that_refuses_at_first_use_decides_nothing() {
    let computer = Computer::new();
    computer.store.refuse_writes(true);
    assert_eq!(computer.fault(), VaultError::Refused.into());
    assert!(!computer.file("profile").exists());
    let passphrase = crate::Passphrase::new("correct horse battery").unwrap();
    let folder = computer.folder.path().join("profile");
    assert!(Identity::open(&folder, Protection::Passphrase(passphrase)).is_ok());
}

#[test]
fn a_change_without_its_mark_is_kept_and_told() {
    let computer = Computer::new();
    let identity = computer.open().unwrap();
    computer.store.refuse_writes(true);
    assert_eq!(
        identity.contacts().meet(&ANA, "Ana", now()),
        Err(ContactsError::Unmarked(VaultError::Refused))
    );
    assert!(knows_ana(&identity));
    drop(identity);
    assert!(knows_ana(&computer.open().unwrap()));
}

#[test]
fn a_change_that_cannot_be_written_is_not_made() {
    let computer = Computer::new();
    let identity = computer.open().unwrap();
    fs::create_dir(computer.file("contacts.new")).unwrap();
    assert!(matches!(
        identity.contacts().meet(&ANA, "Ana", now()),
        Err(ContactsError::Disk(_))
    ));
    assert!(!knows_ana(&identity));
}

#[test]
fn what_changes_nothing_writes_nothing() {
    let computer = Computer::new();
    let identity = computer.open().unwrap();
    identity.contacts().meet(&ANA, "Ana", now()).unwrap();
    let before = fs::read(computer.file("contacts")).unwrap();
    let later = now() + Duration::from_secs(60);
    identity.contacts().meet(&ANA, "Ana", later).unwrap();
    identity.contacts().meet(&BEN, "Ana", later).unwrap();
    assert_eq!(fs::read(computer.file("contacts")).unwrap(), before);
}

#[test]
fn names_and_keys_are_not_in_the_clear() {
    let computer = Computer::new();
    let identity = computer.open().unwrap();
    let name = "Anastasia Costa";
    identity.contacts().meet(&ANA, name, now()).unwrap();
    let seed = *identity.key().expose_seed();
    drop(identity);
    for file in ["contacts", "profile", "lock"] {
        let bytes = fs::read(computer.file(file)).unwrap();
        for needle in [name.as_bytes(), &ANA, &seed] {
            let found = bytes.windows(needle.len()).any(|part| part == needle);
            assert!(!found, "{file}");
        }
    }
}

#[test]
fn erasing_leaves_nothing() {
    let computer = Computer::new();
    let identity = computer.open().unwrap();
    fs::write(computer.file("contacts.new"), b"half").unwrap();
    assert_eq!(identity.erase(), Erasure::default());
    assert!(!computer.folder.path().join("profile").exists());
    assert_eq!(computer.store.get(IDENTITY).unwrap(), None);
    assert_eq!(computer.store.get(MARK).unwrap(), None);
}

#[test]
fn erasing_leaves_what_is_not_ours() {
    let computer = Computer::new();
    let identity = computer.open().unwrap();
    fs::write(computer.file("letter.txt"), b"mine").unwrap();
    assert_eq!(identity.erase(), Erasure::default());
    let left: Vec<_> = fs::read_dir(computer.folder.path().join("profile"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["letter.txt"]);
}

#[test]
fn erasing_says_what_is_left_and_can_be_tried_again() {
    let computer = Computer::new();
    let identity = computer.open().unwrap();
    let key = identity.key().public();
    computer.store.refuse_writes(true);
    fs::remove_file(computer.file("contacts")).unwrap();
    fs::create_dir(computer.file("contacts")).unwrap();
    let left = identity.erase().left;
    assert!(matches!(
        left.as_slice(),
        [Leftover::Secrets(VaultError::Refused), Leftover::File { path, .. }]
            if path.ends_with("contacts")
    ));
    // The way to what is left was kept.
    assert!(computer.file("profile").exists());
    assert!(!computer.file("lock").exists());
    fs::remove_dir(computer.file("contacts")).unwrap();
    computer.store.refuse_writes(false);
    let identity = computer.open_by(FaultyBook::Replace).unwrap();
    assert_eq!(identity.key().public(), key);
    assert_eq!(identity.erase(), Erasure::default());
}

#[test]
fn an_identity_does_not_show_itself() {
    let identity = Computer::new().open().unwrap();
    assert_eq!(format!("{identity:?}"), "Identity(redacted)");
    assert!(!format!("{:?}", identity.contacts()).contains('1'));
}
