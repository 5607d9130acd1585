//! From the engine to the relay: every packet is sealed before anything else can have it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::Bytes;
use conclave_e2ee::{Attestor, FrameMeta, Sealer, SealingEpoch, Track};
use conclave_media::DeviceInUse;
use conclave_media::audio::AudioPacket;
use conclave_media::clock::now_us;
use conclave_media::video::{CameraSource, Size, VideoError, VideoPacket};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::Answer;
use super::camera::{Camera, Given, Look};
use super::discretion::{Discretion, MuteGate};
use super::padding::pad;
use super::plane::MediaEvent;
use super::sharing::{Made, Share, Shareable, Sharing};
use super::tracks::{self, Kind, Reel, Sound};
use super::writers::Writers;
use crate::frames::{FrameHub, OWN_TILE};
use crate::wait::until;

/// How often the frames sent since are signed.
const SIGN_EVERY: Duration = Duration::from_millis(200);

/// The size in which one's own picture is shown.
const OWN_SIZE: Size = Size::Low;

/// What the publisher is told.
pub(super) enum Order {
    /// Keys to seal with, from the instant on.
    Keys(SealingEpoch, Instant),
    /// The relay is there.
    Relay(Box<Writers>),
    /// The relay is gone.
    NoRelay,
    /// Somebody wants to see these pictures from a key frame on.
    KeyFrame(Reel),
    /// Camera on or off.
    Camera(bool),
    /// Another camera from its first picture on.
    UseCamera(CameraSource, Answer),
    /// Somebody at this computer looks for something in the camera's pictures, or in those of
    /// this one where there was none.
    Look(CameraSource, Look),
    /// Nobody looks any more.
    EndLook,
    /// Share a screen.
    Share(Shareable, Answer),
    /// Share it no more.
    StopSharing,
}

/// Owns the sealers and the camera.
pub(super) struct Publisher {
    orders: mpsc::Receiver<Order>,
    sound: mpsc::Receiver<AudioPacket>,
    events: mpsc::Sender<MediaEvent>,
    preview: Option<Arc<FrameHub>>,
    camera: Camera,
    camera_in_use: watch::Sender<DeviceInUse>,
    sharing: Sharing,
    /// Pictures of which a frame was not sent, and whether a key frame has been asked for since.
    gaps: HashMap<Reel, bool>,
    sealers: Vec<Sealer>,
    attestor: Attestor,
    discretion: Arc<Discretion>,
    gate: MuteGate,
    coming: Option<(SealingEpoch, Instant)>,
    writers: Option<Box<Writers>>,
    /// Packets of the microphone's sound that went out.
    sound_sent: Arc<AtomicU64>,
}

/// In the order of the sealers.
fn tracks() -> impl Iterator<Item = Track> {
    [Track::AUTH, Track::AUDIO, Track::SCREEN_AUDIO]
        .into_iter()
        .chain(Track::PICTURES)
}

impl Publisher {
    pub(super) fn new(
        orders: mpsc::Receiver<Order>,
        sound: mpsc::Receiver<AudioPacket>,
        events: mpsc::Sender<MediaEvent>,
        preview: Option<Arc<FrameHub>>,
        source: CameraSource,
        share: watch::Sender<Share>,
        discretion: Arc<Discretion>,
    ) -> Self {
        let own = preview.as_ref().map(|_| OWN_SIZE);
        let sealers = self::tracks().map(Sealer::new).collect();
        Self {
            orders,
            sound,
            events,
            preview,
            camera: Camera::new(source, own),
            camera_in_use: watch::Sender::default(),
            sharing: Sharing::new(share),
            gaps: HashMap::new(),
            sealers,
            attestor: Attestor::new(),
            discretion,
            gate: MuteGate::default(),
            coming: None,
            writers: None,
            sound_sent: Arc::default(),
        }
    }

    /// Counts the packets of the microphone's sound that went out.
    pub(super) fn sound_sent(&self) -> Arc<AtomicU64> {
        self.sound_sent.clone()
    }

    /// Which camera is in use, and its changes.
    pub(super) fn camera_in_use(&self) -> watch::Receiver<DeviceInUse> {
        self.camera_in_use.subscribe()
    }

    /// Opens the camera, so that a missing one is known before the meeting begins.
    pub(super) async fn open_camera(&mut self) -> Result<(), VideoError> {
        let opened = self.camera.open().await;
        self.tell_camera();
        opened
    }

    fn tell_camera(&self) {
        let now = self.camera.in_use();
        self.camera_in_use.send_if_modified(|told| {
            let changed = *told != now;
            *told = now;
            changed
        });
    }

    /// Never waits: the driver that would make room may be waiting for this task.
    fn warn(&self, text: String) {
        let _ = self.events.try_send(MediaEvent::Warning(text));
    }

