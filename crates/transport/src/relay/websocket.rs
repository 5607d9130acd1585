//! The media session over WebSocket: QMux records on TCP, for networks without UDP.

use std::sync::Arc;

use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{Connector, client_async_tls_with_config};

use super::dial::{self, Connected, Target};
use super::{IDLE_TIMEOUT, KEEP_ALIVE};
use crate::ConnectError;
use crate::tcp;
use crate::trust;
use crate::upgrade::upgrade_error;

/// Streams the relay may have open to us, as over QUIC.
const MAX_STREAMS: u64 = 10_000;

/// Dials, upgrades and shakes hands; the caller sets the deadline.
///
/// The stream is ours and not one that QMux dials: a proxy may stand before the relay.
pub(super) async fn connect(
    client: &moq_net::Client,
    target: &Target,
) -> Result<Connected, ConnectError> {
    let request = request(target)?;
    let (tls, verdicts) = trust::client_config(&target.trust)?;
    let stream = tcp::reach(&target.endpoint, &target.proxies, tcp::Socket::default()).await?;
    let tls = Connector::Rustls(Arc::new(tls));
    let config = WebSocketConfig::default().read_buffer_size(tcp::READ_BUFFER);
    let upgraded = client_async_tls_with_config(request, stream, Some(config), Some(tls)).await;
    let (socket, response) =
        upgraded.map_err(|error| verdicts.error().unwrap_or_else(|| upgrade_error(&error)))?;
    // That it is one of those offered the upgrade has seen to.
    let protocol = response.headers().get(SEC_WEBSOCKET_PROTOCOL);
    let protocol = protocol.and_then(|protocol| protocol.to_str().ok());
    let protocol = protocol.ok_or_else(|| ConnectError::Protocol {
        reason: "it chose no protocol".into(),
    })?;

    let mut config = qmux::Config::default();
    config.max_streams_bidi = MAX_STREAMS;
    config.max_streams_uni = MAX_STREAMS;
    let session = qmux::ws::Upgraded::new(socket)
        .with_alpn(protocol)
        .with_keep_alive(qmux::ws::KeepAlive::new(KEEP_ALIVE, IDLE_TIMEOUT))
        .with_session_config(config)
        .connect();
    let transport = moq_tokio::transport::Session::new(session);
    dial::handshake(client, transport, None).await
}

/// What we offer to speak: each of our versions in each of QMux's, the newest first.
fn protocols() -> String {
    let drafts = || qmux::Version::ALL.iter().filter(|draft| draft.is_qmux());
    let offers = |alpn| drafts().map(move |draft| format!("{}{alpn}", draft.prefix()));
    let offered: Vec<String> = dial::alpns().into_iter().flat_map(offers).collect();
    offered.join(", ")
}

fn request(target: &Target) -> Result<Request, ConnectError> {
    let url = target.url("wss")?;
    let request = url.as_str().into_client_request();
    let mut request = request.map_err(|_| ConnectError::InvalidEndpoint)?;
    let offered = protocols().parse().map_err(|_| ConnectError::Local {
        reason: "a protocol's name is out of range".into(),
    })?;
    request
        .headers_mut()
        .insert(SEC_WEBSOCKET_PROTOCOL, offered);
    Ok(request)
}
