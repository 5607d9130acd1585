//! Clients of a delivery service in this process: real sessions, no sockets.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use conclave_server::delivery::{DeliveryService, Log, MemoryLog, Next, Session};
use conclave_wire::*;

pub const MEETING: MeetingId = MeetingId([0x4d; 16]);
pub const FAR: Duration = Duration::from_secs(5);

/// A connection of one device.
pub struct Client<L: Log = MemoryLog> {
    session: Session<L>,
    /// Presence is a hint that comes at any time; most tests look past it.
    pub presence: VecDeque<(DeviceId, bool)>,
}

impl<L: Log> Client<L> {
    pub fn new(service: &Arc<DeliveryService<L>>) -> Self {
        Self {
            session: Session::new(service.clone()),
            presence: VecDeque::new(),
        }
    }

    pub async fn send(&mut self, message: ClientMessage) {
        self.session.handle(&message.encode().unwrap()).await;
    }

    pub async fn send_raw(&mut self, frame: &[u8]) {
        self.session.handle(frame).await;
    }

    /// The next message that is no presence; none when the service closes the connection.
    pub async fn next(&mut self) -> Option<ServerMessage> {
        loop {
            let next = tokio::time::timeout(FAR, self.session.next()).await;
            match next.expect("the service says nothing") {
                Next::Close => return None,
                Next::Frame(frame) => match ServerMessage::decode(&frame).unwrap() {
                    ServerMessage::Presence { device, online } => {
                        self.presence.push_back((device, online))
                    }
                    message => return Some(message),
                },
            }
        }
    }

    pub async fn expect(&mut self) -> ServerMessage {
        self.next()
            .await
            .expect("the service closed the connection")
    }

    pub async fn expect_entry(&mut self) -> Entry {
        match self.expect().await {
            ServerMessage::Entry(entry) => entry,
            other => panic!("an entry was expected, not {other:?}"),
        }
    }

    pub async fn expect_knock(&mut self, n: u8) {
        let knock = ServerMessage::Knock {
            device: device(n),
            card: knock_message(n).card,
        };
        assert_eq!(self.expect().await, knock);
    }

    /// An error, and then the end of the connection.
    pub async fn expect_end(&mut self, code: ErrorCode) {
        self.expect_error(code).await;
        assert_eq!(self.next().await, None);
    }

    pub async fn expect_error(&mut self, code: ErrorCode) {
        assert_eq!(self.expect().await, ServerMessage::Error { code });
    }

    /// Nothing but presence comes within a while.
    pub async fn expect_silence(&mut self) {
        let until = tokio::time::Instant::now() + Duration::from_millis(50);
        while let Ok(next) = tokio::time::timeout_at(until, self.session.next()).await {
            let Next::Frame(frame) = next else {
                panic!("the service closed the connection");
            };
            match ServerMessage::decode(&frame).unwrap() {
                ServerMessage::Presence { device, online } => {
                    self.presence.push_back((device, online))
                }
                message => panic!("silence was expected, not {message:?}"),
            }
        }
    }

    pub async fn attached(&mut self) -> (bool, u64, u64, u64) {
        match self.expect().await {
            ServerMessage::Attached {
                known,
                epoch,
                first_seq,
                next_seq,
            } => (known, epoch, first_seq, next_seq),
            other => panic!("attached was expected, not {other:?}"),
        }
    }

    pub async fn close(self) {
        self.session.close().await;
    }
}

pub fn device(n: u8) -> DeviceId {
    DeviceId::of(&device_token(n).hash())
}

pub fn device_token(n: u8) -> Token {
    Token([n; 32])
}

pub fn knock_token() -> Token {
    Token([0xaa; 32])
}

/// What members of an epoch derive.
pub fn epoch_token(epoch: u64) -> Token {
    let mut token = [0xee; 32];
    token[..8].copy_from_slice(&epoch.to_le_bytes());
    Token(token)
}

pub fn blob<const MAX: usize>(bytes: &[u8]) -> Blob<MAX> {
    Blob::new(bytes.to_vec()).unwrap()
}

pub fn door(knock_token: &Token, descriptor: &[u8]) -> Door {
    Door {
        knock_hash: knock_token.hash(),
        descriptor: blob(descriptor),
    }
}

