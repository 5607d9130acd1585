//! QUIC first, WebSocket where UDP does not pass, and QUIC still where it only was slower.

use std::future::Future;
use std::pin::Pin;

use moq_net::{Session, Versions, origin, transport};
use tokio::time::timeout;
use url::Url;
use zeroize::Zeroizing;

use super::{CONNECT_TIMEOUT, Origins, QUIC_HEAD_START, Relay, quic, websocket};
use crate::task::OwnedTask;
use crate::{ConnectError, Endpoint, Proxies, Trust};

/// The protocol versions we speak. Earlier ones carry neither timestamps nor datagrams; both
/// ends come from one release, so there is nothing older to speak with.
const VERSIONS: [&str; 2] = ["moq-lite-06", "moq-lite-05"];

/// Where to connect and how to be admitted.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) endpoint: Endpoint,
    pub(super) trust: Trust,
    pub(super) proxies: Proxies,
    pub(super) path: String,
    pub(super) token: Zeroizing<String>,
}

impl Target {
    /// The request target. It carries the token: never print it.
    pub(super) fn url(&self, scheme: &str) -> Result<Url, ConnectError> {
        let url = self.endpoint.url(scheme, &self.path);
        let mut url = url.ok_or(ConnectError::InvalidEndpoint)?;
        url.query_pairs_mut().append_pair("token", &self.token);
        Ok(url)
    }
}

/// A session after its handshake. The driver has to be polled for anything to move.
pub(super) struct Connected {
    pub(super) session: Session,
    pub(super) driver: Pin<Box<dyn Future<Output = moq_net::Error> + Send>>,
    /// `None` over WebSocket.
    pub(super) quic: Option<Quic>,
}

/// What is below a session over QUIC.
pub(super) struct Quic {
    pub(super) endpoint: web_transport_moq::noq::Endpoint,
    pub(super) connection: web_transport_moq::noq::Connection,
}

/// What the session publishes and where it puts what the relay announces.
pub(super) fn client(published: &origin::Producer, seen: origin::Producer) -> moq_net::Client {
    moq_net::Client::new()
        .with_versions(versions())
        .with_publisher(published)
        .with_subscriber(seen)
}

fn versions() -> Versions {
    let known: Vec<moq_net::Version> = VERSIONS
        .iter()
        .filter_map(|version| version.parse().ok())
        .collect();
    Versions::from(known)
}

/// The versions' names as the transports negotiate them.
pub(super) fn alpns() -> Vec<&'static str> {
    versions().alpns()
}

/// Races the two transports; dropping the loser ends it. QUIC goes on where only WebSocket is there.
pub(super) async fn dial(target: Target) -> Result<Relay, ConnectError> {
    if !target.proxies.allow_direct() {
        return by_websocket(&target).await;
    }
    let mut quic = Attempt::begin(&target);
    let first = match timeout(QUIC_HEAD_START, quic.end()).await {
        Ok(Ok(relay)) => return Ok(relay),
        Ok(Err(error)) if error.is_final() => return Err(error),
        Ok(Err(error)) => Some(error),
        Err(_) => None,
    };
    let mut websocket = Box::pin(by_websocket(&target));
    if let Some(error) = first {
        return websocket.await.map_err(|other| blame(error, other));
    }
    tokio::select! {
        connected = quic.end() => match connected {
            Err(error) if !error.is_final() => {
                websocket.await.map_err(|other| blame(error, other))
            }
            settled => settled,
        },
        connected = &mut websocket => match connected {
            Ok(relay) => Ok(relay.with_successor(keep_trying(quic, target.clone()))),
            Err(error) if !error.is_final() => {
                quic.end().await.map_err(|other| blame(other, error))
            }
            verdict => verdict,
        },
    }
}

async fn by_websocket(target: &Target) -> Result<Relay, ConnectError> {
    let (origins, client) = Origins::new();
    let connected = websocket::connect(&client, target).await?;
    Ok(Relay::over(origins, connected))
}

/// One try over QUIC, which goes on until this is dropped.
struct Attempt(OwnedTask<Result<Relay, ConnectError>>);

