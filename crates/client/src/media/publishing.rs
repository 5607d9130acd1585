//! From the engine to the relay: every packet is sealed before anything else can have it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::Bytes;
use conclave_e2ee::{Attestor, FrameMeta, Sealer, SealingEpoch, Track};
use conclave_media::audio::AudioPacket;
use conclave_media::clock::now_us;
use conclave_media::video::{CameraSource, ScreenSource, ShareMode, Size, VideoError, VideoPacket};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::camera::{Camera, Given, Look};
use super::discretion::{Discretion, MuteGate};
use super::padding::pad;
use super::plane::MediaEvent;
use super::sharing::{Answer, Share, Sharing};
use super::tracks::{self, Kind, Reel};
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
    /// Somebody at this computer looks for something in the camera's pictures, or in those of
    /// this one where there was none.
    Look(CameraSource, Look),
    /// Nobody looks any more.
    EndLook,
    /// Share a screen.
    Share(ScreenSource, ShareMode, Answer),
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
    sharing: Sharing,
    /// Pictures of which a frame was not sent, and whether a key frame has been asked for since.
    gaps: HashMap<Reel, bool>,
    sealers: Vec<Sealer>,
    attestor: Attestor,
    discretion: Arc<Discretion>,
    gate: MuteGate,
    coming: Option<(SealingEpoch, Instant)>,
    writers: Option<Box<Writers>>,
    /// Packets of sound that went out.
    sound_sent: Arc<AtomicU64>,
}

