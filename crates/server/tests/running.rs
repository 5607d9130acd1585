//! The server as a process: what it prints, keeps, says and survives.

mod process;
mod support;

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::Instant;

use conclave_server::limits::CONTROL_SILENCE;
use conclave_wire::{ClientMessage, EntryBody, ErrorCode, MAX_MESSAGE, ServerMessage};
use futures_util::{SinkExt as _, StreamExt as _};
use process::{Control, FAR, Server, pinned};
use support::{
    MEETING, admitting, attach_message, device, device_token, direct, door, epoch_token,
    knock_message, knock_token, open_message, publish, signal, signal_of,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

async fn open(server: &Server) -> Control {
    let mut host = server.control().await;
    host.send(ClientMessage::Open(open_message(1, 0))).await;
    assert!(matches!(
        host.expect().await,
        ServerMessage::Attached { known: true, .. }
    ));
    host
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_meet_over_real_sockets_and_the_log_names_nobody() {
    let server = Server::start();
    assert_eq!(
        server.url,
        format!("https://127.0.0.1:{}", server.address.port())
    );
    let mut host = open(&server).await;
    let mut guest = server.control().await;
    guest.send(ClientMessage::Knock(knock_message(2))).await;
    assert_eq!(guest.expect().await, ServerMessage::Waiting);
    assert!(
        matches!(host.expect().await, ServerMessage::Knock { device: who, .. } if who == device(2))
    );
    host.send(ClientMessage::Commit(admitting(0, &[device(2)])))
        .await;
    assert!(matches!(host.expect().await, ServerMessage::Entry(_)));
    assert!(matches!(
        guest.expect().await,
        ServerMessage::Welcome { epoch: 1, .. }
    ));
    guest.send(publish(b"a known plaintext")).await;
    for client in [&mut host, &mut guest] {
        let ServerMessage::Entry(entry) = client.expect().await else {
            panic!("no entry")
        };
        assert!(
            matches!(entry.body, EntryBody::Application { message } if message.as_slice() == b"a known plaintext")
        );
    }
    guest.send(signal(b"a known plaintext")).await;
    assert_eq!(host.expect().await, signal_of(2, b"a known plaintext"));
    host.send(direct(2, b"a known plaintext")).await;
    assert_eq!(guest.expect().await, signal_of(1, b"a known plaintext"));
    let another = door(&knock_token(), b"a plaintext descriptor");
    host.send(ClientMessage::Describe(another)).await;
    host.send(ClientMessage::WantKnocks(true)).await;
    guest.send(ClientMessage::RequestGrant).await;
    let ServerMessage::Grant { token, .. } = guest.expect().await else {
        panic!("no grant")
    };

    // Nothing is on disk while it runs.
    let kept = |dir: &std::path::Path| {
        std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect()
    };
    let names: Vec<_> = kept(server.dir.path());
    assert_eq!(names, ["tmp"]);
    assert_eq!(
        kept(&server.dir.path().join("tmp")),
        Vec::<std::ffi::OsString>::new()
    );

    let port = server.address.port().to_string();
    let (status, log) = server.stop();
    assert!(status.success());
    assert!(
        log.contains("a meeting was opened"),
        "the log speaks: {log}"
    );
    for secret in [
        "127.0.0.1",
        "localhost",
        port.as_str(),
        token.as_str(),
        "plaintext",
    ] {
        assert!(!log.contains(secret), "the log tells {secret}: {log}");
    }
    let tokens = [
        knock_token(),
        device_token(1),
        device_token(2),
        epoch_token(1),
    ];
    let shown = tokens
        .iter()
        .flat_map(|token| [token.0, token.hash().0])
        .map(hex::encode)
        .chain([MEETING.to_string()])
        .chain([1, 2].map(|n| device(n).to_string()));
    for id in shown {
        // The beginning is enough to tell somebody by.
        assert!(
            !log.to_lowercase().contains(&id[..16]),
            "the log tells an id or a token: {log}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_its_own_paths_exist() {
    let server = Server::start();
    let health = server.get("/health").await;
    assert!(
        health.starts_with("HTTP/1.1 200") && health.ends_with("ok\n"),
        "{health}"
    );
    let meeting = format!("/m/{MEETING}");
    for path in [
        "/",
        "/announced",
        "/announced/m",
        "/fetch/m/a/b",
        "/certificate.sha256",
        "/metrics",
        "/sessions",
    ] {
        let response = server.get(path).await;
        assert!(response.starts_with("HTTP/1.1 404"), "{path}: {response}");
    }
    let relay = server.get(&meeting).await;
    assert!(!relay.starts_with("HTTP/1.1 2"), "{relay}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_certificate_is_not_accepted() {
    let server = Server::start();
    let refused = server.try_tls(pinned(&"ab".repeat(32))).await.unwrap_err();
    assert!(
        refused.to_string().contains("fingerprint mismatch"),
        "{refused}"
    );
    assert!(server.try_tls(server.pinned_tls()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_and_oversize_are_answered_and_shown_out() {
    let server = Server::start();
    let cases: [(Message, ErrorCode); 4] = [
        (
            Message::Binary(vec![0xff; 64].into()),
            ErrorCode::UnsupportedVersion,
        ),
        (
            Message::Binary(vec![1, 0xff, 0xff].into()),
            ErrorCode::Malformed,
        ),
        (Message::Text("hello".into()), ErrorCode::Malformed),
        (
            Message::Binary(vec![1; MAX_MESSAGE + 1].into()),
            ErrorCode::TooLarge,
        ),
    ];
    for (message, code) in cases {
        let mut client = server.control().await;
        client.send_raw(message).await;
        assert_eq!(client.expect().await, ServerMessage::Error { code });
        assert_eq!(client.next().await, None);
    }
    // Far over the bound, the connection ends while the frame is being sent.
    let mut client = server.control().await;
    let huge = Message::Binary(vec![1; 3 * MAX_MESSAGE].into());
    let _ = client.socket.send(huge).await;
    while client.next().await.is_some() {}
    let mut raw = server.tls().await;
    raw.write_all(&[0x16; 4096]).await.unwrap();
    let mut rest = Vec::new();
    let _ = timeout(FAR, raw.read_to_end(&mut rest)).await.unwrap();

    open(&server).await;
    let (status, log) = server.stop();
    assert!(status.success() && !log.contains("panicked"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_closes_connections_in_order() {
    for signal in ["TERM", "INT"] {
        let server = Server::start();
        let mut host = open(&server).await;
        let mut stopped = tokio::task::spawn_blocking(move || {
            let begun = std::time::Instant::now();
            let (status, log) = server.signal(signal);
            (status, log, begun.elapsed())
        });
        let closed = loop {
            match host.socket.next().await {
                Some(Ok(Message::Close(frame))) => break frame,
                Some(Ok(_)) => {}
                other => panic!("no goodbye came: {other:?}, {:?}", (&mut stopped).await),
            }
        };
        assert_eq!(u16::from(closed.unwrap().code), 1001);
        let (status, log, took) = stopped.await.unwrap();
        assert!(status.success() && log.contains("stopped"), "{log}");
        assert!(took.as_secs() < 4, "stopping took {took:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn given_certificate_files_are_served_and_outlive_a_restart_on_the_same_port() {
    let files = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (cert, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let (cert, key) = (cert.to_str().unwrap(), key.to_str().unwrap());

    let server = Server::start_with(&[
        "--listen",
        "127.0.0.1:0",
        "--cert",
        cert,
        "--key",
        key,
        "--name",
        "localhost",
    ]);
    let (address, fingerprint) = (server.address, server.fingerprint.clone());
    assert!(server.url.starts_with("https://localhost:"));
    let _host = open(&server).await;
    server.stop();

    let listen = address.to_string();
    let server = Server::start_with(&["--listen", &listen, "--cert", cert, "--key", key]);
    assert_eq!(server.fingerprint, fingerprint);
    let mut host = server.control().await;
    host.send(ClientMessage::Attach(attach_message(1, 0, 0)))
        .await;
    assert_eq!(
        host.expect().await,
        ServerMessage::Error {
            code: ErrorCode::NoSuchMeeting
        }
    );
    // The same connection restores what the restart has lost.
    host.send(ClientMessage::Open(open_message(1, 0))).await;
    assert!(matches!(
        host.expect().await,
        ServerMessage::Attached { .. }
    ));
}

#[test]
fn what_keeps_it_from_starting_is_said_in_a_sentence() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let cases: [(&[&str], &str); 2] = [
        (&["--listen", &listen], "cannot listen on TCP"),
        (
            &[
                "--listen",
                "127.0.0.1:0",
                "--cert",
                "/nowhere.pem",
                "--key",
                "/nowhere.pem",
            ],
            "/nowhere.pem holds no",
        ),
    ];
    for (arguments, sentence) in cases {
        let mut child = Command::new(env!("CARGO_BIN_EXE_conclave-server"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(1));
        assert!(
            said.contains(sentence) && !said.contains("panicked"),
            "{said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_falls_silent_is_gone_and_who_answers_stays() {
    let server = Server::start();
    let mut host = open(&server).await;
    let mut silent = server.control().await;
    silent
        .send(ClientMessage::Attach(attach_message(2, 0, 0)))
        .await;
    assert!(matches!(
        silent.expect().await,
        ServerMessage::Attached { known: false, .. }
    ));

    // From here on nobody reads for the second device, so its pings go unanswered.
    let begun = Instant::now();
    let gone = ServerMessage::Presence {
        device: device(2),
        online: false,
    };
    loop {
        match timeout(FAR, host.socket.next())
            .await
            .expect("nobody notices")
            .unwrap()
            .unwrap()
        {
            Message::Binary(frame) if ServerMessage::decode(&frame).unwrap() == gone => break,
            _ => {}
        }
    }
    assert!(begun.elapsed() >= CONTROL_SILENCE);
    host.send(publish(b"still here")).await;
    assert!(matches!(host.expect().await, ServerMessage::Entry(_)));
}
