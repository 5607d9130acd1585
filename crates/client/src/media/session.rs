//! The connection to the relay, made again whenever it ends, and what is read over it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use conclave_e2ee::Track;
use conclave_media::audio::AudioEngine;
use conclave_transport::{BroadcastUpdate, ConnectError, Proxies, Relay};
use conclave_wire::DeviceId;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::keys::Keyring;
use super::peers::{Peer, Peers};
use super::plane::{Grant, MediaEvent};
use super::publishing::Order;
use super::reading;
use super::receiving::{self, Sender};
use super::tracks::Kind;
use super::viewing::{self, Screen};
use super::writers::Writers;
use crate::options::ServerAddress;
use crate::randomness;

/// How long a grant may take before it is asked for again: the control link may be down.
const GRANT_PATIENCE: Duration = Duration::from_secs(1);
/// A relay that sends nothing for so many looks after the service broke off is gone with it.
const LOOKS_WITHOUT_LIFE: u32 = 3;
/// The pause between two looks: as often as the relay's figures are measured. Sooner, the service
/// that must grant the next session is not back.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
/// Looks after which a relay that lives is trusted again. The first figures may be old.
const LOOKS: u32 = 10;
/// Pauses between tries to connect; the last one repeats.
const PAUSES_MS: [u64; 4] = [50, 150, 400, 1000];

/// What a session needs, over all its connections.
pub(super) struct Session {
    pub(super) address: ServerAddress,
    pub(super) proxies: Proxies,
    pub(super) engine: Arc<AudioEngine>,
    pub(super) keyring: Arc<Keyring>,
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) grants: mpsc::Receiver<Grant>,
    pub(super) peers: watch::Receiver<Arc<Peers>>,
    pub(super) screen: Screen,
    /// Whether the relay is connected now.
    pub(super) is_up: Arc<AtomicBool>,
    /// Told when the service broke off.
    pub(super) doubt: Arc<Notify>,
}

/// The tasks that read one sender; they end when this is dropped.
struct Readers {
    broadcast: String,
    leaf: conclave_e2ee::Leaf,
    has_place: watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

impl Session {
    pub(super) async fn run(mut self) {
        let mut tries = 0;
        loop {
            let Some(grant) = self.ask_grant().await else {
                return;
            };
            match self.connect(&grant).await {
                Ok(relay) => {
                    tries = 0;
                    let mut next = Some(relay);
                    while let Some(relay) = next {
                        next = self.serve(relay).await;
                    }
                }
                Err(error) => tracing::debug!(%error, "the media relay could not be reached"),
            }
            let pause = PAUSES_MS[tries.min(PAUSES_MS.len() - 1)];
            tries += 1;
            sleep(Duration::from_millis(pause)).await;
        }
    }

    /// A fresh right to connect; `None` when the client ends.
    async fn ask_grant(&mut self) -> Option<Grant> {
        while self.grants.try_recv().is_ok() {}
        loop {
            self.screen.events.send(MediaEvent::WantGrant).await.ok()?;
            match timeout(GRANT_PATIENCE, self.grants.recv()).await {
                Ok(grant) => return grant,
                Err(_) => continue,
            }
        }
    }

    async fn connect(&self, grant: &Grant) -> Result<Relay, ConnectError> {
        let (server, trust) = (&self.address.endpoint, self.address.trust());
        Relay::connect(server, &trust, &self.proxies, &grant.path, &grant.token).await
    }

    /// Publishes and reads until the connection ends, this device becomes another one, or a better
    /// connection is there, which it gives.
    async fn serve(&mut self, mut relay: Relay) -> Option<Relay> {
        let mut successor = relay.successor();
        let relay = Arc::new(relay);
        let me = self.peers.borrow().me;
        let name = format!("{me}/{}", randomness::instance());
        let writers = relay.publish(&name).and_then(Writers::new);
        match writers {
            Ok(writers) => drop(self.orders.send(Order::Relay(Box::new(writers))).await),
            Err(error) => tracing::warn!(%error, "nothing can be published"),
        }
        self.is_up.store(true, Relaxed);
        let _ = self.screen.events.send(MediaEvent::Up).await;
        let (reason, better) = tokio::select! {
            reason = self.read_all(&relay, me) => (reason, None),
            better = successor.come() => ("Datagrams pass after all.".into(), Some(better)),
        };
        self.is_up.store(false, Relaxed);
        let _ = self.orders.send(Order::NoRelay).await;
        let _ = self.screen.events.send(MediaEvent::Down(reason)).await;
        better
    }

