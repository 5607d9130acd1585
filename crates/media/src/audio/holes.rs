//! Holes in the sound that this computer itself makes, counted where they are seen.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Holes since the engine began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Holes {
    /// Times the sound system lost some of the microphone's sound, as it says itself.
    pub microphone: u64,
    /// Times it lost some of what the loudspeaker should play.
    pub speaker: u64,
    /// Silence that was played because the sound was not mixed in time, in microseconds.
    pub unmixed_us: u64,
}

/// The counters behind them, which outlive every single device.
#[derive(Debug, Default)]
pub(super) struct HoleCounters {
    pub(super) microphone: AtomicU64,
    pub(super) speaker: AtomicU64,
    pub(super) unmixed_us: AtomicU64,
}

impl HoleCounters {
    pub(super) fn read(&self) -> Holes {
        Holes {
            microphone: self.microphone.load(Relaxed),
            speaker: self.speaker.load(Relaxed),
            unmixed_us: self.unmixed_us.load(Relaxed),
        }
    }
}
