//! What came from each sender, counted where it happens and read once a second.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use conclave_e2ee::OpenError;

use crate::event::TrackReport;

/// Latencies kept between two readings.
const MAX_LATENCIES: usize = 512;

/// Counters of one sender.
#[derive(Default)]
pub(crate) struct Figures {
    pub(crate) audio: TrackFigures,
    pub(crate) video: TrackFigures,
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
    latencies_us: Mutex<Vec<u64>>,
    last_read: Mutex<Option<(Instant, u64)>>,
    last_opened: Mutex<Option<Instant>>,
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
            OpenError::UnknownKey | OpenError::Expired => {
                self.missed.fetch_add(1, Relaxed);
            }
            _ => self.damaged(),
        }
    }

    pub(crate) fn damaged(&self) {
        self.failed.fetch_add(1, Relaxed);
    }

    pub(crate) fn decoded(&self, latency_us: u64) {
        self.decoded.fetch_add(1, Relaxed);
        let mut latencies = lock(&self.latencies_us);
        if latencies.len() < MAX_LATENCIES {
            latencies.push(latency_us);
        }
    }

    /// Whether a frame opened within `limit`.
    pub(crate) fn is_alive(&self, limit: Duration) -> bool {
        lock(&self.last_opened).is_some_and(|at| at.elapsed() < limit)
    }

    /// Whether frames arrive whose keys are missing, and none that opens.
    pub(crate) fn lacks_keys(&self) -> bool {
        self.missed.load(Relaxed) > 0 && self.opened.load(Relaxed) == 0
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
pub(super) fn quantile_ms(values_us: &[u64], quantile: f64) -> Option<f64> {
    let mut sorted = values_us.to_vec();
    sorted.sort_unstable();
    let index = (sorted.len().checked_sub(1)? as f64 * quantile).round() as usize;
    Some(sorted[index] as f64 / 1000.0)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Plain values, replaced whole: nothing can be half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
