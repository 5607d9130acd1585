//! Cleaning of microphone sound: echo, noise and loudness.

use sonora::config::{AdaptiveDigital, GainController2};
use sonora::high_pass_filter::HighPassFilter;
use sonora::{AudioProcessing, Config, StreamConfig};

use super::bands::Splitter;
use super::echo::EchoRemover;
use super::noise::NoiseRemover;
use super::{BLOCK_SAMPLES, Block, SAMPLE_RATE_HZ};

/// Sound from here on was cut off by the microphone.
const SATURATED: f32 = 0.998;

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

/// What cleaning does, where it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cleaning {
    /// Takes out what the loudspeaker plays.
    pub echo: bool,
    /// Takes out steady noise.
    pub noise: bool,
    /// Brings speech to an even loudness.
    pub gain: bool,
}

impl Default for Cleaning {
    fn default() -> Self {
        Self {
            echo: true,
            noise: true,
            gain: true,
        }
    }
}

/// One of the things that cleaning does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CleaningPart {
    /// See [`Cleaning::echo`].
    Echo,
    /// See [`Cleaning::noise`].
    Noise,
    /// See [`Cleaning::gain`].
    Gain,
}

impl CleaningPart {
    /// The part of this name: `echo`, `noise` or `gain`.
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "echo" => Some(Self::Echo),
            "noise" => Some(Self::Noise),
            "gain" => Some(Self::Gain),
            _ => None,
        }
    }
}

impl Cleaning {
    /// Does one part or leaves it.
    pub fn set(&mut self, part: CleaningPart, on: bool) {
        match part {
            CleaningPart::Echo => self.echo = on,
            CleaningPart::Noise => self.noise = on,
            CleaningPart::Gain => self.gain = on,
        }
    }
}

/// Cleans one stream of blocks, knowing what the loudspeaker plays.
pub trait Processor: Send {
    /// Takes note of a block that is about to be played.
    fn observe_render(&mut self, block: &Block);
    /// Cleans a captured block in place. `delay_ms` is the time from
    /// [`observe_render`](Self::observe_render) of a sound to its arrival here
    /// as an echo through the air, as far as the devices tell.
    fn process_capture(&mut self, block: &mut Block, delay_ms: i32);
    /// Does more or less from now on, without forgetting the room.
    fn set_cleaning(&mut self, cleaning: Cleaning);
}

/// Leaves everything as it is.
#[derive(Debug, Default)]
pub struct Passthrough;

impl Processor for Passthrough {
    fn observe_render(&mut self, _: &Block) {}
    fn process_capture(&mut self, _: &mut Block, _: i32) {}
    fn set_cleaning(&mut self, _: Cleaning) {}
}

/// Echo cancellation, noise suppression, automatic gain and a high-pass filter, in WebRTC's order:
///
/// ```text
/// captured → rumble → bands → echo → noise → block → gain
/// played   ────────── → bands ┘
/// ```
pub struct EchoCancelling {
    played: Splitter,
    captured: Splitter,
    /// Rumble disturbs what takes out echo and noise. Who wants neither gets all of a deep voice.
    rumble: Option<RumbleRemover>,
    echo: Option<EchoRemover>,
    noise: Option<NoiseRemover>,
    gain: Option<AudioProcessing>,
}

impl EchoCancelling {
    /// A fresh processor that has learnt no room yet.
    pub fn new(cleaning: Cleaning) -> Self {
        let mut new = Self {
            played: Splitter::new(),
            captured: Splitter::new(),
            rumble: None,
            echo: None,
            noise: None,
            gain: None,
        };
        new.set_cleaning(cleaning);
        new
    }

    fn process_bands(&mut self, block: &mut Block, delay_ms: i32) {
        let Some(rumble) = &mut self.rumble else {
            return;
        };
        let saturated = block.iter().any(|s| s.abs() >= SATURATED);
        rumble.process(block);
        let mut bands = self.captured.split(block);
        if let Some(noise) = &mut self.noise {
            noise.observe(&bands);
        }
        if let Some(echo) = &mut self.echo {
            echo.process_capture(&mut bands, saturated, delay_ms);
        }
        if let Some(noise) = &mut self.noise {
            noise.process(&mut bands);
        }
        self.captured.merge(&bands, block);
    }
}

impl Processor for EchoCancelling {
    fn observe_render(&mut self, block: &Block) {
        if let Some(echo) = &mut self.echo {
            echo.observe_render(&self.played.split(block));
        }
    }

