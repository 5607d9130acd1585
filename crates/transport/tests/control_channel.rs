//! The control channel: whom it trusts, what it carries, how it ends.

mod local;

use std::time::{Duration, Instant};

use conclave_transport::control::{DEAD_AFTER, INCOMING_QUEUE, MAX_MESSAGE};
use conclave_transport::{ConnectError, ControlChannel, Proxies, ReceiveError, SendError, Trust};
use futures_util::{SinkExt, StreamExt};
use local::{Certificate, TlsServer, soon, unused_endpoint};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

type ServerSocket = WebSocketStream<TlsStream<TcpStream>>;

/// A client's channel and the server's end of it.
async fn connected() -> (ControlChannel, ServerSocket) {
    let certificate = Certificate::generate();
    let server = TlsServer::bind(&certificate).await;
    let (endpoint, pin) = (server.endpoint(), certificate.pin());
    let accepting = async {
        let stream = server.accept().await.unwrap();
        tokio_tungstenite::accept_async(stream).await.unwrap()
    };
    let connecting = ControlChannel::connect(&endpoint, &pin, &Proxies::None);
    let (channel, socket) = soon(async { tokio::join!(connecting, accepting) }).await;
    (channel.unwrap(), socket)
}

/// What a client finds that connects to a server with this certificate and this trust.
async fn refusal(server: TlsServer, trust: Trust) -> ConnectError {
    let endpoint = server.endpoint();
    let accepting = tokio::spawn(async move {
        let _ = server.accept().await;
    });
    let connected = soon(ControlChannel::connect(&endpoint, &trust, &Proxies::None)).await;
    accepting.abort();
    connected.expect_err("the connection was accepted")
}

async fn next_message(socket: &mut ServerSocket) -> Message {
    loop {
        match socket.next().await.unwrap().unwrap() {
            Message::Ping(_) | Message::Pong(_) => {}
            message => return message,
        }
    }
}

#[tokio::test]
async fn messages_of_every_allowed_size_pass_in_both_directions() {
    let (mut channel, mut socket) = connected().await;
    for size in [0, 1, 65_536, MAX_MESSAGE] {
        let message = vec![0xa5; size];
        let sending = channel.send(message.clone());
        let (sent, received) =
            soon(async { tokio::join!(sending, next_message(&mut socket)) }).await;
        sent.unwrap();
        assert_eq!(received.into_data(), message);

        let answering = socket.send(Message::Binary(message.clone().into()));
        let (answered, received) = soon(async { tokio::join!(answering, channel.recv()) }).await;
        answered.unwrap();
        assert_eq!(received, Ok(Some(message)));
    }
}

#[tokio::test]
async fn another_certificate_than_the_pinned_one_is_named_in_the_error() {
    let (expected, shown) = (Certificate::generate(), Certificate::generate());
    let server = TlsServer::bind(&shown).await;
    assert_eq!(
        refusal(server, expected.pin()).await,
        ConnectError::CertificateMismatch {
            presented: shown.fingerprint()
        }
    );
}

