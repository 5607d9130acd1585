//! Who the person at this window is: the identity of the profile, and what the window may do
//! with it. Opening blocks (on the disk, on the system's key store), so every call runs on a
//! thread that may wait.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use conclave_client::{
    Contact, ContactId, ContactsError, Existing, Identity, IdentityError, Passphrase,
    PassphraseError, Protection, ProtectionKind, SealedError, VaultError, read_export,
    write_export,
};
use serde::Serialize;

/// Why something about the identity did not happen.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Opening, importing.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Exporting.
    #[error(transparent)]
    Sealed(#[from] SealedError),
    /// The contact book.
    #[error(transparent)]
    Contacts(#[from] ContactsError),
    /// What was typed as a passphrase.
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    /// It waits for its passphrase.
    #[error("your identity is locked; open it with its passphrase first")]
    Locked,
    /// A meeting uses it.
    #[error("your identity is in use by a meeting; leave the meeting first")]
    InMeeting,
    /// Only what is kept nowhere can be put under a passphrase.
    #[error("your identity is kept already; nothing was changed")]
    Kept,
    /// The window named a contact that is none.
    #[error("this contact is not known here; look at the list again")]
    UnknownContact,
    /// A file could not be read or written.
    #[error("the file {} could not be used ({reason})", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// Not all could be removed.
    #[error("your identity was removed, except: {0}")]
    Leftovers(String),
    /// The thread that did it is gone.
    #[error("this did not finish; try again")]
    Interrupted,
}

/// What the window shows of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IdentityView {
    fingerprint: String,
    storage: Storage,
    path: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Storage {
    Keyring,
    Passphrase,
    Ephemeral,
    Locked,
}

/// A contact as the window lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContactView {
    id: String,
    name: String,
    verified: bool,
    first_seen_ms: u64,
}

/// The identity of one profile, opened when it is first needed.
pub struct Profile {
    folder: PathBuf,
    open: Mutex<Option<(Arc<Identity>, Storage)>>,
}

impl Profile {
    /// Nothing is opened yet.
    pub fn new(folder: PathBuf) -> Arc<Self> {
        Arc::new(Self {
            folder,
            open: Mutex::default(),
        })
    }

    /// The identity to take part with.
    ///
    /// # Errors
    /// [`ProfileError::Locked`] and those of opening.
    pub async fn identity(self: &Arc<Self>) -> Result<Arc<Identity>, ProfileError> {
        self.on_thread(|profile| profile.opened().map(|(identity, _)| identity))
            .await
    }

    /// What the window shows; a locked one is no error.
    pub async fn show(self: &Arc<Self>) -> Result<IdentityView, ProfileError> {
        self.on_thread(Self::view).await
    }

    /// Opens it with its passphrase. Where there is none yet, one is made under this passphrase;
    /// one that is kept nowhere is no reason to: see [`Self::protect`].
    pub async fn unlock(self: &Arc<Self>, passphrase: String) -> Result<(), ProfileError> {
        self.on_thread(move |profile| {
            let passphrase = Passphrase::new(&passphrase)?;
            let mut open = profile.lock();
            if matches!(*open, Some((_, Storage::Ephemeral))) {
                return profile.keep(&mut open, passphrase);
            }
            release(&mut open)?;
            let protection = Protection::Passphrase(passphrase);
            let identity = Identity::open(&profile.folder, protection)?;
            *open = Some((Arc::new(identity), Storage::Passphrase));
            Ok(())
        })
        .await
    }

    /// Keeps an identity that was kept nowhere under this passphrase from now on: the same key and
    /// the same contacts.
    pub async fn protect(self: &Arc<Self>, passphrase: String) -> Result<(), ProfileError> {
        self.on_thread(move |profile| {
            let passphrase = Passphrase::new(&passphrase)?;
            let mut open = profile.lock();
            profile.keep(&mut open, passphrase)
        })
        .await
    }

    /// Writes key and contacts into a new file beside the profile; returns its path.
    pub async fn export(self: &Arc<Self>, passphrase: String) -> Result<String, ProfileError> {
        self.on_thread(move |profile| {
            let (identity, _) = profile.opened()?;
            let sealed = identity.export(&Passphrase::new(&passphrase)?)?;
            let path = profile.export_path();
            let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
            folder
                .and_then(|()| write_export(&path, &sealed))
                .map_err(|reason| ProfileError::File {
                    path: path.clone(),
                    reason,
                })?;
            Ok(path.display().to_string())
        })
        .await
    }

