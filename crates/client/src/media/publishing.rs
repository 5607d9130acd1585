//! From the engine to the relay: every packet is sealed before anything else can have it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use conclave_e2ee::{FrameMeta, Sealer, SealingEpoch, Track};
use conclave_media::audio::AudioPacket;
use conclave_media::video::{CameraSource, Size, VideoError, VideoPacket};
use conclave_transport::{Broadcast, Delivery, PublishError, TrackOptions, TrackWriter};
use tokio::sync::mpsc;

use super::camera::{Camera, Given};
use super::plane::MediaEvent;
use super::tracks;
use crate::frames::{FrameHub, OWN_TILE};
use crate::wait::until;

/// What the publisher is told.
pub(super) enum Order {
    /// Keys to seal with, from the instant on.
    Keys(SealingEpoch, Instant),
    /// The relay is there.
    Relay(Box<Writers>),
    /// The relay is gone.
    NoRelay,
    /// Somebody wants to see this size from a key frame on.
    KeyFrame(Size),
    /// Camera on or off.
    Camera(bool),
}

/// The tracks of one media session.
pub(super) struct Writers {
    /// Withdrawn with the session.
    _broadcast: Broadcast,
    audio: TrackWriter,
    audio_groups: TrackWriter,
    video: Vec<(Size, TrackWriter)>,
}

impl Writers {
    pub(super) fn new(mut broadcast: Broadcast) -> Result<Self, PublishError> {
        let audio = |name, delivery| TrackOptions {
            name,
            delivery,
            priority: tracks::AUDIO_PRIORITY,
            max_age: tracks::AUDIO_MAX_AGE,
        };
        let sound = broadcast.track(audio(tracks::AUDIO, Delivery::Datagrams))?;
        let sound_groups = broadcast.track(audio(tracks::AUDIO_GROUPS, Delivery::Groups))?;
        let mut video = Vec::new();
        for size in Size::ALL {
            let writer = broadcast.track(TrackOptions {
                name: tracks::video_name(size),
                delivery: Delivery::Groups,
                priority: tracks::video_priority(size),
                max_age: tracks::VIDEO_MAX_AGE,
            })?;
            video.push((size, writer));
        }
        broadcast.announce()?;
        Ok(Self {
            _broadcast: broadcast,
            audio: sound,
            audio_groups: sound_groups,
            video,
        })
    }
}

/// Owns the sealers and the camera.
pub(super) struct Publisher {
    orders: mpsc::Receiver<Order>,
    sound: mpsc::Receiver<AudioPacket>,
    events: mpsc::Sender<MediaEvent>,
    preview: Option<Arc<FrameHub>>,
    camera: Camera,
    /// Sizes of which a frame was not sent, and whether a key frame has been asked for since.
    gaps: HashMap<Size, bool>,
    sealers: Vec<Sealer>,
    coming: Option<(SealingEpoch, Instant)>,
    writers: Option<Box<Writers>>,
}

const TRACKS: [Track; 4] = [
    Track::AUDIO,
    Track::VIDEO_LOW,
    Track::VIDEO_MEDIUM,
    Track::VIDEO_HIGH,
];

impl Publisher {
    pub(super) fn new(
        orders: mpsc::Receiver<Order>,
        sound: mpsc::Receiver<AudioPacket>,
        events: mpsc::Sender<MediaEvent>,
        preview: Option<Arc<FrameHub>>,
        source: CameraSource,
    ) -> Self {
        let wanted = match preview {
            Some(_) => vec![Size::Low],
            None => Vec::new(),
        };
        let sealers = TRACKS.into_iter().map(Sealer::new).collect();
        Self {
            orders,
            sound,
            events,
            preview,
            camera: Camera::new(source, wanted),
            gaps: HashMap::new(),
            sealers,
            coming: None,
            writers: None,
        }
    }

    /// Opens the camera, so that a missing one is known before the meeting begins.
    pub(super) async fn open_camera(&mut self) -> Result<(), VideoError> {
        self.camera.open().await
    }

    /// Never waits: the driver that would make room may be waiting for this task.
    fn warn(&self, text: String) {
        let _ = self.events.try_send(MediaEvent::Warning(text));
    }

