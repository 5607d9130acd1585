//! An exported identity, as it comes back from anywhere.

use std::path::Path;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk};
use bolero::check;
use conclave_identity::{Existing, Identity, IdentityError, Passphrase, Protection};
use fuzz::Feed;

const PASSPHRASE: &str = "correct horse battery staple";
/// Memory in KiB, passes and lanes: the least that there is, where a real file takes 64 MiB, so
/// that many can be tried.
const WORK: [u32; 3] = [8, 1, 1];
/// A changed header can ask for more memory in KiB times passes than this; that is slow, and not
/// tried.
const MAX_WORK_KIB: u64 = 4096;

struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        32
    }
}

/// An export as `conclave-identity` describes it, around any content.
fn export(content: &[u8]) -> Vec<u8> {
    let salt = [3; 16];
    let params = Params::new(WORK[0], WORK[1], WORK[2], Some(32)).unwrap();
    let mut root = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(PASSPHRASE.as_bytes(), &salt, &mut root)
        .unwrap();
    let root = Prk::new_less_safe(HKDF_SHA256, &root);
    let derive = |info: &[u8]| {
        let mut out = [0; 32];
        root.expand(&[info], Length)
            .unwrap()
            .fill(&mut out)
            .unwrap();
        out
    };
    let mut file = b"CNCLSEAL\x01\x02".to_vec();
    WORK.iter()
        .for_each(|number| file.extend_from_slice(&number.to_be_bytes()));
    file.extend_from_slice(&salt);
    // Its first half: HKDF gives the same bytes for a shorter output.
    file.extend_from_slice(&derive(b"Conclave sealed file check v1")[..16]);
    let key = UnboundKey::new(&AES_256_GCM, &derive(b"Conclave sealed file key v1")).unwrap();
    let nonce = [5; 12];
    let mut sealed = content.to_vec();
    LessSafeKey::new(key)
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(&file),
            &mut sealed,
        )
        .unwrap();
    [file.as_slice(), &nonce, &sealed].concat()
}

/// Seed of the device key, and a book of one verified contact.
fn content() -> Vec<u8> {
    let contact = (
        [7_u8; 32],
        "Ben",
        1_700_000_000_u64,
        Some(1_700_000_001_u64),
    );
    let book = (5_u64, vec![contact]);
    [vec![1; 32], postcard::to_allocvec(&book).unwrap()].concat()
}

fn import(file: &[u8]) -> Result<Identity, IdentityError> {
    Identity::import(
        Path::new(""),
        Protection::Ephemeral,
        file,
        &Passphrase::new(PASSPHRASE).unwrap(),
        Existing::Keep,
    )
}

/// An export opens as it was written or not at all.
#[test]
fn exports() {
    let real = [export(&content())];
    check!(name = "exports")
        .with_iterations(20_000)
        .with_max_len(512)
        .for_each(|input: &[u8]| {
            let file = Feed::new(input).forge(&real);
            let number = |at: usize| {
                let bytes = file.get(at..at + 4).map(|bytes| bytes.try_into().unwrap());
                bytes.map_or(0, |bytes| u64::from(u32::from_be_bytes(bytes)))
            };
            if number(10) * number(14) > MAX_WORK_KIB {
                return;
            }
            assert_eq!(import(&file).is_ok(), real.contains(&file));
        });
}

/// What is inside, by somebody who knows the passphrase: taken or refused, and usable if taken.
#[test]
fn export_contents() {
    let real = [content()];
    assert_eq!(
        import(&export(&real[0])).unwrap().contacts().list().len(),
        1
    );
    check!(name = "export_contents")
        .with_iterations(10_000)
        .with_max_len(512)
        .for_each(|input: &[u8]| {
            let content = Feed::new(input).forge(&real);
            let Ok(identity) = import(&export(&content)) else {
                return;
            };
            for contact in identity.contacts().list() {
                assert!(!contact.name.is_empty());
                identity
                    .contacts()
                    .trust(&contact.device_key, &contact.name);
            }
        });
    fuzz::corpus::holds("export_contents", &real);
}
