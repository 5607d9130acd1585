//! The folder of a profile: who may use it now, and where its secrets lie.
//!
//! ```text
//! lock       empty; held by the program that has the profile open
//! profile    what protects the profile, and its id in the key store; says nothing about a person
//! vault      the secrets, when a passphrase protects them
//! contacts   the contact book, sealed under a key among the secrets
//! ```
//! A profile that comes from elsewhere is made beside the folder, in one more, and moves in when it is
//! whole. That it is whole is a file too, `whole`: whatever interrupts the move, the next who opens
//! the folder ends it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::rand;
use conclave_e2ee::CryptoFailure;

use crate::contacts::{FILE as CONTACTS, MARK};
use crate::{
    Erasure, FileVault, IdentityError, KeyringVault, Leftover, Passphrase, Vault, VaultError, disk,
};

/// Name of the secret that is the identity.
pub(crate) const IDENTITY: &str = "identity";

const LOCK: &str = "lock";
const PROFILE: &str = "profile";
const VAULT: &str = "vault";
/// Beside a folder: all that is to move in is there.
const WHOLE: &str = "whole";
/// What a profile is made of.
const KEPT: [&str; 3] = [VAULT, PROFILE, CONTACTS];
const MAX_PROFILE_LEN: u64 = 256;
/// First word and version of the profile's file.
const TITLE: &str = "conclave-profile";
const VERSION: u32 = 1;

/// What keeps the secrets of a profile between two runs.
#[derive(Debug, Clone)]
pub enum Protection {
    /// The key store of the operating system.
    Keyring,
    /// A file that this passphrase opens.
    Passphrase(Passphrase),
    /// Nothing is kept: key and contacts end with the program, and no file is written.
    Ephemeral,
}

/// By what a profile on disk is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtectionKind {
    /// The key store of the operating system.
    Keyring,
    /// A file that a passphrase opens.
    Passphrase,
}

/// A profile that is open: nobody else has it.
pub(crate) struct Home {
    folder: PathBuf,
    profile: Profile,
    vault: Arc<dyn Vault>,
    /// Held until this is dropped.
    _lock: File,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Profile {
    kind: ProtectionKind,
    id: String,
}

/// Opens a vault for a profile's id, in a folder.
pub(crate) type MakeVault<'a> = dyn Fn(&str, &Path) -> Result<Arc<dyn Vault>, VaultError> + 'a;

impl Home {
    /// Opens the folder, and makes it a profile if it is none.
    pub(crate) fn open(
        folder: &Path,
        kind: ProtectionKind,
        make_vault: &MakeVault<'_>,
    ) -> Result<Self, IdentityError> {
        end_move(folder)?;
        disk::make_folder(folder)?;
        let lock = lock(folder)?;
        let known = Profile::read(folder)?;
        let profile = match &known {
            Some(profile) if profile.kind != kind => {
                return Err(IdentityError::OtherProtection(profile.kind));
            }
            Some(profile) => profile.clone(),
            None => Profile::draw(kind)?,
        };
        let vault = make_vault(&profile.id, &folder.join(VAULT))?;
        // Only now: a vault that does not open must not decide how the folder is protected.
        if known.is_none() {
            profile.write(folder)?;
        }
        Ok(Self {
            folder: folder.to_owned(),
            profile,
            vault,
            _lock: lock,
        })
    }

