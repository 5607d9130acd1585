//! The messages of the control channel: their trip, their bounds, and whose ids they carry.

use conclave_wire::*;

fn blob<const MAX: usize>(len: usize) -> Blob<MAX> {
    Blob::new(vec![7; len]).expect("within the bound")
}

fn door() -> Door {
    Door {
        knock_hash: Token([2; 32]).hash(),
        descriptor: blob(90),
    }
}

fn commit(door: Option<Door>) -> Commit {
    Commit {
        expected_epoch: 300,
        commit: blob(50),
        member_hash: Token([3; 32]).hash(),
        admission: None,
        removed: List::default(),
        door,
    }
}

/// Every message about signals and the door.
fn new_to_the_wire() -> Vec<ClientMessage> {
    vec![
        ClientMessage::Signal { message: blob(40) },
        ClientMessage::Direct {
            to: DeviceId([5; 16]),
            message: blob(40),
        },
        ClientMessage::Describe(door()),
        ClientMessage::WantKnocks(true),
        ClientMessage::WantKnocks(false),
        ClientMessage::Commit(commit(None)),
        ClientMessage::Commit(commit(Some(door()))),
    ]
}

#[test]
fn signals_and_doors_survive_the_trip() {
    for message in new_to_the_wire() {
        let bytes = message.encode().expect("encodes");
        assert_eq!(ClientMessage::decode(&bytes), Ok(message));
    }
    let signal = ServerMessage::Signal {
        from: DeviceId([5; 16]),
        message: blob(40),
    };
    let bytes = signal.encode().expect("encodes");
    assert_eq!(ServerMessage::decode(&bytes), Ok(signal));
}

#[test]
fn every_cut_of_them_is_malformed() {
    for message in new_to_the_wire() {
        let bytes = message.encode().expect("encodes");
        for len in 1..bytes.len() {
            assert_eq!(
                ClientMessage::decode(&bytes[..len]),
                Err(DecodeError::Malformed),
                "{message:?} at {len}"
            );
        }
    }
}

/// `empty` ends with an empty blob; the same with a blob of `len` bytes.
fn grown(empty: &ClientMessage, mut len: usize) -> Vec<u8> {
    let mut bytes = empty.encode().expect("encodes");
    assert_eq!(bytes.pop(), Some(0), "the length of an empty blob");
    let body = len;
    while len >= 0x80 {
        bytes.push((len as u8 & 0x7f) | 0x80);
        len >>= 7;
    }
    bytes.push(len as u8);
    bytes.resize(bytes.len() + body, 0);
    bytes
}

#[test]
fn a_blob_passes_at_its_bound_and_not_above() {
    let signal = ClientMessage::Signal { message: blob(0) };
    let direct = ClientMessage::Direct {
        to: DeviceId([5; 16]),
        message: blob(0),
    };
    let describe = ClientMessage::Describe(Door {
        descriptor: blob(0),
        ..door()
    });
    for (empty, bound) in [
        (signal, MAX_SIGNAL),
        (direct, MAX_DIRECT),
        (describe, MAX_DESCRIPTOR),
    ] {
        assert!(ClientMessage::decode(&grown(&empty, bound)).is_ok());
        assert_eq!(
            ClientMessage::decode(&grown(&empty, bound + 1)),
            Err(DecodeError::Malformed),
            "{empty:?}"
        );
    }
}

#[test]
fn whatever_a_client_may_signal_fits_a_message_to_the_others() {
    let largest = ServerMessage::Signal {
        from: DeviceId([5; 16]),
        message: blob(MAX_DIRECT.max(MAX_SIGNAL)),
    };
    assert!(largest.encode().expect("fits").len() <= MAX_MESSAGE);
}

#[test]
fn a_device_id_is_cut_from_the_hash_of_its_token() {
    // SHA-256("Conclave device id v1" ‖ SHA-256(token)), its first 16 bytes.
    let id = DeviceId::of(&Token([0; 32]).hash());
    assert_eq!(id.to_string(), "f75653657caf1bc735a88db179256ce8");
    assert_ne!(id, DeviceId::of(&Token([1; 32]).hash()));
}

#[test]
fn no_message_shows_a_token_or_what_is_sealed() {
    let attach = ClientMessage::Attach(Attach {
        meeting: MeetingId([1; 16]),
        device: DeviceId([5; 16]),
        device_token: Token([0xab; 32]),
        proof: MemberProof {
            epoch: 4,
            token: Token([0xab; 32]),
        },
        from_seq: 0,
        wants_knocks: true,
    });
    let knock_hash = TokenHash([0xab; 32]);
    let describe = ClientMessage::Describe(Door {
        knock_hash,
        descriptor: Blob::new(vec![0xab; 40]).expect("within the bound"),
    });
    for message in [attach, describe] {
        let shown = format!("{message:?}");
        // 171 is 0xab.
        assert!(!shown.contains("171") && !shown.contains("abab"), "{shown}");
    }
}