    /// Takes the identity in an exported file, in the place of this one.
    pub async fn import(
        self: &Arc<Self>,
        path: String,
        passphrase: String,
    ) -> Result<(), ProfileError> {
        self.on_thread(move |profile| {
            let path = PathBuf::from(path);
            let sealed = read_export(&path).map_err(|reason| ProfileError::File {
                path: path.clone(),
                reason,
            })?;
            let passphrase = Passphrase::new(&passphrase)?;
            let mut open = profile.lock();
            let storage = open.as_ref().map(|(_, storage)| *storage);
            release(&mut open)?;
            // Where there is no key store, the passphrase of the file protects it here too.
            let protection = match storage {
                Some(Storage::Keyring) => Protection::Keyring,
                _ => Protection::Passphrase(passphrase.clone()),
            };
            let storage = match protection {
                Protection::Keyring => Storage::Keyring,
                _ => Storage::Passphrase,
            };
            let replace = Existing::Replace;
            let imported =
                Identity::import(&profile.folder, protection, &sealed, &passphrase, replace)?;
            *open = Some((Arc::new(imported), storage));
            Ok(())
        })
        .await
    }

    /// Removes key and contacts from this computer.
    pub async fn erase(self: &Arc<Self>) -> Result<(), ProfileError> {
        self.on_thread(|profile| {
            let mut open = profile.lock();
            release(&mut open)?;
            if !profile.folder.exists() {
                return Ok(());
            }
            let erasure = Identity::dangerous_erase(&profile.folder)?;
            match erasure.left.as_slice() {
                [] => Ok(()),
                left => {
                    let left: Vec<_> = left.iter().map(ToString::to_string).collect();
                    Err(ProfileError::Leftovers(left.join("; ")))
                }
            }
        })
        .await
    }

    /// Whom this computer knows.
    pub async fn contacts(self: &Arc<Self>) -> Result<Vec<ContactView>, ProfileError> {
        self.on_thread(|profile| {
            let (identity, _) = profile.opened()?;
            let list = identity.contacts().list();
            Ok(list.iter().map(ContactView::of).collect())
        })
        .await
    }

    /// Forgets a contact: when met again, it is new.
    pub async fn forget(self: &Arc<Self>, id: String) -> Result<(), ProfileError> {
        self.on_thread(move |profile| {
            let id: ContactId = id.parse().map_err(|_| ProfileError::UnknownContact)?;
            let (identity, _) = profile.opened()?;
            match identity.contacts().forget(id)? {
                true => Ok(()),
                false => Err(ProfileError::UnknownContact),
            }
        })
        .await
    }

    async fn on_thread<T: Send + 'static>(
        self: &Arc<Self>,
        act: impl FnOnce(&Self) -> Result<T, ProfileError> + Send + 'static,
    ) -> Result<T, ProfileError> {
        let profile = Arc::clone(self);
        tauri::async_runtime::spawn_blocking(move || act(&profile))
            .await
            .unwrap_or(Err(ProfileError::Interrupted))
    }

    /// Opens it by the system's key store. Where there is none, and no identity is kept here, one
    /// is made that lasts as long as the window: said so on the screen, and changed by a
    /// passphrase.
    fn opened(&self) -> Result<(Arc<Identity>, Storage), ProfileError> {
        let mut open = self.lock();
        if let Some((identity, storage)) = open.as_ref() {
            return Ok((Arc::clone(identity), *storage));
        }
        let (identity, storage) = match Identity::open(&self.folder, Protection::Keyring) {
            Ok(identity) => (identity, Storage::Keyring),
            Err(IdentityError::OtherProtection(ProtectionKind::Passphrase)) => {
                return Err(ProfileError::Locked);
            }
            Err(IdentityError::Vault(
                VaultError::NoKeyring | VaultError::Refused | VaultError::KeyringFailed,
            )) if !self.folder.join("profile").exists() => {
                let identity = Identity::open(&self.folder, Protection::Ephemeral)?;
                (identity, Storage::Ephemeral)
            }
            Err(error) => return Err(error.into()),
        };
        let opened = open.insert((Arc::new(identity), storage));
        Ok((Arc::clone(&opened.0), storage))
    }

    /// If it fails, the one that lasts as long as the window goes on.
    fn keep(
        &self,
        open: &mut Option<(Arc<Identity>, Storage)>,
        passphrase: Passphrase,
    ) -> Result<(), ProfileError> {
        let Some((identity, Storage::Ephemeral)) = open.as_ref() else {
            return Err(ProfileError::Kept);
        };
        // What a running meeting would learn of people would go to the one that ends.
        if Arc::strong_count(identity) > 1 {
            return Err(ProfileError::InMeeting);
        }
        let kept = identity.keep(&self.folder, Protection::Passphrase(passphrase))?;
        *open = Some((Arc::new(kept), Storage::Passphrase));
        Ok(())
    }

    fn view(&self) -> Result<IdentityView, ProfileError> {
        let kept = || Some(self.folder.display().to_string());
        match self.opened() {
            Ok((identity, storage)) => Ok(IdentityView {
                fingerprint: ContactId::of(&identity.key().public()).to_string(),
                storage,
                path: kept().filter(|_| storage != Storage::Ephemeral),
            }),
            Err(ProfileError::Locked) => Ok(IdentityView {
                fingerprint: String::new(),
                storage: Storage::Locked,
                path: kept(),
            }),
            Err(error) => Err(error),
        }
    }

    fn export_path(&self) -> PathBuf {
        let day = since_1970(SystemTime::now()) / 1000;
        let name = format!("conclave-identity-{day}.conclave");
        self.folder.with_file_name(name)
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Arc<Identity>, Storage)>> {
        // Replaced whole; a panic elsewhere leaves nothing half done.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ContactView {
    fn of(contact: &Contact) -> Self {
        Self {
            id: contact.id.to_string(),
            name: contact.name.clone(),
            verified: contact.verified.is_some(),
            first_seen_ms: since_1970(contact.since),
        }
    }
}

