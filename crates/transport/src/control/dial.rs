//! TCP, TLS and the WebSocket upgrade.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream};

use super::MAX_MESSAGE;
use super::activity::{Activity, Watched};
use crate::trust;
use crate::upgrade::upgrade_error;
use crate::{ConnectError, Endpoint, Trust};

/// The path of the control channel on the server.
const PATH: &str = "/v1/control";
/// Time for each of the host's addresses to accept the connection.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(3);
/// The kernel's send buffer, bytes. Small, so that what is written has left: the pings behind a
/// large message are then late by a fraction of a second at most.
const SEND_BUFFER: u32 = 64 * 1024;

pub(super) type Socket = WebSocketStream<MaybeTlsStream<Watched<TcpStream>>>;

/// Connects and upgrades; the caller sets the deadline.
pub(super) async fn connect(
    endpoint: &Endpoint,
    trust: &Trust,
) -> Result<(Socket, Activity), ConnectError> {
    let url = endpoint
        .url("wss", PATH)
        .ok_or(ConnectError::InvalidEndpoint)?;
    let (config, verdicts) = trust::client_config(trust)?;
    let stream = connect_tcp(endpoint).await?;
    let activity = Activity::new();
    let upgraded = tokio_tungstenite::client_async_tls_with_config(
        url.as_str(),
        Watched::new(stream, activity.clone()),
        Some(limits()),
        Some(Connector::Rustls(Arc::new(config))),
    )
    .await;
    match upgraded {
        Ok((socket, _response)) => Ok((socket, activity)),
        Err(error) => Err(verdicts.error().unwrap_or_else(|| upgrade_error(&error))),
    }
}

fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(16 * 1024)
        .write_buffer_size(0)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
}

/// Tries the host's addresses in the resolver's order.
async fn connect_tcp(endpoint: &Endpoint) -> Result<TcpStream, ConnectError> {
    let addresses = tokio::net::lookup_host((endpoint.bare_host(), endpoint.port))
        .await
        .map_err(|_| ConnectError::Unreachable {
            reason: "its name is not known".into(),
        })?;
    let mut last = ConnectError::Unreachable {
        reason: "its name has no address".into(),
    };
    for address in addresses {
        match tokio::time::timeout(ADDRESS_TIMEOUT, connect_address(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = ConnectError::unreachable(&error),
            Err(_) => last = ConnectError::Timeout,
        }
    }
    Err(last)
}

async fn connect_address(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_send_buffer_size(SEND_BUFFER)?;
    let stream = socket.connect(address).await?;
    // Messages are small and wait for answers.
    stream.set_nodelay(true)?;
    Ok(stream)
}
