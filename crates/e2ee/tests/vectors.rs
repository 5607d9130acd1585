//! The vectors of docs/vectors, made from docs/protocol.md by another program.

use conclave_e2ee::{BlobError, DeviceKey, LinkSecret, fingerprint16, verify_device, verify_leaf};
use serde_json::Value;

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap()
}

#[test]
fn the_keys_of_a_link_are_those_of_the_vectors() {
    let vectors = read(include_str!("../../../docs/vectors/link.json"));
    let link = LinkSecret::from_bytes(array(&vectors["secret"]));
    let derived = &vectors["derived"];
    assert_eq!(*link.knock_token().expose(), array(&derived["knock_token"]));
    assert_eq!(fingerprint16(&bytes(&vectors["host_key"])).len(), 16);
    let seal = &vectors["outer_seal"];
    let sealed = bytes(&seal["sealed"]);
    let (generation, blob) = sealed.split_at(4);
    assert_eq!(generation, [0; 4]);
    let opened = link.handshake_key().open(&bytes(&seal["aad"]), blob);
    assert_eq!(opened.unwrap(), bytes(&seal["plaintext"]));
    let other = link.descriptor_key().open(&bytes(&seal["aad"]), blob);
    assert_eq!(other, Err(BlobError::Forged));
}

#[test]
fn the_descriptors_seal_is_that_of_the_vectors() {
    let link = read(include_str!("../../../docs/vectors/link.json"));
    let door = read(include_str!("../../../docs/vectors/door.json"));
    let link = LinkSecret::from_bytes(array(&link["secret"]));
    let opened = link
        .descriptor_key()
        .open(&bytes(&door["aad"]), &bytes(&door["sealed"]))
        .unwrap();
    let (descriptor, signature) = (bytes(&door["descriptor"]), bytes(&door["signature"]));
    assert_eq!(opened, [descriptor, vec![64], signature].concat());
}

#[test]
fn signatures_and_fingerprints_are_those_of_the_vectors() {
    let vectors = read(include_str!("../../../docs/vectors/names.json"));
    let key = DeviceKey::from_seed(array::<32>(&vectors["seed"])).unwrap();
    let public = array(&vectors["public"]);
    assert_eq!(key.public(), public);
    assert_eq!(fingerprint16(&public), array(&vectors["fingerprint"]));
    let (domain, message) = (
        vectors["domain"].as_str().unwrap(),
        bytes(&vectors["message"]),
    );
    let by_device = array(&vectors["device_signature"]);
    let by_leaf = array(&vectors["leaf_signature"]);
    assert_eq!(key.sign(domain, &message), by_device);
    verify_device(&public, domain, &message, &by_device).unwrap();
    verify_leaf(&public, domain, &message, &by_leaf).unwrap();
    // One is not the other, though the key is the same.
    assert!(verify_device(&public, domain, &message, &by_leaf).is_err());
    assert!(verify_leaf(&public, domain, &message, &by_device).is_err());
}
