//! Cleaning of microphone sound: echo, noise and loudness.

use sonora::config::{
    AdaptiveDigital, EchoCanceller, GainController2, HighPassFilter, NoiseSuppression,
};
use sonora::{AudioProcessing, Config, StreamConfig};

use super::{BLOCK_SAMPLES, Block, SAMPLE_RATE_HZ};

/// Whether microphone sound is cleaned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Processing {
    /// On for real microphones, off for files and test signals, which must
    /// arrive as they are.
    #[default]
    Auto,
    /// Always on.
    On,
    /// Always off.
    Off,
}

/// Cleans one stream of blocks, knowing what the loudspeaker plays.
pub trait Processor: Send {
    /// Takes note of a block that is about to be played.
    fn observe_render(&mut self, block: &Block);
    /// Cleans a captured block in place. `delay_ms` is the time from
    /// [`observe_render`](Self::observe_render) of a sound to its arrival here
    /// as an echo through the air, as far as the devices tell.
    fn process_capture(&mut self, block: &mut Block, delay_ms: i32);
}

/// Leaves everything as it is.
#[derive(Debug, Default)]
pub struct Passthrough;

impl Processor for Passthrough {
    fn observe_render(&mut self, _: &Block) {}
    fn process_capture(&mut self, _: &mut Block, _: i32) {}
}

/// Echo cancellation, noise suppression, automatic gain and a high-pass filter.
pub struct EchoCancelling {
    processing: AudioProcessing,
}

impl EchoCancelling {
    /// A fresh processor that has learnt no room yet.
    pub fn new() -> Self {
        let config = Config {
            echo_canceller: Some(EchoCanceller::default()),
            noise_suppression: Some(NoiseSuppression::default()),
            gain_controller2: Some(GainController2 {
                adaptive_digital: Some(AdaptiveDigital::default()),
                ..Default::default()
            }),
            high_pass_filter: Some(HighPassFilter::default()),
            ..Default::default()
        };
        let stream = StreamConfig::new(SAMPLE_RATE_HZ, 1);
        Self {
            processing: AudioProcessing::builder()
                .config(config)
                .capture_config(stream)
                .render_config(stream)
                .build(),
        }
    }
}

impl Default for EchoCancelling {
    fn default() -> Self {
        Self::new()
    }
}

impl Processor for EchoCancelling {
    fn observe_render(&mut self, block: &Block) {
        let mut rendered = [0.0; BLOCK_SAMPLES];
        // The only errors are mismatched formats, fixed above.
        let _ = self
            .processing
            .process_render_f32(&[block], &mut [&mut rendered]);
    }

    fn process_capture(&mut self, block: &mut Block, delay_ms: i32) {
        // An out-of-range delay is clamped, which is as good as it gets.
        let _ = self.processing.set_stream_delay_ms(delay_ms);
        let mut out = [0.0; BLOCK_SAMPLES];
        if self
            .processing
            .process_capture_f32(&[block], &mut [&mut out])
            .is_ok()
        {
            *block = out;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::level::rms_dbfs;
    use super::*;

    struct Noise(u32);

    impl Noise {
        fn next(&mut self) -> f32 {
            self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (self.0 >> 8) as f32 / 8_388_608.0 - 1.0
        }
    }

    #[test]
    fn an_echo_is_removed_and_passthrough_changes_nothing() {
        let mut noise = Noise(7);
        let mut processor = EchoCancelling::new();
        let mut history = vec![0.0; 2400];
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for n in 0..600 {
            let far: Block = std::array::from_fn(|_| 0.2 * noise.next());
            history.extend_from_slice(&far);
            processor.observe_render(&far);
            let start = history.len() - 2400 - BLOCK_SAMPLES;
            let echo: Block = std::array::from_fn(|i| 0.3 * history[start + i]);
            let mut cleaned = echo;
            processor.process_capture(&mut cleaned, 50);
            let mut same = echo;
            Passthrough.process_capture(&mut same, 50);
            assert_eq!(same, echo);
            if n > 400 {
                before.extend(echo);
                after.extend(cleaned);
            }
        }
        let gone = rms_dbfs(&before) - rms_dbfs(&after);
        assert!(gone > 20.0, "only {gone} dB of echo removed");
    }
}
