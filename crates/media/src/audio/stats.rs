//! Figures of what was received and played.

use super::loss_meter::LossCounts;

/// Figures of one remote voice.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SourceStats {
    /// Packets taken in.
    pub packets: u64,
    /// Frames of 20 ms played from their packet or a copy in another one.
    pub played_frames: u64,
    /// Of these, frames played from a copy because their packet was missing.
    pub recovered_frames: u64,
    /// What was lost of the packets of this voice.
    pub loss: LossCounts,
    /// Sound invented or left out because nothing had arrived, in milliseconds.
    pub concealed_ms: u64,
    /// Times the sound was stretched or shortened by one period of the voice.
    pub stretches: u64,
    /// Sound waiting to be played, in milliseconds.
    pub buffer_ms: u32,
    /// From capture until the loudspeaker's callback took the sample, for the
    /// blocks of 10 ms played in the last second, in microseconds. True
    /// between processes on one machine; elsewhere it includes the difference
    /// of the two clocks, and may be negative.
    pub latency_us_recent: Vec<i64>,
    /// Whether this person speaks now.
    pub speaking: bool,
    /// Level for a meter, 0 to 1.
    pub level: f32,
}

/// Counts over the life of the buffer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JitterStats {
    /// Packets taken in.
    pub packets: u64,
    /// Packets that came too late or twice.
    pub late: u64,
    /// Frames played from their own packet or a copy in another one.
    pub played_frames: u64,
    /// Of these, frames played from a copy.
    pub recovered_frames: u64,
    /// What was lost, healed or not.
    pub loss: LossCounts,
    /// Sound invented or missing, in blocks of 10 ms.
    pub concealed_blocks: u64,
    /// Times a period was left out or repeated.
    pub stretches: u64,
}
