//! A media session with the relay.
//!
//! A [`Relay`] is one connection: it does not reconnect. When it ends ([`Relay::closed`]), all it
//! published is withdrawn, all it read ends with `Disconnected`, and a new one is made.
//!
//! Where UDP passes badly, the first session may be one over WebSocket, and a better one come later
//! ([`Relay::successor`]).
//!
//! It owns its tasks, aborted on drop: the drivers of two MoQ origins (what we publish, what the
//! relay announces) and of the session between them, and over QUIC one that follows what the
//! pictures need (`reach.rs`). The QUIC and WebSocket layers below run their sockets on tasks of
//! their own, which end with the last handle of the connection, that is with these.

mod dial;
mod quic;
mod successor;
mod websocket;

use std::future::Future;
use std::time::Duration;

use dial::Connected;
use moq_net::origin;
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::publish::{Broadcast, PublishError};
use crate::reach::{self, Demand};
use crate::subscribe::{BroadcastUpdates, SubscribeError, SubscribeOptions, TrackReader};
use crate::task::OwnedTask;
use crate::{ConnectError, Delivery, Endpoint, Proxies, Trust};

pub use successor::Successor;

/// How long the relay may be silent before the session counts as dead.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(3);
/// How often a quiet session is kept alive.
pub const KEEP_ALIVE: Duration = Duration::from_secs(1);
/// Time for both transports and the MoQ handshake together.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// What a round trip is taken for before one was measured: a lost first packet is sent again after three
/// times that. RFC 9002 §6.2.2 recommends 333 ms, with which WebSocket is there before the second try.
const FIRST_RTT: Duration = Duration::from_millis(100);
/// How long QUIC is tried alone before WebSocket joins. Longer than the pause between two
/// addresses of one host, so that QUIC gets to try a second one.
pub const QUIC_HEAD_START: Duration = Duration::from_millis(600);
/// How long [`Relay::subscribe`] waits for the broadcast and the track to exist.
pub const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a session ended, as a sentence; `None` while it lives.
pub(crate) type Ended = watch::Receiver<Option<String>>;

/// A connected media session.
pub struct Relay {
    session: moq_net::Session,
    published: origin::Producer,
    announced: origin::Consumer,
    ended: Ended,
    endpoint: Option<web_transport_moq::noq::Endpoint>,
    read: Demand,
    written: Demand,
    successor: Successor,
    // Last, so that the handles above are gone when the tasks are aborted.
    _tasks: Vec<OwnedTask>,
}

/// What a session has measured since it began. `None` where the transport does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Smoothed round-trip time to the relay.
    pub rtt: Option<Duration>,
    /// Bytes sent, retransmissions and headers included.
    pub bytes_sent: Option<u64>,
    /// Bytes received, duplicates and headers included.
    pub bytes_received: Option<u64>,
    /// Bytes sent and lost.
    pub bytes_lost: Option<u64>,
    /// Packets sent.
    pub packets_sent: Option<u64>,
    /// Packets received.
    pub packets_received: Option<u64>,
    /// Packets sent and lost.
    pub packets_lost: Option<u64>,
}

impl Relay {
    /// Connects to `path` on the relay, showing `token`.
    ///
    /// QUIC (UDP) and WebSocket (TCP) live on the same port. QUIC is tried first; WebSocket joins
    /// after [`QUIC_HEAD_START`], or at once when QUIC fails, and the first session stands; see
    /// [`Relay::successor`]. A verdict of the server (refused, wrong certificate) ends both. Behind a
    /// proxy the WebSocket goes through it; when [`Proxies::Only`] names it, QUIC is not tried.
    ///
    /// Who may not come in is told so before the session begins: [`ConnectError::Refused`].
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect(
        endpoint: &Endpoint,
        trust: &Trust,
        proxies: &Proxies,
        path: &str,
        token: &str,
    ) -> Result<Self, ConnectError> {
        let dialing = dial::dial(dial::Target {
            endpoint: endpoint.clone(),
            trust: *trust,
            proxies: proxies.clone(),
            path: path.to_owned(),
            token: Zeroizing::new(token.to_owned()),
        });
        match tokio::time::timeout(CONNECT_TIMEOUT, dialing).await {
            Ok(dialed) => dialed,
            Err(_) => Err(ConnectError::Timeout),
        }
    }

    fn over(origins: Origins, connected: Connected) -> Self {
        tracing::debug!(
            quic = connected.quic.is_some(),
            version = %connected.session.version(),
            "media session connected"
        );
        let Origins {
            published,
            announced,
            mut tasks,
        } = origins;
        let (end, ended) = watch::channel(None);
        let driver = connected.driver;
        tasks.push(OwnedTask::spawn(async move {
            let reason = driver.await;
            end.send_replace(Some(end_reason(&reason)));
        }));
        let (read, written) = (Demand::default(), Demand::default());
        let endpoint = connected.quic.map(|quic| {
            let following = reach::follow(quic.connection, read.clone(), written.clone());
            tasks.push(OwnedTask::spawn(following));
            quic.endpoint
        });
        Self {
            session: connected.session,
            published,
            announced,
            ended,
            endpoint,
            read,
            written,
            successor: Successor::none(),
            _tasks: tasks,
        }
    }

    fn with_successor(
        mut self,
        coming: impl Future<Output = Option<Self>> + Send + 'static,
    ) -> Self {
        self.successor = Successor::of(coming);
        self
    }

