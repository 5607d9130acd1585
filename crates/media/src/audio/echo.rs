//! Takes out of the microphone's sound what the loudspeaker plays: WebRTC's AEC3, as `sonora-aec3`
//! has it, tuned for two who speak at once.
//!
//! As it comes, it leaves an echo more than 50 dB quieter, which nobody hears, and pays for that
//! with the voice of whoever speaks into it. Only what is done while somebody near speaks is changed
//! here; `./dev bench media-echo` measures both.

use std::ops::Range;

use sonora_aec3::block::Block as BandBlock;
use sonora_aec3::block_framer::BlockFramer;
use sonora_aec3::block_processor::BlockProcessor;
use sonora_aec3::common::SUB_FRAME_LENGTH;
use sonora_aec3::config::EchoCanceller3Config;
use sonora_aec3::frame_blocker::FrameBlocker;

use super::SAMPLE_RATE_HZ;
use super::bands::{BANDS, Bands};

/// Channels.
const MONO: usize = 1;
/// A block of 10 ms is taken in two halves.
const HALVES: [Range<usize>; 2] = [0..SUB_FRAME_LENGTH, SUB_FRAME_LENGTH..2 * SUB_FRAME_LENGTH];

/// Takes the echo out of one microphone's sound.
pub(super) struct EchoRemover {
    processor: BlockProcessor,
    played: Blocks,
    heard: Blocks,
    framer: BlockFramer,
    /// By band and channel.
    cleaned: Vec<Vec<Vec<f32>>>,
}

impl EchoRemover {
    /// One that has learnt no room yet.
    pub(super) fn new() -> Self {
        Self {
            processor: BlockProcessor::new(&tuning(), SAMPLE_RATE_HZ as usize, MONO, MONO),
            played: Blocks::new(),
            heard: Blocks::new(),
            framer: BlockFramer::new(BANDS, MONO),
            cleaned: vec![vec![vec![0.0; SUB_FRAME_LENGTH]; MONO]; BANDS],
        }
    }

    /// Takes note of what is about to be played.
    pub(super) fn observe_render(&mut self, bands: &Bands) {
        for half in HALVES {
            self.processor.buffer_render(self.played.next(bands, half));
        }
        if let Some(rest) = self.played.rest() {
            self.processor.buffer_render(rest);
        }
    }

    /// Takes the echo out of captured sound. `saturated`: the microphone has cut off its peaks.
    /// `delay_ms` is the time from playing to capturing, as far as the devices tell.
    pub(super) fn process_capture(&mut self, bands: &mut Bands, saturated: bool, delay_ms: i32) {
        self.processor.set_audio_buffer_delay(delay_ms);
        for half in HALVES {
            let heard = self.heard.next(bands, half.clone());
            self.processor
                .process_capture(false, saturated, None, heard);
            self.framer
                .insert_block_and_extract_sub_frame(heard, &mut self.cleaned);
            for (band, cleaned) in bands.iter_mut().zip(&self.cleaned) {
                band[half.clone()].copy_from_slice(&cleaned[0]);
            }
        }
        if let Some(rest) = self.heard.rest() {
            self.processor.process_capture(false, saturated, None, rest);
            self.framer.insert_block(rest);
        }
    }
}

/// Cuts one stream into the blocks of AEC3, which are shorter than half a block of ours.
struct Blocks {
    blocker: FrameBlocker,
    block: BandBlock,
}

impl Blocks {
    fn new() -> Self {
        Self {
            blocker: FrameBlocker::new(BANDS, MONO),
            block: BandBlock::new(BANDS, MONO),
        }
    }

    /// The block that half of these bands fills.
    fn next(&mut self, bands: &Bands, half: Range<usize>) -> &mut BandBlock {
        let half: Vec<Vec<&[f32]>> = bands.iter().map(|band| vec![&band[half.clone()]]).collect();
        self.blocker
            .insert_sub_frame_and_extract_block(&half, &mut self.block);
        &mut self.block
    }

    /// Now and then what remains fills one more.
    fn rest(&mut self) -> Option<&mut BandBlock> {
        self.blocker.is_block_available().then(|| {
            self.blocker.extract_block(&mut self.block);
            &mut self.block
        })
    }
}

/// What differs from WebRTC's tuning.
fn tuning() -> EchoCanceller3Config {
    let mut config = EchoCanceller3Config::default();
    // What the filter takes out is believed up to 9 dB (5 dB above 4 kHz) instead of 6 and 2: of what
    // it takes out more the rest would be guessed too loud.
    (config.erle.max_l, config.erle.max_h) = (8.0, 3.0);
    // Somebody near is taken to speak where the echo has less than half of their power instead of a quarter,
    // and to go on until it has thirty times as much instead of ten. At 0.7 a loudspeaker that distorts
    // would be taken for somebody.
    let speaks = &mut config.suppressor.dominant_nearend_detection;
    (speaks.enr_threshold, speaks.enr_exit_threshold) = (0.5, 30.0);
    // Meanwhile the room is taken to fade sooner, ...
    config.ep_strength.nearend_len = 0.1;
    // ... and echo is suppressed only where the voice does not hide it: from the first ratio of
    // their powers on somewhat, from the second on wholly.
    let near = &mut config.suppressor.nearend_tuning;
    for (mask, transparent, suppressed) in [
        (&mut near.mask_lf, 8.0, 16.0),
        (&mut near.mask_hf, 2.0, 4.0),
    ] {
        mask.enr_transparent = transparent;
        mask.enr_suppress = suppressed;
    }
    config
}
