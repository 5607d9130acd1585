//! From the engine to the relay: every packet is sealed before anything else can have it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use conclave_e2ee::{FrameMeta, Sealer, SealingEpoch, Track};
use conclave_media::audio::AudioPacket;
use conclave_media::video::{
    CameraSource, CaptureEvent, Size, VideoCapture, VideoError, VideoPacket,
};
use conclave_transport::{Broadcast, Delivery, PublishError, TrackOptions, TrackWriter};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};

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
    source: CameraSource,
    camera: Option<Camera>,
    /// A camera takes seconds to open, and sound must not wait for it.
    opening: Option<JoinHandle<Result<Camera, VideoError>>>,
    /// What the person wants; a camera that opens too late is closed again.
    camera_on: bool,
    /// Sizes that somebody has asked for.
    wanted: Vec<Size>,
    /// Sizes of which a frame was not sent, and whether a key frame has been asked for since.
    gaps: HashMap<Size, bool>,
    sealers: Vec<Sealer>,
    coming: Option<(SealingEpoch, Instant)>,
    writers: Option<Box<Writers>>,
}

struct Camera {
    capture: VideoCapture,
    packets: mpsc::Receiver<VideoPacket>,
    events: mpsc::Receiver<CaptureEvent>,
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
        let wanted = if preview.is_some() {
            vec![Size::Low]
        } else {
            Vec::new()
        };
        let sealers = TRACKS.into_iter().map(Sealer::new).collect();
        Self {
            orders,
            sound,
            events,
            preview,
            source,
            camera: None,
            opening: None,
            camera_on: true,
            wanted,
            gaps: HashMap::new(),
            sealers,
            coming: None,
            writers: None,
        }
    }

    /// Opens the camera, so that a missing one is known before the meeting begins.
    pub(super) async fn open_camera(&mut self) -> Result<(), VideoError> {
        let opened = self.begin_opening().await;
        // Without a result the runtime is ending, and nobody looks for the camera any more.
        self.camera = opened.ok().transpose()?;
        Ok(())
    }

    fn begin_opening(&self) -> JoinHandle<Result<Camera, VideoError>> {
        let (source, sizes) = (self.source.clone(), self.wanted.clone());
        tokio::task::spawn_blocking(move || {
            let (mut capture, packets) = VideoCapture::start(source, &sizes)?;
            let events = capture.take_events().unwrap_or_else(|| mpsc::channel(1).1);
            Ok(Camera {
                capture,
                packets,
                events,
            })
        })
    }

    /// Stopping a camera takes a moment too.
    fn close_camera(&mut self) {
        if let Some(camera) = self.camera.take() {
            tokio::task::spawn_blocking(move || drop(camera));
        }
    }

    fn camera_opened(&mut self, opened: Result<Result<Camera, VideoError>, JoinError>) {
        self.opening = None;
        match opened {
            Ok(Ok(camera)) => {
                self.camera = Some(camera);
                match self.camera_on {
                    true => self
                        .wanted
                        .clone()
                        .into_iter()
                        .for_each(|size| self.show(size)),
                    false => self.close_camera(),
                }
            }
            Ok(Err(error)) => self.warn(error.to_string()),
            Err(_) => self.warn(VideoError::NoCamera.to_string()),
        }
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
                opened = finished(self.opening.as_mut()) => self.camera_opened(opened),
                Some(packet) = self.sound.recv() => self.send_sound(&packet),
                given = given(self.camera.as_mut()) => match given {
                    Given::Picture(packet) => self.send_picture(&packet),
                    Given::Event(event) => self.camera_event(event),
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
                self.refresh();
            }
            Order::NoRelay => self.writers = None,
            Order::KeyFrame(size) => self.show(size),
            Order::Camera(on) => {
                self.camera_on = on;
                if !on {
                    self.close_camera();
                } else if self.camera.is_none() && self.opening.is_none() {
                    self.opening = Some(self.begin_opening());
                }
            }
        }
    }

    fn show(&mut self, size: Size) {
        if !self.wanted.contains(&size) {
            self.wanted.push(size);
        }
        if let Some(camera) = &self.camera {
            camera.capture.set_active(size, true);
            camera.capture.request_key_frame(size);
        }
    }

    fn refresh(&self) {
        if let Some(camera) = &self.camera {
            self.wanted
                .iter()
                .for_each(|size| camera.capture.request_key_frame(*size));
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
        if can_send
            && !std::mem::replace(asked, true)
            && let Some(camera) = &self.camera
        {
            camera.capture.request_key_frame(packet.size);
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

    fn camera_event(&mut self, event: CaptureEvent) {
        let text = match event {
            CaptureEvent::Failed(error) => {
                self.close_camera();
                error.to_string()
            }
            CaptureEvent::Silent(error) => error.to_string(),
            CaptureEvent::Resumed => return,
        };
        self.warn(text);
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

/// What a camera gives.
enum Given {
    Picture(VideoPacket),
    Event(CaptureEvent),
}

/// What the camera gives next; never, without a camera.
async fn given(camera: Option<&mut Camera>) -> Given {
    let Some(camera) = camera else {
        return std::future::pending().await;
    };
    tokio::select! {
        Some(packet) = camera.packets.recv() => Given::Picture(packet),
        Some(event) = camera.events.recv() => Given::Event(event),
        else => std::future::pending().await,
    }
}

/// The camera, once it is open; never, while none is being opened.
async fn finished<T>(task: Option<&mut JoinHandle<T>>) -> Result<T, JoinError> {
    match task {
        Some(task) => task.await,
        None => std::future::pending().await,
    }
}