    /// Whether a folder is somebody's already, if only in part.
    pub(crate) fn is_taken(folder: &Path) -> Result<bool, IdentityError> {
        for name in KEPT {
            if folder.join(name).try_exists()? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(crate) fn vault(&self) -> &Arc<dyn Vault> {
        &self.vault
    }

    pub(crate) fn contacts_file(&self) -> PathBuf {
        self.folder.join(CONTACTS)
    }

    /// Whether somebody lived here: what is left then must not be taken for a new profile.
    pub(crate) fn is_used(&self) -> Result<bool, IdentityError> {
        Ok(self.contacts_file().try_exists()? || self.vault.get(MARK)?.is_some())
    }

    /// Undoes the making of a profile whose vault then took no secret, so that another protection
    /// can be tried.
    pub(crate) fn give_up(self) {
        // The failure before this one is the one to tell of.
        let _ = disk::remove(&self.folder.join(PROFILE));
    }

    pub(crate) fn erase(self) -> Erasure {
        let Self {
            folder,
            profile,
            vault,
            _lock,
        } = self;
        erase(&folder, profile.kind, || Ok(vault), _lock)
    }
}

/// Where a profile is made before it moves into `folder`; whatever a crash has left there is gone
/// then.
///
/// # Errors
/// [`IdentityError::NotErased`] if it is not, and those of [`erase_unopened`].
pub(crate) fn building_site(folder: &Path) -> Result<PathBuf, IdentityError> {
    let site = disk::beside(folder);
    clear(&site)?;
    Ok(site)
}

/// Erases whoever lives in a folder, or what is left of somebody.
///
/// # Errors
/// [`IdentityError::NotErased`] if anything is left, and those of [`erase_unopened`].
pub(crate) fn clear(folder: &Path) -> Result<(), IdentityError> {
    match erase_unopened(folder)?.left.is_empty() {
        true => Ok(()),
        false => Err(IdentityError::NotErased),
    }
}

/// Says that the profile which was made at the site is to live in its folder from now on, in the
/// place of whoever lives there.
pub(crate) fn declare_whole(site: &Path) -> Result<(), IdentityError> {
    Ok(disk::replace(&site.join(WHOLE), b"")?)
}

/// Moves a whole profile that nobody has open into a folder where nobody lives. Nothing is
/// written but names. If that fails it is all at the site again.
pub(crate) fn move_in(site: &Path, folder: &Path) -> Result<(), IdentityError> {
    disk::make_folder(folder)?;
    let lock = lock(folder)?;
    if Home::is_taken(folder)? {
        return Err(IdentityError::AlreadyThere);
    }
    move_names(site, folder, lock)
}

/// Ends a move that a crash has interrupted, if there is one.
pub(crate) fn end_move(folder: &Path) -> Result<(), IdentityError> {
    let site = disk::beside(folder);
    if !site.join(WHOLE).try_exists()? {
        return Ok(());
    }
    // Of two, the one in the folder is the one that was to go: its profile's file goes last, and the
    // move begins after that.
    let has_profile = |place: &Path| place.join(PROFILE).try_exists();
    if has_profile(folder)? && has_profile(&site)? {
        clear(folder)?;
    }
    disk::make_folder(folder)?;
    let lock = lock(folder)?;
    move_names(&site, folder, lock)
}

fn move_names(site: &Path, folder: &Path, lock: File) -> Result<(), IdentityError> {
    let mut moved = Vec::new();
    for name in KEPT {
        let (from, to) = (site.join(name), folder.join(name));
        match disk::rename(&from, &to) {
            Ok(()) => moved.push((from, to)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                for (from, to) in moved.into_iter().rev() {
                    // The first failure is the one to tell of.
                    let _ = disk::rename(&to, &from);
                }
                return Err(error.into());
            }
        }
    }
    drop(lock);
    // Only marks are left there; if they stay, the next one to build here removes them.
    let _ = disk::remove(&site.join(WHOLE));
    let _ = disk::remove(&site.join(LOCK));
    let _ = std::fs::remove_dir(site);
    Ok(())
}

/// Erases a profile that cannot be opened.
pub(crate) fn erase_unopened(folder: &Path) -> Result<Erasure, IdentityError> {
    if !folder.try_exists()? {
        return Ok(Erasure::default());
    }
    let lock = lock(folder)?;
    let Some(profile) = Profile::read(folder)? else {
        // Without a profile there is nothing of it in a key store: a vault in a file is erased
        // with the file.
        return Ok(erase_files(folder, Vec::new(), lock));
    };
    let vault = || Ok(Arc::new(KeyringVault::open(&profile.id)?) as Arc<dyn Vault>);
    Ok(erase(folder, profile.kind, vault, lock))
}

/// The key first: without it the contacts are noise, whatever becomes of their file.
fn erase(
    folder: &Path,
    kind: ProtectionKind,
    vault: impl FnOnce() -> Result<Arc<dyn Vault>, VaultError>,
    lock: File,
) -> Erasure {
    let mut left = Vec::new();
    // What is erased in part must not move in. If the mark stays, that is told below.
    let _ = disk::remove(&folder.join(WHOLE));
    if kind == ProtectionKind::Keyring {
        let outcome = vault().and_then(|vault| {
            vault.delete(IDENTITY)?;
            vault.delete(MARK)
        });
        if let Err(error) = outcome {
            left.push(Leftover::Secrets(error));
        }
    }
    erase_files(folder, left, lock)
}

fn erase_files(folder: &Path, mut left: Vec<Leftover>, lock: File) -> Erasure {
    // The profile's file leads to what is left in the key store: it goes only when nothing is.
    let leads_nowhere = left.is_empty();
    drop(lock);
    let files = [WHOLE, VAULT, CONTACTS, LOCK]
        .into_iter()
        .chain(leads_nowhere.then_some(PROFILE));
    for name in files {
        let path = folder.join(name);
        for path in [disk::beside(&path), path] {
            if let Err(error) = disk::remove(&path) {
                let kind = error.kind();
                left.push(Leftover::File { path, kind });
            }
        }
    }
    // Only an empty folder goes: what else lies there is not ours, and no failure.
    let _ = std::fs::remove_dir(folder);
    Erasure { left }
}

/// Takes the folder for this program, as long as the file is open.
fn lock(folder: &Path) -> Result<File, IdentityError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let file = options.open(folder.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(IdentityError::InUse),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

impl Profile {
    fn draw(kind: ProtectionKind) -> Result<Self, CryptoFailure> {
        let mut id = [0; 16];
        rand::fill(&mut id)?;
        let id = hex::encode(id);
        Ok(Self { kind, id })
    }

    fn write(&self, folder: &Path) -> Result<(), IdentityError> {
        Ok(disk::replace(
            &folder.join(PROFILE),
            self.to_text().as_bytes(),
        )?)
    }

    fn read(folder: &Path) -> Result<Option<Self>, IdentityError> {
        match disk::read(&folder.join(PROFILE), MAX_PROFILE_LEN) {
            Ok(Some(bytes)) => Self::from_text(&bytes).map(Some),
            Ok(None) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                Err(IdentityError::ProfileDamaged)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn to_text(&self) -> String {
        let kind = match self.kind {
            ProtectionKind::Keyring => "keyring",
            ProtectionKind::Passphrase => "passphrase",
        };
        format!("{TITLE} {VERSION}\n{kind} {}\n", self.id)
    }

    fn from_text(bytes: &[u8]) -> Result<Self, IdentityError> {
        let damaged = IdentityError::ProfileDamaged;
        let text = std::str::from_utf8(bytes).map_err(|_| damaged)?;
        let mut words = text.split_ascii_whitespace();
        let mut word = || words.next().ok_or(damaged);
        if word()? != TITLE {
            return Err(damaged);
        }
        let version: u32 = word()?.parse().map_err(|_| damaged)?;
        if version > VERSION {
            return Err(IdentityError::ProfileTooNew);
        }
        let kind = match word()? {
            "keyring" => ProtectionKind::Keyring,
            "passphrase" => ProtectionKind::Passphrase,
            _ => return Err(damaged),
        };
        let id = word()?.to_owned();
        let is_hex = id.len() == 32 && id.bytes().all(|c| c.is_ascii_hexdigit());
        let profile = Self { kind, id };
        // A name in the key store is made of it: nothing else may stand here.
        if is_hex && profile.to_text() == text {
            Ok(profile)
        } else {
            Err(damaged)
        }
    }
}

/// Opens the vault that a protection stands for; `None` for one that keeps nothing.
pub(crate) fn kept_by(protection: &Protection) -> Option<ProtectionKind> {
    match protection {
        Protection::Keyring => Some(ProtectionKind::Keyring),
        Protection::Passphrase(_) => Some(ProtectionKind::Passphrase),
        Protection::Ephemeral => None,
    }
}

/// The vault of a profile on disk.
pub(crate) fn make_vault(
    protection: &Protection,
    id: &str,
    file: &Path,
) -> Result<Arc<dyn Vault>, VaultError> {
    Ok(match protection {
        Protection::Keyring => Arc::new(KeyringVault::open(id)?),
        Protection::Passphrase(passphrase) => Arc::new(FileVault::open(file, passphrase)?),
        Protection::Ephemeral => Arc::new(crate::MemoryVault::default()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_reads_as_it_was_written() {
        for kind in [ProtectionKind::Keyring, ProtectionKind::Passphrase] {
            let folder = tempfile::tempdir().unwrap();
            assert_eq!(Profile::read(folder.path()), Ok(None));
            let profile = Profile::draw(kind).unwrap();
            profile.write(folder.path()).unwrap();
            assert_eq!(Profile::read(folder.path()), Ok(Some(profile)));
        }
    }

    #[test]
    fn a_profile_that_is_none_is_refused() {
        let id = "0123456789abcdef0123456789abcdef";
        for (text, expected) in [
            (
                format!("conclave-profile 2\nkeyring {id}\n"),
                IdentityError::ProfileTooNew,
            ),
            (
                format!("conclave-profile 1\nkeyring {id}/x\n"),
                IdentityError::ProfileDamaged,
            ),
            (
                format!("conclave-profile 1\nnothing {id}\n"),
                IdentityError::ProfileDamaged,
            ),
            (
                format!("conclave-profile 1\nkeyring {id} more\n"),
                IdentityError::ProfileDamaged,
            ),
            (
                "conclave-profile 1\n".to_owned(),
                IdentityError::ProfileDamaged,
            ),
            (String::new(), IdentityError::ProfileDamaged),
            ("x".repeat(300), IdentityError::ProfileDamaged),
        ] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(PROFILE), &text).unwrap();
            assert_eq!(Profile::read(folder.path()), Err(expected), "{text}");
        }
    }
}
