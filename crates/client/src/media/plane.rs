//! What the driver holds of media: devices, keys, peers and figures.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use conclave_e2ee::{MediaEpoch, Track};
use conclave_media::DeviceInUse;
use conclave_media::audio::{
    AudioEngine, AudioEvent, AudioOptions, MicrophoneSource, SharedSound, SourceId,
};
use conclave_media::video::{CameraSource, Size};
use conclave_meeting::MemberView;
use conclave_transport::Proxies;
use conclave_wire::DeviceId;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;

use super::Answer;
use super::discretion::Discretion;
use super::figures::{Figures, TrackFigures, quantile_ms};
use super::keys::Keyring;
use super::link::Downlink;
use super::losses::Losses;
use super::peers::{Peer, Peers};
use super::publishing::{Order, Publisher};
use super::session::Session;
use super::sharing::Share;
use super::sound;
use super::tracks::{Kind, Reel, Sound};
use super::viewing::{Screen, Shown, Sizes};
use crate::error::ClientError;
use crate::event::{ClientEvent, SenderReport, TrackReport};
use crate::frames::FrameHub;
use crate::options::{Devices, ServerAddress};
use crate::saving::Recorder;

/// Orders and events that wait at the most.
const QUEUE: usize = 64;

/// What media asks of, or tells, the driver.
#[derive(Debug)]
pub(crate) enum MediaEvent {
    WantGrant,
    WantKeyFrame(DeviceId, Track),
    Up,
    Down(String),
    Warning(String),
    /// Something happened to the microphone or the loudspeaker.
    Sound(AudioEvent),
    /// Somebody else's frames came under this member's name, and both its tracks are muted. Told
    /// once until ten seconds have passed without another.
    Forged(DeviceId),
    /// Frames of this member have come for a second and none opens for want of a key. Told every
    /// two seconds until one does.
    KeyMissing(DeviceId),
    /// A recording cannot be written on; why is known when the plane stops.
    SavingFailed,
}

/// A right to connect to the relay.
pub(super) struct Grant {
    pub(super) path: String,
    pub(super) token: String,
}

pub(crate) struct MediaPlane {
    pub(super) engine: Arc<AudioEngine>,
    pub(super) losses: Losses,
    pub(super) keyring: Arc<Keyring>,
    pub(super) discretion: Arc<Discretion>,
    downlink: Arc<Downlink>,
    pub(super) relay_is_up: Arc<AtomicBool>,
    doubt: Arc<Notify>,
    sound_sent: Arc<AtomicU64>,
    pub(super) orders: mpsc::Sender<Order>,
    grants: Option<mpsc::Sender<Grant>>,
    pub(super) peers: watch::Sender<Arc<Peers>>,
    pub(super) screen: Screen,
    pub(super) sizes: watch::Sender<Sizes>,
    pub(super) share: watch::Receiver<Share>,
    /// What is heard with an own shared screen, if sound goes along.
    pub(super) screen_sound: SharedSound,
    camera_in_use: watch::Receiver<DeviceInUse>,
    recorder: Option<Arc<Recorder>>,
    /// A file that begins once somebody is there to hear it.
    pub(super) held_back: Option<MicrophoneSource>,
    last_tile: u32,
    publisher: JoinHandle<()>,
    session: Option<JoinHandle<()>>,
}

impl Drop for MediaPlane {
    fn drop(&mut self) {
        self.publisher.abort();
        if let Some(session) = &self.session {
            session.abort();
        }
    }
}

impl MediaPlane {
    /// Opens the devices. Nothing leaves the computer before [`Self::connect`].
    pub(crate) async fn start(
        devices: Devices,
        hub: Arc<FrameHub>,
        preview: bool,
        watch_size: Size,
        save: Option<PathBuf>,
    ) -> Result<(Self, mpsc::Receiver<MediaEvent>), ClientError> {
        let (events, happened) = mpsc::channel(QUEUE);
        let recorder = save
            .map(|folder| Recorder::new(folder, events.clone()))
            .transpose()?;
        let held_back = match &devices.microphone {
            MicrophoneSource::File(_) => Some(devices.microphone.clone()),
            _ => None,
        };
        let (mut engine, packets) = start_engine(&devices).await?;
        sound::pass_on(&mut engine, events.clone());
        if held_back.is_some() {
            // It was opened to see that it can be; it is played from its beginning later.
            engine.switch_microphone(MicrophoneSource::Off)?;
        }
        let (orders, orders_in) = mpsc::channel(QUEUE);
        let own = preview.then(|| hub.clone());
        let discretion = Arc::<Discretion>::default();
        let (share, shared) = watch::channel(Share::default());
        let mut publisher = Publisher::new(
            orders_in,
            packets,
            events.clone(),
            own,
            devices.camera,
            share,
            discretion.clone(),
        );
        let sound_sent = publisher.sound_sent();
        let camera_in_use = publisher.camera_in_use();
        publisher.open_camera().await?;
        let sizes = watch::Sender::new(Sizes::all(watch_size));
        let screen = Screen {
            sizes: sizes.subscribe(),
            hub,
            recorder: recorder.clone(),
            events,
        };
        let nobody = Peers::new(DeviceId([0; 16]), Vec::new());
        let plane = Self {
            engine: Arc::new(engine),
            losses: Losses::default(),
            keyring: Arc::new(Keyring::new()),
            discretion,
            downlink: Arc::default(),
            relay_is_up: Arc::default(),
            doubt: Arc::default(),
            sound_sent,
            orders,
            grants: None,
            peers: watch::channel(Arc::new(nobody)).0,
            screen,
            sizes,
            share: shared,
            camera_in_use,
            screen_sound: devices.screen_sound,
            recorder,
            held_back,
            last_tile: 0,
            publisher: tokio::spawn(publisher.run()),
            session: None,
        };
        Ok((plane, happened))
    }

