//! Servers in the test's own process, with a certificate of their own.
#![allow(
    dead_code,
    reason = "each test binary compiles this module and uses a part of it"
)]

pub mod link;
pub mod relay;

use std::sync::Arc;
use std::time::Duration;

use conclave_transport::{Endpoint, Fingerprint, Trust};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A self-signed certificate for `localhost` and its key.
pub struct Certificate {
    pub der: CertificateDer<'static>,
    pub key: PrivateKeyDer<'static>,
}

impl Certificate {
    pub fn generate() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        Self {
            der: made.cert.der().clone(),
            key: PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap(),
        }
    }

    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of_certificate(&self.der)
    }

    pub fn pin(&self) -> Trust {
        Trust::Pinned(self.fingerprint())
    }

    /// A server configuration that shows this certificate and signs with `signer`'s key.
    pub fn server_config(&self, signer: &Self, alpn: &[&str]) -> rustls::ServerConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = provider
            .key_provider
            .load_private_key(signer.key.clone_key());
        let shown = CertifiedKey::new(vec![self.der.clone()], key.unwrap());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Shown(Arc::new(shown))));
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }
}

/// Shows one certificate to everybody, whether or not the key is its own.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

/// A TLS listener on loopback.
pub struct TlsServer {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl TlsServer {
    pub async fn bind(certificate: &Certificate) -> Self {
        Self::with_config(certificate.server_config(certificate, &["http/1.1"])).await
    }

    pub async fn with_config(config: rustls::ServerConfig) -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            acceptor: TlsAcceptor::from(Arc::new(config)),
        }
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint::new("127.0.0.1", self.listener.local_addr().unwrap().port())
    }

    pub async fn accept(&self) -> std::io::Result<TlsStream<TcpStream>> {
        let (stream, _) = self.listener.accept().await?;
        self.acceptor.accept(stream).await
    }
}

/// A port on which nobody listens.
pub async fn unused_endpoint() -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Endpoint::new("127.0.0.1", listener.local_addr().unwrap().port())
}

/// Waits for `future`, but not for ever.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("it takes too long")
}
