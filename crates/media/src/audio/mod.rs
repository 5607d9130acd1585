//! Sound from microphone to packet and from packet to loudspeaker.
//!
//! ```text
//! capture thread:  source → processing → mute → level → Opus → AudioPacket
//! mixer thread:    AudioPacket → jitter buffer per source → taps → mixer → sink
//!                                                             └→ echo reference
//! keeper thread:   opens devices for both, hears what becomes of them, opens others
//! sharing thread:  other programs, each by itself → mixer → Opus → AudioPacket
//! ```
//!
//! Everything runs in blocks of 10 ms and Opus frames of 20 ms, 48 kHz mono.

mod bands;
mod capture;
mod codec;
mod delay;
mod devices;
mod echo;
mod engine;
mod error;
mod framer;
mod holes;
mod jitter;
mod keeper;
mod keeping;
mod level;
mod listing;
mod loss;
mod loss_meter;
mod mixer;
mod noise;
mod packet;
mod playout;
mod processing;
mod programs;
mod redundancy;
mod resample;
mod reserve;
mod sending;
mod source;
mod stats;
mod steer;
mod stretch;
mod tone;
mod urgency;
mod voices;
mod wav;

pub use engine::{AudioEngine, AudioOptions, SourceId};
pub use error::{AudioError, AudioEvent, PacketError, WavError};
pub use framer::Framer;
pub use holes::Holes;
pub use jitter::{JitterBuffer, Pulled};
pub use listing::{list_microphones, list_speakers};
pub use loss_meter::{Loss, LossCounts, LossMeter};
pub use packet::{AudioPacket, FrameCopy, MOST_BACK, PacketSize};
pub use playout::SpeakerSink;
pub use processing::{Cleaning, CleaningPart, EchoCancelling, Passthrough, Processing, Processor};
pub use programs::{SharedSound, SharedSoundError, SoundShare};
pub use source::MicrophoneSource;
pub use stats::{JitterStats, SourceStats};
pub use wav::WavWriter;

/// Samples per second everywhere inside this crate.
pub const SAMPLE_RATE_HZ: u32 = 48_000;
/// Samples in one block, 10 ms: the step of processing and mixing.
pub const BLOCK_SAMPLES: usize = 480;
/// Samples in one Opus frame, 20 ms.
pub const FRAME_SAMPLES: usize = 960;
/// Duration of one block in microseconds.
pub const BLOCK_US: u64 = 10_000;
/// Duration of one Opus frame in microseconds.
pub const FRAME_US: u64 = 20_000;

/// One block of sound, 10 ms.
pub type Block = [f32; BLOCK_SAMPLES];

/// Starts a thread of sound.
fn spawn(
    name: &str,
    run: impl FnOnce() + Send + 'static,
) -> Result<std::thread::JoinHandle<()>, AudioError> {
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    spawned.map_err(|error| AudioError::Internal(format!("No thread could be started: {error}.")))
}
