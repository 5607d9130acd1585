//! The relay over QUIC: WebTransport (HTTP/3) on UDP.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use conclave_congestion::MediaBbr;
use moq_relay::auth::Lease;
use moq_tokio::tls::ReloadingServerConfig;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use web_transport_moq::noq::crypto::rustls::QuicServerConfig;
use web_transport_moq::noq::{Endpoint, Incoming, ServerConfig, TransportConfig, VarInt};
use web_transport_moq::{Request, Session, proto};

use conclave_server::limits::{
    DRAIN, HANDSHAKE, MAX_QUIC_CONNECTIONS, PING_EVERY, RELAY_DATAGRAMS_WAITING, RELAY_FIRST_RTT,
    RELAY_IDLE, RELAY_RECEIVE_WINDOW, RELAY_SEND_WINDOW, RELAY_STREAMS,
};

use super::sessions::Sessions;

/// A bound socket.
pub struct Quic {
    endpoint: Endpoint,
    slots: Arc<Semaphore>,
}

impl Quic {
    /// Must be called within the runtime.
    pub fn bind(address: SocketAddr, tls: &ReloadingServerConfig) -> anyhow::Result<Self> {
        let endpoint = Endpoint::server(config(tls)?, address)?;
        Ok(Self {
            endpoint,
            slots: Arc::new(Semaphore::new(MAX_QUIC_CONNECTIONS)),
        })
    }

    /// Serves whoever comes until the socket breaks.
    pub async fn accept(&self, sessions: &Sessions) {
        while let Some(incoming) = self.endpoint.accept().await {
            match self.slots.clone().try_acquire_owned() {
                Ok(slot) => drop(tokio::spawn(connection(incoming, sessions.clone(), slot))),
                Err(_) => incoming.refuse(),
            }
        }
    }

    /// Waits a moment for those who were told to go, then closes what is left.
    pub async fn close(self) {
        let all = u32::try_from(MAX_QUIC_CONNECTIONS).unwrap_or(u32::MAX);
        let _ = timeout(DRAIN, self.slots.acquire_many(all)).await;
        self.endpoint.close(VarInt::from_u32(0), b"");
        let _ = timeout(DRAIN, self.endpoint.wait_all_draining()).await;
    }
}

/// One connection until it ends. Peers' addresses stay in the QUIC library: nothing behind this door
/// can log or keep them.
async fn connection(incoming: Incoming, sessions: Sessions, _slot: OwnedSemaphorePermit) {
    if let Ok(Some((session, lease))) = timeout(HANDSHAKE, enter(incoming, &sessions)).await {
        let session = moq_tokio::transport::Session::new(session);
        sessions.serve(session, lease).await;
    }
}

/// Shakes hands and answers the request; `None` for whoever is not let in.
async fn enter(incoming: Incoming, sessions: &Sessions) -> Option<(Session, Lease)> {
    let request = Request::accept(incoming.await.ok()?).await.ok()?;
    let (path, query) = (request.url.path(), request.url.query());
    let admitted = sessions.admit(moq_auth::Transport::Quic, path, query).await;
    let lease = match admitted {
        Ok(lease) => lease,
        Err(status) => {
            let _ = request.reject(status).await;
            return None;
        }
    };
    let ours = sessions.versions().alpns();
    let mut response = proto::ConnectResponse::OK;
    if let Some(version) = request
        .protocols
        .iter()
        .find(|name| ours.contains(&name.as_str()))
    {
        response = response.with_protocol(version);
    }
    let session = request.respond(response).await.ok()?;
    Some((session, lease))
}

fn config(tls: &ReloadingServerConfig) -> anyhow::Result<ServerConfig> {
    // The resolver reads changed files again for both doors. QUIC is TLS 1.3 alone (RFC 9001 §4.2).
    let both = tls.config();
    let mut tls = rustls::ServerConfig::builder_with_provider(both.crypto_provider().clone())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(both.cert_resolver.clone());
    tls.alpn_protocols = vec![web_transport_moq::ALPN.as_bytes().to_vec()];
    let tls =
        QuicServerConfig::try_from(tls).context("The certificate cannot be used for QUIC.")?;
    let mut config = ServerConfig::with_crypto(Arc::new(tls));
    config.transport_config(Arc::new(transport()?));
    Ok(config)
}

fn transport() -> anyhow::Result<TransportConfig> {
    let mut transport = TransportConfig::default();
    // A dead peer's broadcasts shadow its successor until the relay notices.
    let idle = RELAY_IDLE
        .try_into()
        .context("The idle timeout is out of range.")?;
    transport
        .max_idle_timeout(Some(idle))
        .keep_alive_interval(Some(PING_EVERY))
        .initial_rtt(RELAY_FIRST_RTT)
        .max_concurrent_bidi_streams(VarInt::from_u32(RELAY_STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(RELAY_STREAMS))
        .receive_window(VarInt::from_u32(RELAY_RECEIVE_WINDOW))
        .send_window(RELAY_SEND_WINDOW)
        .datagram_send_buffer_size(RELAY_DATAGRAMS_WAITING)
        .congestion_controller_factory(Arc::new(MediaBbr));
    Ok(transport)
}
