//! Puts the parts together: binds the port twice, serves, and stops in order.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use moq_tokio::tls::ReloadingServerConfig;
use tokio::sync::watch;
use tokio::time::{interval, timeout};

use conclave_server::control;
use conclave_server::delivery::DeliveryService;
use conclave_server::landing;
use conclave_server::limits::{DRAIN, Limits, SWEEP_EVERY};

use crate::certificate::Certificate;
use crate::https::{self, Https};
use crate::options::Options;
use crate::relay::Relay;
use crate::stop;

/// Free ports tried before giving up, when any will do: one that is free for TCP may be taken for
/// UDP.
const PORT_ATTEMPTS: usize = 16;

/// Serves until told to stop.
///
/// # Errors
/// What kept the server from starting, or broke it, as a sentence for its owner.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    // Whoever was there first is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let certificate = match (&options.cert, &options.key) {
        (Some(cert), Some(key)) => Certificate::from_files(cert.clone(), key.clone())?,
        _ => Certificate::generate(&options.names)?,
    };
    let tls = certificate.tls()?;
    let (listener, relay) = bind(options.listen, &tls)?;
    let port = listener.local_addr()?.port();
    let https = Https::new(listener, tls)?;

    let service = DeliveryService::in_memory(Limits::default());
    tokio::spawn(sweep(service.clone()));

    let stopped = stop::watch_for(options.exit_with_stdin)
        .context("The system lets no signal handler be set.")?;
    let grants = service.grants();
    let routes = routes(&relay, service, stopped.clone());
    announce(options, port, &certificate)?;
    let media = tokio::spawn(relay.serve(grants, stopped.clone()));
    let control = tokio::spawn(https.serve(routes, stopped));
    tracing::info!("serving");

    // It ends when all stops, or because it failed.
    media.await.context("The media relay ended.")??;
    // Control connections say goodbye meanwhile; nothing is worth waiting for longer.
    let _ = timeout(DRAIN * 2, control).await;
    tracing::info!("stopped");
    Ok(())
}

/// Binds TCP and UDP under one number.
fn bind(
    address: SocketAddr,
    tls: &ReloadingServerConfig,
) -> anyhow::Result<(std::net::TcpListener, Relay)> {
    let attempts = if address.port() == 0 {
        PORT_ATTEMPTS
    } else {
        1
    };
    let mut failure = None;
    for _ in 0..attempts {
        let tcp = https::bind(address).with_context(|| {
            format!("The server cannot listen on TCP {address}. Stop what uses the port, or choose another.")
        })?;
        let bound = tcp.local_addr()?;
        match Relay::bind(bound, tls) {
            Ok(relay) => return Ok((tcp, relay)),
            Err(error) => failure = Some(error),
        }
    }
    let failure = failure.unwrap_or_else(|| anyhow::anyhow!("no port was tried"));
    Err(failure.context(format!(
        "The server cannot listen on UDP {address}. Stop what uses the port, or choose another."
    )))
}

fn routes(relay: &Relay, service: Arc<DeliveryService>, stopped: watch::Receiver<bool>) -> Router {
    Router::new()
        .route("/health", get(|| async { "ok\n" }))
        .merge(control::routes(service, stopped))
        .merge(landing::routes())
        .merge(relay.routes())
        .fallback(|| async { StatusCode::NOT_FOUND })
}

/// Tells whoever started the server how to reach it: two lines, a word and a value each.
fn announce(options: &Options, port: u16, certificate: &Certificate) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "url {}", options.url(port))
        .and_then(|()| writeln!(out, "fingerprint {}", certificate.fingerprint()))
        .and_then(|()| out.flush())
        .context("The server's address could not be written to standard output.")
}

async fn sweep(service: Arc<DeliveryService>) {
    let mut tick = interval(SWEEP_EVERY);
    loop {
        tick.tick().await;
        service.sweep().await;
        tracing::trace!(meetings = service.open_meetings(), "swept");
    }
}
