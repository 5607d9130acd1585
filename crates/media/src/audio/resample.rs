//! Converts the rate of devices that cannot run at 48 kHz.

use sonora_common_audio::push_sinc_resampler::PushSincResampler;

use super::SAMPLE_RATE_HZ;

/// Converts steps of 10 ms between a device's rate and 48 kHz.
pub(super) enum RateConverter {
    /// Both rates are the same.
    Same,
    /// They differ; holds the output of one step.
    Sinc(Box<PushSincResampler>, Vec<f32>),
}

impl RateConverter {
    /// From a device's rate to ours.
    pub(super) fn from_device(rate_hz: u32) -> Self {
        Self::between(rate_hz, SAMPLE_RATE_HZ)
    }

    /// From our rate to a device's.
    pub(super) fn to_device(rate_hz: u32) -> Self {
        Self::between(SAMPLE_RATE_HZ, rate_hz)
    }

    fn between(from_hz: u32, to_hz: u32) -> Self {
        if from_hz == to_hz {
            return Self::Same;
        }
        let (from, to) = (step_len(from_hz), step_len(to_hz));
        Self::Sinc(Box::new(PushSincResampler::new(from, to)), vec![0.0; to])
    }

    /// Converts one step of 10 ms, which must have the length of the source rate.
    pub(super) fn convert<'a>(&'a mut self, step: &'a [f32]) -> &'a [f32] {
        match self {
            Self::Same => step,
            Self::Sinc(resampler, out) => {
                resampler.resample(step, out);
                out
            }
        }
    }
}

/// Samples in 10 ms at a rate.
pub(super) fn step_len(rate_hz: u32) -> usize {
    (rate_hz / 100) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_keeps_its_pitch_and_level() {
        let mut converter = RateConverter::from_device(44_100);
        let mut out = Vec::new();
        for step in 0..50 {
            let input: Vec<f32> = (0..441)
                .map(|i| {
                    let t = (step * 441 + i) as f32 / 44_100.0;
                    0.5 * (t * 440.0 * std::f32::consts::TAU).sin()
                })
                .collect();
            out.extend_from_slice(converter.convert(&input));
        }
        assert_eq!(out.len(), 50 * 480);
        let tail = &out[4800..];
        let crossings = tail
            .windows(2)
            .filter(|w| w[0] < 0.0 && w[1] >= 0.0)
            .count();
        assert!(crossings.abs_diff(176) <= 1, "{crossings} periods in 0.4 s");
        let peak = tail.iter().fold(0.0_f32, |m, s| m.max(s.abs()));
        assert!((peak - 0.5).abs() < 0.01, "{peak}");
    }
}
