//! Bytes from the other side: every bound is checked, nothing panics.

use conclave_wire::*;

fn entry(len: usize) -> ServerMessage {
    let message = Blob::new(vec![7; len]).expect("within the bound");
    ServerMessage::Entry(Entry {
        seq: 9,
        from: DeviceId([3; 16]),
        body: EntryBody::Application { message },
    })
}

#[test]
fn a_message_survives_the_trip() {
    let message = entry(1000);
    let bytes = message.encode().expect("encodes");
    assert_eq!(bytes[0], VERSION);
    assert_eq!(ServerMessage::decode(&bytes), Ok(message));
}

#[test]
fn every_cut_is_malformed() {
    let bytes = entry(40).encode().expect("encodes");
    for len in 0..bytes.len() {
        assert_eq!(
            ServerMessage::decode(&bytes[..len]),
            Err(DecodeError::Malformed),
            "at {len}"
        );
    }
}

#[test]
fn bytes_left_over_are_malformed() {
    let mut bytes = entry(4).encode().expect("encodes");
    bytes.push(0);
    assert_eq!(ServerMessage::decode(&bytes), Err(DecodeError::Malformed));
}

#[test]
fn another_version_is_named() {
    let mut bytes = entry(4).encode().expect("encodes");
    bytes[0] = VERSION + 1;
    assert_eq!(
        ServerMessage::decode(&bytes),
        Err(DecodeError::Version(VERSION + 1))
    );
}

#[test]
fn a_blob_over_its_bound_is_refused_on_both_sides() {
    assert_eq!(Blob::<8>::new(vec![0; 9]), Err(TooLong { len: 9, max: 8 }));
    let mut bytes = vec![VERSION, 8];
    // Publish{message}: a length one over the bound, then that many bytes.
    let over = MAX_PUBLISH + 1;
    let publish = ClientMessage::Publish {
        message: Blob::new(vec![0; MAX_PUBLISH]).expect("at the bound"),
    };
    let fine = publish.encode().expect("encodes");
    assert!(ClientMessage::decode(&fine).is_ok());
    bytes.truncate(1);
    bytes.push(fine[1]);
    let mut length = over;
    while length >= 0x80 {
        bytes.push((length as u8 & 0x7f) | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.resize(bytes.len() + over, 0);
    assert_eq!(ClientMessage::decode(&bytes), Err(DecodeError::Malformed));
}

#[test]
fn a_frame_over_the_bound_is_refused_before_it_is_read() {
    let bytes = vec![VERSION; MAX_MESSAGE + 1];
    assert_eq!(
        ServerMessage::decode(&bytes),
        Err(DecodeError::TooLarge(MAX_MESSAGE + 1))
    );
}

/// A commit that lets somebody in with a tree of this size.
fn commit(tree: usize, removed: usize) -> ClientMessage {
    let device = DeviceId([4; 16]);
    let admission = Admission {
        devices: List::new(vec![device]).expect("one"),
        welcome: Blob::new(vec![2; MAX_WELCOME]).expect("at the bound"),
        tree: Blob::new(vec![3; tree]).expect("within the bound"),
    };
    ClientMessage::Commit(Commit {
        expected_epoch: 1,
        commit: Blob::new(vec![1; MAX_COMMIT]).expect("at the bound"),
        member_hash: TokenHash([5; 32]),
        admission: Some(admission),
        removed: List::new(vec![device; removed]).expect("within the bound"),
        door: None,
    })
}

#[test]
fn a_message_may_be_as_long_as_the_bound_and_no_longer() {
    let some = 2 * 1024 * 1024 - 1024;
    let around = commit(some, 0).encode().expect("encodes").len() - some;
    let largest = commit(MAX_MESSAGE - around, 0);
    let bytes = largest.encode().expect("encodes");
    assert_eq!(bytes.len(), MAX_MESSAGE);
    assert_eq!(ClientMessage::decode(&bytes), Ok(largest));
    for over in [1, 2] {
        assert_eq!(
            commit(MAX_MESSAGE - around + over, 0).encode(),
            Err(EncodeError::TooLarge(MAX_MESSAGE + over))
        );
    }
}

#[test]
fn a_list_may_be_as_long_as_its_bound_and_no_longer() {
    let full = commit(0, MAX_BATCH);
    let bytes = full.encode().expect("encodes");
    assert_eq!(ClientMessage::decode(&bytes), Ok(full));
    let over = List::<u8, 2>::new(vec![0; 3]);
    assert_eq!(over, Err(TooLong { len: 3, max: 2 }));
}

#[test]
fn tokens_do_not_show_themselves() {
    let token = Token([0xab; 32]);
    assert_eq!(
        format!("{token:?} {:?}", token.hash()),
        "Token(redacted) TokenHash(redacted)"
    );
    assert!(token.hash().admits(&token));
    assert!(!token.hash().admits(&Token([0xac; 32])));
}

#[test]
fn ids_read_what_they_write() {
    let id = MeetingId([0x0f; 16]);
    assert_eq!(id.to_string().parse(), Ok(id));
    assert!("xyz".parse::<MeetingId>().is_err());
    assert!("é".repeat(16).parse::<MeetingId>().is_err());
}
