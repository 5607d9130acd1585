//! The published vectors of RFC 9605: every one of them, every field.
//!
//! Suites with a truncated tag (AES-CTR with HMAC) are composed here and not in
//! the product, which has no use for them; they show that header, key schedule
//! and nonce are right for every suite.

use aws_lc_rs::cipher::{
    AES_128, AES_256, Algorithm as CtrAlgorithm, DecryptingKey, DecryptionContext, EncryptingKey,
    EncryptionContext, UnboundCipherKey,
};
use aws_lc_rs::hkdf::{HKDF_SHA256, HKDF_SHA512};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::{constant_time, hkdf, hmac};
use serde_json::Value;

use super::kdf::{self, NONCE_LEN};
use super::{Header, Key, MAX_HEADER_LEN, SframeError, Suite};

const RFC9605: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/rfc9605-test-vectors.json"
));
const AES256_CTR: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/sframe-aes256-ctr-test-vectors.json"
));

/// One vector, read field by field.
struct Vector<'a>(&'a Value);

impl Vector<'_> {
    fn number(&self, field: &str) -> u64 {
        self.0[field].as_u64().unwrap()
    }

    fn bytes(&self, field: &str) -> Vec<u8> {
        hex::decode(self.0[field].as_str().unwrap()).unwrap()
    }

    fn suite(&self) -> u16 {
        u16::try_from(self.number("cipher_suite")).unwrap()
    }
}

/// Runs `check` on every vector of a section, and insists on how many there are.
fn for_each(file: &str, section: &str, count: usize, check: impl Fn(Vector<'_>)) {
    let file: Value = serde_json::from_str(file).unwrap();
    let vectors = file[section].as_array().unwrap();
    assert_eq!(vectors.len(), count, "{section}");
    vectors.iter().for_each(|vector| check(Vector(vector)));
}

/// AES-CTR with a truncated HMAC (RFC 9605 §4.5.1).
struct CtrHmac {
    cipher: &'static CtrAlgorithm,
    hmac: hmac::Algorithm,
    hkdf: hkdf::Algorithm,
    enc_len: usize,
    auth_len: usize,
    tag_len: usize,
}

impl CtrHmac {
    fn of(suite: u16) -> Self {
        let tag_len = [10, 8, 4][usize::from((suite - 1) % 5)];
        match suite {
            1..=3 => Self {
                cipher: &AES_128,
                hmac: hmac::HMAC_SHA256,
                hkdf: HKDF_SHA256,
                enc_len: 16,
                auth_len: 32,
                tag_len,
            },
            6..=8 => Self {
                cipher: &AES_256,
                hmac: hmac::HMAC_SHA512,
                hkdf: HKDF_SHA512,
                enc_len: 32,
                auth_len: 64,
                tag_len,
            },
            other => panic!("suite {other} is not one of AES-CTR"),
        }
    }

    fn key_len(&self) -> usize {
        self.enc_len + self.auth_len
    }

    fn counter_block(nonce: &[u8]) -> FixedLength<16> {
        let mut block = [0; 16];
        block[..NONCE_LEN].copy_from_slice(nonce);
        FixedLength::from(block)
    }

    fn tag(&self, auth_key: &[u8], nonce: &[u8], aad: &[u8], ciphertext: &[u8]) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&hmac::Key::new(self.hmac, auth_key));
        for len in [aad.len(), ciphertext.len(), self.tag_len] {
            context.update(&(len as u64).to_be_bytes());
        }
        for part in [nonce, aad, ciphertext] {
            context.update(part);
        }
        context.sign().as_ref()[..self.tag_len].to_vec()
    }

    fn seal(&self, key: &[u8], nonce: &[u8], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let (enc_key, auth_key) = key.split_at(self.enc_len);
        let cipher =
            EncryptingKey::ctr(UnboundCipherKey::new(self.cipher, enc_key).unwrap()).unwrap();
        let mut sealed = plaintext.to_vec();
        let iv = EncryptionContext::Iv128(Self::counter_block(nonce));
        cipher.less_safe_encrypt(&mut sealed, iv).unwrap();
        let tag = self.tag(auth_key, nonce, aad, &sealed);
        sealed.extend_from_slice(&tag);
        sealed
    }

    fn open(&self, key: &[u8], nonce: &[u8], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (enc_key, auth_key) = key.split_at(self.enc_len);
        let (ciphertext, tag) = sealed.split_at(sealed.len() - self.tag_len);
        let expected = self.tag(auth_key, nonce, aad, ciphertext);
        constant_time::verify_slices_are_equal(&expected, tag).ok()?;
        let cipher =
            DecryptingKey::ctr(UnboundCipherKey::new(self.cipher, enc_key).unwrap()).unwrap();
        let mut plaintext = ciphertext.to_vec();
        let iv = DecryptionContext::Iv128(Self::counter_block(nonce));
        cipher.decrypt(&mut plaintext, iv).unwrap();
        Some(plaintext)
    }
}

#[test]
fn headers() {
    for_each(RFC9605, "header", 289, |vector| {
        let header = Header {
            kid: vector.number("kid"),
            ctr: vector.number("ctr"),
        };
        let encoded = vector.bytes("encoded");
        let mut out = Vec::new();
        header.write(&mut out);
        assert_eq!(out, encoded);
        assert!(out.len() <= MAX_HEADER_LEN);
        out.extend_from_slice(b"rest of the frame");
        assert_eq!(Header::read(&out), Some((header, encoded.len())));
        for cut in 0..encoded.len() {
            assert_eq!(
                Header::read(&encoded[..cut]),
                None,
                "{encoded:02x?} cut at {cut}"
            );
        }
    });
}

