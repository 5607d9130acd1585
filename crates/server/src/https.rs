//! The TCP side of the port: TLS and HTTP/1.1, bounded in number and patience.
//!
//! Peers' addresses are dropped at the door: nothing behind it can log or keep them.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use moq_tokio::tls::ReloadingServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use conclave_server::activity::{Activity, Watched};
use conclave_server::limits::{DRAIN, HANDSHAKE, MAX_TCP_CONNECTIONS};

/// Pause after a failure to accept.
const RETRY_ACCEPT: Duration = Duration::from_millis(100);

/// A bound listener that does not serve yet.
pub struct Https {
    listener: TcpListener,
    tls: TlsAcceptor,
    /// Reads changed certificate files again while it lives.
    _reload: ReloadingServerConfig,
}

impl Https {
    /// Takes over a bound socket. Must be called within the runtime.
    pub fn new(listener: StdListener, tls: ReloadingServerConfig) -> std::io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener: TcpListener::from_std(listener)?,
            tls: TlsAcceptor::from(tls.config()),
            _reload: tls,
        })
    }

    /// Serves `routes` until `stop` turns true, then gives open connections a moment to end.
    pub async fn serve(self, routes: Router, mut stop: watch::Receiver<bool>) {
        let slots = Arc::new(Semaphore::new(MAX_TCP_CONNECTIONS));
        // No slot, no accept: the rest waits in the kernel's queue, which has its own bound.
        while let Ok(slot) = slots.clone().acquire_owned().await {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _ = async { stop.wait_for(|stop| *stop).await.is_ok() } => break,
            };
            match accepted {
                Ok((stream, _address)) => {
                    tokio::spawn(connection(stream, self.tls.clone(), routes.clone(), slot));
                }
                Err(error) => {
                    // Out of descriptors, most likely: those in use will come back.
                    tracing::warn!(kind = ?error.kind(), "a TCP connection could not be accepted");
                    tokio::time::sleep(RETRY_ACCEPT).await;
                }
            }
        }
        let all = u32::try_from(MAX_TCP_CONNECTIONS).unwrap_or(u32::MAX);
        let _ = timeout(DRAIN, slots.acquire_many(all)).await;
    }
}

/// One connection until it ends or becomes a WebSocket. The slot lives as long as the stream.
async fn connection(
    stream: TcpStream,
    tls: TlsAcceptor,
    routes: Router,
    slot: OwnedSemaphorePermit,
) {
    let activity = Activity::new();
    // Control messages and audio packets are small and must not wait for company.
    let _ = stream.set_nodelay(true);
    let stream = Watched::new(stream, activity.clone(), slot);
    let Ok(Ok(stream)) = timeout(HANDSHAKE, tls.accept(stream)).await else {
        return;
    };
    let service = TowerToHyperService::new(routes.layer(axum::Extension(activity)));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HANDSHAKE);
    // An error here is the peer's: a broken request, a broken connection, silence.
    let _ = http
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
}

/// Binds the TCP half of the port.
pub fn bind(address: SocketAddr) -> std::io::Result<StdListener> {
    // std sets SO_REUSEADDR on Unix, so a restart finds its port free.
    StdListener::bind(address)
}