impl Attempt {
    fn begin(target: &Target) -> Self {
        let target = target.clone();
        Self(OwnedTask::spawn(async move {
            let (origins, client) = Origins::new();
            let connected = quic::connect(&client, &target).await?;
            Ok(Relay::over(origins, connected))
        }))
    }

    async fn end(&mut self) -> Result<Relay, ConnectError> {
        self.0.end().await.unwrap_or_else(|| {
            Err(ConnectError::Local {
                reason: "the attempt over QUIC broke".into(),
            })
        })
    }
}

/// QUIC for as long as a connection may take at all: where many packets are lost, its handshake needs
/// several tries, and so much the more does sound need datagrams.
async fn keep_trying(mut quic: Attempt, target: Target) -> Option<Relay> {
    let trying = async {
        loop {
            match quic.end().await {
                Ok(relay) => return Some(relay),
                Err(ConnectError::Timeout) => quic = Attempt::begin(&target),
                Err(_) => return None,
            }
        }
    };
    timeout(CONNECT_TIMEOUT, trying).await.ok().flatten()
}

/// Which of two failures to report: a verdict of the server, then what else was answered or a proxy
/// did, then TCP's, whose reasons are real ones where UDP knows only silence.
fn blame(quic: ConnectError, websocket: ConnectError) -> ConnectError {
    let rank = |error: &ConnectError| match error {
        error if error.is_final() => 2,
        ConnectError::Protocol { .. } | ConnectError::Proxy(_) => 1,
        _ => 0,
    };
    match rank(&quic) > rank(&websocket) {
        true => quic,
        false => websocket,
    }
}

/// The MoQ handshake over a transport that is up.
pub(super) async fn handshake<S>(
    client: &moq_net::Client,
    transport: S,
    quic: Option<Quic>,
) -> Result<Connected, ConnectError>
where
    S: transport::poll::Boxable,
{
    let now = tokio::time::Instant::now().into_std();
    let (session, driver) = client.connect(now, transport).await.map_err(moq_error)?;
    Ok(Connected {
        session,
        driver: Box::pin(moq_net::time::run(driver)),
        quic,
    })
}

fn moq_error(error: moq_net::Error) -> ConnectError {
    use moq_net::{Error, SessionError};
    match error {
        Error::Unauthorized | Error::Session(SessionError::Unauthorized) => ConnectError::Refused {
            reason: "the media session was not admitted".into(),
        },
        Error::Transport(_) => ConnectError::Unreachable {
            reason: "the connection broke during the handshake".into(),
        },
        Error::Timeout => ConnectError::Timeout,
        error => ConnectError::Protocol {
            reason: error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ProxyError;

    #[test]
    fn only_versions_with_timestamps_and_datagrams_are_offered() {
        assert_eq!(alpns(), VERSIONS);
    }

    #[test]
    fn the_most_telling_of_two_failures_is_reported() {
        let timeout = ConnectError::Timeout;
        let reason = String::new();
        let unreachable = ConnectError::Unreachable {
            reason: reason.clone(),
        };
        let protocol = ConnectError::Protocol {
            reason: reason.clone(),
        };
        let refused = ConnectError::Refused { reason };
        let proxy = ConnectError::Proxy(ProxyError::Forbidden);
        let cases = [
            (&timeout, &proxy, &proxy),
            (&refused, &proxy, &refused),
            (&timeout, &unreachable, &unreachable),
            (&protocol, &unreachable, &protocol),
            (&refused, &protocol, &refused),
            (&protocol, &refused, &refused),
        ];
        for (quic, websocket, expected) in cases {
            assert_eq!(&blame(quic.clone(), websocket.clone()), expected);
        }
    }

    #[test]
    fn a_token_cannot_change_the_request_around_it() {
        let target = Target {
            endpoint: Endpoint::new("localhost", 4443),
            trust: Trust::System,
            proxies: Proxies::None,
            path: "/m/00".into(),
            token: Zeroizing::new("a&b=c#d".into()),
        };
        let url = target.url("https").unwrap();
        assert_eq!(url.path(), "/m/00");
        assert_eq!(url.query(), Some("token=a%26b%3Dc%23d"));
        assert_eq!(url.fragment(), None);
    }
}