pub fn open_message(n: u8, epoch: u64) -> OpenMeeting {
    OpenMeeting {
        meeting: MEETING,
        door: door(&knock_token(), b"sealed descriptor"),
        lifetime_s: 3600,
        device: device(n),
        device_token: device_token(n),
        epoch,
        member_hash: epoch_token(epoch).hash(),
        wants_knocks: true,
    }
}

pub fn knock_message(n: u8) -> Knock {
    Knock {
        meeting: MEETING,
        knock_token: knock_token(),
        device: device(n),
        device_hash: device_token(n).hash(),
        card: blob(&[n; 40]),
    }
}

pub fn attach_message(n: u8, epoch: u64, from_seq: u64) -> Attach {
    Attach {
        meeting: MEETING,
        device: device(n),
        device_token: device_token(n),
        proof: MemberProof {
            epoch,
            token: epoch_token(epoch),
        },
        from_seq,
        wants_knocks: false,
    }
}

pub fn commit_message(expected_epoch: u64, bytes: &[u8]) -> Commit {
    Commit {
        expected_epoch,
        commit: blob(bytes),
        member_hash: epoch_token(expected_epoch + 1).hash(),
        admission: None,
        removed: List::default(),
        door: None,
    }
}

pub fn admitting(expected_epoch: u64, devices: &[DeviceId]) -> Commit {
    Commit {
        admission: Some(Admission {
            devices: List::new(devices.to_vec()).unwrap(),
            welcome: blob(b"sealed welcome"),
            tree: blob(b"sealed tree"),
        }),
        ..commit_message(expected_epoch, b"adds")
    }
}

pub fn removing(expected_epoch: u64, devices: &[DeviceId]) -> Commit {
    Commit {
        removed: List::new(devices.to_vec()).unwrap(),
        ..commit_message(expected_epoch, b"removes")
    }
}

pub fn publish(bytes: &[u8]) -> ClientMessage {
    ClientMessage::Publish {
        message: blob(bytes),
    }
}

pub fn signal(bytes: &[u8]) -> ClientMessage {
    ClientMessage::Signal {
        message: blob(bytes),
    }
}

pub fn direct(n: u8, bytes: &[u8]) -> ClientMessage {
    ClientMessage::Direct {
        to: device(n),
        message: blob(bytes),
    }
}

/// What a signal of device `n` looks like to those who get it.
pub fn signal_of(n: u8, bytes: &[u8]) -> ServerMessage {
    ServerMessage::Signal {
        from: device(n),
        message: blob(bytes),
    }
}

/// A host in a fresh meeting at epoch 0, and where its log begins.
pub async fn host<L: Log>(service: &Arc<DeliveryService<L>>) -> (Client<L>, u64) {
    let mut host = Client::new(service);
    host.send(ClientMessage::Open(open_message(1, 0))).await;
    let (known, epoch, first_seq, next_seq) = host.attached().await;
    assert!(known && epoch == 0 && first_seq == next_seq);
    (host, first_seq)
}

/// Device `n` attaches to the host's meeting, which is at `epoch`, as after a restart. What the log
/// holds comes first.
pub async fn member<L: Log>(service: &Arc<DeliveryService<L>>, n: u8, epoch: u64) -> Client<L> {
    let mut member = Client::new(service);
    member
        .send(ClientMessage::Attach(attach_message(n, epoch, 0)))
        .await;
    member.attached().await;
    member
}

/// Device `n` knocks and waits, and the host sees it.
pub async fn waiting<L: Log>(
    service: &Arc<DeliveryService<L>>,
    host: &mut Client<L>,
    n: u8,
) -> Client<L> {
    let mut guest = Client::new(service);
    guest.send(ClientMessage::Knock(knock_message(n))).await;
    assert_eq!(guest.expect().await, ServerMessage::Waiting);
    host.expect_knock(n).await;
    guest
}

/// Device `n` knocks, and the host lets it in with a commit that ends `epoch`.
pub async fn let_in<L: Log>(
    service: &Arc<DeliveryService<L>>,
    host: &mut Client<L>,
    n: u8,
    epoch: u64,
) -> (Client<L>, u64) {
    let mut guest = waiting(service, host, n).await;
    host.send(ClientMessage::Commit(admitting(epoch, &[device(n)])))
        .await;
    let commit = host.expect_entry().await;
    let ServerMessage::Welcome {
        epoch: begun,
        next_seq,
        ..
    } = guest.expect().await
    else {
        panic!("no welcome came");
    };
    assert_eq!((begun, next_seq), (epoch + 1, commit.seq + 1));
    (guest, next_seq)
}
