//! The relay over a WebSocket, for networks that let no UDP through.
//!
//! The relay's own route for this belongs to its web server, which is not used here; a session
//! is admitted, served and drained with the relay's own parts.

use axum::Router;
use axum::extract::ws::WebSocket;
use axum::extract::{OriginalUri, State, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use moq_net::Versions;
use moq_relay::auth::{Auth, Lease};
use moq_relay::cluster::Cluster;
use moq_relay::{Relay, shutdown, supervise};

use conclave_server::limits::{HANDSHAKE, PING_EVERY, READ_BUFFER, RELAY_IDLE};

use super::adapter::adapt;

/// The parts of the relay that a session needs.
#[derive(Clone)]
struct Parts {
    auth: Auth,
    cluster: Cluster,
    shutdown: shutdown::Observer,
    versions: Versions,
}

/// The route of the relay's WebSocket, at the same path that QUIC sessions ask for.
pub fn routes(relay: &Relay) -> Router {
    let parts = Parts {
        auth: relay.auth().clone(),
        cluster: relay.cluster().clone(),
        shutdown: relay.shutdown().clone(),
        versions: Versions::all(),
    };
    Router::new()
        .route("/m/{meeting}", get(upgrade))
        .with_state(parts)
}

async fn upgrade(
    State(parts): State<Parts>,
    OriginalUri(uri): OriginalUri,
    upgrade: WebSocketUpgrade,
) -> Result<Response, StatusCode> {
    let upgrade = upgrade.protocols(subprotocols(&parts.versions));
    if upgrade.requested_protocols().next().is_some() && upgrade.selected_protocol().is_none() {
        return Err(StatusCode::BAD_REQUEST);
    }
    let mut request = parts
        .auth
        .request(moq_auth::Transport::WebSocket, uri.path());
    request.query = uri.query().map(str::to_owned);
    let lease = parts.auth.admit(request).await.map_err(StatusCode::from)?;
    Ok(upgrade
        .read_buffer_size(READ_BUFFER)
        .on_upgrade(move |socket| serve(socket, parts, lease)))
}

async fn serve(socket: WebSocket, parts: Parts, lease: Lease) {
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
    let transport = moq_tokio::transport::Session::new(upgraded.accept());

    // What the peer may subscribe to is what we publish to it, and the other way round.
    let mut server = moq_net::Server::new().with_versions(parts.versions);
    if let Some(subscribe) = parts.cluster.subscriber(lease.token()) {
        server = server.with_publisher(&subscribe);
    }
    if let Some(publish) = parts.cluster.publisher(lease.token()) {
        server = server.with_subscriber(publish);
    }
    let setup = server.accept(std::time::Instant::now(), transport);
    let Ok(Ok((session, driver))) = tokio::time::timeout(HANDSHAKE, setup).await else {
        return;
    };
    // An error says how the peer went away, which is nobody's business.
    let (_, _) = tokio::join!(
        moq_net::time::run(driver),
        supervise(session, lease, parts.shutdown, None)
    );
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
