//! Remembers how many packets go missing, and says how long waiting for the
//! copies in later packets pays off.

/// Weight of the latest frame. One loss is remembered for about 6 s.
const LEARNING: f32 = 0.005;
/// Shares at which waiting for the copy in the next packet begins and ceases
/// to pay off: a single loss is enough, since another often follows.
const LOSSY: f32 = 0.0045;
const LOSSLESS: f32 = 0.001;
/// Share at which losses in a row become common, so that waiting for the copy
/// in the packet after the next pays off too.
const VERY_LOSSY: f32 = 0.05;

/// The share of frames whose own packet was missing when they were due.
#[derive(Debug, Default)]
pub(super) struct LossMemory {
    share: f32,
    lossy: bool,
}

impl LossMemory {
    pub(super) fn observe(&mut self, missing: bool) {
        let now = if missing { 1.0 } else { 0.0 };
        self.share += LEARNING * (now - self.share);
        self.lossy = self.share > if self.lossy { LOSSLESS } else { LOSSY };
    }

    /// Frames by which a stream should lag more than its jitter demands.
    pub(super) fn frames_to_wait(&self) -> u32 {
        match self.lossy {
            true if self.share > VERY_LOSSY => 2,
            true => 1,
            false => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_loss_is_remembered_for_some_seconds_and_many_for_longer() {
        let mut memory = LossMemory::default();
        assert_eq!(memory.frames_to_wait(), 0);
        memory.observe(true);
        assert_eq!(memory.frames_to_wait(), 1);
        (0..250).for_each(|_| memory.observe(false));
        assert_eq!(memory.frames_to_wait(), 1);
        (0..200).for_each(|_| memory.observe(false));
        assert_eq!(memory.frames_to_wait(), 0);
        (0..400).for_each(|n| memory.observe(n % 10 == 0));
        assert_eq!(memory.frames_to_wait(), 2);
    }
}