    /// Runs until the orders end.
    pub(super) async fn run(mut self) {
        loop {
            let change = self.coming.as_ref().map(|(_, at)| *at);
            tokio::select! {
                biased;
                order = self.orders.recv() => match order {
                    Some(order) => self.obey(order),
                    None => return,
                },
                () = until(change) => self.change_keys(),
                Some(packet) = self.sound.recv() => self.send_sound(&packet),
                given = self.camera.next() => match given {
                    Given::Picture(packet) => self.send_picture(&packet),
                    Given::Trouble(error) => self.warn(error.to_string()),
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
                self.camera.refresh();
            }
            Order::NoRelay => self.writers = None,
            Order::KeyFrame(size) => self.camera.show(size),
            Order::Camera(on) => self.camera.turn(on),
        }
    }

    fn change_keys(&mut self) {
        let Some((mut keys, _)) = self.coming.take() else {
            return;
        };
        for (track, sealer) in TRACKS.into_iter().zip(&mut self.sealers) {
            let installed = keys.take(track).map(|key| sealer.install(key));
            if !matches!(installed, Some(Ok(()))) {
                tracing::error!("a media key could not be installed");
            }
        }
    }

    fn sealer(&mut self, track: Track) -> Option<&mut Sealer> {
        let place = TRACKS.iter().position(|known| *known == track)?;
        self.sealers
            .get_mut(place)
            .filter(|sealer| sealer.is_ready())
    }

    fn seal(&mut self, track: Track, meta: &FrameMeta<'_>, plaintext: &[u8]) -> Option<Bytes> {
        let mut sealed = Vec::with_capacity(plaintext.len() + 64);
        match self.sealer(track)?.seal(meta, plaintext, &mut sealed) {
            Ok(()) => Some(sealed.into()),
            Err(error) => {
                tracing::error!(%error, "a frame could not be sealed and was not sent");
                None
            }
        }
    }

    fn send_sound(&mut self, packet: &AudioPacket) {
        if self.writers.is_none() {
            return;
        }
        let meta = FrameMeta {
            track: tracks::AUDIO,
            group: 0,
            frame: 0,
        };
        let Some(sealed) = self.seal(Track::AUDIO, &meta, &packet.encode()) else {
            return;
        };
        let Some(writers) = &mut self.writers else {
            return;
        };
        let written = [
            writers.audio.write(sealed.clone(), packet.capture_us, true),
            writers.audio_groups.write(sealed, packet.capture_us, true),
        ];
        let _ = note(written);
    }

    fn send_picture(&mut self, packet: &VideoPacket) {
        if let (Size::Low, Some(hub)) = (packet.size, &self.preview) {
            hub.push(OWN_TILE, packet);
        }
        let is_whole = packet.key || !self.gaps.contains_key(&packet.size);
        if is_whole && self.write_picture(packet).is_some() {
            self.gaps.remove(&packet.size);
            return;
        }
        // Every later frame builds on the one that was not sent: nothing decodes before a key frame.
        let can_send = self.writers.is_some() && self.sealers.iter().all(Sealer::is_ready);
        let asked = self.gaps.entry(packet.size).or_default();
        if can_send && !std::mem::replace(asked, true) {
            self.camera.request_key_frame(packet.size);
        }
    }

    /// `None` if the frame did not go out.
    fn write_picture(&mut self, packet: &VideoPacket) -> Option<()> {
        let place = |writers: &Writers| {
            writers
                .video
                .iter()
                .position(|(size, _)| *size == packet.size)
        };
        let place = place(self.writers.as_ref()?)?;
        let (group, frame) = self.writers.as_ref()?.video[place]
            .1
            .next_position(packet.key);
        let meta = FrameMeta {
            track: tracks::video_name(packet.size),
            group,
            frame,
        };
        let sealed = self.seal(tracks::video_track(packet.size), &meta, &packet.encode())?;
        let written =
            self.writers.as_mut()?.video[place]
                .1
                .write(sealed, packet.capture_us, packet.key);
        note([written])
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
