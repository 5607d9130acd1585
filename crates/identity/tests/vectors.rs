//! The vectors of docs/vectors/codes.json, made from the description by another program.

use conclave_identity::{Comparison, SafetyNumber};
use serde_json::Value;

#[test]
fn a_safety_number_is_that_of_the_vectors() {
    let text = include_str!("../../../docs/vectors/codes.json");
    let vectors: Value = serde_json::from_str(text).unwrap();
    let bytes = |name: &str| hex::decode(vectors[name].as_str().unwrap()).unwrap();
    let mine = bytes("mine").try_into().unwrap();
    let theirs = bytes("theirs").try_into().unwrap();
    let number = SafetyNumber::new(&mine, &theirs);
    assert_eq!(vectors["safety_number"], number.digits());
    let scanned = bytes("scanned_from_theirs");
    assert_eq!(number.matches_scanned(&scanned), Comparison::Match);
}
