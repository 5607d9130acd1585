//! A server that lies: a proxy that holds the server's own certificate, so that it reads the
//! control channel in plain and says what it likes to either side (docs/protocol.md, section 7).
//!
//! What is not the control channel passes as it is, over TCP alone: media then go over WebSockets.

use std::fmt::Debug;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt as _, StreamExt as _};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::server::{Certificate, Server};

/// The longest head of a request or an answer.
const MAX_HEAD: usize = 16 * 1024;

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To the server.
    Up,
    /// To the client.
    Down,
}

/// What becomes of messages.
pub trait Malice: Send + 'static {
    /// What goes on in place of `frame`, which is the version and one message in postcard.
    fn pass(&mut self, way: Way, frame: Vec<u8>) -> Vec<Vec<u8>>;
}

impl<F: FnMut(Way, Vec<u8>) -> Vec<Vec<u8>> + Send + 'static> Malice for F {
    fn pass(&mut self, way: Way, frame: Vec<u8>) -> Vec<Vec<u8>> {
        self(way, frame)
    }
}

/// The proxy; it ends with this.
pub struct Hostile<M> {
    port: u16,
    malice: Arc<Mutex<M>>,
    runtime: Option<Runtime>,
}

impl<M: Malice> Hostile<M> {
    /// Stands before `server`, which has `certificate`.
    pub fn before(server: &Server, certificate: &Certificate, malice: M) -> Self {
        let runtime = Runtime::new().expect("a runtime starts");
        let listener = runtime
            .block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let malice = Arc::new(Mutex::new(malice));
        let way_in = Arc::new(WayIn {
            acceptor: acceptor(certificate),
            connector: connector(),
            server: server.port(),
        });
        let shared = malice.clone();
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (way_in, malice) = (way_in.clone(), shared.clone());
                tokio::spawn(async move {
                    // Either side may go at any time.
                    let _ = way_in.serve(client, &malice).await;
                });
            }
        });
        Self {
            port,
            malice,
            runtime: Some(runtime),
        }
    }

    /// The port to come to instead of the server's.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `link` through this proxy, whichever port it led to.
    pub fn redirect(&self, link: &str) -> String {
        let (before, rest) = link.split_once("/j/").expect("a link to a meeting");
        let (host, _) = before.rsplit_once(':').expect("a link with a port");
        format!("{host}:{}/j/{rest}", self.port)
    }

    /// Looks into what it does, or changes it.
    pub fn with<T>(&self, look: impl FnOnce(&mut M) -> T) -> T {
        look(&mut self.malice.lock().expect("no thread panics"))
    }
}

impl<M> Drop for Hostile<M> {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

struct WayIn {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
    server: u16,
}

impl WayIn {
    async fn serve<M: Malice>(&self, client: TcpStream, malice: &Mutex<M>) -> io::Result<()> {
        client.set_nodelay(true)?;
        let mut client = self.acceptor.accept(client).await?;
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, self.server)).await?;
        server.set_nodelay(true)?;
        let name = ServerName::from(std::net::IpAddr::from(Ipv4Addr::LOCALHOST));
        let mut server = self.connector.connect(name, server).await?;

        let request = head(&mut client).await?;
        server.write_all(&request).await?;
        if !request.starts_with(b"GET /v1/control ") {
            tokio::io::copy_bidirectional(&mut client, &mut server).await?;
            return Ok(());
        }
        let answer = head(&mut server).await?;
        client.write_all(&answer).await?;
        client.flush().await?;
        let client = WebSocketStream::from_raw_socket(client, Role::Server, None).await;
        let server = WebSocketStream::from_raw_socket(server, Role::Client, None).await;
        pass_on(client, server, malice).await;
        Ok(())
    }
}

/// Everything up to and with the empty line.
async fn head(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < MAX_HEAD {
        head.push(from.read_u8().await?);
    }
    Ok(head)
}

/// Until either side goes. Pings are answered on each side by its own WebSocket.
async fn pass_on<C, S, M>(
    mut client: WebSocketStream<C>,
    mut server: WebSocketStream<S>,
    malice: &Mutex<M>,
) where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
    M: Malice,
{
    'both: loop {
        let (way, message) = tokio::select! {
            message = client.next() => (Way::Up, message),
            message = server.next() => (Way::Down, message),
        };
        let frame = match message {
            Some(Ok(Message::Binary(frame))) => Vec::from(frame),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            _ => break,
        };
        let instead = malice.lock().expect("no thread panics").pass(way, frame);
        for frame in instead {
            let message = Message::Binary(frame.into());
            let sent = match way {
                Way::Up => server.send(message).await,
                Way::Down => client.send(message).await,
            };
            if sent.is_err() {
                break 'both;
            }
        }
    }
    let _ = client.close(None).await;
    let _ = server.close(None).await;
}

fn acceptor(certificate: &Certificate) -> TlsAcceptor {
    let chain = CertificateDer::pem_file_iter(certificate.chain())
        .and_then(Iterator::collect)
        .expect("a chain");
    let key = PrivateKeyDer::from_pem_file(certificate.key()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("TLS versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a certificate with its key");
    TlsAcceptor::from(Arc::new(config))
}

fn connector() -> TlsConnector {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("TLS versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// The server that the test itself has started is believed without a look.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
