//! How much mixed sound is kept for the loudspeaker beyond what it takes at once.
//!
//! Each millisecond is one more between mouth and ear, and one more for which the mixer thread may
//! be late. So the reserve is small until the loudspeaker has found nothing to play, grows with
//! each time, and shrinks when nothing of the kind has happened for long.

use std::time::{Duration, Instant};

/// The least, and the first.
const LEAST: Duration = Duration::from_millis(3);
/// Whoever is later than that has no processor to run on.
const MOST: Duration = Duration::from_millis(40);
/// It grows and shrinks by this.
const STEP: Duration = Duration::from_millis(5);
/// Silence within this time belongs to one lateness.
const ONE_LATENESS: Duration = Duration::from_millis(200);
/// After so long without silence it is tried with less.
const CALM: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Reserve {
    length: Duration,
    changed: Instant,
}

impl Reserve {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            length: LEAST,
            changed: now,
        }
    }

    /// Takes note of whether silence was played for want of sound since the last time.
    pub(super) fn observe(&mut self, ran_dry: bool, now: Instant) {
        let since = now.saturating_duration_since(self.changed);
        if ran_dry {
            if self.length == LEAST || since > ONE_LATENESS {
                self.length = (self.length + STEP).min(MOST);
                self.changed = now;
            }
        } else if since > CALM && self.length > LEAST {
            self.length = self.length.saturating_sub(STEP).max(LEAST);
            self.changed = now;
        }
    }

    /// In samples of a device with this rate.
    pub(super) fn samples(&self, rate_hz: u32) -> usize {
        (u64::from(rate_hz) * self.length.as_micros() as u64 / 1_000_000) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(reserve: &Reserve) -> usize {
        reserve.samples(1000)
    }

    #[test]
    fn it_grows_once_for_each_lateness_up_to_a_limit() {
        let begun = Instant::now();
        let mut reserve = Reserve::new(begun);
        assert_eq!(ms(&reserve), 3);
        for n in 1..=10 {
            reserve.observe(true, begun + Duration::from_millis(n * 5));
        }
        assert_eq!(ms(&reserve), 8);
        for n in 1..=20 {
            reserve.observe(true, begun + Duration::from_secs(n));
        }
        assert_eq!(ms(&reserve), 40);
        assert_eq!(reserve.samples(48_000), 1920);
    }

    #[test]
    fn it_shrinks_slowly_while_all_is_well() {
        let begun = Instant::now();
        let mut reserve = Reserve::new(begun);
        reserve.observe(true, begun + Duration::from_secs(1));
        reserve.observe(true, begun + Duration::from_secs(2));
        assert_eq!(ms(&reserve), 13);
        for (after, wanted) in [(20, 13), (33, 8), (60, 8), (64, 3), (1000, 3)] {
            reserve.observe(false, begun + Duration::from_secs(after));
            assert_eq!(ms(&reserve), wanted, "after {after} s");
        }
    }
}
