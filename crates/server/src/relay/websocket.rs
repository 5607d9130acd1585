//! The relay over a WebSocket, for networks that let no UDP through.
//!
//! moq-relay's own route for this belongs to its web server, which is not used here.

use axum::Router;
use axum::extract::ws::WebSocket;
use axum::extract::{OriginalUri, State, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use moq_net::Versions;
use moq_relay::auth::Lease;

use conclave_server::limits::{PING_EVERY, READ_BUFFER, RELAY_IDLE};

use super::adapter::adapt;
use super::sessions::Sessions;

/// The route, at the same path that QUIC sessions ask for.
pub fn routes(sessions: Sessions) -> Router {
    Router::new()
        .route("/m/{meeting}", get(upgrade))
        .with_state(sessions)
}

async fn upgrade(
    State(sessions): State<Sessions>,
    OriginalUri(uri): OriginalUri,
    upgrade: WebSocketUpgrade,
) -> Result<Response, StatusCode> {
    let upgrade = upgrade.protocols(subprotocols(sessions.versions()));
    if upgrade.requested_protocols().next().is_some() && upgrade.selected_protocol().is_none() {
        return Err(StatusCode::BAD_REQUEST);
    }
    let transport = moq_auth::Transport::WebSocket;
    let lease = sessions.admit(transport, uri.path(), uri.query()).await?;
    Ok(upgrade
        .read_buffer_size(READ_BUFFER)
        .on_upgrade(move |socket| serve(socket, sessions, lease)))
}

async fn serve(socket: WebSocket, sessions: Sessions, lease: Lease) {
    let alpn = socket
        .protocol()
        .and_then(|name| name.to_str().ok())
        .map(str::to_owned);
    let upgraded = qmux::ws::Upgraded::new(adapt(socket))
        .with_keep_alive(qmux::ws::KeepAlive::new(PING_EVERY, RELAY_IDLE));
    let upgraded = match &alpn {
        Some(alpn) => upgraded.with_alpn(alpn),
        None => upgraded,
    };
    let session = moq_tokio::transport::Session::new(upgraded.accept());
    sessions.serve(session, lease).await;
}

/// The names under which a WebSocket can carry a session, newest first: each wire format of qmux
/// with each MoQ version, then the bare formats, which settle the version later.
fn subprotocols(versions: &Versions) -> Vec<String> {
    // moq-transport 18 and newer are defined over qmux-01 only.
    const QMUX_01_ONLY: [&str; 5] = ["moqt-18", "moqt-19", "moqt-20", "moqt-21", "moqt-22"];
    let mut names = Vec::new();
    for alpn in versions.alpns() {
        for format in [qmux::Version::QMux01, qmux::Version::QMux00] {
            if format == qmux::Version::QMux01 || !QMUX_01_ONLY.contains(&alpn) {
                names.push(format!("{}{alpn}", format.prefix()));
            }
        }
    }
    names.extend(qmux::ALPNS.iter().map(|alpn| (*alpn).to_owned()));
    names
}
