//! How loud somebody is, for meters and for marking who speaks.

use super::Block;

/// Level shown as an empty meter.
const METER_FLOOR_DBFS: f32 = -60.0;
/// Speech in a quiet room sits well above this, its noise well below.
const SPEAKING_DBFS: f32 = -45.0;
/// Blocks above the threshold before somebody counts as speaking, 30 ms:
/// a click is not speech.
const ATTACK_BLOCKS: u32 = 3;
/// Blocks for which somebody still counts as speaking, 400 ms: longer than
/// the gaps between words.
const HANGOVER_BLOCKS: u32 = 40;
/// Share of the meter that remains after one quiet block.
const METER_FALL: f32 = 0.9;

/// Follows the level of one stream of blocks.
#[derive(Debug, Default)]
pub(super) struct LevelMeter {
    level: f32,
    loud_blocks: u32,
    hangover: u32,
}

impl LevelMeter {
    pub(super) fn observe(&mut self, block: &Block) {
        let dbfs = rms_dbfs(block);
        let now = ((dbfs - METER_FLOOR_DBFS) / -METER_FLOOR_DBFS).clamp(0.0, 1.0);
        self.level = now.max(self.level * METER_FALL);
        if self.level < 0.005 {
            self.level = 0.0;
        }
        if dbfs > SPEAKING_DBFS {
            self.loud_blocks += 1;
            if self.loud_blocks >= ATTACK_BLOCKS {
                self.hangover = HANGOVER_BLOCKS;
            }
        } else {
            self.loud_blocks = 0;
            self.hangover = self.hangover.saturating_sub(1);
        }
    }

    /// 0 at -60 dBFS or less, 1 at full scale, linear in decibels.
    pub(super) fn level(&self) -> f32 {
        self.level
    }

    pub(super) fn speaking(&self) -> bool {
        self.hangover > 0
    }
}

/// Root mean square in decibels relative to full scale.
pub(super) fn rms_dbfs(samples: &[f32]) -> f32 {
    let energy: f32 = samples.iter().map(|s| s * s).sum();
    10.0 * (energy / samples.len().max(1) as f32 + 1e-12).log10()
}

#[cfg(test)]
mod tests {
    use super::super::BLOCK_SAMPLES;
    use super::*;

    #[test]
    fn speech_is_marked_soon_and_kept_over_the_gap_between_words() {
        let mut meter = LevelMeter::default();
        let loud = [0.1; BLOCK_SAMPLES];
        let quiet = [0.0005; BLOCK_SAMPLES];
        meter.observe(&loud);
        assert!(!meter.speaking(), "a click of 10 ms is not speech");
        (0..3).for_each(|_| meter.observe(&loud));
        assert!(meter.speaking());
        (0..30).for_each(|_| meter.observe(&quiet));
        assert!(meter.speaking());
        (0..20).for_each(|_| meter.observe(&quiet));
        assert!(!meter.speaking());
    }

    #[test]
    fn the_meter_spans_60_decibels() {
        let mut meter = LevelMeter::default();
        meter.observe(&[1.0; BLOCK_SAMPLES]);
        assert!(meter.level() > 0.99);
        let mut meter = LevelMeter::default();
        meter.observe(&[0.0316; BLOCK_SAMPLES]);
        assert!((meter.level() - 0.5).abs() < 0.01);
        let mut meter = LevelMeter::default();
        meter.observe(&[0.0; BLOCK_SAMPLES]);
        assert_eq!(meter.level(), 0.0);
    }
}
