//! What came from each sender, counted where it happens and read once a second.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use conclave_e2ee::OpenError;
use conclave_media::video::{Size, VideoPacket};

use super::arriving::Arriving;
use super::guard::Voice;
use super::link::{Downlink, Link};
use super::lips::Lips;
use super::missing::MissingKey;
use super::tracks::{Kind, Reel, Sound};
use crate::event::TrackReport;

/// Latencies kept between two readings.
const MAX_LATENCIES: usize = 512;

/// A picture that came within this time counts as present.
pub(super) const PICTURE_PATIENCE: Duration = Duration::from_secs(3);

/// Counters of one sender.
pub(crate) struct Figures {
    pub(crate) audio: TrackFigures,
    pub(crate) video: TrackFigures,
    pub(crate) screen: TrackFigures,
    /// The sound of the shared screen.
    pub(crate) screen_audio: TrackFigures,
    /// Signatures over the others.
    pub(super) auth: TrackFigures,
    pub(super) missing_key: MissingKey,
    /// How much of the sound that was sent comes.
    pub(super) arriving: Arriving,
    /// The size of the last picture that was shown.
    size: Mutex<Option<Size>>,
    /// Width and height of the last picture of the shared screen.
    screen_size: Mutex<Option<(u16, u16)>>,
    /// What the way from this sender bears.
    pub(super) link: Link,
    /// When its voice is heard.
    lips: Lips,
    /// When the sound of its shared screen is heard.
    screen_lips: Lips,
    /// Whether the relay announces anything of this sender.
    announced: AtomicBool,
}

impl Figures {
    /// Of a sender whose way here ends with this link.
    pub(super) fn new(downlink: Arc<Downlink>) -> Self {
        Self {
            audio: TrackFigures::default(),
            video: TrackFigures::default(),
            screen: TrackFigures::default(),
            screen_audio: TrackFigures::default(),
            auth: TrackFigures::default(),
            missing_key: MissingKey::default(),
            arriving: Arriving::default(),
            size: Mutex::default(),
            screen_size: Mutex::default(),
            link: Link::new(downlink),
            lips: Lips::default(),
            screen_lips: Lips::default(),
            announced: AtomicBool::default(),
        }
    }

    pub(super) fn set_announced(&self, announced: bool) {
        self.announced.store(announced, Relaxed);
    }

    pub(super) fn pictures(&self, kind: Kind) -> &TrackFigures {
        match kind {
            Kind::Camera => &self.video,
            Kind::Screen => &self.screen,
        }
    }

    pub(super) fn sound(&self, sound: Sound) -> &TrackFigures {
        match sound {
            Sound::Voice => &self.audio,
            Sound::Shared => &self.screen_audio,
        }
    }

    /// When a sound is heard.
    pub(super) fn lips(&self, sound: Sound) -> &Lips {
        match sound {
            Sound::Voice => &self.lips,
            Sound::Shared => &self.screen_lips,
        }
    }

    /// The sound that pictures of this kind are shown with: a screen's own one, if it has one.
    pub(super) fn lips_of(&self, kind: Kind) -> &Lips {
        match kind {
            Kind::Screen if self.screen_lips.is_heard() => &self.screen_lips,
            Kind::Screen | Kind::Camera => &self.lips,
        }
    }

    /// Takes in that a picture was handed on to be shown.
    pub(super) fn shown(&self, reel: Reel, packet: &VideoPacket) {
        self.pictures(reel.kind).taken();
        match reel.kind {
            Kind::Camera => *lock(&self.size) = Some(reel.size),
            Kind::Screen => *lock(&self.screen_size) = Some((packet.width, packet.height)),
        }
    }

    /// Width and height of the shared screen's picture that comes.
    pub(super) fn screen_picture(&self) -> Option<(u16, u16)> {
        let size = *lock(&self.screen_size);
        size.filter(|_| self.screen.is_taken(PICTURE_PATIENCE))
    }

    /// The size of the picture that comes.
    pub(super) fn picture(&self) -> Option<Size> {
        let size = *lock(&self.size);
        size.filter(|_| self.video.is_taken(PICTURE_PATIENCE))
    }

    pub(super) fn is_announced(&self) -> bool {
        self.announced.load(Relaxed)
    }
}

