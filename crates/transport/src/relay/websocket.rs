//! The media session over WebSocket: QMux records on TCP, for networks without UDP.

use std::sync::Arc;

use qmux::ws::tokio_tungstenite::Connector;

use super::dial::{self, Connected, Target};
use super::{IDLE_TIMEOUT, KEEP_ALIVE};
use crate::ConnectError;
use crate::trust;
use crate::upgrade::{status_error, upgrade_error};

/// Streams the relay may have open to us, as over QUIC.
const MAX_STREAMS: u64 = 10_000;

/// Dials, upgrades and shakes hands; the caller sets the deadline.
pub(super) async fn connect(
    client: &moq_net::Client,
    target: &Target<'_>,
) -> Result<Connected, ConnectError> {
    let url = target.url("wss")?;
    let (tls, verdicts) = trust::client_config(target.trust)?;
    let mut config = qmux::Config::default();
    config.max_streams_bidi = MAX_STREAMS;
    config.max_streams_uni = MAX_STREAMS;
    let mut dialer = qmux::ws::Client::new()
        .require_protocol()
        .with_connector(Connector::Rustls(Arc::new(tls)))
        .with_keep_alive(qmux::ws::KeepAlive::new(KEEP_ALIVE, IDLE_TIMEOUT))
        .with_session_config(config);
    for alpn in dial::alpns() {
        dialer = dialer.with_protocol(alpn, &[]);
    }
    let session = dialer.connect(url.as_str()).await;
    let session =
        session.map_err(|error| verdicts.error().unwrap_or_else(|| dial_error(&error)))?;
    let transport = moq_tokio::transport::Session::new(session);
    dial::handshake(client, transport, None).await
}

fn dial_error(error: &qmux::Error) -> ConnectError {
    match error {
        qmux::Error::Http(status) => status_error(*status),
        qmux::Error::WebSocket(error) => upgrade_error(error),
        qmux::Error::Io(error) => ConnectError::unreachable(error),
        qmux::Error::HandshakeTimeout | qmux::Error::IdleTimeout => ConnectError::Timeout,
        error => ConnectError::Protocol {
            reason: error.to_string(),
        },
    }
}
