//! The KEM of our suite, X-Wing (ML-KEM-768 and X25519 combined,
//! draft-connolly-cfrg-xwing-kem), held against others.
//!
//! Both openmls and the sealed cards reach it through the same code:
//! `hpke-rs-rust-crypto`, which is RustCrypto's. Beside it stand the published
//! vectors, libcrux (another ML-KEM, another X25519), and the draft's own
//! formulas written out on aws-lc-rs (a third of each).

use aws_lc_rs::agreement::{self, UnparsedPublicKey, X25519};
use aws_lc_rs::digest::{SHA3_256, digest};
use aws_lc_rs::kem::{EncapsulationKey, ML_KEM_768};
use hpke_rs_crypto::HpkeCrypto;
use hpke_rs_crypto::types::KemAlgorithm;
use hpke_rs_rust_crypto::HpkeRustCrypto;
use libcrux_kem::{Algorithm, Ct, PrivateKey, PublicKey};

const OURS: KemAlgorithm = KemAlgorithm::XWingDraft06;
const THEIRS: Algorithm = Algorithm::XWingKemDraft06;
/// Length of the part of ML-KEM-768 in a public key, and in a ciphertext.
const ML_KEM_PUBLIC_LEN: usize = 1184;
const ML_KEM_CIPHERTEXT_LEN: usize = 1088;
/// XWingLabel of the draft, section 5.3 "Combiner".
const LABEL: &[u8; 6] = br"\.//^\";
const SEEDS: u8 = 64;

/// A different seed for each number, without a pattern that a fault could hide in.
fn seed(number: u8) -> [u8; 32] {
    digest(&SHA3_256, &[number]).as_ref().try_into().unwrap()
}

fn our_keys(seed: &[u8]) -> (Vec<u8>, Vec<u8>) {
    HpkeRustCrypto::kem_key_gen_derand(OURS, seed).unwrap()
}

fn we_encapsulate(public: &[u8]) -> (Vec<u8>, Vec<u8>) {
    HpkeRustCrypto::kem_encaps(OURS, public, &mut HpkeRustCrypto::prng()).unwrap()
}

fn we_decapsulate(ciphertext: &[u8], secret: &[u8]) -> Vec<u8> {
    HpkeRustCrypto::kem_decaps(OURS, ciphertext, secret).unwrap()
}

fn their_keys(seed: &[u8]) -> (PrivateKey, PublicKey) {
    libcrux_kem::key_gen_derand(THEIRS, seed).unwrap()
}

fn they_decapsulate(ciphertext: &[u8], secret: &[u8]) -> Vec<u8> {
    let secret = PrivateKey::decode(THEIRS, secret).unwrap();
    Ct::decode(THEIRS, ciphertext)
        .unwrap()
        .decapsulate(&secret)
        .unwrap()
        .encode()
}

#[test]
fn the_published_vectors_hold() {
    let text = include_str!("data/xwing-test-vectors.json");
    let vectors: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
    assert_eq!(vectors.len(), 3);
    for vector in &vectors {
        let field = |name: &str| hex::decode(vector[name].as_str().unwrap()).unwrap();
        let (public, secret) = our_keys(&field("seed"));
        assert_eq!(public, field("pk"));
        assert_eq!(secret, field("sk"));
        assert_eq!(we_decapsulate(&field("ct"), &secret), field("ss"));

        // Ours cannot be told which randomness to take. Theirs can, and so
        // shows that the vector is one of encapsulation too.
        let (_, their_public) = their_keys(&field("seed"));
        assert_eq!(their_public.encode(), field("pk"));
        let (shared, ciphertext) = their_public.encapsulate_derand(&field("eseed")).unwrap();
        assert_eq!(ciphertext.encode(), field("ct"));
        assert_eq!(shared.encode(), field("ss"));
    }
}

#[test]
fn one_seed_makes_one_key_pair_in_both() {
    for number in 0..SEEDS {
        let (public, secret) = our_keys(&seed(number));
        let (their_secret, their_public) = their_keys(&seed(number));
        assert!(public == their_public.encode(), "seed {number}");
        assert_eq!(secret, their_secret.encode(), "seed {number}");
    }
}

#[test]
fn each_decapsulates_what_the_other_encapsulated() {
    for number in 0..SEEDS {
        let (public, secret) = our_keys(&seed(number));

        let (shared, ciphertext) = we_encapsulate(&public);
        assert_eq!(they_decapsulate(&ciphertext, &secret), shared);

        // 64 bytes of randomness: for ML-KEM, then for X25519 (the draft's EncapsulateDerand).
        let randomness = [seed(number), seed(!number)].concat();
        let (shared, ciphertext) = PublicKey::decode(THEIRS, &public)
            .unwrap()
            .encapsulate_derand(&randomness)
            .unwrap();
        assert_eq!(
            we_decapsulate(&ciphertext.encode(), &secret),
            shared.encode()
        );
    }
}

/// Encapsulation and combiner of the draft (sections 5.4 and 5.3), in its own words.
fn encapsulate_by_the_draft(public: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (pk_m, pk_x) = public.split_at(ML_KEM_PUBLIC_LEN);
    let (ct_m, ss_m) = EncapsulationKey::new(&ML_KEM_768, pk_m)
        .unwrap()
        .encapsulate()
        .unwrap();
    let ek_x = agreement::PrivateKey::generate(&X25519).unwrap();
    let ct_x = ek_x.compute_public_key().unwrap();
    let ss_x = agreement::agree(&ek_x, UnparsedPublicKey::new(&X25519, pk_x), (), |ss| {
        Ok(ss.to_vec())
    })
    .unwrap();
    let input = [ss_m.as_ref(), &ss_x, ct_x.as_ref(), pk_x, LABEL].concat();
    let shared = digest(&SHA3_256, &input).as_ref().to_vec();
    (shared, [ct_m.as_ref(), ct_x.as_ref()].concat())
}

#[test]
fn the_draft_written_out_on_a_third_library_agrees() {
    for number in 0..SEEDS {
        let (public, secret) = our_keys(&seed(number));
        let (shared, ciphertext) = encapsulate_by_the_draft(&public);
        assert_eq!(we_decapsulate(&ciphertext, &secret), shared);
        assert_eq!(they_decapsulate(&ciphertext, &secret), shared);
    }
}

/// Neither half tells that it failed: an altered ciphertext gives another
/// secret (FIPS 203 §6.3), and the same one in both.
#[test]
fn an_altered_ciphertext_gives_another_secret_and_both_agree_on_it() {
    for number in 0..SEEDS {
        let (public, secret) = our_keys(&seed(number));
        let (shared, mut ciphertext) = we_encapsulate(&public);
        let position = usize::from(number) * 17 % ML_KEM_CIPHERTEXT_LEN;
        ciphertext[position] ^= 0x10;
        let other = we_decapsulate(&ciphertext, &secret);
        assert_ne!(other, shared, "byte {position}");
        assert_eq!(they_decapsulate(&ciphertext, &secret), other);
    }
}

#[test]
fn a_ciphertext_binds_both_halves() {
    let (public, secret) = our_keys(&seed(1));
    let (shared, one) = we_encapsulate(&public);
    let (_, two) = we_encapsulate(&public);
    let (one_m, one_x) = one.split_at(ML_KEM_CIPHERTEXT_LEN);
    let (two_m, two_x) = two.split_at(ML_KEM_CIPHERTEXT_LEN);
    for mixed in [[one_m, two_x].concat(), [two_m, one_x].concat()] {
        assert_ne!(we_decapsulate(&mixed, &secret), shared);
    }
}
