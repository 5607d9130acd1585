//! What the other programs of this computer play, to be shared with a screen.
//!
//! ```text
//! one stream of each program ─▶ gathering ─▶ mixer with limiter ─▶ Opus ─▶ AudioPacket
//! ```
//! What this program plays is left out: the others would hear their own voices
//! again. So the sum that goes to the loudspeaker is of no use, and each program is
//! listened to by itself. Nothing is cleaned: it is no microphone.

#[cfg(target_os = "linux")]
mod choice;
#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod gathering;
#[cfg(target_os = "linux")]
mod pulse;
#[cfg(target_os = "linux")]
mod wire;

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::{self, Receiver, Sender};

#[cfg(not(target_os = "linux"))]
use self::elsewhere as system;
#[cfg(target_os = "linux")]
use self::pulse as system;
use super::error::AudioError;
use super::framer::Framer;
use super::packet::AudioPacket;
use super::source::{FileDecoder, Generator, TestTones};
use super::{BLOCK_SAMPLES, BLOCK_US, Block, spawn};
use crate::clock::Ticker;

/// Packets that may wait to be sealed and sent, 320 ms.
const MOST_PACKETS_OUT: usize = 16;

/// What is heard with a shared screen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SharedSound {
    /// What the other programs of this computer play.
    #[default]
    Computer,
    /// A pattern of tones with the rhythm of speech.
    Test,
    /// A sound file, played once in real time, then silence.
    File(PathBuf),
}

/// Why a text names no sound that can be shared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no sound that can be shared; write computer, test or file:PATH")]
pub struct SharedSoundError(String);

impl FromStr for SharedSound {
    type Err = SharedSoundError;

    /// Reads `computer`, `test` or `file:PATH`.
    fn from_str(text: &str) -> Result<Self, SharedSoundError> {
        match (text, text.strip_prefix("file:")) {
            ("computer", _) => Ok(Self::Computer),
            ("test", _) => Ok(Self::Test),
            (_, Some(path)) if !path.is_empty() => Ok(Self::File(path.into())),
            _ => Err(SharedSoundError(text.to_owned())),
        }
    }
}

/// What the programs of this computer play, except this one. Each system has its own.
trait Programs: Send {
    /// Fills a block of 10 ms with what they played [`lag_us`](Self::lag_us) ago, with silence where
    /// none plays. False when the sound system is gone.
    fn fill(&mut self, block: &mut Block) -> bool;

    /// How long sound waits before it fills a block, in microseconds.
    fn lag_us(&self) -> u64;
}

/// Sound that is being shared, until this is dropped.
#[derive(Debug)]
pub struct SoundShare {
    stop: Arc<AtomicBool>,
}

impl SoundShare {
    /// Begins to listen. The receiver yields a packet every 20 ms, all of one size, also while
    /// nothing is heard; it ends when the sound system goes away.
    ///
    /// Waits for the sound system, at most some seconds.
    ///
    /// # Errors
    /// [`AudioError::NoSoundServer`] where none answers, [`AudioError::NotShareable`] on systems
    /// where sound cannot be shared yet, [`AudioError::File`], [`AudioError::Internal`].
    pub fn start(sound: &SharedSound) -> Result<(Self, Receiver<AudioPacket>), AudioError> {
        let source = Source::open(sound)?;
        let framer = Framer::of_programs()?;
        let (packets_out, packets) = mpsc::channel(MOST_PACKETS_OUT);
        let stop = Arc::new(AtomicBool::new(false));
        let share = Self {
            stop: Arc::clone(&stop),
        };
        spawn("sound-share", move || {
            listen(source, framer, &packets_out, &stop);
        })?;
        Ok((share, packets))
    }
}

impl Drop for SoundShare {
    fn drop(&mut self) {
        // The thread sees it within a block; nobody has to wait for that.
        self.stop.store(true, Ordering::Relaxed);
    }
}

enum Source {
    Programs(Box<dyn Programs>),
    Generator(Generator),
}

impl Source {
    fn open(sound: &SharedSound) -> Result<Self, AudioError> {
        Ok(match sound {
            SharedSound::Computer => Self::Programs(system::open()?),
            SharedSound::Test => Self::Generator(Generator::Test(TestTones::default())),
            SharedSound::File(path) => Self::Generator(Generator::File(FileDecoder::open(path)?)),
        })
    }

