//! A session of the relay, whichever door it came by: admitted, served and drained with
//! moq-relay's own parts.

use axum::http::StatusCode;
use moq_net::{Versions, transport};
use moq_relay::auth::{Admissions, Auth, Lease};
use moq_relay::cluster::{self, Cluster};
use moq_relay::shutdown::{Observer, Trigger};
use moq_relay::supervise;

use conclave_server::limits::{DRAIN, HANDSHAKE};

/// What every session needs.
#[derive(Clone)]
pub struct Sessions {
    auth: Auth,
    cluster: Cluster,
    shutdown: Observer,
    versions: Versions,
}

impl Sessions {
    /// An empty relay: who asks to be let in, and what sends everybody away. Must be called within
    /// the runtime.
    pub fn new() -> anyhow::Result<(Self, Admissions, Trigger)> {
        let (auth, admissions) = Auth::embedded("");
        let (drain, shutdown) = Observer::new(DRAIN);
        let sessions = Self {
            auth,
            cluster: Cluster::new(cluster::Options::default())?,
            shutdown,
            versions: Versions::all(),
        };
        Ok((sessions, admissions, drain))
    }

    /// The protocol's versions, newest first.
    pub fn versions(&self) -> &Versions {
        &self.versions
    }

    /// Asks whether somebody may in. The query carries his token.
    ///
    /// # Errors
    /// The HTTP status that says why not.
    pub async fn admit(
        &self,
        transport: moq_auth::Transport,
        path: &str,
        query: Option<&str>,
    ) -> Result<Lease, StatusCode> {
        let mut request = self.auth.request(transport, path);
        request.query = query.map(str::to_owned);
        self.auth.admit(request).await.map_err(StatusCode::from)
    }

    /// Serves an admitted session until it ends.
    pub async fn serve<S>(self, session: S, lease: Lease)
    where
        S: transport::poll::Boxable,
        S::SendStream: Sync,
        S::RecvStream: Sync,
    {
        // What the peer may subscribe to is what we publish to it, and the other way round.
        let mut server = moq_net::Server::new().with_versions(self.versions);
        if let Some(subscribe) = self.cluster.subscriber(lease.token()) {
            server = server.with_publisher(&subscribe);
        }
        if let Some(publish) = self.cluster.publisher(lease.token()) {
            server = server.with_subscriber(publish);
        }
        let setup = server.accept(std::time::Instant::now(), session);
        let Ok(Ok((session, driver))) = tokio::time::timeout(HANDSHAKE, setup).await else {
            return;
        };
        // An error says how the peer went away, which is nobody's business.
        let (_, _) = tokio::join!(
            moq_net::time::run(driver),
            supervise(session, lease, self.shutdown, None)
        );
    }
}
