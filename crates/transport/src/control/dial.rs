//! TCP, TLS and the WebSocket upgrade.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream};

use super::MAX_MESSAGE;
use super::activity::{Activity, Watched};
use crate::tcp;
use crate::trust;
use crate::upgrade::upgrade_error;
use crate::{ConnectError, Endpoint, Proxies, Trust};

/// The path of the control channel on the server.
const PATH: &str = "/v1/control";
/// A small send buffer, so that what is written has left: the pings behind a large message are then
/// late by a fraction of a second at most.
const SOCKET: tcp::Socket = tcp::Socket {
    send_buffer: Some(64 * 1024),
};

pub(super) type Socket = WebSocketStream<MaybeTlsStream<Watched<TcpStream>>>;

/// Connects and upgrades; the caller sets the deadline.
pub(super) async fn connect(
    endpoint: &Endpoint,
    trust: &Trust,
    proxies: &Proxies,
) -> Result<(Socket, Activity), ConnectError> {
    let url = endpoint
        .url("wss", PATH)
        .ok_or(ConnectError::InvalidEndpoint)?;
    let (config, verdicts) = trust::client_config(trust)?;
    let stream = tcp::reach(endpoint, proxies, SOCKET).await?;
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
        .read_buffer_size(tcp::READ_BUFFER)
        .write_buffer_size(0)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
}