/// Counters of one kind of track.
#[derive(Default)]
pub(crate) struct TrackFigures {
    received: AtomicU64,
    opened: AtomicU64,
    failed: AtomicU64,
    missed: AtomicU64,
    decoded: AtomicU64,
    bytes: AtomicU64,
    verified: AtomicU64,
    unverified: AtomicU64,
    forged: AtomicU64,
    latencies_us: Mutex<Vec<i64>>,
    last_read: Mutex<Option<(Instant, u64)>>,
    last_opened: Mutex<Option<Instant>>,
    last_taken: Mutex<Option<Instant>>,
    last_failed: Mutex<Option<Instant>>,
}

impl TrackFigures {
    pub(crate) fn arrived(&self, bytes: usize) {
        self.received.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(crate) fn opened(&self) {
        self.opened.fetch_add(1, Relaxed);
        *lock(&self.last_opened) = Some(Instant::now());
    }

    /// Counts a frame that stays shut: by somebody's fault, or of another time.
    pub(crate) fn shut(&self, error: &OpenError) {
        match error {
            OpenError::NotYet => {}
            OpenError::UnknownKey | OpenError::Expired | OpenError::Replay => {
                self.missed.fetch_add(1, Relaxed);
            }
            _ => self.damaged(),
        }
    }

    pub(crate) fn damaged(&self) {
        self.failed.fetch_add(1, Relaxed);
        *lock(&self.last_failed) = Some(Instant::now());
    }

    /// Counts an opened frame by what was known of its sender when it came.
    pub(super) fn judged(&self, voice: Voice) {
        let count = match voice {
            Voice::Pending => return,
            Voice::Verified => &self.verified,
            Voice::Unverified => &self.unverified,
            Voice::Forged => &self.forged,
        };
        count.fetch_add(1, Relaxed);
    }

    /// Takes in that a frame was handed on to be shown.
    fn taken(&self) {
        *lock(&self.last_taken) = Some(Instant::now());
    }

    pub(crate) fn decoded(&self, latency_us: i64) {
        self.decoded.fetch_add(1, Relaxed);
        let mut latencies = lock(&self.latencies_us);
        if latencies.len() < MAX_LATENCIES {
            latencies.push(latency_us);
        }
    }

    /// How many frames came.
    pub(super) fn came(&self) -> u64 {
        self.received.load(Relaxed)
    }

    /// Whether a frame opened within `limit`.
    pub(super) fn opens(&self, limit: Duration) -> bool {
        is_within(&self.last_opened, limit)
    }

    /// Whether a frame was handed on within `limit`.
    pub(super) fn is_taken(&self, limit: Duration) -> bool {
        is_within(&self.last_taken, limit)
    }

    /// Whether a frame was damaged or forged within `limit`.
    pub(super) fn fails(&self, limit: Duration) -> bool {
        is_within(&self.last_failed, limit)
    }

    /// Whether a frame was ever handed on.
    pub(super) fn has_begun(&self) -> bool {
        lock(&self.last_taken).is_some()
    }

    pub(crate) fn report(&self) -> TrackReport {
        let latencies = std::mem::take(&mut *lock(&self.latencies_us));
        TrackReport {
            received: self.received.load(Relaxed),
            opened: self.opened.load(Relaxed),
            failed: self.failed.load(Relaxed),
            missed: self.missed.load(Relaxed),
            played: self.decoded.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            verified: self.verified.load(Relaxed),
            unverified: self.unverified.load(Relaxed),
            forged: self.forged.load(Relaxed),
            concealed_ms: 0,
            bitrate_bps: self.bitrate_bps(),
            latency_p50_ms: quantile_ms(&latencies, 0.5),
            latency_p95_ms: quantile_ms(&latencies, 0.95),
        }
    }

    fn bitrate_bps(&self) -> u64 {
        let bytes = self.bytes.load(Relaxed);
        let now = Instant::now();
        let before = lock(&self.last_read).replace((now, bytes));
        match before {
            Some((at, earlier)) if now > at => {
                ((bytes - earlier) as f64 * 8.0 / now.duration_since(at).as_secs_f64()) as u64
            }
            _ => 0,
        }
    }
}

/// A quantile of microseconds, in milliseconds.
pub(super) fn quantile_ms(values_us: &[i64], quantile: f64) -> Option<f64> {
    let mut sorted = values_us.to_vec();
    sorted.sort_unstable();
    let index = (sorted.len().checked_sub(1)? as f64 * quantile).round() as usize;
    Some(sorted[index] as f64 / 1000.0)
}

fn is_within(at: &Mutex<Option<Instant>>, limit: Duration) -> bool {
    lock(at).is_some_and(|at| at.elapsed() < limit)
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Plain values, replaced whole: nothing can be half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
