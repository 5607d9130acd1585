//! The media relay: moq-relay behind our own admission and our own TCP door.
//!
//! Its web server is not used. Its default routes would list and hand out what meetings publish,
//! and it takes certificates from files only; the one thing needed of it, the relay over a
//! WebSocket where UDP is blocked, is in [`websocket`].

mod adapter;
mod admission;
pub mod websocket;

use std::net::SocketAddr;

use moq_relay::{Config, Relay};
use moq_tokio::quic::CongestionControl;

use conclave_server::limits::{DRAIN, HANDSHAKE, PING_EVERY, RELAY_IDLE, RELAY_SEND_WINDOW};

use crate::certificate::Certificate;

pub use admission::decide;

/// Binds the relay's QUIC socket.
///
/// # Errors
/// Whatever the relay says: the port is taken, the certificate does not load.
pub async fn load(address: SocketAddr, certificate: &Certificate) -> anyhow::Result<Relay> {
    let mut config = Config::default();
    config.listen.bind = Some(address.to_string().parse()?);
    config.listen.tls = certificate.quic();
    config.listen.timeout = HANDSHAKE;
    config.drain_timeout = DRAIN;
    // A dead peer's broadcasts shadow its successor until the relay notices.
    config.quic.idle_timeout = RELAY_IDLE;
    config.quic.keep_alive = PING_EVERY;
    config.quic.send_window = Some(RELAY_SEND_WINDOW);
    // BBR: with CUBIC most video comes late at a few percent of loss.
    config.quic.congestion_control = Some(CongestionControl::Delay);
    Relay::load(config).await
}