    /// Runs until the orders end.
    pub(super) async fn run(mut self) {
        let mut signing = interval(SIGN_EVERY);
        signing.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let change = self.coming.as_ref().map(|(_, at)| *at);
            tokio::select! {
                biased;
                order = self.orders.recv() => match order {
                    Some(order) => self.obey(order),
                    None => return,
                },
                () = until(change) => self.change_keys(),
                _ = signing.tick() => {
                    self.send_signatures();
                    self.follow_readers();
                    self.tell_camera();
                }
                Some(packet) = self.sound.recv() => self.send_voice(packet),
                given = self.camera.next() => match given {
                    Given::Picture(packet) => self.send_picture(Kind::Camera, &packet),
                    Given::Own(packet) => self.keep_picture(&packet),
                    Given::Trouble(error) | Given::Strained(error) | Given::Ended(error) => {
                        self.warn(error.to_string());
                    }
                    Given::Followed { gone, name } => self.warn(format!(
                        "The camera “{gone}” is gone. “{name}” is used now, which is this \
                         system's default."
                    )),
                    Given::Opened(_) | Given::Recovered => {}
                },
                made = self.sharing.next() => match made {
                    Made::Picture(packet) => self.send_picture(Kind::Screen, &packet),
                    Made::Sound(packet) => self.send_shared_sound(&packet),
                },
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Keys(keys, at) => {
                // An epoch that was still waiting is overtaken: the newer keys are for fewer or
                // better known ears.
                self.coming = Some((keys, at));
                if at <= Instant::now() {
                    self.change_keys();
                }
            }
            Order::Relay(writers) => {
                self.writers = Some(writers);
                for kind in Kind::ALL {
                    if let Some(camera) = self.camera(kind) {
                        camera.refresh();
                    }
                }
            }
            Order::NoRelay => self.writers = None,
            Order::KeyFrame(reel) => {
                if let Some(camera) = self.camera(reel.kind) {
                    camera.show(reel.size);
                }
            }
            Order::Camera(on) => self.camera.turn(on),
            Order::UseCamera(camera, answer) => self.camera.choose(camera, answer),
            Order::Look(chosen, answer) => self.camera.look(chosen, answer),
            Order::EndLook => {
                if let (true, Some(hub)) = (self.camera.end_look(), &self.preview) {
                    hub.remove(OWN_TILE);
                }
            }
            Order::Share(what, answer) => {
                self.gaps.retain(|reel, _| reel.kind != Kind::Screen);
                self.sharing.begin(what, answer);
            }
            Order::StopSharing => self.sharing.stop(),
        }
    }

    /// The camera, or what reads the shared screen.
    fn camera(&mut self, kind: Kind) -> Option<&mut Camera> {
        match kind {
            Kind::Camera => Some(&mut self.camera),
            Kind::Screen => self.sharing.camera(),
        }
    }

    fn follow_readers(&mut self) {
        for kind in Kind::ALL {
            let Some(writers) = &self.writers else {
                return;
            };
            let tracks = writers.pictures.iter();
            let readers: Vec<_> = tracks
                .filter(|(reel, _)| reel.kind == kind)
                .map(|(reel, track)| (reel.size, track.is_read()))
                .collect();
            if let Some(camera) = self.camera(kind) {
                camera.follow(readers.into_iter(), Instant::now());
            }
        }
    }

    fn change_keys(&mut self) {
        let Some((mut keys, _)) = self.coming.take() else {
            return;
        };
        // First the key that signs: it must know an epoch before frames are sealed in it.
        if let Some(key) = keys.attest_key() {
            self.attestor.install(key);
        }
        for (track, sealer) in self::tracks().zip(&mut self.sealers) {
            let installed = keys.take(track).map(|key| sealer.install(key));
            if !matches!(installed, Some(Ok(()))) {
                tracing::error!("a media key could not be installed");
            }
        }
    }

    fn sealer(&mut self, track: Track) -> Option<&mut Sealer> {
        let place = self::tracks().position(|known| known == track)?;
        self.sealers
            .get_mut(place)
            .filter(|sealer| sealer.is_ready())
    }

    fn seal(&mut self, track: Track, meta: &FrameMeta<'_>, plaintext: &[u8]) -> Option<Bytes> {
        let mut sealed = Vec::with_capacity(plaintext.len() + 64);
        match self.sealer(track)?.seal(meta, plaintext, &mut sealed) {
            Ok(()) => {
                // Passes over the track of signatures itself.
                self.attestor.note(&sealed);
                Some(sealed.into())
            }
            Err(error) => {
                tracing::error!(%error, "a frame could not be sealed and was not sent");
                None
            }
        }
    }

