//! The media relay: moq-relay's forwarding behind our own admission and our own two doors.
//!
//! Its server is not used. It would list and hand out what meetings publish, take certificates from
//! files only, and have the QUIC library's congestion control, which makes sound pause (crate
//! `conclave-congestion`). Sessions come by [`quic`], or by [`websocket`] where UDP is blocked, and
//! are one and the same in [`sessions`].

mod adapter;
mod admission;
mod quic;
mod sessions;
mod websocket;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use moq_relay::auth::Admissions;
use moq_relay::shutdown::Trigger;
use moq_tokio::tls::ReloadingServerConfig;
use tokio::sync::watch;

use conclave_server::delivery::Grants;

use quic::Quic;
use sessions::Sessions;

/// A relay that has its port and lets nobody in yet.
pub struct Relay {
    quic: Quic,
    sessions: Sessions,
    admissions: Admissions,
    drain: Trigger,
}

impl Relay {
    /// Binds the QUIC socket. Must be called within the runtime.
    ///
    /// # Errors
    /// The port is taken, or the certificate cannot be used for QUIC.
    pub fn bind(address: SocketAddr, tls: &ReloadingServerConfig) -> anyhow::Result<Self> {
        let quic = Quic::bind(address, tls)?;
        let (sessions, admissions, drain) = Sessions::new()?;
        Ok(Self {
            quic,
            sessions,
            admissions,
            drain,
        })
    }

    /// The route of its WebSocket, for the server's HTTPS side.
    pub fn routes(&self) -> Router {
        websocket::routes(self.sessions.clone())
    }

    /// Lets in whom `grants` name until `stop` turns true; then tells everybody, on QUIC and on
    /// WebSocket, and gives them a moment to go.
    ///
    /// # Errors
    /// The socket broke.
    pub async fn serve(
        self,
        grants: Arc<Grants>,
        mut stop: watch::Receiver<bool>,
    ) -> anyhow::Result<()> {
        tokio::spawn(admission::decide(self.admissions, grants));
        tokio::select! {
            () = self.quic.accept(&self.sessions) => anyhow::bail!("The media relay's socket broke."),
            _ = async { stop.wait_for(|stop| *stop).await.is_ok() } => {}
        }
        tracing::info!("stopping");
        self.drain.start();
        self.quic.close().await;
        Ok(())
    }
}
