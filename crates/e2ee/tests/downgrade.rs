//! Another protocol version, another ciphersuite: each refused under its own name.

mod people;

use conclave_e2ee::{
    Candidate, CardError, Group, JoinError, KeyPackageError, KnockKey, ProcessError, ResyncError,
    VerifiedKeyPackage, fingerprint16, seal_card,
};
use people::{host, link, meeting, pseudonym};

/// The suites of RFC 9420 §17.1, and one that nobody has.
const OTHER_SUITES: [u16; 8] = [1, 2, 3, 4, 5, 6, 7, 0x004F];
/// Where the version and the suite stand in an MLSMessage (RFC 9420 §6) with a Welcome.
const MESSAGE_VERSION: usize = 0;
const WELCOME_SUITE: usize = 4;
/// Where they stand in a KeyPackage (RFC 9420 §10).
const PACKAGE_VERSION: usize = 0;
const PACKAGE_SUITE: usize = 2;

fn with(bytes: &[u8], at: usize, number: u16) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[at..at + 2].copy_from_slice(&number.to_be_bytes());
    changed
}

/// A candidate, and the invitation that was made for it.
fn invited(host: &mut Group, link: &conclave_e2ee::LinkSecret) -> (Candidate, Vec<u8>, Vec<u8>) {
    let candidate = Candidate::new(pseudonym(2), link).unwrap();
    let package = VerifiedKeyPackage::parse(candidate.key_package()).unwrap();
    let bundle = host.add(&[package]).unwrap();
    host.clear_pending().unwrap();
    (candidate, bundle.welcome.unwrap(), bundle.tree.unwrap())
}

#[test]
fn a_welcome_into_a_group_of_another_suite_is_unsupported() {
    let link = link();
    let mut host = host(&link);
    for suite in OTHER_SUITES {
        let (candidate, welcome, tree) = invited(&mut host, &link);
        let welcome = with(&welcome, WELCOME_SUITE, suite);
        let error = candidate.join(&welcome, &tree).unwrap_err();
        assert_eq!(error, JoinError::Unsupported, "{suite}");
    }
    let (candidate, welcome, tree) = invited(&mut host, &link);
    assert_eq!(welcome[WELCOME_SUITE..WELCOME_SUITE + 2], [0, 0x4E]);
    assert!(candidate.join(&welcome, &tree).is_ok());
}

#[test]
fn a_message_of_another_version_of_mls_cannot_be_read() {
    let link = link();
    let mut members = meeting(&link, 1);
    let commit = members[0].rekey().unwrap().commit;
    for version in [0, 2, u16::MAX] {
        let (candidate, welcome, tree) = invited(&mut host(&link), &link);
        let welcome = with(&welcome, MESSAGE_VERSION, version);
        let error = candidate.join(&welcome, &tree).unwrap_err();
        assert_eq!(error, JoinError::Malformed, "{version}");
        let commit = with(&commit, MESSAGE_VERSION, version);
        let error = members[1].process(&commit).unwrap_err();
        assert_eq!(error, ProcessError::Malformed, "{version}");
        let info = with(&members[0].group_info().unwrap(), MESSAGE_VERSION, version);
        let error = members[1].resync(&link, &info, |_| None).unwrap_err();
        assert_eq!(error, ResyncError::Malformed, "{version}");
    }
    assert!(members[1].process(&commit).is_ok());
}

/// Whoever signs another suite or version properly is refused by another test, beside the code.
#[test]
fn a_key_package_that_was_lowered_on_its_way_is_invalid() {
    let candidate = Candidate::new(pseudonym(2), &link()).unwrap();
    let package = candidate.key_package();
    assert_eq!(package[..4], [0, 1, 0, 0x4E]);
    for suite in OTHER_SUITES {
        let lowered = with(package, PACKAGE_SUITE, suite);
        let error = VerifiedKeyPackage::parse(&lowered).unwrap_err();
        assert_eq!(error, KeyPackageError::Invalid, "{suite}");
    }
    for version in [0, 2, u16::MAX] {
        let lowered = with(package, PACKAGE_VERSION, version);
        let error = VerifiedKeyPackage::parse(&lowered).unwrap_err();
        assert_eq!(error, KeyPackageError::Invalid, "{version}");
    }
    assert!(VerifiedKeyPackage::parse(package).is_ok());
}

/// A card that is sealed in the way of another version: to the same key, by the same link, with
/// the same algorithms.
#[test]
fn a_card_of_another_version_is_no_card() {
    use hpke_rs::hpke_types::{AeadAlgorithm, KdfAlgorithm, KemAlgorithm};
    use hpke_rs::{Hpke, HpkePublicKey, Mode};
    use hpke_rs_rust_crypto::HpkeRustCrypto;

    let (link, key) = (link(), KnockKey::generate().unwrap());
    let real = seal_card(&key.public(), &link, b"aad", b"Ada").unwrap();
    assert_eq!(key.open_card(&link, b"aad", &real).unwrap(), b"Ada");
    let (id, psk) = people::card_psk(&link);
    for (info, opens) in [(b"Conclave card v2", true), (b"Conclave card v1", false)] {
        let card_key = [9; 32];
        let (encapsulated, sealed_key) = Hpke::<HpkeRustCrypto>::new(
            Mode::Psk,
            KemAlgorithm::XWingDraft06,
            KdfAlgorithm::HkdfSha384,
            AeadAlgorithm::Aes256Gcm,
        )
        .seal(
            &HpkePublicKey::new(key.public()),
            info,
            b"aad",
            &card_key,
            Some(&psk),
            Some(&id),
            None,
        )
        .unwrap();
        let fingerprint = fingerprint16(&key.public());
        let head = [&[1], fingerprint.as_slice(), &encapsulated, &sealed_key].concat();
        let mut padded = [&[0, 3], b"Ada".as_slice()].concat();
        padded.resize(8 * 1024, 0);
        let bound = [head.as_slice(), b"aad"].concat();
        let sealed = [head, people::blob(&card_key, &bound, &padded)].concat();
        let opened = key.open_card(&link, b"aad", &sealed);
        match opens {
            true => assert_eq!(opened.unwrap(), b"Ada"),
            false => assert_eq!(opened.unwrap_err(), CardError::Forged),
        }
    }
}