    fn process_capture(&mut self, block: &mut Block, delay_ms: i32) {
        self.process_bands(block, delay_ms);
        if let Some(gain) = &mut self.gain {
            let mut out = [0.0; BLOCK_SAMPLES];
            // The only errors are mismatched formats, fixed below.
            if gain.process_capture_f32(&[block], &mut [&mut out]).is_ok() {
                *block = out;
            }
        }
    }

    fn set_cleaning(&mut self, cleaning: Cleaning) {
        let Cleaning { echo, noise, gain } = cleaning;
        set(&mut self.rumble, echo || noise, RumbleRemover::new);
        set(&mut self.echo, echo, EchoRemover::new);
        set(&mut self.noise, noise, NoiseRemover::new);
        set(&mut self.gain, gain, adaptive_gain);
    }
}

/// Puts a part in or takes it out; one that stays keeps what it has learnt.
fn set<T>(part: &mut Option<T>, on: bool, new: fn() -> T) {
    *part = on.then(|| part.take().unwrap_or_else(new));
}

/// A high-pass filter.
struct RumbleRemover {
    filter: HighPassFilter,
    /// It works on vectors.
    filtered: [Vec<f32>; 1],
}

impl RumbleRemover {
    fn new() -> Self {
        Self {
            filter: HighPassFilter::new(SAMPLE_RATE_HZ as i32, 1),
            filtered: [vec![0.0; BLOCK_SAMPLES]],
        }
    }

    fn process(&mut self, block: &mut Block) {
        self.filtered[0].copy_from_slice(block);
        self.filter.process_channels(&mut self.filtered);
        block.copy_from_slice(&self.filtered[0]);
    }
}

fn adaptive_gain() -> AudioProcessing {
    let gain = GainController2 {
        adaptive_digital: Some(AdaptiveDigital::default()),
        ..Default::default()
    };
    let config = Config {
        gain_controller2: Some(gain),
        ..Default::default()
    };
    AudioProcessing::builder()
        .config(config)
        .capture_config(StreamConfig::new(SAMPLE_RATE_HZ, 1))
        .build()
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
        let mut processor = EchoCancelling::new(Cleaning::default());
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

    /// Level of steady noise after the last of six seconds, the first three cleaned one way and
    /// the others another way.
    fn noise_left(first: Cleaning, then: Cleaning) -> f32 {
        let mut noise = Noise(3);
        let mut processor = EchoCancelling::new(first);
        let mut last = Vec::new();
        for n in 0..600 {
            if n == 300 {
                processor.set_cleaning(then);
            }
            let mut block: Block = std::array::from_fn(|_| 0.02 * noise.next());
            processor.process_capture(&mut block, 0);
            if n >= 500 {
                last.extend(block);
            }
        }
        rms_dbfs(&last)
    }

    const NOTHING: Cleaning = Cleaning {
        echo: false,
        noise: false,
        gain: false,
    };

    /// By how much cleaning makes a tone louder.
    fn change_db(cleaning: Cleaning, tone_hz: f32) -> f32 {
        let mut processor = EchoCancelling::new(cleaning);
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for n in 0..200 {
            let phase = |i: usize| ((n * BLOCK_SAMPLES + i) as f32 * tone_hz / 48_000.0).fract();
            let mut block: Block =
                std::array::from_fn(|i| 0.2 * (std::f32::consts::TAU * phase(i)).sin());
            before.extend(block);
            processor.process_capture(&mut block, 0);
            after.extend(block);
        }
        rms_dbfs(&after[20_000..]) - rms_dbfs(&before[20_000..])
    }

    #[test]
    fn who_wants_nothing_cleaned_gets_deep_sound_whole() {
        let noise = Cleaning {
            noise: true,
            ..NOTHING
        };
        assert!(change_db(NOTHING, 60.0).abs() < 0.5);
        assert!(change_db(noise, 60.0) < -3.0);
    }

    #[test]
    fn taking_out_echo_and_evening_loudness_keep_the_highest_sounds() {
        let echo = Cleaning {
            echo: true,
            ..NOTHING
        };
        let gain = Cleaning {
            gain: true,
            ..NOTHING
        };
        for cleaning in [echo, gain] {
            let change = change_db(cleaning, 18_500.0);
            assert!(change > -3.0, "{cleaning:?}: {change} dB");
        }
    }

    #[test]
    fn noise_suppression_is_switched_while_sound_runs() {
        let off = Cleaning {
            echo: false,
            noise: false,
            gain: false,
        };
        let on = Cleaning { noise: true, ..off };
        let (raw, clean) = (noise_left(on, off), noise_left(off, on));
        assert!(raw - clean > 8.0, "{raw} dB raw, {clean} dB cleaned");
    }
}
