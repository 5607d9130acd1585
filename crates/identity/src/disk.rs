//! Files that are whole or absent, and readable by their owner only.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Makes a folder that only its owner may enter. One that is there stays as it is.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder)
}

/// A file's bytes; `None` when there is no such file.
///
/// # Errors
/// [`io::ErrorKind::FileTooLarge`] when it has more than `max` bytes, and what the system says.
pub(crate) fn read(path: &Path, max: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(Some(bytes))
}

/// Puts `bytes` where `path` is, so that a crash at any moment leaves the old bytes or the new
/// ones. On return they are on the disk, as far as the disk tells the truth.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = beside(path);
    remove(&beside)?;
    write_new(&beside, bytes)
        .and_then(|()| fs::rename(&beside, path))
        .inspect_err(|_| {
            // The first failure is the one to tell of; what is left goes with the next write.
            let _ = remove(&beside);
        })?;
    keep_name(path)
}

/// Moves a file to another name on the same disk. On return that is on the disk too.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    keep_name(to)
}

/// Removes a file; says whether there was one.
pub(crate) fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Where the next version of a file is written first.
pub(crate) fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".new");
    name.into()
}

pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    // Never through a link that somebody laid there, and never with the rights of an old file.
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A rename is on the disk when the folder is.
#[cfg(unix)]
fn keep_name(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

/// Windows writes the name with the file.
#[cfg(not(unix))]
fn keep_name(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert_eq!(read(&path, 10).unwrap(), None);
        replace(&path, b"first").unwrap();
        replace(&path, b"2nd").unwrap();
        assert_eq!(read(&path, 10).unwrap().unwrap(), b"2nd");
        assert!(!beside(&path).exists());
    }

    #[test]
    fn what_a_crash_left_beside_is_not_read_and_not_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        replace(&path, b"old").unwrap();
        fs::write(beside(&path), b"half of the n").unwrap();
        assert_eq!(read(&path, 10).unwrap().unwrap(), b"old");
        replace(&path, b"new").unwrap();
        assert_eq!(read(&path, 10).unwrap().unwrap(), b"new");
        assert!(!beside(&path).exists());
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        replace(&path, b"old").unwrap();
        // A folder in the place of the new version cannot be removed as a file.
        fs::create_dir(beside(&path)).unwrap();
        assert!(replace(&path, b"new").is_err());
        assert_eq!(read(&path, 10).unwrap().unwrap(), b"old");
    }

    #[test]
    fn a_file_longer_than_its_bound_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        replace(&path, &[1; 11]).unwrap();
        assert_eq!(
            read(&path, 10).unwrap_err().kind(),
            io::ErrorKind::FileTooLarge
        );
        assert_eq!(read(&path, 11).unwrap().unwrap().len(), 11);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("profile");
        make_folder(&inner).unwrap();
        let path = inner.join("file");
        fs::write(beside(&path), b"").unwrap();
        fs::set_permissions(beside(&path), fs::Permissions::from_mode(0o666)).unwrap();
        replace(&path, b"secret").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(&inner), 0o700);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_laid_in_the_way_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let elsewhere = folder.path().join("elsewhere");
        fs::write(&elsewhere, b"untouched").unwrap();
        std::os::unix::fs::symlink(&elsewhere, beside(&path)).unwrap();
        replace(&path, b"secret").unwrap();
        assert_eq!(fs::read(&elsewhere).unwrap(), b"untouched");
        assert_eq!(fs::read(&path).unwrap(), b"secret");
    }
}