    /// Begins to look for the relay.
    pub(crate) fn connect(&mut self, address: ServerAddress, proxies: Proxies) {
        if self.session.is_some() {
            return;
        }
        let (grants, granted) = mpsc::channel(4);
        self.grants = Some(grants);
        let session = Session {
            address,
            proxies,
            engine: self.engine.clone(),
            keyring: self.keyring.clone(),
            orders: self.orders.clone(),
            grants: granted,
            peers: self.peers.subscribe(),
            screen: self.screen.clone(),
            is_up: self.relay_is_up.clone(),
            doubt: self.doubt.clone(),
        };
        self.session = Some(tokio::spawn(session.run()));
    }

    pub(crate) fn grant(&self, path: String, token: String) {
        if let Some(grants) = &self.grants {
            // A full queue holds fresher ones than needed already.
            let _ = grants.try_send(Grant { path, token });
        }
    }

    /// The service broke off: perhaps the relay is gone too.
    pub(crate) fn doubt_relay(&self) {
        self.doubt.notify_one();
    }

    pub(crate) async fn install(&self, keys: MediaEpoch, senders_move_at: Instant) {
        self.keyring.install(keys.opening);
        let _ = self
            .orders
            .send(Order::Keys(keys.sealing, senders_move_at))
            .await;
    }

    /// Takes the members as they are now, this device among them.
    pub(crate) fn set_members(&mut self, me: DeviceId, members: &[MemberView]) {
        let before = self.peers.borrow().clone();
        let others = members.iter().filter(|member| member.device != me);
        let others: Vec<Peer> = others.map(|member| self.peer(&before, member)).collect();
        let own = members.iter().find(|member| member.device == me);
        self.discretion
            .set_place(own.is_none_or(|member| member.place));
        let peers = Peers::new(me, others);
        for old in &before.others {
            let now = peers.find(old.device);
            // Who came back at another leaf keeps the tile; keys and replay windows are a leaf's.
            if now.is_none_or(|now| now.leaf != old.leaf) {
                self.keyring.forget(old.leaf);
            }
            if now.is_none() {
                self.losses.forget(old.device);
                self.silence(old);
                self.screen.hub.remove(old.tile);
                self.screen.hub.remove(old.screen_tile());
                if let Some(recorder) = &self.recorder {
                    recorder.end(old.device);
                }
            }
        }
        for peer in &peers.others {
            self.record(peer);
        }
        self.peers.send_replace(Arc::new(peers));
    }

    fn peer(&mut self, before: &Peers, member: &MemberView) -> Peer {
        let name = member.name.clone().map(String::from);
        let (device, leaf, has_place) = (member.device, member.leaf, member.place);
        match before.find(device) {
            Some(known) => {
                if has_place != known.has_place {
                    // What was not read did not have to arrive.
                    known.figures.arriving.begin_anew();
                }
                Peer {
                    leaf,
                    name,
                    has_place,
                    ..known.clone()
                }
            }
            None => {
                let tile = self.last_tile + 1;
                // One for the camera, and one for a shared screen.
                self.last_tile += 2;
                let figures = Arc::new(Figures::new(self.downlink.clone()));
                let peer = Peer {
                    device,
                    leaf,
                    tile,
                    name,
                    has_place,
                    figures,
                };
                self.engine.add_source(peer.source(Sound::Voice));
                peer
            }
        }
    }

    fn record(&self, peer: &Peer) {
        if let (Some(recorder), Some(name)) = (&self.recorder, &peer.name) {
            let tap = || self.engine.tap(peer.source(Sound::Voice));
            if recorder.begin(peer.device, name, tap, peer.figures.clone()) {
                // A film begins at a key frame, and the last one may be gone already.
                for kind in Kind::ALL {
                    if let Some(size) = self.screen.size(peer.device, kind) {
                        let track = Reel::new(kind, size).track();
                        let wish = MediaEvent::WantKeyFrame(peer.device, track);
                        let _ = self.screen.events.try_send(wish);
                    }
                }
            }
        }
    }

    pub(crate) fn tile(&self, device: DeviceId) -> u32 {
        let peers = self.peers.borrow();
        peers.find(device).map_or(0, |peer| peer.tile)
    }

    pub(crate) fn screen_tile(&self, device: DeviceId) -> u32 {
        let peers = self.peers.borrow();
        peers.find(device).map_or(0, Peer::screen_tile)
    }

