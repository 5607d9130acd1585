//! Files under a passphrase: Argon2id makes the key, AES-256-GCM seals.
//!
//! ```text
//! magic "CNCLSEAL" 8 | version 1 | purpose 1 | memory KiB 4 | passes 4 | lanes 4 | salt 16
//!   | check 16 | nonce 12 | ciphertext | tag 16            (numbers are big endian)
//! ```
//!
//! Argon2id (RFC 9106) turns passphrase and salt into 32 bytes; HKDF-Expand with SHA-256
//! (RFC 5869 §2.3) turns these into the key and into the check. The check tells a wrong passphrase
//! from a damaged file, and it binds the file to one key, which a GCM tag alone does not. It gives
//! a guesser nothing that the tag would not give him. Everything before the nonce is authenticated.

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk};
use aws_lc_rs::rand;
use conclave_e2ee::CryptoFailure;
use zeroize::Zeroizing;

use crate::Passphrase;
use crate::aead::AeadKey;

const MAGIC: &[u8; 8] = b"CNCLSEAL";
const VERSION: u8 = 1;
const SALT_LEN: usize = 16;
const CHECK_LEN: usize = 16;
const HEADER_LEN: usize = MAGIC.len() + 2 + 12 + SALT_LEN + CHECK_LEN;

const KEY_INFO: &[u8] = b"Conclave sealed file key v1";
const CHECK_INFO: &[u8] = b"Conclave sealed file check v1";

/// Most memory, and most memory times passes, that a file may ask for, in KiB: 1 GiB and 4 GiB. A
/// file comes from anywhere; it must not stop the computer.
const MAX_MEMORY_KIB: u32 = 1 << 20;
const MAX_WORK_KIB: u64 = 1 << 22;
const MAX_LANES: u32 = 16;

/// What a file is for. One that is made for one purpose does not open for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Vault = 1,
    Export = 2,
}

/// Why a file under a passphrase did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealedError {
    /// Misuse: not the passphrase that the file was sealed with. A file whose header was changed
    /// looks the same.
    #[error("The passphrase is wrong. Try again.")]
    WrongPassphrase,
    /// Misuse: no file of this kind at all.
    #[error("This is not a file of the expected kind. Choose another file.")]
    OtherKind,
    /// Local: cut short or changed after it was written.
    #[error("The file is damaged or was tampered with. Restore it from a copy.")]
    Damaged,
    /// Local: written by a newer version of the program.
    #[error("The file was written by a newer version of Conclave. Update the program.")]
    TooNew,
    /// Peer: asks for more memory or work than any file of ours.
    #[error("Opening the file would take more memory or time than any genuine one. Do not use it.")]
    TooCostly,
    /// Local: the library failed, or there is not enough memory.
    #[error(transparent)]
    Crypto(#[from] CryptoFailure),
}

/// What one guess costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Work {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Work {
    /// The second recommended option (RFC 9106 §4): 64 MiB, three passes, four lanes.
    pub(crate) const RECOMMENDED: Self = Self {
        memory_kib: 64 * 1024,
        passes: 3,
        lanes: 4,
    };

    fn check(self) -> Result<Self, SealedError> {
        let work = u64::from(self.memory_kib) * u64::from(self.passes);
        let fine =
            self.memory_kib <= MAX_MEMORY_KIB && self.lanes <= MAX_LANES && work <= MAX_WORK_KIB;
        if fine {
            Ok(self)
        } else {
            Err(SealedError::TooCostly)
        }
    }
}

/// The key of one file, and the header by which the passphrase makes it again.
pub(crate) struct FileKey {
    header: [u8; HEADER_LEN],
    key: AeadKey,
}

impl FileKey {
    /// A fresh key for a new file.
    pub(crate) fn new(passphrase: &Passphrase, purpose: Purpose) -> Result<Self, SealedError> {
        Self::with_work(passphrase, purpose, Work::RECOMMENDED)
    }