#[tokio::test]
async fn the_pinned_certificate_without_its_key_is_worth_nothing() {
    let (pinned, thief) = (Certificate::generate(), Certificate::generate());
    let config = pinned.server_config(&thief, &["http/1.1"]);
    let server = TlsServer::with_config(config).await;
    let error = refusal(server, pinned.pin()).await;
    assert!(
        matches!(error, ConnectError::CertificateInvalid { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn the_system_does_not_trust_a_self_signed_certificate() {
    let server = TlsServer::bind(&Certificate::generate()).await;
    let error = refusal(server, Trust::System).await;
    assert!(
        matches!(error, ConnectError::CertificateInvalid { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_unreachable() {
    let endpoint = unused_endpoint().await;
    let pin = Certificate::generate().pin();
    let error = soon(ControlChannel::connect(&endpoint, &pin, &Proxies::None)).await;
    let error = error.expect_err("somebody listened");
    assert!(
        matches!(error, ConnectError::Unreachable { .. }),
        "{error:?}"
    );
    assert!(!error.to_string().contains("127.0.0.1"), "{error}");
}

#[tokio::test]
async fn a_server_that_never_speaks_times_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let endpoint = conclave_transport::Endpoint::new("127.0.0.1", port);
    let pin = Certificate::generate().pin();
    let error = soon(ControlChannel::connect(&endpoint, &pin, &Proxies::None)).await;
    assert_eq!(error.expect_err("it spoke"), ConnectError::Timeout);
}

#[tokio::test]
async fn a_refusal_and_a_stranger_are_told_apart_by_their_http_status() {
    for (status, refused) in [("401 Unauthorized", true), ("404 Not Found", false)] {
        let certificate = Certificate::generate();
        let server = TlsServer::bind(&certificate).await;
        let endpoint = server.endpoint();
        let answering = tokio::spawn(async move {
            let mut stream = server.accept().await.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await.unwrap();
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        });
        let pin = certificate.pin();
        let error = soon(ControlChannel::connect(&endpoint, &pin, &Proxies::None)).await;
        let error = error.expect_err("it was no channel");
        assert_eq!(
            matches!(error, ConnectError::Refused { .. }),
            refused,
            "{error:?}"
        );
        assert_eq!(
            matches!(error, ConnectError::Protocol { .. }),
            !refused,
            "{error:?}"
        );
        answering.await.unwrap();
    }
}

#[tokio::test]
async fn a_message_that_is_too_long_is_not_sent_and_the_channel_goes_on() {
    let (mut channel, mut socket) = connected().await;
    let size = MAX_MESSAGE + 1;
    assert_eq!(
        channel.send(vec![0; size]).await,
        Err(SendError::TooLarge { size })
    );
    channel.send(vec![1]).await.unwrap();
    assert_eq!(soon(next_message(&mut socket)).await.into_data(), vec![1]);
}

#[tokio::test]
async fn a_server_that_sends_too_much_ends_the_channel() {
    let (mut channel, mut socket) = connected().await;
    let long = Message::Binary(vec![0; MAX_MESSAGE + 1].into());
    let sending = tokio::spawn(async move {
        let _ = socket.send(long).await;
        socket
    });
    assert_eq!(soon(channel.recv()).await, Err(ReceiveError::TooLarge));
    assert_eq!(soon(channel.recv()).await, Ok(None));
    assert_eq!(channel.send(vec![1]).await, Err(SendError::Closed));
    sending.abort();
}

#[tokio::test]
async fn text_is_against_the_protocol() {
    let (mut channel, mut socket) = connected().await;
    socket.send(Message::Text("hello".into())).await.unwrap();
    let ended = soon(channel.recv()).await;
    assert!(
        matches!(ended, Err(ReceiveError::Protocol { .. })),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_quiet_server_that_answers_pings_is_alive() {
    let (mut channel, mut socket) = connected().await;
    let serving = tokio::spawn(async move { while socket.next().await.is_some() {} });
    let quiet = tokio::time::timeout(DEAD_AFTER * 2, channel.recv()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    serving.abort();
}

#[tokio::test]
async fn a_server_that_does_not_even_answer_pings_is_dead() {
    let (mut channel, _socket) = connected().await;
    let started = Instant::now();
    assert_eq!(soon(channel.recv()).await, Err(ReceiveError::Silent));
    let waited = started.elapsed();
    assert!(
        waited >= DEAD_AFTER - Duration::from_millis(500),
        "{waited:?}"
    );
    assert!(waited < DEAD_AFTER * 2, "{waited:?}");
}

#[tokio::test]
async fn a_goodbye_is_no_error_and_a_broken_connection_is() {
    let (mut channel, mut socket) = connected().await;
    socket.send(Message::Binary(vec![7].into())).await.unwrap();
    socket.close(None).await.unwrap();
    assert_eq!(soon(channel.recv()).await, Ok(Some(vec![7])));
    assert_eq!(soon(channel.recv()).await, Ok(None));
    let answer = soon(next_message(&mut socket)).await;
    assert!(matches!(answer, Message::Close(_)), "{answer:?}");

    let (mut channel, socket) = connected().await;
    drop(socket);
    let ended = soon(channel.recv()).await;
    assert!(matches!(ended, Err(ReceiveError::Lost { .. })), "{ended:?}");
}

#[tokio::test]
async fn closing_sends_what_is_queued_and_says_goodbye() {
    let (mut channel, mut socket) = connected().await;
    for number in 0..10 {
        channel.send(vec![number]).await.unwrap();
    }
    let serving = async {
        for number in 0..10 {
            assert_eq!(next_message(&mut socket).await.into_data(), vec![number]);
        }
        assert!(matches!(next_message(&mut socket).await, Message::Close(_)));
        // The answer to the goodbye leaves with the next read.
        assert!(socket.next().await.is_none());
    };
    let started = Instant::now();
    soon(async { tokio::join!(channel.close(), serving) }).await;
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_receiver_that_takes_its_time_loses_nothing_and_does_not_look_dead() {
    let (mut channel, socket) = connected().await;
    let (mut sink, mut stream) = socket.split();
    let reading = tokio::spawn(async move { while stream.next().await.is_some() {} });
    // More than the queue and the socket's buffers hold together.
    let (count, size) = (INCOMING_QUEUE as u32 * 8, 128 * 1024);
    let sending = tokio::spawn(async move {
        for number in 0..count {
            let mut message = vec![0; size];
            message[..4].copy_from_slice(&number.to_be_bytes());
            sink.send(Message::Binary(message.into())).await.unwrap();
        }
        sink
    });
    tokio::time::sleep(DEAD_AFTER + Duration::from_secs(1)).await;
    assert!(!sending.is_finished(), "the queue has no bound");
    for number in 0..count {
        let message = soon(channel.recv()).await.unwrap().unwrap();
        assert_eq!(message[..4], number.to_be_bytes());
    }
    drop(sending.await.unwrap());
    reading.abort();
}

#[tokio::test]
async fn the_halves_work_alone_and_dropping_both_ends_the_connection() {
    let (channel, mut socket) = connected().await;
    let (mut sender, mut receiver) = channel.split();
    sender.send(vec![1]).await.unwrap();
    assert_eq!(soon(next_message(&mut socket)).await.into_data(), vec![1]);
    drop(sender);
    socket.send(Message::Binary(vec![2].into())).await.unwrap();
    assert_eq!(soon(receiver.recv()).await, Ok(Some(vec![2])));
    drop(receiver);
    let ended = async { while let Some(Ok(_)) = socket.next().await {} };
    soon(ended).await;
}
