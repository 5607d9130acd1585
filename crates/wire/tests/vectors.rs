//! The vectors of docs/vectors, made from docs/protocol.md by another program.

use conclave_wire::{
    Attach, Blob, ClientMessage, DeviceId, Entry, EntryBody, ErrorCode, MeetingId, MemberProof,
    ServerMessage, Token,
};
use serde_json::Value;

fn read(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().expect("a string")).expect("hex")
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().expect("the length")
}

#[test]
fn a_device_is_named_as_in_the_vectors() {
    let vectors = read(include_str!("../../../docs/vectors/names.json"));
    let hash = Token(array(&vectors["device_token"])).hash();
    assert_eq!(hash.0, array(&vectors["device_token_hash"]));
    assert_eq!(DeviceId::of(&hash), DeviceId(array(&vectors["device_id"])));
}

#[test]
fn messages_are_encoded_as_in_the_vectors() {
    let vectors = read(include_str!("../../../docs/vectors/wire.json"));
    let link = read(include_str!("../../../docs/vectors/link.json"));
    let meeting = MeetingId(array(&link["meeting"]));
    let device = DeviceId([0x33; 16]);
    let look = ClientMessage::Look {
        meeting,
        knock_token: Token(array(&link["derived"]["knock_token"])),
    };
    let attach = ClientMessage::Attach(Attach {
        meeting,
        device,
        device_token: Token([0x44; 32]),
        proof: MemberProof {
            epoch: 300,
            token: Token([0x55; 32]),
        },
        from_seq: 70_000,
        wants_knocks: true,
    });
    for (name, message) in [("look", look), ("attach", attach)] {
        let expected = bytes(&vectors[name]);
        assert_eq!(message.encode().expect("encodes"), expected, "{name}");
        assert_eq!(ClientMessage::decode(&expected), Ok(message), "{name}");
    }
    let entry = ServerMessage::Entry(Entry {
        seq: 70_000,
        from: device,
        body: EntryBody::Commit {
            epoch: 301,
            commit: Blob::new(b"sealed".to_vec()).expect("short"),
        },
    });
    let too_fast = ServerMessage::Error {
        code: ErrorCode::TooFast,
    };
    for (name, message) in [
        ("entry", entry),
        ("too_fast", too_fast),
        ("removed", ServerMessage::Removed),
    ] {
        let expected = bytes(&vectors[name]);
        assert_eq!(message.encode().expect("encodes"), expected, "{name}");
        assert_eq!(ServerMessage::decode(&expected), Ok(message), "{name}");
    }
}
