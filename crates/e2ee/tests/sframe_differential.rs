//! Our SFrame beside that of the `sframe` crate, which others wrote from the
//! same RFC 9605 on another cryptographic library: the same keys, ids, counters
//! and metadata give the same bytes, and each opens what the other sealed.

use conclave_e2ee::sframe::{Key, SframeError, Suite};
use sframe::CipherSuite;
use sframe::frame::{EncryptedFrameView, MediaFrameView, MonotonicCounter};
use sframe::key::{DecryptionKey, EncryptionKey};

const SUITES: [(Suite, CipherSuite); 2] = [
    (Suite::Aes128GcmSha256, CipherSuite::AesGcm128Sha256),
    (Suite::Aes256GcmSha512, CipherSuite::AesGcm256Sha512),
];
/// Cases for each suite.
const CASES: u64 = 400;
/// Longest payload in bytes: more than any frame of a camera.
const MAX_PAYLOAD: u64 = 20_000;
/// Longest metadata in bytes: that of a frame with the longest track name.
const MAX_METADATA: u64 = 81;

/// Numbers that repeat from run to run, so that a failure can be found again.
/// SplitMix64 by Steele, Lea and Flood (2014).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn bytes(&mut self, len: u64) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }

    /// A number of any length from 0 to 64 bits: a header has one to eight
    /// bytes for each, or only a few bits.
    fn of_any_length(&mut self) -> u64 {
        let bits = self.below(65) as u32;
        self.next().checked_shr(64 - bits).unwrap_or(0)
    }
}

/// What both sides are given.
#[derive(Debug)]
struct Case {
    base_key: Vec<u8>,
    kid: u64,
    ctr: u64,
    metadata: Vec<u8>,
    payload: Vec<u8>,
}

impl Case {
    fn draw(numbers: &mut Numbers) -> Self {
        let len = numbers.below(80);
        let base_key = numbers.bytes(1 + len);
        let len = numbers.below(MAX_METADATA + 1);
        let metadata = numbers.bytes(len);
        // Half of them short, so that the edges of a block are met.
        let bound = if numbers.below(2) == 0 {
            40
        } else {
            MAX_PAYLOAD
        };
        let len = numbers.below(bound);
        Self {
            base_key,
            kid: numbers.of_any_length(),
            ctr: numbers.of_any_length(),
            metadata,
            payload: numbers.bytes(len),
        }
    }

    fn our_key(&self, suite: Suite) -> Key {
        Key::derive(suite, self.kid, &self.base_key).unwrap()
    }

    fn seal(&self, suite: Suite) -> Vec<u8> {
        let mut frame = Vec::new();
        self.our_key(suite)
            .dangerous_seal(self.ctr, &self.metadata, &self.payload, &mut frame)
            .unwrap();
        frame
    }

    fn they_seal(&self, suite: CipherSuite) -> Vec<u8> {
        let key = EncryptionKey::derive_from(suite, self.kid, &self.base_key).unwrap();
        let mut counter = MonotonicCounter::with_start_value(self.ctr, u64::MAX);
        MediaFrameView::try_with_meta_data(&mut counter, &self.payload, &self.metadata)
            .unwrap()
            .encrypt(&key)
            .unwrap()
            .sframe_cipher_text()
            .to_vec()
    }

    fn they_open(&self, suite: CipherSuite, frame: &[u8], metadata: &[u8]) -> Option<Vec<u8>> {
        let key = DecryptionKey::derive_from(suite, self.kid, &self.base_key).unwrap();
        let frame = EncryptedFrameView::try_with_meta_data(frame, metadata).ok()?;
        assert_eq!(frame.header().counter(), self.ctr, "{self:?}");
        Some(frame.decrypt(&key).ok()?.payload().to_vec())
    }
}

#[test]
fn both_seal_to_the_same_bytes_and_open_each_other() {
    for (suite, their_suite) in SUITES {
        let mut numbers = Numbers(u64::from(suite.number()));
        for _ in 0..CASES {
            let case = Case::draw(&mut numbers);
            let frame = case.seal(suite);
            assert!(frame == case.they_seal(their_suite), "{suite:?} {case:?}");

            let opened = case.they_open(their_suite, &frame, &case.metadata);
            assert!(opened.as_ref() == Some(&case.payload), "{suite:?} {case:?}");

            let mut out = Vec::new();
            let ctr = case
                .our_key(suite)
                .open(&case.metadata, &frame, &mut out)
                .unwrap();
            assert!(ctr == case.ctr && out == case.payload, "{suite:?} {case:?}");
        }
    }
}

#[test]
fn both_refuse_what_was_altered_anywhere() {
    for (suite, their_suite) in SUITES {
        let mut numbers = Numbers(0x5eed + u64::from(suite.number()));
        for _ in 0..CASES {
            let case = Case::draw(&mut numbers);
            let mut frame = case.seal(suite);
            // Not in the header, where a change makes another key or counter of it.
            let header_len = frame.len() - case.payload.len() - 16;
            let body_len = (frame.len() - header_len) as u64;
            let position = header_len + numbers.below(body_len) as usize;
            frame[position] ^= 1 << numbers.below(8);
            let mut out = Vec::new();
            let error = case
                .our_key(suite)
                .open(&case.metadata, &frame, &mut out)
                .unwrap_err();
            assert_eq!(error, SframeError::Forged, "{suite:?} {case:?}");
            let opened = case.they_open(their_suite, &frame, &case.metadata);
            assert_eq!(opened, None, "{suite:?} {case:?}");
        }
    }
}

#[test]
fn both_bind_the_metadata() {
    for (suite, their_suite) in SUITES {
        let mut numbers = Numbers(0xadd + u64::from(suite.number()));
        for _ in 0..CASES / 4 {
            let case = Case::draw(&mut numbers);
            let frame = case.seal(suite);
            let longer = [case.metadata.as_slice(), &[0]].concat();
            let error = case
                .our_key(suite)
                .open(&longer, &frame, &mut Vec::new())
                .unwrap_err();
            assert_eq!(error, SframeError::Forged, "{suite:?} {case:?}");
            assert_eq!(case.they_open(their_suite, &frame, &longer), None);
        }
    }
}
