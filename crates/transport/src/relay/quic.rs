//! The media session over QUIC: WebTransport (HTTP/3) on UDP.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use conclave_congestion::MediaBbr;
use tokio::task::JoinSet;
use web_transport_moq::noq::crypto::rustls::QuicClientConfig;
use web_transport_moq::noq::{
    ClientConfig, Connection, ConnectionError, Endpoint as UdpEndpoint, TransportConfig, VarInt,
};
use web_transport_moq::{ClientError, ConnectError as RequestError, proto};

use super::dial::{self, Connected, Quic, Target};
use super::{FIRST_RTT, IDLE_TIMEOUT, KEEP_ALIVE};
use crate::ConnectError;
use crate::reach;
use crate::trust;
use crate::upgrade::status_error;

/// The pause before the host's next address is tried too. RFC 8305 §5
const NEXT_ADDRESS: Duration = Duration::from_millis(250);
/// Streams the relay may have open to us: each group is one, each subscription one more.
const MAX_STREAMS: u32 = 10_000;
/// Sound that waits for its turn, bytes: the oldest gives way, for it would come too late.
const DATAGRAMS_WAITING: usize = 16 * 1024;

/// Dials, asks for the session and shakes hands; the caller sets the deadline.
pub(super) async fn connect(
    client: &moq_net::Client,
    target: &Target,
) -> Result<Connected, ConnectError> {
    let url = target.url("https")?;
    let (mut tls, verdicts) = trust::client_config(&target.trust)?;
    tls.alpn_protocols = vec![web_transport_moq::ALPN.as_bytes().to_vec()];
    let tls = QuicClientConfig::try_from(tls).map_err(|error| ConnectError::Local {
        reason: error.to_string(),
    })?;
    let mut config = ClientConfig::new(Arc::new(tls));
    config.transport_config(Arc::new(transport()?));

    let host = target.endpoint.bare_host();
    let addresses = tokio::net::lookup_host((host, target.endpoint.port))
        .await
        .map_err(|_| ConnectError::Unreachable {
            reason: "its name is not known".into(),
        })?;
    let endpoint = bind()?;
    let connection = race(&endpoint, &config, host, addresses.collect()).await;
    let connection = connection.map_err(|error| verdicts.error().unwrap_or(error))?;

    let mut request = proto::ConnectRequest::new(url);
    for alpn in dial::alpns() {
        request = request.with_protocol(alpn);
    }
    let session = web_transport_moq::Session::connect(connection.clone(), request)
        .await
        .map_err(|error| request_error(&error))?;
    let transport = moq_tokio::transport::Session::new(session);
    let quic = Quic {
        endpoint,
        connection,
    };
    dial::handshake(client, transport, Some(quic)).await
}

fn transport() -> Result<TransportConfig, ConnectError> {
    let mut transport = TransportConfig::default();
    let idle = IDLE_TIMEOUT.try_into().map_err(|_| ConnectError::Local {
        reason: "the idle timeout is out of range".into(),
    })?;
    transport
        .max_idle_timeout(Some(idle))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .initial_rtt(FIRST_RTT)
        .max_concurrent_bidi_streams(VarInt::from_u32(MAX_STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(MAX_STREAMS))
        .receive_window(VarInt::from_u32(reach::WIDEST_RECEIVE))
        .send_window(reach::WIDEST_SEND)
        .datagram_send_buffer_size(DATAGRAMS_WAITING)
        // Loss-based control made half of the video late at 5 % loss.
        .congestion_controller_factory(Arc::new(MediaBbr));
    Ok(transport)
}

/// A UDP socket for both address families where the system has both.
fn bind() -> Result<UdpEndpoint, ConnectError> {
    UdpEndpoint::client(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)))
        .or_else(|_| UdpEndpoint::client(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))))
        .map_err(|error| ConnectError::Local {
            reason: error.kind().to_string(),
        })
}

/// Tries the addresses one after the other without waiting for failures; the first one stands.
async fn race(
    endpoint: &UdpEndpoint,
    config: &ClientConfig,
    host: &str,
    addresses: Vec<SocketAddr>,
) -> Result<Connection, ConnectError> {
    // Aborts what is still running when dropped.
    let mut attempts = JoinSet::new();
    let mut pause = Duration::ZERO;
    for address in addresses {
        let (endpoint, config, host) = (endpoint.clone(), config.clone(), host.to_owned());
        attempts.spawn(async move {
            tokio::time::sleep(pause).await;
            attempt(&endpoint, config, address, &host).await
        });
        pause += NEXT_ADDRESS;
    }
    let mut last = ConnectError::Unreachable {
        reason: "its name has no address".into(),
    };
    while let Some(attempt) = attempts.join_next().await {
        match attempt {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => last = error,
            // Cancelled with us, or a bug below that was reported where it happened.
            Err(_) => {}
        }
    }
    Err(last)
}

async fn attempt(
    endpoint: &UdpEndpoint,
    config: ClientConfig,
    address: SocketAddr,
    host: &str,
) -> Result<Connection, ConnectError> {
    let connecting = endpoint.connect_with(config, address, host);
    // Its text names the address.
    let connecting = connecting.map_err(|_| ConnectError::Unreachable {
        reason: "its address cannot be reached from here".into(),
    })?;
    connecting.await.map_err(|error| connection_error(&error))
}

fn connection_error(error: &ConnectionError) -> ConnectError {
    match error {
        ConnectionError::TimedOut => ConnectError::Timeout,
        ConnectionError::Reset | ConnectionError::LocallyClosed => ConnectError::Unreachable {
            reason: "the connection was reset".into(),
        },
        error => ConnectError::Protocol {
            reason: format!("QUIC: {error}"),
        },
    }
}

fn request_error(error: &ClientError) -> ConnectError {
    match error {
        ClientError::HttpError(RequestError::ErrorStatus(status)) => status_error(status.as_u16()),
        ClientError::HttpError(RequestError::ProtoError(
            proto::ConnectError::ErrorStatus(status)
            | proto::ConnectError::WrongStatus(Some(status)),
        )) => status_error(status.as_u16()),
        ClientError::Connection(error)
        | ClientError::HttpError(RequestError::ConnectionError(error)) => connection_error(error),
        error => ConnectError::Protocol {
            reason: error.to_string(),
        },
    }
}
