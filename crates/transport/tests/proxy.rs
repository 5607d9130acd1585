//! Through an HTTP proxy: what it is asked, what it sees, and what its refusals mean.
#![allow(
    clippy::result_large_err,
    reason = "the type of the upgrade's callback is given"
)]

mod local;
#[allow(dead_code, reason = "the tests of whole programs use the rest of it")]
#[path = "../../../tests/src/proxy.rs"]
mod proxy;

use std::time::{Duration, Instant};

use bytes::Bytes;
use conclave_transport::control::CONNECT_TIMEOUT;
use conclave_transport::{
    ConnectError, ControlChannel, Delivery, Endpoint, Proxies, ProxyError, ProxyUrl, Relay,
    SubscribeOptions, TrackOptions, Trust,
};
use futures_util::SinkExt;
use local::relay::{Offer, PATH, TOKEN, TestRelay};
use local::{Certificate, TlsServer, soon, unused_endpoint};
use proxy::{Conduct, ConnectProxy};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

/// A name that leads nowhere but through the proxy. RFC 6761 §6.2
const NAME: &str = "meet.example.test";
/// `ana` with the password `s3cret`, as a header has them.
const ANA: &str = "YW5hOnMzY3JldA==";

/// The proxy at `place`, named as by a flag.
fn named(userinfo: &str, place: &str) -> Proxies {
    let url = ProxyUrl::new(format!("http://{userinfo}{place}"));
    Proxies::choose(Some(url), None).unwrap()
}

/// Why no control channel comes up through this proxy, to a server that never hears of it.
async fn refusal(proxies: &Proxies) -> ConnectError {
    let endpoint = Endpoint::new(NAME, 4433);
    let connecting = ControlChannel::connect(&endpoint, &Trust::System, proxies);
    let error = soon(connecting).await.expect_err("it is connected");
    let text = error.to_string();
    for hidden in ["127.0.0.1", NAME, "ana", "s3cret", ANA] {
        assert!(!text.contains(hidden), "{text}");
    }
    error
}

async fn refusal_of(answer: &'static str, userinfo: &str) -> ConnectError {
    let proxy = ConnectProxy::start(Conduct::Says(answer), &[]);
    refusal(&named(userinfo, &proxy.place())).await
}

#[tokio::test]
async fn the_control_channel_goes_through_a_tunnel_that_only_tls_goes_through() {
    let certificate = Certificate::generate();
    let server = TlsServer::bind(&certificate).await;
    let port = server.endpoint().port;
    let proxy = ConnectProxy::start(Conduct::Guarded(ANA), &[("meet.example.test:443", port)]);
    let endpoint = Endpoint::new(NAME, 443);
    let (proxies, pin) = (named("ana:s3cret@", &proxy.place()), certificate.pin());
    let serving = async {
        let stream = server.accept().await.unwrap();
        let look = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
            let fields = request.headers();
            assert!(!fields.contains_key("proxy-authorization"), "{fields:?}");
            Ok(response)
        };
        let upgraded = tokio_tungstenite::accept_hdr_async(stream, look).await;
        let mut socket = upgraded.unwrap();
        socket.send(Message::Binary(vec![7].into())).await.unwrap();
        socket
    };
    let connecting = ControlChannel::connect(&endpoint, &pin, &proxies);
    let (channel, _socket) = soon(async { tokio::join!(connecting, serving) }).await;
    assert_eq!(soon(channel.unwrap().recv()).await, Ok(Some(vec![7])));

    let request = format!(
        "CONNECT {NAME}:443 HTTP/1.1\r\nHost: {NAME}:443\r\nProxy-Authorization: Basic {ANA}\r\n\r\n"
    );
    assert_eq!(proxy.requests(), [request]);
    let tunnels = proxy.tunnels();
    assert_eq!(tunnels.len(), 1);
    // RFC 8446 §5.1: a handshake record.
    assert_eq!(tunnels[0].up[..2], [22, 3]);
    let has = |what: &[u8]| tunnels[0].up.windows(what.len()).any(|part| part == what);
    assert!(has(NAME.as_bytes()), "the server's name is not hidden");
    assert!(!has(b"/v1/control") && !has(ANA.as_bytes()));
}

#[tokio::test]
async fn media_go_through_a_named_proxy_and_not_past_it() {
    let relay = TestRelay::start(Offer::Both).await;
    let endpoint = relay.endpoint();
    let way = endpoint.to_string();
    let proxy = ConnectProxy::start(Conduct::Open, &[(&way, relay.port)]);
    let (proxies, pin) = (named("", &proxy.place()), relay.certificate.pin());
    let connecting = Relay::connect(&endpoint, &pin, &proxies, PATH, TOKEN);
    let alice = soon(connecting).await.unwrap();
    assert!(!alice.carries_datagrams(), "QUIC was tried");
    let bob = relay.connect().await;
    assert!(bob.carries_datagrams());

    let mut broadcast = alice.publish("a/1").unwrap();
    let options = TrackOptions {
        name: "t",
        delivery: Delivery::Groups,
        priority: 100,
        max_age: Duration::from_secs(5),
        bitrate_bps: 0,
    };
    let mut writer = broadcast.track(options).unwrap();
    broadcast.announce().unwrap();
    let options = SubscribeOptions {
        delivery: Delivery::Groups,
        priority: 100,
        max_age: Duration::from_secs(5),
        floor: None,
        bitrate_bps: 0,
    };
    let mut reader = bob.subscribe("a/1", "t", options).await.unwrap();
    let sealed = Bytes::from_static(b"a sealed frame");
    writer
        .write(sealed.clone(), 1_700_000_000_000_000, true)
        .unwrap();
    let frame = soon(reader.recv()).await.unwrap().expect("a frame");
    assert_eq!(frame.payload, sealed);
    assert_eq!(proxy.tunnels().len(), 1);
}