    /// What takes this session's place once it is there. Where WebSocket was faster, QUIC is still tried
    /// for [`CONNECT_TIMEOUT`]: with it lost packets hold nothing up. It is given once, and ends with
    /// its last owner.
    pub fn successor(&mut self) -> Successor {
        std::mem::replace(&mut self.successor, Successor::none())
    }

    /// Whether the session is QUIC. Over WebSocket no datagram arrives: tracks with
    /// [`Delivery::Datagrams`] need a twin with [`Delivery::Groups`] for such readers.
    pub fn carries_datagrams(&self) -> bool {
        self.endpoint.is_some()
    }

    /// Prepares a broadcast; it is seen by others once [`Broadcast::announce`] is called.
    ///
    /// Choose a name that was never used before (a random last segment): positions start at zero
    /// with each broadcast, and the relay may still remember the groups of a predecessor.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub fn publish(&self, broadcast: &str) -> Result<Broadcast, PublishError> {
        Broadcast::new(&self.published, broadcast, self.written.clone())
    }

    /// Which broadcasts the relay announces: those that exist now, then every change.
    ///
    /// Whether our own are among them is the relay's choice.
    pub fn broadcasts(&self) -> BroadcastUpdates {
        BroadcastUpdates::new(self.announced.announced(), self.ended.clone())
    }

    /// Reads a track, waiting up to [`SUBSCRIBE_TIMEOUT`] for the broadcast and the track.
    ///
    /// # Errors
    /// See [`SubscribeError`].
    pub async fn subscribe(
        &self,
        broadcast: &str,
        track: &str,
        options: SubscribeOptions,
    ) -> Result<TrackReader, SubscribeError> {
        if options.delivery == Delivery::Datagrams && !self.carries_datagrams() {
            return Err(SubscribeError::NoDatagrams);
        }
        let ended = self.ended.clone();
        let share = self.read.add(options.bitrate_bps);
        let opening = TrackReader::open(&self.announced, broadcast, track, options, ended, share);
        match tokio::time::timeout(SUBSCRIBE_TIMEOUT, opening).await {
            Ok(opened) => opened,
            Err(_) => Err(SubscribeError::Unavailable),
        }
    }

    /// Waits for the session to end and says why, as a sentence.
    pub async fn closed(&self) -> String {
        wait_ended(&mut self.ended.clone()).await
    }

    /// What the session has measured. Asking starts the measuring, every 100 ms while somebody
    /// asks: the first answer, or the first after a pause, is old.
    pub fn stats(&self) -> LinkStats {
        let stats = self.session.stats();
        LinkStats {
            rtt: stats.rtt,
            bytes_sent: stats.bytes_sent,
            bytes_received: stats.bytes_received,
            bytes_lost: stats.bytes_lost,
            packets_sent: stats.packets_sent,
            packets_received: stats.packets_received,
            packets_lost: stats.packets_lost,
        }
    }

    /// Delivers what finished tracks still owe (a second at most) and says goodbye, so that the
    /// relay need not wait for [`IDLE_TIMEOUT`]. Drop the broadcasts first.
    pub async fn close(self) {
        let Self {
            session, endpoint, ..
        } = &self;
        // It ends either way; a peer that vanished is no news here.
        let _ = session.clone().close().await;
        if let Some(endpoint) = endpoint {
            endpoint.close(0u32.into(), b"");
            let draining = endpoint.wait_all_draining();
            let _ = tokio::time::timeout(KEEP_ALIVE, draining).await;
        }
    }
}

/// What a session publishes, what its relay announces, and the tasks that drive both.
struct Origins {
    published: origin::Producer,
    announced: origin::Consumer,
    tasks: Vec<OwnedTask>,
}

impl Origins {
    /// They run before the session: the handshake of this client of theirs already announces.
    fn new() -> (Self, moq_net::Client) {
        let (published, publishing) = origin::Producer::new(origin::Config::default());
        let (seen, seeing) = origin::Producer::new(origin::Config::default());
        let announced = seen.consume();
        let tasks = [publishing, seeing].map(|driver| OwnedTask::spawn(drive(driver)));
        let client = dial::client(&published, seen);
        let origins = Self {
            published,
            announced,
            tasks: tasks.into(),
        };
        (origins, client)
    }
}

async fn drive(driver: origin::Driver) {
    // An origin's driver ends when its producers are gone.
    moq_net::time::run(driver).await;
}

/// Resolves when the session has ended, with the reason.
pub(crate) async fn wait_ended(ended: &mut Ended) -> String {
    match ended.wait_for(Option::is_some).await {
        Ok(reason) => reason.clone().unwrap_or_default(),
        // The driver was aborted with its relay's handle.
        Err(_) => "The media session was closed.".into(),
    }
}

fn end_reason(error: &moq_net::Error) -> String {
    use moq_net::{Error, SessionError};
    match error {
        Error::Unauthorized | Error::Session(SessionError::Unauthorized) => {
            "The server ended the media session: this device may not take part. Join again.".into()
        }
        Error::Closed | Error::Cancel | Error::Session(SessionError::Cancel) => {
            "The media session was closed.".into()
        }
        Error::Transport(_) | Error::Timeout => {
            "The connection to the media relay was lost. Connect again.".into()
        }
        error => format!("The media session failed ({error}). Connect again."),
    }
}