#[test]
fn aes_ctr_with_hmac() {
    let check = |vector: Vector<'_>| {
        let suite = CtrHmac::of(vector.suite());
        let (key, nonce) = (vector.bytes("key"), vector.bytes("nonce"));
        let (aad, pt, ct) = (vector.bytes("aad"), vector.bytes("pt"), vector.bytes("ct"));
        assert_eq!(
            key,
            [vector.bytes("enc_key"), vector.bytes("auth_key")].concat()
        );
        assert_eq!(suite.seal(&key, &nonce, &aad, &pt), ct);
        assert_eq!(suite.open(&key, &nonce, &aad, &ct), Some(pt));
    };
    for_each(RFC9605, "aes_ctr_hmac", 3, check);
    for_each(RFC9605, "aes_256_ctr_hmac", 3, check);
}

/// Labels, key, salt, nonce and AAD of a full vector, for a suite by its parts.
fn check_schedule(
    vector: &Vector<'_>,
    hash: hkdf::Algorithm,
    key_len: usize,
) -> (Vec<u8>, Vec<u8>) {
    let (kid, ctr) = (vector.number("kid"), vector.number("ctr"));
    let label = |text: &[u8]| {
        [
            text,
            &kid.to_be_bytes()[..],
            &vector.suite().to_be_bytes()[..],
        ]
        .concat()
    };
    assert_eq!(
        label(b"SFrame 1.0 Secret key "),
        vector.bytes("sframe_key_label")
    );
    assert_eq!(
        label(b"SFrame 1.0 Secret salt "),
        vector.bytes("sframe_salt_label")
    );

    let mac = if hash == HKDF_SHA256 {
        hmac::HMAC_SHA256
    } else {
        hmac::HMAC_SHA512
    };
    let secret = hmac::sign(&hmac::Key::new(mac, &[]), &vector.bytes("base_key"));
    assert_eq!(secret.as_ref(), vector.bytes("sframe_secret"));

    let derived = kdf::expand(
        hash,
        vector.suite(),
        key_len,
        kid,
        &vector.bytes("base_key"),
    )
    .unwrap();
    assert_eq!(*derived.key, vector.bytes("sframe_key"));
    assert_eq!(derived.salt.as_slice(), vector.bytes("sframe_salt"));
    let nonce = kdf::nonce(&derived.salt, ctr);
    assert_eq!(nonce.as_slice(), vector.bytes("nonce"));

    let mut aad = Vec::new();
    Header { kid, ctr }.write(&mut aad);
    aad.extend_from_slice(&vector.bytes("metadata"));
    assert_eq!(aad, vector.bytes("aad"));
    (nonce.to_vec(), aad)
}

fn check_ctr(vector: &Vector<'_>) {
    let suite = CtrHmac::of(vector.suite());
    let (nonce, aad) = check_schedule(vector, suite.hkdf, suite.key_len());
    let key = vector.bytes("sframe_key");
    let header_len = aad.len() - vector.bytes("metadata").len();
    let frame = vector.bytes("ct");
    let (header, body) = frame.split_at(header_len);
    assert_eq!(header, &aad[..header_len]);
    assert_eq!(suite.seal(&key, &nonce, &aad, &vector.bytes("pt")), body);
    assert_eq!(
        suite.open(&key, &nonce, &aad, body),
        Some(vector.bytes("pt"))
    );
}

fn check_gcm(vector: &Vector<'_>, suite: Suite, hash: hkdf::Algorithm) {
    check_schedule(vector, hash, suite.aead().key_len());
    assert_eq!(suite.number(), vector.suite());
    let key = Key::derive(suite, vector.number("kid"), &vector.bytes("base_key")).unwrap();
    let (metadata, pt) = (vector.bytes("metadata"), vector.bytes("pt"));
    let mut frame = Vec::new();
    key.dangerous_seal(vector.number("ctr"), &metadata, &pt, &mut frame)
        .unwrap();
    assert_eq!(frame, vector.bytes("ct"));
    let mut opened = Vec::new();
    assert_eq!(
        key.open(&metadata, &frame, &mut opened),
        Ok(vector.number("ctr"))
    );
    assert_eq!(opened, pt);
}

#[test]
fn full_encryptions() {
    for_each(RFC9605, "sframe", 5, |vector| match vector.suite() {
        4 => check_gcm(&vector, Suite::Aes128GcmSha256, HKDF_SHA256),
        5 => check_gcm(&vector, Suite::Aes256GcmSha512, HKDF_SHA512),
        _ => check_ctr(&vector),
    });
    for_each(AES256_CTR, "sframe_aes_256_ctr_hmac", 3, |vector| {
        check_ctr(&vector)
    });
}

#[test]
fn headers_that_are_longer_than_need_be_are_refused() {
    // A key id of 7 and a counter of 7 in a byte of their own, and 0x00ff in two.
    for long in ["8007", "0807", "9000ff00", "0900ff"] {
        assert_eq!(Header::read(&hex::decode(long).unwrap()), None, "{long}");
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let key = Key::derive(Suite::Aes256GcmSha512, 0x1234, &[7; 32]).unwrap();
    let mut frame = Vec::new();
    key.dangerous_seal(9, b"meta", b"plaintext", &mut frame)
        .unwrap();
    let mut out = Vec::new();
    for bit in 0..frame.len() * 8 {
        let mut forged = frame.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        assert!(key.open(b"meta", &forged, &mut out).is_err(), "bit {bit}");
        assert!(out.is_empty());
    }
    assert_eq!(
        key.open(b"other", &frame, &mut out),
        Err(SframeError::Forged)
    );
    assert_eq!(key.open(b"meta", &frame, &mut out), Ok(9));
}
