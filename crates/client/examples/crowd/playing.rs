//! Somebody of the audience who shows a picture and speaks: a recording, sealed with own keys and signed
//! like what a camera gives.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use conclave_e2ee::{Attestor, FrameMeta, Sealer, SealingEpoch, Track};
use conclave_media::audio::AudioPacket;
use conclave_media::clock::now_us;
use conclave_media::video::{Size, VideoPacket};
use conclave_transport::TrackWriter;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::recording::Recording;

/// How often it is looked what is due.
const LOOK: Duration = Duration::from_millis(10);
/// Looks between one batch of signatures and the next, 200 ms.
const LOOKS_A_BATCH: u32 = 20;
/// Those that are sealed.
const SEALED: [Track; 4] = [
    Track::AUTH,
    Track::AUDIO,
    Track::VIDEO_LOW,
    Track::VIDEO_MEDIUM,
];

pub type Writers = HashMap<&'static str, TrackWriter>;

/// What a player is told.
pub enum Order {
    /// Keys to seal with, from the instant on.
    Keys(SealingEpoch, Instant),
    /// The tracks of a new session.
    Tracks(Writers),
}

pub struct Player {
    recording: Arc<Recording>,
    orders: mpsc::UnboundedReceiver<Order>,
    coming: Option<(SealingEpoch, Instant)>,
    sealers: Vec<Sealer>,
    attestor: Attestor,
    writers: Writers,
    /// When the recording began this time.
    began_us: u64,
    /// How many of its packets have gone out since.
    shown: usize,
    said: usize,
    /// The number of the next packet of each track, which counts on.
    numbers: HashMap<Track, u32>,
}

impl Player {
    /// Begins the recording so much later.
    pub fn new(
        recording: Arc<Recording>,
        orders: mpsc::UnboundedReceiver<Order>,
        later: Duration,
    ) -> Self {
        Self {
            recording,
            orders,
            coming: None,
            sealers: SEALED.map(Sealer::new).into(),
            attestor: Attestor::new(),
            writers: Writers::new(),
            began_us: now_us() + later.as_micros() as u64,
            shown: 0,
            said: 0,
            numbers: HashMap::new(),
        }
    }

    /// Plays until the orders end.
    pub async fn run(mut self) {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut looks = 0_u32;
        loop {
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(Order::Keys(keys, at)) => self.coming = Some((keys, at)),
                    Some(Order::Tracks(writers)) => self.writers = writers,
                    None => return,
                },
                _ = look.tick() => {
                    self.change_keys();
                    self.play();
                    looks = looks.wrapping_add(1);
                    if looks.is_multiple_of(LOOKS_A_BATCH) {
                        self.sign();
                    }
                }
            }
        }
    }

    fn change_keys(&mut self) {
        let is_due = |(_, at): &mut (SealingEpoch, Instant)| *at <= Instant::now();
        let Some((mut keys, _)) = self.coming.take_if(is_due) else {
            return;
        };
        if let Some(key) = keys.attest_key() {
            self.attestor.install(key);
        }
        for (track, sealer) in SEALED.into_iter().zip(&mut self.sealers) {
            let key = keys.take(track).map(|key| sealer.install(key));
            if !matches!(key, Some(Ok(()))) {
                eprintln!("crowd: a media key could not be installed");
            }
        }
    }

    /// Sends what is due by now.
    fn play(&mut self) {
        let recording = self.recording.clone();
        let Some(first_us) = recording.sound.first().map(|packet| packet.capture_us) else {
            return;
        };
        let Some(played_us) = now_us().checked_sub(self.began_us) else {
            return;
        };
        let is_due = |capture_us: u64| capture_us.saturating_sub(first_us) <= played_us;
        while let Some(packet) = recording.sound.get(self.said)
            && is_due(packet.capture_us)
        {
            self.say(packet, first_us);
            self.said += 1;
        }
        while let Some(packet) = recording.pictures.get(self.shown)
            && is_due(packet.capture_us)
        {
            self.show(packet, first_us);
            self.shown += 1;
        }
        if self.said == recording.sound.len() && self.shown == recording.pictures.len() {
            (self.began_us, self.said, self.shown) = (now_us(), 0, 0);
        }
    }

    fn number(&mut self, track: Track) -> u32 {
        let next = self.numbers.entry(track).or_default();
        *next += 1;
        *next - 1
    }

    fn say(&mut self, packet: &AudioPacket, first_us: u64) {
        let packet = AudioPacket {
            seq: self.number(Track::AUDIO),
            capture_us: self.began_us + (packet.capture_us - first_us),
            ..packet.clone()
        };
        let meta = place("audio", (0, 0));
        if let Some(sealed) = self.seal(Track::AUDIO, &meta, &packet.encode()) {
            for track in ["audio", "audio.g"] {
                self.write(track, sealed.clone(), packet.capture_us, true);
            }
        }
    }

    fn show(&mut self, packet: &VideoPacket, first_us: u64) {
        let (name, track) = match packet.size {
            Size::Low => ("video/low", Track::VIDEO_LOW),
            _ => ("video/medium", Track::VIDEO_MEDIUM),
        };
        let packet = VideoPacket {
            seq: self.number(track),
            capture_us: self.began_us + packet.capture_us.saturating_sub(first_us),
            ..packet.clone()
        };
        let Some(at) = self.position(name, packet.key) else {
            return;
        };
        let content = with_length(&packet.encode());
        if let Some(sealed) = self.seal(track, &place(name, at), &content) {
            self.write(name, sealed, packet.capture_us, packet.key);
        }
    }

    fn sign(&mut self) {
        while let Some(batch) = self.attestor.batch() {
            let Some(at) = self.position("auth", true) else {
                return;
            };
            if let Some(sealed) = self.seal(Track::AUTH, &place("auth", at), &with_length(&batch)) {
                self.write("auth", sealed, now_us(), true);
            }
        }
    }

    fn position(&self, track: &str, starts_group: bool) -> Option<(u64, u64)> {
        let writer = self.writers.get(track)?;
        Some(writer.next_position(starts_group))
    }

    /// `None` before the first key.
    fn seal(&mut self, track: Track, meta: &FrameMeta<'_>, content: &[u8]) -> Option<Bytes> {
        let sealer = SEALED.iter().position(|known| *known == track)?;
        let mut sealed = Vec::new();
        self.sealers[sealer].seal(meta, content, &mut sealed).ok()?;
        self.attestor.note(&sealed);
        Some(sealed.into())
    }

    /// What a session that has ended does not take is lost, as it is of a camera.
    fn write(&mut self, track: &str, sealed: Bytes, at_us: u64, starts_group: bool) {
        if let Some(writer) = self.writers.get_mut(track) {
            let _ = writer.write(sealed, at_us, starts_group);
        }
    }
}

fn place(track: &str, (group, frame): (u64, u64)) -> FrameMeta<'_> {
    FrameMeta {
        track,
        group,
        frame,
    }
}

/// Pictures and batches say their length first, since other profiles pad them.
fn with_length(content: &[u8]) -> Vec<u8> {
    let mut out = (content.len() as u32).to_be_bytes().to_vec();
    out.extend_from_slice(content);
    out
}