fn since_1970(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Closes the identity, so that another may be opened in its folder; a meeting must not lose it.
fn release(open: &mut Option<(Arc<Identity>, Storage)>) -> Result<(), ProfileError> {
    match open.take() {
        Some((identity, storage)) if Arc::strong_count(&identity) > 1 => {
            *open = Some((identity, storage));
            Err(ProfileError::InMeeting)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSPHRASE: &str = "correct horse battery";

    fn run<T>(future: impl Future<Output = T>) -> T {
        tauri::async_runtime::block_on(future)
    }

    #[test]
    fn an_identity_is_kept_under_a_passphrase_exported_imported_and_erased() {
        let folder = tempfile::tempdir().expect("a folder");
        let here = Profile::new(folder.path().join("here"));
        run(here.unlock(PASSPHRASE.into())).expect("made");
        let shown = run(here.show()).expect("shown");
        assert_eq!(shown.storage, Storage::Passphrase);
        let file = run(here.export("another passphrase".into())).expect("exported");
        drop(here);

        let locked = Profile::new(folder.path().join("here"));
        assert_eq!(run(locked.show()).expect("shown").storage, Storage::Locked);
        assert!(matches!(run(locked.identity()), Err(ProfileError::Locked)));
        assert!(run(locked.unlock("wrong passphrase".into())).is_err());
        run(locked.unlock(PASSPHRASE.into())).expect("opened");
        assert_eq!(run(locked.show()).expect("shown"), shown);

        let there = Profile::new(folder.path().join("there"));
        run(there.import(file, "another passphrase".into())).expect("imported");
        let same = run(there.show()).expect("shown");
        assert_eq!(same.fingerprint, shown.fingerprint);
        run(there.erase()).expect("erased");
        assert!(!folder.path().join("there/vault").exists());
    }

    /// A profile on a computer without a key store, whose identity is open.
    fn fleeting(folder: PathBuf) -> Arc<Profile> {
        let identity = Identity::open(&folder, Protection::Ephemeral).expect("made");
        let profile = Profile::new(folder);
        *profile.lock() = Some((Arc::new(identity), Storage::Ephemeral));
        profile
    }

    #[test]
    fn what_is_kept_nowhere_is_put_under_a_passphrase_and_stays_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        for by_unlocking in [false, true] {
            let place = folder.path().join(format!("{by_unlocking}"));
            let profile = fleeting(place.clone());
            let before = run(profile.show()).expect("shown");
            assert_eq!((before.storage, before.path), (Storage::Ephemeral, None));
            match by_unlocking {
                true => run(profile.unlock(PASSPHRASE.into())).expect("kept"),
                false => run(profile.protect(PASSPHRASE.into())).expect("kept"),
            }
            let after = run(profile.show()).expect("shown");
            assert_eq!(after.fingerprint, before.fingerprint);
            assert_eq!(after.storage, Storage::Passphrase);
            assert!(matches!(
                run(profile.protect(PASSPHRASE.into())),
                Err(ProfileError::Kept)
            ));
            drop(profile);
            let later = Profile::new(place);
            run(later.unlock(PASSPHRASE.into())).expect("opened");
            let later = run(later.show()).expect("shown");
            assert_eq!(later.fingerprint, before.fingerprint);
        }
    }

    #[test]
    fn what_cannot_be_kept_goes_on_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let blocked = folder.path().join("file");
        fs::write(&blocked, "").expect("written");
        let profile = fleeting(blocked);
        let before = run(profile.show()).expect("shown");
        assert!(run(profile.protect(PASSPHRASE.into())).is_err());
        assert_eq!(run(profile.show()).expect("shown"), before);
        let used = run(profile.identity()).expect("open");
        assert!(matches!(
            run(profile.protect(PASSPHRASE.into())),
            Err(ProfileError::InMeeting)
        ));
        drop(used);
    }

    #[test]
    fn a_meeting_keeps_its_identity() {
        let folder = tempfile::tempdir().expect("a folder");
        let profile = Profile::new(folder.path().join("p"));
        run(profile.unlock(PASSPHRASE.into())).expect("made");
        let used = run(profile.identity()).expect("open");
        assert!(matches!(run(profile.erase()), Err(ProfileError::InMeeting)));
        drop(used);
        run(profile.erase()).expect("erased");
    }
}
