//! A short melody by which a person hears whether the loudspeaker works.

use std::f32::consts::TAU;

use super::{Block, SAMPLE_RATE_HZ};

/// Three rising notes.
const NOTES_HZ: [f32; 3] = [523.25, 659.26, 783.99];
/// Length of one note, 350 ms.
const NOTE_SAMPLES: u32 = SAMPLE_RATE_HZ * 35 / 100;
/// As loud as somebody who speaks.
const AMPLITUDE: f32 = 0.2;

/// The melody, from its beginning.
#[derive(Debug, Default)]
pub(super) struct TestTone {
    played: u32,
}

impl TestTone {
    /// The next block; none when it is over.
    pub(super) fn next(&mut self) -> Option<Block> {
        if self.played >= NOTE_SAMPLES * NOTES_HZ.len() as u32 {
            return None;
        }
        Some(std::array::from_fn(|_| self.sample()))
    }

    fn sample(&mut self) -> f32 {
        let note = (self.played / NOTE_SAMPLES) as usize;
        let into = self.played % NOTE_SAMPLES;
        self.played += 1;
        let hz = NOTES_HZ.get(note).copied().unwrap_or(0.0);
        // Rises and falls within the note, so that nothing clicks.
        let envelope = (into as f32 / NOTE_SAMPLES as f32 * TAU / 2.0).sin();
        AMPLITUDE * envelope * (into as f32 / SAMPLE_RATE_HZ as f32 * hz * TAU).sin()
    }
}

#[cfg(test)]
mod tests {
    use super::super::level::rms_dbfs;
    use super::*;

    #[test]
    fn the_tone_is_heard_for_a_second_and_ends() {
        let mut tone = TestTone::default();
        let blocks: Vec<Block> = std::iter::from_fn(|| tone.next()).collect();
        assert_eq!(blocks.len(), 105);
        let all = blocks.concat();
        assert!(
            (-23.0..-15.0).contains(&rms_dbfs(&all)),
            "{}",
            rms_dbfs(&all)
        );
        assert!(all.windows(2).all(|pair| (pair[0] - pair[1]).abs() < 0.03));
    }
}
