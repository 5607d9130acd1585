//! The committed corpus: real encodings, so that a fuzzer need not find them by itself.
//!
//! `CONCLAVE_RECORD=1 cargo test -p fuzz` writes it. Otherwise it is compared with what is encoded
//! now: a format that changes changes the corpus.

use std::path::{Path, PathBuf};

/// Largest file, in bytes.
const MAX_FILE: usize = 8 * 1024;

/// The corpus of one target.
pub fn folder(target: &str) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    tests.join("__fuzz__").join(target).join("corpus")
}

/// Holds that the corpus of a target has each of these messages: a file for each, in which a byte
/// of 0 stands before it ([`crate::Feed::forge`]).
///
/// # Panics
/// If one is missing, or not as it is encoded now.
pub fn holds(target: &str, real: &[Vec<u8>]) {
    for (number, message) in real.iter().enumerate() {
        holds_plan(target, number, &[&[0], message.as_slice()].concat());
    }
}

/// Holds that one file of the corpus is this whole input.
///
/// # Panics
/// If it is missing or another.
pub fn holds_plan(target: &str, number: usize, input: &[u8]) {
    assert!(input.len() <= MAX_FILE, "a corpus is kept small");
    let folder = folder(target);
    let file = folder.join(format!("{number:02}"));
    if std::env::var_os("CONCLAVE_RECORD").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(&file, input).unwrap();
    }
    let there = std::fs::read(&file).unwrap_or_default();
    assert!(
        there == input,
        "{target}/{number:02} is out of date: run CONCLAVE_RECORD=1 cargo test -p fuzz"
    );
}
