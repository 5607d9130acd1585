//! The media relay of the real server: who gets in, where, and until when, over QUIC and over
//! WebSocket.

mod process;
mod support;

use std::time::Duration;

use conclave_wire::{ClientMessage, MeetingId, ServerMessage};
use moq_net::track;
use process::{Control, FAR, Server};
use support::{MEETING, admitting, device, knock_message, open_message, removing};

/// How a client reaches the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    Quic,
    WebSocket,
}

fn client(server: &Server) -> moq_tokio::Client {
    let mut config = moq_tokio::connect::Config::default();
    config.tls.fingerprint = vec![server.fingerprint_hex()];
    config.bind = Some("127.0.0.1:0".parse().unwrap());
    config
        .init(moq_tokio::quic::Config::default())
        .unwrap()
        .with_reconnect(false)
}

fn url(server: &Server, over: Over, path: &str, token: &str) -> url::Url {
    let scheme = match over {
        Over::Quic => "https",
        Over::WebSocket => "wss",
    };
    format!(
        "{scheme}://127.0.0.1:{}{path}?token={token}",
        server.address.port()
    )
    .parse()
    .unwrap()
}

async fn grant(control: &mut Control) -> (String, String) {
    control.send(ClientMessage::RequestGrant).await;
    loop {
        if let ServerMessage::Grant { path, token, .. } = control.expect().await {
            return (path, token);
        }
    }
}

/// A host and a guest in a meeting.
async fn meeting(server: &Server) -> (Control, Control) {
    let mut host = server.control().await;
    host.send(ClientMessage::Open(open_message(1, 0))).await;
    host.expect().await;
    let mut guest = server.control().await;
    guest.send(ClientMessage::Knock(knock_message(2))).await;
    guest.expect().await;
    host.expect().await;
    host.send(ClientMessage::Commit(admitting(0, &[device(2)])))
        .await;
    guest.expect().await;
    (host, guest)
}

async fn connect(
    client: moq_tokio::Client,
    url: url::Url,
) -> Result<moq_tokio::Connection, moq_tokio::Error> {
    tokio::time::timeout(FAR, client.connect(url).established())
        .await
        .expect("the relay says nothing")
}

/// Whether the relay keeps a session. Over QUIC it turns a client away only after the handshake,
/// so a refusal shows as a session that ends at once.
async fn gets_in(server: &Server, over: Over, path: &str, token: &str) -> bool {
    let Ok(connection) = connect(client(server), url(server, over, path, token)).await else {
        return false;
    };
    tokio::time::timeout(Duration::from_secs(1), connection.closed())
        .await
        .is_err()
}

async fn frames_pass(over: Over) {
    let server = Server::start();
    let (mut host, mut guest) = meeting(&server).await;

    let mine = moq_tokio::origin::spawn();
    let broadcast = mine.create_broadcast(format!("{}/cam", device(1))).unwrap();
    let mut track = broadcast
        .create_track("video", track::Info::default())
        .unwrap();
    broadcast.announce(Default::default()).unwrap();
    // Under somebody else's name, and beside all names.
    let stolen = mine.create_broadcast(format!("{}/cam", device(2))).unwrap();
    let _stolen_track = stolen
        .create_track("video", track::Info::default())
        .unwrap();
    stolen.announce(Default::default()).unwrap();
    let (path, token) = grant(&mut host).await;
    let _publishing = connect(
        client(&server).with_publisher(&mine),
        url(&server, over, &path, &token),
    )
    .await
    .unwrap();

    let theirs = moq_tokio::origin::spawn();
    let (path, token) = grant(&mut guest).await;
    let watching = connect(
        client(&server).with_subscriber(theirs.clone()),
        url(&server, over, &path, &token),
    )
    .await
    .unwrap();
    let consumer = theirs.consume();
    let name = format!("{}/cam", device(1));
    let seen = tokio::time::timeout(FAR, async {
        loop {
            if let Ok(broadcast) = consumer.request_broadcast(&name).await {
                break broadcast;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let mut frames = seen
        .await
        .unwrap()
        .track("video")
        .unwrap()
        .subscribe(None)
        .await
        .unwrap();
    let writing = tokio::spawn(async move {
        loop {
            let now = moq_net::Timestamp::from_micros(1).unwrap();
            track.write_frame(now, b"sealed".to_vec()).unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let frame = loop {
        let mut group = tokio::time::timeout(FAR, frames.recv_group())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        match group.read_frame().await {
            // On a busy computer it has given way to the next one before it is read.
            Err(moq_net::Error::Old) => {}
            frame => break frame.unwrap().unwrap(),
        }
    };
    assert_eq!(&frame.payload[..], b"sealed");
    let stolen = tokio::time::timeout(Duration::from_millis(300), async {
        let broadcast = consumer
            .request_broadcast(format!("{}/cam", device(2)))
            .await
            .ok()?;
        broadcast.track("video").ok()?.subscribe(None).await.ok()
    });
    assert!(
        !matches!(stolen.await, Ok(Some(_))),
        "a device publishes under its own name only"
    );

    // Removed: the session ends at once, and the token opens nothing any more.
    host.send(ClientMessage::Commit(removing(1, &[device(2)])))
        .await;
    assert!(
        tokio::time::timeout(Duration::from_secs(2), watching.closed())
            .await
            .is_ok(),
        "the session goes on"
    );
    assert!(!gets_in(&server, over, &path, &token).await);
    writing.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_pass_over_quic_until_the_device_is_removed() {
    frames_pass(Over::Quic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_pass_over_websocket_until_the_device_is_removed() {
    frames_pass(Over::WebSocket).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_in_without_a_grant_or_elsewhere_with_one() {
    let server = Server::start();
    let (mut host, _guest) = meeting(&server).await;
    let (path, token) = grant(&mut host).await;
    let elsewhere = format!("/m/{}", MeetingId([1; 16]));
    let wrong = "A".repeat(43);
    for over in [Over::Quic, Over::WebSocket] {
        for (path, token) in [
            (path.as_str(), wrong.as_str()),
            (path.as_str(), ""),
            (&elsewhere, &token),
            ("/", &token),
        ] {
            assert!(
                !gets_in(&server, over, path, token).await,
                "{over:?} {path} got in"
            );
        }
        assert!(
            gets_in(&server, over, &path, &token).await,
            "{over:?} with a grant"
        );
    }
    assert_eq!(path, format!("/m/{MEETING}"));
    let (_, log) = server.stop();
    assert!(log.contains("turned somebody away"));
    for secret in [token.as_str(), path.as_str(), "127.0.0.1"] {
        assert!(!log.contains(secret), "the log tells {secret}: {log}");
    }
}
