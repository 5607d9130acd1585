//! Whatever a client sends to the service, or a service to a client.

use bolero::check;
use conclave_wire::{
    Admission, Attach, Blob, ClientMessage, Commit, DeviceId, Door, Entry, EntryBody, ErrorCode,
    Knock, List, MeetingId, MemberProof, OpenMeeting, ServerMessage, Token,
};
use fuzz::Feed;

fn blob<const MAX: usize>() -> Blob<MAX> {
    Blob::new(vec![0xb1; 20]).unwrap()
}

fn door() -> Door {
    Door {
        knock_hash: Token([2; 32]).hash(),
        descriptor: blob(),
    }
}

fn from_clients() -> Vec<ClientMessage> {
    let (meeting, device) = (MeetingId([1; 16]), DeviceId([3; 16]));
    vec![
        ClientMessage::Open(OpenMeeting {
            meeting,
            door: door(),
            lifetime_s: 3600,
            device,
            device_token: Token([4; 32]),
            epoch: 300,
            member_hash: Token([5; 32]).hash(),
            wants_knocks: true,
        }),
        ClientMessage::Look {
            meeting,
            knock_token: Token([2; 32]),
        },
        ClientMessage::Knock(Knock {
            meeting,
            knock_token: Token([2; 32]),
            device,
            device_hash: Token([4; 32]).hash(),
            card: blob(),
        }),
        ClientMessage::Attach(Attach {
            meeting,
            device,
            device_token: Token([4; 32]),
            proof: MemberProof {
                epoch: 300,
                token: Token([6; 32]),
            },
            from_seq: 70_000,
            wants_knocks: false,
        }),
        ClientMessage::Commit(Commit {
            expected_epoch: 300,
            commit: blob(),
            member_hash: Token([5; 32]).hash(),
            admission: Some(Admission {
                devices: List::new(vec![device, DeviceId([7; 16])]).unwrap(),
                welcome: blob(),
                tree: blob(),
            }),
            removed: List::new(vec![DeviceId([8; 16])]).unwrap(),
            door: Some(door()),
        }),
        ClientMessage::Publish { message: blob() },
        ClientMessage::Signal { message: blob() },
        ClientMessage::Direct {
            to: device,
            message: blob(),
        },
        ClientMessage::Describe(door()),
        ClientMessage::WantKnocks(true),
        ClientMessage::Refuse { device },
        ClientMessage::RequestGrant,
        ClientMessage::Leave,
    ]
}

fn from_the_service() -> Vec<ServerMessage> {
    let device = DeviceId([3; 16]);
    let entry = |body| {
        ServerMessage::Entry(Entry {
            seq: 70_000,
            from: device,
            body,
        })
    };
    vec![
        ServerMessage::Attached {
            known: true,
            epoch: 300,
            first_seq: 70_000,
            next_seq: 70_007,
        },
        ServerMessage::Descriptor { descriptor: blob() },
        ServerMessage::Waiting,
        ServerMessage::Knock {
            device,
            card: blob(),
        },
        ServerMessage::KnockWithdrawn { device },
        ServerMessage::Refused,
        ServerMessage::Welcome {
            epoch: 300,
            next_seq: 70_000,
            welcome: blob(),
            tree: blob(),
        },
        entry(EntryBody::Commit {
            epoch: 300,
            commit: blob(),
        }),
        entry(EntryBody::Application { message: blob() }),
        ServerMessage::Signal {
            from: device,
            message: blob(),
        },
        ServerMessage::CommitConflict { epoch: 300 },
        ServerMessage::Grant {
            path: "/r/abc".into(),
            token: "xyz".into(),
            lifetime_s: 30,
        },
        ServerMessage::Presence {
            device,
            online: true,
        },
        ServerMessage::Removed,
        ServerMessage::Error {
            code: ErrorCode::TooFast,
        },
    ]
}

fn client_messages_real() -> Vec<Vec<u8>> {
    from_clients().iter().map(|m| m.encode().unwrap()).collect()
}

fn server_messages_real() -> Vec<Vec<u8>> {
    from_the_service()
        .iter()
        .map(|m| m.encode().unwrap())
        .collect()
}

/// What is read once is written, and read again as the same.
#[test]
fn client_messages() {
    let real = client_messages_real();
    check!(name = "client_messages")
        .with_iterations(60_000)
        .with_max_len(512)
        .for_each(|input: &[u8]| {
            let bytes = Feed::new(input).forge(&real);
            if let Ok(message) = ClientMessage::decode(&bytes) {
                let again = message.encode().unwrap();
                assert_eq!(ClientMessage::decode(&again), Ok(message));
                assert!(again.len() <= bytes.len(), "the shortest form");
            }
        });
}

#[test]
fn server_messages() {
    let real = server_messages_real();
    check!(name = "server_messages")
        .with_iterations(60_000)
        .with_max_len(512)
        .for_each(|input: &[u8]| {
            let bytes = Feed::new(input).forge(&real);
            if let Ok(message) = ServerMessage::decode(&bytes) {
                let again = message.encode().unwrap();
                assert_eq!(ServerMessage::decode(&again), Ok(message));
                assert!(again.len() <= bytes.len(), "the shortest form");
            }
        });
}

/// Every message stands in the corpus, as it is encoded now.
#[test]
fn the_corpus_is_real() {
    fuzz::corpus::holds("client_messages", &client_messages_real());
    fuzz::corpus::holds("server_messages", &server_messages_real());
}
