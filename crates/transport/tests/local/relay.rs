//! A small MoQ relay: everything published by one session is offered to all of them.
#![allow(
    clippy::result_large_err,
    reason = "the type of the upgrade's callback is given"
)]

use std::net::SocketAddr;
use std::sync::Arc;

use conclave_transport::{Endpoint, Proxies, Relay};
use moq_net::{Session, origin};
use qmux::ws::{tokio_tungstenite, tungstenite};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use web_transport_moq::noq::crypto::rustls::QuicServerConfig;
use web_transport_moq::{noq, proto};

use super::Certificate;

/// The path every test dials.
pub const PATH: &str = "/m/00";
/// The token that is admitted.
pub const TOKEN: &str = "a token";

/// Which transports the relay offers on its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    Both,
    WebSocketOnly,
    QuicOnly,
}

pub struct TestRelay {
    pub certificate: Certificate,
    pub port: u16,
    udp: Option<noq::Endpoint>,
    tasks: JoinSet<()>,
    sessions: mpsc::UnboundedReceiver<Session>,
}

impl TestRelay {
    pub async fn start(offer: Offer) -> Self {
        let certificate = Certificate::generate();
        let (producer, driver) = origin::Producer::new(origin::Config::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            moq_net::time::run(driver).await;
        });
        let (opened, sessions) = mpsc::unbounded_channel();
        let hub = Hub { producer, opened };

        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let mut udp = None;
        if offer != Offer::WebSocketOnly {
            let endpoint = quic_endpoint(&certificate, address);
            tasks.spawn(serve_quic(endpoint.clone(), hub.clone()));
            udp = Some(endpoint);
        }
        if offer != Offer::QuicOnly {
            let config = certificate.server_config(&certificate, &["http/1.1"]);
            let acceptor = TlsAcceptor::from(Arc::new(config));
            tasks.spawn(serve_websocket(tcp, acceptor, hub));
        }
        Self {
            certificate,
            port: address.port(),
            udp,
            tasks,
            sessions,
        }
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint::new("127.0.0.1", self.port)
    }

    pub async fn connect(&self) -> Relay {
        let pin = self.certificate.pin();
        Relay::connect(&self.endpoint(), &pin, &Proxies::None, PATH, TOKEN)
            .await
            .unwrap()
    }

    /// The server's end of the next session that was opened.
    pub async fn session(&mut self) -> Session {
        self.sessions.recv().await.unwrap()
    }

    /// Says nothing any more to those connected by QUIC, not even goodbye.
    pub async fn fall_silent(mut self) {
        if let Some(udp) = &self.udp {
            // What still leaves, leaves from an address that the others do not listen to.
            let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            udp.rebind(socket).unwrap();
        }
        self.tasks.shutdown().await;
    }
}

#[derive(Clone)]
struct Hub {
    producer: origin::Producer,
    opened: mpsc::UnboundedSender<Session>,
}

impl Hub {
    async fn serve<S>(self, transport: S)
    where
        S: moq_net::transport::poll::Boxable,
        S::SendStream: Sync,
        S::RecvStream: Sync,
    {
        let server = moq_net::Server::new().with_origin(self.producer);
        let Ok((session, driver)) = server.accept(std::time::Instant::now(), transport).await
        else {
            return;
        };
        self.opened.send(session).unwrap();
        moq_net::time::run(driver).await;
    }
}

fn quic_endpoint(certificate: &Certificate, address: SocketAddr) -> noq::Endpoint {
    let tls = certificate.server_config(certificate, &[web_transport_moq::ALPN]);
    let tls = QuicServerConfig::try_from(tls).unwrap();
    let config = noq::ServerConfig::with_crypto(Arc::new(tls));
    noq::Endpoint::server(config, address).unwrap()
}

/// Like a real relay it lets the session come up before it judges the token.
async fn serve_quic(endpoint: noq::Endpoint, hub: Hub) {
    let mut sessions = JoinSet::new();
    let mut server = web_transport_moq::Server::new(endpoint);
    while let Some(request) = server.accept().await {
        let admitted = request.url.query() == Some("token=a+token");
        let protocol = request.protocols[0].clone();
        let response = proto::ConnectResponse::OK.with_protocol(protocol);
        let session = request.respond(response).await.unwrap();
        let transport = moq_tokio::transport::Session::new(session);
        match admitted {
            true => sessions.spawn(hub.clone().serve(transport)),
            false => sessions.spawn(refuse(transport)),
        };
    }
}

async fn refuse<S>(transport: S)
where
    S: moq_net::transport::poll::Boxable,
    S::SendStream: Sync,
    S::RecvStream: Sync,
{
    let server = moq_net::Server::new();
    let handshake = server.accept_request(std::time::Instant::now(), transport);
    handshake.await.unwrap().close(moq_net::Error::Unauthorized);
}

async fn serve_websocket(listener: TcpListener, acceptor: TlsAcceptor, hub: Hub) {
    let mut sessions = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, hub) = (acceptor.clone(), hub.clone());
        sessions.spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let mut protocol = String::new();
            let upgraded = tokio_tungstenite::accept_hdr_async(
                stream,
                |request: &Request, response: Response| upgrade(request, response, &mut protocol),
            );
            let Ok(socket) = upgraded.await else {
                return;
            };
            let session = qmux::ws::Upgraded::new(socket)
                .with_alpn(&protocol)
                .accept();
            hub.serve(moq_tokio::transport::Session::new(session)).await;
        });
    }
}

type Request = tungstenite::handshake::server::Request;
type Response = tungstenite::handshake::server::Response;

/// Admits a request with the right token and takes the first protocol it offers.
fn upgrade(
    request: &Request,
    mut response: Response,
    protocol: &mut String,
) -> Result<Response, tungstenite::handshake::server::ErrorResponse> {
    if request.uri().query() != Some("token=a+token") {
        let mut refused = tungstenite::http::Response::new(None);
        *refused.status_mut() = tungstenite::http::StatusCode::UNAUTHORIZED;
        return Err(refused);
    }
    let name = tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
    let offered = request.headers()[&name].to_str().unwrap();
    *protocol = offered.split(',').next().unwrap().trim().to_owned();
    response
        .headers_mut()
        .insert(name, protocol.parse().unwrap());
    Ok(response)
}