#[tokio::test]
async fn the_pin_is_checked_behind_a_proxy_too() {
    let (expected, shown) = (Certificate::generate(), Certificate::generate());
    let server = TlsServer::bind(&shown).await;
    let port = server.endpoint().port;
    let proxy = ConnectProxy::start(Conduct::Open, &[("meet.example.test:4433", port)]);
    let accepting = tokio::spawn(async move { server.accept().await.is_ok() });
    let proxies = named("", &proxy.place());
    let endpoint = Endpoint::new(NAME, 4433);
    let pin = expected.pin();
    let connected = soon(ControlChannel::connect(&endpoint, &pin, &proxies)).await;
    assert_eq!(
        connected.expect_err("it is connected"),
        ConnectError::CertificateMismatch {
            presented: shown.fingerprint()
        }
    );
    accepting.abort();
}

#[tokio::test]
async fn each_refusal_says_whose_it_is() {
    let asks = "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
    for (answer, userinfo, expected) in [
        (asks, "", ProxyError::CredentialsNeeded),
        (asks, "ana:s3cret@", ProxyError::CredentialsRefused),
        ("HTTP/1.0 403 Forbidden\r\n\r\n", "", ProxyError::Forbidden),
        (
            "HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 2\r\n\r\nno",
            "",
            ProxyError::Refused { status: 405 },
        ),
        (
            "HTTP/1.1 504 Gateway Timeout\r\n\r\n",
            "",
            ProxyError::ServerUnreachable { status: 504 },
        ),
    ] {
        let error = refusal_of(answer, userinfo).await;
        assert_eq!(error, ConnectError::Proxy(expected), "{answer}");
    }
    let nowhere = unused_endpoint().await.to_string();
    let error = refusal(&named("ana:s3cret@", &nowhere)).await;
    let unreachable = matches!(error, ConnectError::Proxy(ProxyError::Unreachable { .. }));
    assert!(unreachable, "{error:?}");
}

#[tokio::test]
async fn credentials_that_the_proxy_does_not_take_are_refused_for_media_too() {
    let proxy = ConnectProxy::start(Conduct::Guarded(ANA), &[]);
    let proxies = named("ben:s3cret@", &proxy.place());
    let endpoint = Endpoint::new(NAME, 4433);
    let connecting = Relay::connect(&endpoint, &Trust::System, &proxies, PATH, TOKEN);
    let error = soon(connecting).await.err().expect("it is connected");
    assert_eq!(error, ConnectError::Proxy(ProxyError::CredentialsRefused));
    assert_eq!(proxy.requests().len(), 1);
}

#[tokio::test]
async fn nonsense_is_recognised_and_read_no_further_than_needed() {
    for (answer, reason) in [
        ("SSH-2.0-OpenSSH_9.9\r\n", "it is not HTTP"),
        ("\u{16}\u{3}\u{3}\0\u{2}\u{2}\u{28}", "it is not HTTP"),
        ("HTTP/1.1 200", "it hung up without an answer"),
        (
            "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n",
            "it spoke in the server's place",
        ),
    ] {
        let expected = ProxyError::Protocol {
            reason: reason.into(),
        };
        assert_eq!(refusal_of(answer, "").await, expected.into(), "{answer}");
    }
    for (again, reason) in [
        ("yyyyyyyyyyyyyyyy", "its answer does not end"),
        ("y\r\nx: ", "it is not HTTP"),
    ] {
        let endless = Conduct::Babbles {
            start: "HTTP/1.1 200 OK\r\nx: ",
            again,
            pause: Duration::ZERO,
        };
        let proxy = ConnectProxy::start(endless, &[]);
        let expected = ProxyError::Protocol {
            reason: reason.into(),
        };
        let error = refusal(&named("", &proxy.place())).await;
        assert_eq!(error, expected.into(), "{again}");
    }
}

#[tokio::test]
async fn a_proxy_that_takes_too_long_is_to_blame_and_not_the_server() {
    let slow = Conduct::Babbles {
        start: "HTTP/1.1 200 OK\r\nx: ",
        again: "y",
        pause: Duration::from_millis(100),
    };
    let proxy = ConnectProxy::start(slow, &[]);
    let started = Instant::now();
    let error = refusal(&named("", &proxy.place())).await;
    assert_eq!(error, ConnectError::Proxy(ProxyError::Timeout));
    let waited = started.elapsed();
    assert!(waited < CONNECT_TIMEOUT, "{waited:?}");
}