/// In the order of the sealers.
fn tracks() -> impl Iterator<Item = Track> {
    [Track::AUTH, Track::AUDIO]
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

    /// Counts the packets of sound that went out.
    pub(super) fn sound_sent(&self) -> Arc<AtomicU64> {
        self.sound_sent.clone()
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
                }
                Some(packet) = self.sound.recv() => self.send_sound(packet),
                given = self.camera.next() => match given {
                    Given::Picture(packet) => self.send_picture(Kind::Camera, &packet),
                    Given::Own(packet) => self.keep_picture(&packet),
                    Given::Trouble(error) | Given::Strained(error) | Given::Ended(error) => {
                        self.warn(error.to_string());
                    }
                    Given::Opened(_) | Given::Recovered => {}
                },
                packet = self.sharing.next() => self.send_picture(Kind::Screen, &packet),
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
            Order::Look(chosen, answer) => self.camera.look(chosen, answer),
            Order::EndLook => {
                if let (true, Some(hub)) = (self.camera.end_look(), &self.preview) {
                    hub.remove(OWN_TILE);
                }
            }
            Order::Share(source, mode, answer) => {
                self.gaps.retain(|reel, _| reel.kind != Kind::Screen);
                self.sharing.begin(source, mode, answer);
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

    fn send_sound(&mut self, packet: AudioPacket) {
        if self.writers.is_none() {
            return;
        }
        let capture_us = packet.capture_us;
        let Some(sealed) = self.seal_sound(packet) else {
            return;
        };
        let Some(writers) = &mut self.writers else {
            return;
        };
        let written = [
            writers.audio.write(sealed.clone(), capture_us, true),
            writers.audio_groups.write(sealed, capture_us, true),
        ];
        if note(written).is_some() {
            self.sound_sent.fetch_add(1, Relaxed);
        }
    }

    fn seal_sound(&mut self, packet: AudioPacket) -> Option<Bytes> {
        let packet = self.gate.pass(&self.discretion, packet)?;
        let meta = FrameMeta {
            track: tracks::AUDIO,
            group: 0,
            frame: 0,
        };
        self.seal(Track::AUDIO, &meta, &packet.encode())
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
mod tests {
    use std::collections::BTreeSet;

    use conclave_e2ee::{Group, LinkSecret, Pseudonym};
    use conclave_media::audio::{FrameCopy, PacketSize};

    use super::*;

    /// Sounds until the frame counter takes two bytes, as it does for the next 22 minutes: it is
    /// the one part of a sealed packet whose length changes, and it says how long somebody has
    /// been here.
    const WARM_UP: u32 = 256;

    fn publisher() -> (Publisher, Arc<Discretion>) {
        let discretion = Arc::<Discretion>::default();
        let (sound, orders) = (mpsc::channel(1).1, mpsc::channel(1).1);
        let mut publisher = Publisher::new(
            orders,
            sound,
            mpsc::channel(1).0,
            None,
            CameraSource::Off,
            watch::channel(Share::default()).0,
            discretion.clone(),
        );
        let link = LinkSecret::generate().unwrap();
        let mut group = Group::create(Pseudonym([1; 16]), &link, b"policy").unwrap();
        let keys = group.media_epoch().unwrap().sealing;
        publisher.obey(Order::Keys(keys, Instant::now()));
        (publisher, discretion)
    }

    fn copy(back: u8) -> FrameCopy {
        let frame = vec![0xCD; 60].into();
        FrameCopy { back, frame }
    }

    /// Lengths on the wire of so many packets, each with sound of so many bytes; none for a packet
    /// that is not sent.
    fn lengths(publisher: &mut Publisher, packets: u32, sound: usize) -> Vec<Option<usize>> {
        (0..packets)
            .map(|seq| AudioPacket {
                seq,
                capture_us: 0,
                payload: vec![0xAB; sound].into(),
                size: PacketSize::Whole,
                copies: (1..sound as u8 / 20).map(copy).collect(),
            })
            .map(|packet| publisher.seal_sound(packet).map(|sealed| sealed.len()))
            .collect()
    }

    #[test]
    fn under_high_secrecy_speech_silence_and_mute_have_one_length_and_one_rate() {
        let (mut publisher, discretion) = publisher();
        discretion.set_high(true);
        lengths(&mut publisher, WARM_UP, 80);
        let mut seen = lengths(&mut publisher, 100, 80);
        seen.extend(lengths(&mut publisher, 100, 3));
        discretion.set_muted(true);
        seen.extend(lengths(&mut publisher, 100, 3));
        discretion.set_muted(false);
        seen.extend(lengths(&mut publisher, 100, 60));
        assert_eq!(seen.len(), 400);
        let different: BTreeSet<_> = seen.into_iter().collect();
        assert_eq!(different.len(), 1, "{different:?}");
        assert!(different.iter().all(Option::is_some));
    }

    #[test]
    fn under_standard_secrecy_a_muted_microphone_sends_nothing() {
        let (mut publisher, discretion) = publisher();
        lengths(&mut publisher, WARM_UP, 80);
        let speech = lengths(&mut publisher, 50, 80);
        discretion.set_muted(true);
        let fading = lengths(&mut publisher, 20, 3);
        assert!(fading.iter().flatten().all(|len| speech[0] == Some(*len)));
        assert_eq!(lengths(&mut publisher, 100, 3), [None; 100]);
        discretion.set_muted(false);
        assert_eq!(lengths(&mut publisher, 50, 80), speech);
    }

    #[test]
    fn signatures_under_high_secrecy_do_not_tell_how_much_was_sent() {
        let (mut publisher, discretion) = publisher();
        let mut signed = |high: bool| -> BTreeSet<usize> {
            discretion.set_high(high);
            [1, 5, 11, 40]
                .map(|packets| {
                    lengths(&mut publisher, packets, 80);
                    let batch = publisher.attestor.batch().expect("frames to sign");
                    assert_eq!(publisher.attestor.batch(), None);
                    let sealed = publisher.seal_signatures(&batch, 0, 0);
                    // The group stands outside, and the counter's length was explained above.
                    sealed.expect("keys").len() / 16
                })
                .into()
        };
        assert_eq!(signed(true).len(), 1);
        assert_eq!(signed(false).len(), 4);
    }
}