    async fn read_all(&mut self, relay: &Arc<Relay>, me: DeviceId) -> String {
        let mut updates = relay.broadcasts();
        let mut routes = HashMap::new();
        let mut readers: HashMap<DeviceId, Readers> = HashMap::new();
        let doubt = self.doubt.clone();
        // One over all turns of the loop: what it has begun to look for must not be forgotten.
        let mut gone = std::pin::pin!(is_gone(relay, &doubt));
        loop {
            tokio::select! {
                reason = relay.closed() => return reason,
                () = &mut gone => {
                    return "The media relay went with the service.".into();
                }
                update = updates.next() => match update {
                    Some(update) => note_route(&mut routes, update, me),
                    None => return "The media relay ended the session.".into(),
                },
                changed = self.peers.changed() => {
                    if changed.is_err() {
                        return "The meeting is over.".into();
                    }
                }
            }
            let peers = self.peers.borrow_and_update().clone();
            if peers.me != me {
                return "This device enters anew.".into();
            }
            self.reconcile(relay, &peers, &routes, &mut readers);
        }
    }

    /// Reads whoever is in the roster and announced, and nobody else.
    fn reconcile(
        &self,
        relay: &Arc<Relay>,
        peers: &Peers,
        routes: &HashMap<DeviceId, String>,
        readers: &mut HashMap<DeviceId, Readers>,
    ) {
        readers.retain(|device, readers| {
            let peer = peers.find(*device);
            peer.is_some_and(|peer| peer.leaf == readers.leaf)
                && routes
                    .get(device)
                    .is_some_and(|route| *route == readers.broadcast)
        });
        for peer in &peers.others {
            peer.figures
                .set_announced(routes.contains_key(&peer.device));
            match (readers.get(&peer.device), routes.get(&peer.device)) {
                (Some(readers), _) => {
                    let change =
                        |place: &mut bool| std::mem::replace(place, peer.has_place) != *place;
                    readers.has_place.send_if_modified(change);
                }
                (None, Some(route)) => {
                    readers.insert(peer.device, self.read(relay, peer, route));
                }
                (None, None) => {}
            }
        }
    }

    fn read(&self, relay: &Arc<Relay>, peer: &Peer, route: &str) -> Readers {
        let sender = Sender {
            relay: relay.clone(),
            broadcast: route.to_owned(),
            device: peer.device,
            tile: peer.tile,
            figures: peer.figures.clone(),
            guard: self.keyring.guard(peer.leaf),
            hub: self.screen.hub.clone(),
            installed: self.keyring.watch(),
            events: self.screen.events.clone(),
        };
        let opener = |track| self.keyring.opener(peer.leaf, track);
        let (auth, audio) = (opener(Track::AUTH), opener(Track::AUDIO));
        let shared = opener(Track::SCREEN_AUDIO);
        let (keys, screen) = (self.keyring.clone(), self.screen.clone());
        let has_place = watch::Sender::new(peer.has_place);
        let place = has_place.subscribe();
        let mut tasks = JoinSet::new();
        tasks.spawn(reading::signatures(
            sender.clone(),
            auth,
            place.clone(),
            screen.clone(),
        ));
        let engine = self.engine.clone();
        tasks.spawn(reading::sound(sender.clone(), audio, engine.clone(), place));
        let sizes = screen.sizes.clone();
        tasks.spawn(reading::shared_sound(sender.clone(), shared, engine, sizes));
        tasks.spawn(receiving::watch_link(
            sender.clone(),
            screen.clone(),
            self.engine.clone(),
        ));
        for kind in Kind::ALL {
            let (sender, keys, screen) = (sender.clone(), keys.clone(), screen.clone());
            tasks.spawn(viewing::picture(sender, keys, peer.leaf, screen, kind));
        }
        Readers {
            broadcast: route.to_owned(),
            leaf: peer.leaf,
            has_place,
            _tasks: tasks,
        }
    }
}

/// Waits for a time without a sign of life after the service broke off. Both are one program, and
/// TCP tells of its end at once, where QUIC waits for its patience to run out.
async fn is_gone(relay: &Relay, doubt: &Notify) {
    loop {
        doubt.notified().await;
        let (mut last, mut without_life) = (relay.stats().packets_received, 0);
        for _ in 0..LOOKS {
            sleep(BETWEEN_LOOKS).await;
            let now = relay.stats().packets_received;
            without_life = if now == last { without_life + 1 } else { 0 };
            last = now;
            if now.is_some() && without_life == LOOKS_WITHOUT_LIFE {
                return;
            }
        }
    }
}

/// A broadcast is named `<device>/<instance>`; of each device the newest instance counts.
fn note_route(routes: &mut HashMap<DeviceId, String>, update: BroadcastUpdate, me: DeviceId) {
    let device = update
        .name
        .split('/')
        .next()
        .and_then(|device| device.parse::<DeviceId>().ok());
    match device {
        Some(device) if device != me && update.active => {
            routes.insert(device, update.name);
        }
        Some(device) if routes.get(&device) == Some(&update.name) => {
            routes.remove(&device);
        }
        _ => {}
    }
}