    pub(crate) fn set_muted(&self, muted: bool) {
        self.engine.set_muted(muted);
        self.discretion.set_muted(muted);
    }

    pub(crate) async fn set_camera(&self, on: bool) {
        let _ = self.orders.send(Order::Camera(on)).await;
        if !on {
            self.screen.hub.remove(crate::frames::OWN_TILE);
        }
    }

    /// Uses another camera; `answer` hears whether it does.
    pub(crate) async fn use_camera(&self, camera: CameraSource, answer: Answer) {
        let _ = self.orders.send(Order::UseCamera(camera, answer)).await;
    }

    /// The camera that is truly in use.
    pub(crate) fn camera_in_use(&self) -> DeviceInUse {
        self.camera_in_use.borrow().clone()
    }

    /// From now on these pictures and screens are looked at, at these sizes, and no others.
    pub(crate) fn watch(&self, shown: Shown) {
        let peers = self.peers.borrow();
        for peer in &peers.others {
            if !shown.pictures.contains_key(&peer.device) {
                self.screen.hub.remove(peer.tile);
            }
            if !shown.screens.contains_key(&peer.device) {
                self.screen.hub.remove(peer.screen_tile());
            }
        }
        self.sizes.send_if_modified(|sizes| {
            let before = sizes.clone();
            sizes.show(shown);
            *sizes != before
        });
    }

    pub(crate) async fn key_frame_wanted(&self, track: Track) {
        if let Some(reel) = Reel::of(track) {
            let _ = self.orders.send(Order::KeyFrame(reel)).await;
        }
    }

    /// Lets a microphone that is a file begin.
    pub(crate) fn release_microphone(&mut self) -> Result<(), ClientError> {
        match self.held_back.take() {
            Some(file) => Ok(self.engine.switch_microphone(file)?),
            None => Ok(()),
        }
    }

    pub(crate) fn has_held_back(&self) -> bool {
        self.held_back.is_some()
    }

    /// Packets of sound that this device has sent since the client began.
    pub(crate) fn sound_packets_sent(&self) -> u64 {
        self.sound_sent.load(Relaxed)
    }

    pub(crate) fn is_speaking(&self, device: DeviceId) -> bool {
        let source = Sound::Voice.source(self.tile(device));
        self.engine
            .source_stats(source)
            .is_some_and(|stats| stats.speaking)
    }

    /// Figures of everyone, since the last reading.
    pub(crate) fn report(&self) -> ClientEvent {
        let peers = self.peers.borrow();
        let senders = peers.others.iter().map(|peer| self.sender_report(peer));
        ClientEvent::Media {
            senders: senders.collect(),
            holes: self.engine.holes(),
        }
    }

    fn sender_report(&self, peer: &Peer) -> SenderReport {
        let sound = |sound| self.sound_report(peer.figures.sound(sound), peer.source(sound));
        SenderReport {
            device: peer.device,
            name: peer.name.clone().unwrap_or_default(),
            audio: sound(Sound::Voice),
            video: peer.figures.video.report(),
            picture: peer.figures.picture(),
            screen: peer.figures.screen.report(),
            screen_picture: peer.figures.screen_picture(),
            screen_audio: sound(Sound::Shared),
        }
    }

    fn sound_report(&self, figures: &TrackFigures, source: SourceId) -> TrackReport {
        let mut report = figures.report();
        if let Some(stats) = self.engine.source_stats(source) {
            report.played = stats.played_frames;
            report.concealed_ms = stats.concealed_ms;
            report.latency_p50_ms = quantile_ms(&stats.latency_us_recent, 0.5);
            report.latency_p95_ms = quantile_ms(&stats.latency_us_recent, 0.95);
        }
        report
    }

    /// Nothing of somebody is played any more.
    fn silence(&self, peer: &Peer) {
        for sound in Sound::ALL {
            self.engine.remove_source(peer.source(sound));
        }
    }

    /// Ends everything in order and completes the recordings.
    pub(crate) async fn stop(self) -> Result<(), ClientError> {
        for peer in &self.peers.borrow().others {
            self.silence(peer);
        }
        let recorder = self.recorder.clone();
        drop(self);
        match recorder {
            Some(recorder) => recorder.finish().await,
            None => Ok(()),
        }
    }
}

/// Devices may take their time to open, or never answer; the runtime must not wait for them.
async fn start_engine(
    devices: &Devices,
) -> Result<
    (
        AudioEngine,
        mpsc::Receiver<conclave_media::audio::AudioPacket>,
    ),
    ClientError,
> {
    let options = AudioOptions {
        microphone: devices.microphone.clone(),
        speaker: devices.speaker.clone(),
        processing: devices.processing,
        cleaning: devices.cleaning,
        patient: devices.patient,
    };
    let started = tokio::task::spawn_blocking(move || AudioEngine::start(options)).await;
    match started {
        Ok(started) => Ok(started?),
        // Without a result the runtime is ending.
        Err(_) => Err(ClientError::Over),
    }
}