    fn send_voice(&mut self, packet: AudioPacket) {
        let capture_us = packet.capture_us;
        if self.writers.is_some()
            && let Some(sealed) = self.seal_voice(packet)
            && self.write_sound(Sound::Voice, sealed, capture_us).is_some()
        {
            self.sound_sent.fetch_add(1, Relaxed);
        }
    }

    /// `None` when a muted microphone says nothing at all.
    fn seal_voice(&mut self, packet: AudioPacket) -> Option<Bytes> {
        let packet = self.gate.pass(&self.discretion, packet)?;
        self.seal_sound(Sound::Voice, &packet)
    }

    /// Goes out as long as the share lasts, whatever becomes of the microphone.
    fn send_shared_sound(&mut self, packet: &AudioPacket) {
        if self.writers.is_some()
            && let Some(sealed) = self.seal_sound(Sound::Shared, packet)
        {
            let _ = self.write_sound(Sound::Shared, sealed, packet.capture_us);
        }
    }

    fn seal_sound(&mut self, sound: Sound, packet: &AudioPacket) -> Option<Bytes> {
        self.seal(sound.track(), &sound.meta(), &packet.encode())
    }

    /// `None` if the packet did not go out.
    fn write_sound(&mut self, sound: Sound, sealed: Bytes, capture_us: u64) -> Option<()> {
        let writers = self.writers.as_mut()?;
        note(writers.sound(sound).write(sealed, capture_us))
    }

    /// Signs what was sent since the last time.
    fn send_signatures(&mut self) {
        while self.writers.is_some()
            && let Some(batch) = self.attestor.batch()
        {
            let _ = self.write_signatures(&batch);
        }
    }

    fn write_signatures(&mut self, batch: &[u8]) -> Option<()> {
        let (group, frame) = self.writers.as_ref()?.auth.next_position(true);
        let sealed = self.seal_signatures(batch, group, frame)?;
        let written = self.writers.as_mut()?.auth.write(sealed, now_us(), true);
        note([written])
    }

    fn seal_signatures(&mut self, batch: &[u8], group: u64, frame: u64) -> Option<Bytes> {
        let meta = FrameMeta {
            track: tracks::AUTH,
            group,
            frame,
        };
        let padded = pad(batch, self.discretion.batch_room());
        self.seal(Track::AUTH, &meta, &padded)
    }

    /// Shows the own picture to the person at this computer.
    fn show_own(&self, reel: Reel, packet: &VideoPacket) {
        if let Some(hub) = &self.preview
            && reel == Reel::new(Kind::Camera, OWN_SIZE)
        {
            hub.push(OWN_TILE, packet);
        }
    }

    /// A picture that nobody else gets; what goes out after it begins anew.
    fn keep_picture(&mut self, packet: &VideoPacket) {
        let reel = Reel::new(Kind::Camera, packet.size);
        self.show_own(reel, packet);
        self.gaps.entry(reel).or_default();
    }

    fn send_picture(&mut self, kind: Kind, packet: &VideoPacket) {
        let reel = Reel::new(kind, packet.size);
        self.show_own(reel, packet);
        let is_whole = packet.key || !self.gaps.contains_key(&reel);
        if is_whole && self.write_picture(reel, packet).is_some() {
            self.gaps.remove(&reel);
            return;
        }
        // Every later frame builds on the one that was not sent: nothing decodes before a key frame.
        let can_send = self.writers.is_some() && self.sealers.iter().all(Sealer::is_ready);
        let asked = self.gaps.entry(reel).or_default();
        if can_send
            && !std::mem::replace(asked, true)
            && let Some(camera) = self.camera(kind)
        {
            camera.request_key_frame(packet.size);
        }
    }

    /// `None` if the frame did not go out.
    fn write_picture(&mut self, reel: Reel, packet: &VideoPacket) -> Option<()> {
        let mut pictures = self.writers.as_ref()?.pictures.iter();
        let place = pictures.position(|(known, _)| *known == reel)?;
        let (group, frame) = self.writers.as_ref()?.pictures[place]
            .1
            .next_position(packet.key);
        let meta = FrameMeta {
            track: reel.name(),
            group,
            frame,
        };
        let padded = pad(&packet.encode(), self.discretion.picture_room());
        let sealed = self.seal(reel.track(), &meta, &padded)?;
        let writer = &mut self.writers.as_mut()?.pictures[place].1;
        note([writer.write(sealed, packet.capture_us, packet.key)])
    }
}

/// Whether all went out. A write fails when the session has ended, which the session reports.
fn note<const N: usize>(written: [Result<(), conclave_transport::WriteError>; N]) -> Option<()> {
    let mut all = Some(());
    for error in written.into_iter().filter_map(Result::err) {
        tracing::trace!(%error, "a frame was not sent");
        all = None;
    }
    all
}

#[cfg(test)]
mod tests;