    fn with_work(
        passphrase: &Passphrase,
        purpose: Purpose,
        work: Work,
    ) -> Result<Self, SealedError> {
        let mut salt = [0; SALT_LEN];
        rand::fill(&mut salt).map_err(CryptoFailure::from)?;
        let (key, check) = derive(passphrase, work, &salt)?;
        let mut header = Vec::with_capacity(HEADER_LEN);
        header.extend_from_slice(MAGIC);
        header.extend_from_slice(&[VERSION, purpose as u8]);
        for number in [work.memory_kib, work.passes, work.lanes] {
            header.extend_from_slice(&number.to_be_bytes());
        }
        header.extend_from_slice(&salt);
        header.extend_from_slice(&check);
        let header = header.try_into().map_err(|_| CryptoFailure)?;
        Ok(Self { header, key })
    }

    /// The key of a file that is there, and what the file holds.
    pub(crate) fn open(
        passphrase: &Passphrase,
        purpose: Purpose,
        file: &[u8],
    ) -> Result<(Self, Zeroizing<Vec<u8>>), SealedError> {
        let (header, sealed) = file
            .split_first_chunk::<HEADER_LEN>()
            .ok_or_else(|| too_short(file))?;
        let (work, salt, check) = read_header(header, purpose)?;
        let (key, derived) = derive(passphrase, work.check()?, &salt)?;
        verify_slices_are_equal(&check, &derived).map_err(|_| SealedError::WrongPassphrase)?;
        let plaintext = key.open(header, sealed).map_err(|_| SealedError::Damaged)?;
        let header = *header;
        Ok((Self { header, key }, plaintext))
    }

    /// The whole file.
    pub(crate) fn seal(&self, plaintext: &[u8]) -> Result<Vec<u8>, CryptoFailure> {
        let sealed = self.key.seal(&self.header, plaintext)?;
        Ok([self.header.as_slice(), &sealed].concat())
    }
}

fn too_short(file: &[u8]) -> SealedError {
    if MAGIC.starts_with(file) || file.starts_with(MAGIC) {
        SealedError::Damaged
    } else {
        SealedError::OtherKind
    }
}

type HeaderParts = (Work, [u8; SALT_LEN], [u8; CHECK_LEN]);

fn read_header(header: &[u8; HEADER_LEN], purpose: Purpose) -> Result<HeaderParts, SealedError> {
    let mut rest = header.as_slice();
    if &take::<8>(&mut rest)? != MAGIC {
        return Err(SealedError::OtherKind);
    }
    let [version, made_for] = take(&mut rest)?;
    if version > VERSION {
        return Err(SealedError::TooNew);
    }
    if version != VERSION || made_for != purpose as u8 {
        return Err(SealedError::OtherKind);
    }
    let work = Work {
        memory_kib: u32::from_be_bytes(take(&mut rest)?),
        passes: u32::from_be_bytes(take(&mut rest)?),
        lanes: u32::from_be_bytes(take(&mut rest)?),
    };
    Ok((work, take(&mut rest)?, take(&mut rest)?))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], SealedError> {
    let (first, after) = rest.split_first_chunk().ok_or(SealedError::Damaged)?;
    *rest = after;
    Ok(*first)
}