    /// Fills the next block; false when nothing comes any more.
    fn fill(&mut self, block: &mut Block) -> bool {
        match self {
            Self::Programs(programs) => programs.fill(block),
            Self::Generator(generator) => {
                // Silence follows a file.
                generator.fill(block);
                true
            }
        }
    }

    fn lag_us(&self) -> u64 {
        match self {
            Self::Programs(programs) => programs.lag_us(),
            Self::Generator(_) => 0,
        }
    }
}

fn listen(mut source: Source, mut framer: Framer, out: &Sender<AudioPacket>, stop: &AtomicBool) {
    let mut ticker = Ticker::new(Duration::from_micros(BLOCK_US));
    let mut block = [0.0; BLOCK_SAMPLES];
    while !stop.load(Ordering::Relaxed) {
        // The first sample of a block is as old as the block is long.
        let capture_us = ticker.wait().saturating_sub(BLOCK_US + source.lag_us());
        if !source.fill(&mut block) {
            return;
        }
        match framer.push(&block, capture_us) {
            // Full when the receiver hangs: the gap in the count tells the far end.
            Ok(Some(packet)) => drop(out.try_send(packet)),
            Ok(None) => {}
            Err(error) => tracing::error!("a frame of shared sound is lost: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Loss, PacketSize};
    use super::*;

    #[test]
    fn sounds_are_read_from_text() {
        assert_eq!("computer".parse(), Ok(SharedSound::Computer));
        assert_eq!("test".parse(), Ok(SharedSound::Test));
        assert_eq!(
            "file:/a b.wav".parse(),
            Ok(SharedSound::File("/a b.wav".into()))
        );
        for wrong in ["", "file:", "default", "Test"] {
            let error = wrong.parse::<SharedSound>().unwrap_err().to_string();
            assert!(error.contains("file:PATH"), "{wrong}");
        }
    }

    #[test]
    fn every_packet_holds_its_frame_and_the_one_before_whatever_is_heard_or_lost() {
        let mut framer = Framer::of_programs().unwrap();
        framer.keep_one_size(false);
        framer.expect_loss(Loss {
            percent: 40,
            bursts: true,
        });
        let noise = |i: usize| ((i * 7919) % 1000) as f32 / 1000.0 - 0.5;
        let mut before = None;
        for n in 0..2000 {
            let block = match n % 1000 {
                0..500 => std::array::from_fn(|i| noise(n * BLOCK_SAMPLES + i)),
                _ => [0.0; BLOCK_SAMPLES],
            };
            let Some(packet) = framer.push(&block, 0).unwrap() else {
                continue;
            };
            assert_eq!(packet.encode().len(), PacketSize::Whole.encoded_len());
            assert_eq!(packet.payload.len(), 140);
            let copies = packet.copies.into_iter();
            let copies: Vec<_> = copies.map(|copy| (copy.back, copy.frame)).collect();
            let previous = before.replace(packet.payload).map(|frame| (1, frame));
            assert_eq!(copies, Vec::from_iter(previous));
        }
    }

    #[test]
    fn packets_come_at_one_rate_and_end_with_the_share() {
        let (share, mut packets) = SoundShare::start(&SharedSound::Test).unwrap();
        let first: Vec<_> = (0..25)
            .map(|_| packets.blocking_recv().unwrap())
            .inspect(|packet| assert_eq!(packet.size, PacketSize::Whole))
            .collect();
        for pair in first.windows(2) {
            assert_eq!(pair[1].seq, pair[0].seq + 1);
            let step_us = pair[1].capture_us - pair[0].capture_us;
            assert!((15_000..25_000).contains(&step_us), "{step_us}");
        }
        drop(share);
        let rest = std::iter::from_fn(|| packets.blocking_recv()).count();
        assert!(rest <= MOST_PACKETS_OUT + 1, "{rest}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let missing = SharedSound::File("/nowhere/song.flac".into());
        let error = SoundShare::start(&missing).unwrap_err().to_string();
        assert!(error.contains("/nowhere/song.flac"), "{error}");
    }
}
