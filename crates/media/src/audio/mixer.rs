//! Sums the sources and keeps the sum from clipping.

use super::Block;

/// Highest sample that leaves the mixer, -0.2 dBFS. A lone source below this
/// passes bit for bit.
const CEILING: f32 = 0.98;
/// How much of the missing gain returns per sample: full gain after about 50 ms.
const RELEASE: f32 = 1.0 / 2400.0;

/// Adds blocks and limits the peaks of their sum.
///
/// The attack is immediate, because waiting to look ahead would cost delay;
/// the release is slow enough not to be heard as pumping.
#[derive(Debug)]
pub(super) struct Mixer {
    sum: Block,
    gain: f32,
}

impl Mixer {
    pub(super) fn new() -> Self {
        Self {
            sum: [0.0; super::BLOCK_SAMPLES],
            gain: 1.0,
        }
    }

    pub(super) fn add(&mut self, block: &Block) {
        for (sum, sample) in self.sum.iter_mut().zip(block) {
            *sum += sample;
        }
    }

    /// The limited sum of everything added since the last call.
    pub(super) fn take(&mut self) -> Block {
        let mut out = std::mem::replace(&mut self.sum, [0.0; super::BLOCK_SAMPLES]);
        for sample in &mut out {
            let peak = sample.abs();
            if peak * self.gain > CEILING {
                self.gain = CEILING / peak;
            }
            *sample *= self.gain;
            self.gain += (1.0 - self.gain) * RELEASE;
            if self.gain > 0.9999 {
                self.gain = 1.0;
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::super::BLOCK_SAMPLES;
    use super::*;

    fn tone(amplitude: f32) -> Block {
        std::array::from_fn(|i| amplitude * (i as f32 * 0.1).sin())
    }

    #[test]
    fn a_lone_source_passes_unchanged() {
        let mut mixer = Mixer::new();
        mixer.add(&tone(0.9));
        assert_eq!(mixer.take(), tone(0.9));
        assert_eq!(mixer.take(), [0.0; BLOCK_SAMPLES]);
    }

    #[test]
    fn many_loud_sources_never_clip_and_the_gain_returns() {
        let mut mixer = Mixer::new();
        for _ in 0..20 {
            (0..5).for_each(|_| mixer.add(&tone(0.8)));
            let out = mixer.take();
            assert!(out.iter().all(|s| s.abs() <= CEILING + 1e-6));
            assert!(out.iter().any(|s| s.abs() > 0.7), "limited, not muted");
        }
        for _ in 0..100 {
            mixer.take();
        }
        mixer.add(&tone(0.5));
        assert_eq!(mixer.take(), tone(0.5));
    }
}