fn derive(
    passphrase: &Passphrase,
    work: Work,
    salt: &[u8; SALT_LEN],
) -> Result<(AeadKey, [u8; CHECK_LEN]), SealedError> {
    // A header with parameters that Argon2 does not know was not written by us.
    let params = Params::new(work.memory_kib, work.passes, work.lanes, Some(32))
        .map_err(|_| SealedError::Damaged)?;
    let mut root = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.expose(), salt, root.as_mut_slice())
        .map_err(|_| CryptoFailure)?;
    let root = Prk::new_less_safe(HKDF_SHA256, root.as_slice());
    let mut key = Zeroizing::new([0; 32]);
    expand(&root, KEY_INFO, key.as_mut_slice())?;
    let mut check = [0; CHECK_LEN];
    expand(&root, CHECK_INFO, &mut check)?;
    Ok((AeadKey::new(key), check))
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand(root: &Prk, info: &[u8], out: &mut [u8]) -> Result<(), CryptoFailure> {
    root.expand(&[info], Length(out.len()))?.fill(out)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Little work, so that a test can try many files.
    const LIGHT: Work = Work {
        memory_kib: 64,
        passes: 1,
        lanes: 1,
    };

    fn passphrase() -> Passphrase {
        Passphrase::new("correct horse battery").unwrap()
    }

    fn light() -> FileKey {
        FileKey::with_work(&passphrase(), Purpose::Vault, LIGHT).unwrap()
    }

    fn open(file: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealedError> {
        FileKey::open(&passphrase(), Purpose::Vault, file).map(|(_, plaintext)| plaintext)
    }

    #[test]
    fn what_was_sealed_opens_with_the_passphrase_alone() {
        let file = light().seal(b"secret").unwrap();
        assert_eq!(open(&file).unwrap().as_slice(), b"secret");
        let (again, _) = FileKey::open(&passphrase(), Purpose::Vault, &file).unwrap();
        let next = again.seal(b"other").unwrap();
        assert_eq!(open(&next).unwrap().as_slice(), b"other");
    }

    #[test]
    fn the_recommended_work_is_that_of_the_rfc() {
        let key = FileKey::new(&passphrase(), Purpose::Export).unwrap();
        let file = key.seal(b"secret").unwrap();
        assert_eq!(file[10..22], [0, 1, 0, 0, 0, 0, 0, 3, 0, 0, 0, 4]);
        let (_, plaintext) = FileKey::open(&passphrase(), Purpose::Export, &file).unwrap();
        assert_eq!(plaintext.as_slice(), b"secret");
    }

    #[test]
    fn a_wrong_passphrase_is_told_from_a_damaged_file() {
        let file = light().seal(b"secret").unwrap();
        let wrong = Passphrase::new("correct horse batterz").unwrap();
        assert_eq!(
            FileKey::open(&wrong, Purpose::Vault, &file).err(),
            Some(SealedError::WrongPassphrase)
        );
        for position in HEADER_LEN..file.len() {
            let mut changed = file.clone();
            changed[position] ^= 1;
            assert_eq!(open(&changed).err(), Some(SealedError::Damaged));
        }
    }

    #[test]
    fn every_cut_is_noticed() {
        let file = light().seal(b"secret").unwrap();
        for length in 0..file.len() {
            assert_eq!(open(&file[..length]).err(), Some(SealedError::Damaged));
        }
    }

    #[test]
    fn no_byte_of_the_header_may_change() {
        let file = light().seal(b"secret").unwrap();
        for position in 0..HEADER_LEN {
            let mut changed = file.clone();
            changed[position] ^= 1;
            assert!(open(&changed).is_err(), "byte {position}");
        }
    }

    #[test]
    fn a_file_for_another_purpose_does_not_open() {
        let file = light().seal(b"secret").unwrap();
        assert_eq!(
            FileKey::open(&passphrase(), Purpose::Export, &file).err(),
            Some(SealedError::OtherKind)
        );
        assert_eq!(open(&[7; 200]).err(), Some(SealedError::OtherKind));
        assert_eq!(open(b"text").err(), Some(SealedError::OtherKind));
    }

    #[test]
    fn a_newer_file_is_named_as_such() {
        let mut file = light().seal(b"secret").unwrap();
        file[8] = VERSION + 1;
        assert_eq!(open(&file).err(), Some(SealedError::TooNew));
    }

    #[test]
    fn a_file_cannot_demand_all_memory() {
        let file = light().seal(b"secret").unwrap();
        for (at, number) in [(10, u32::MAX), (14, u32::MAX), (18, 0x00ff_ffff)] {
            let mut costly = file.clone();
            costly[at..at + 4].copy_from_slice(&number.to_be_bytes());
            assert_eq!(open(&costly).err(), Some(SealedError::TooCostly));
        }
    }

    /// Computed with the reference implementation of Argon2 in C and with Python's hmac: a file
    /// that is written today opens tomorrow.
    #[test]
    fn derivation_does_not_change() {
        let (key, check) = derive(&passphrase(), LIGHT, &[7; SALT_LEN]).unwrap();
        assert_eq!(
            hex::encode(key.expose()),
            "c807606c6042f584be0849d70bd8067bbf4d05070a40b79e8474a0a4d9ccd4f9"
        );
        assert_eq!(hex::encode(check), "b3b6366d56d1b85baa722df86e223116");
    }
}
