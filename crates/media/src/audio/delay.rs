//! Learns from arrivals how long a stream must be held back to play smoothly.

use std::collections::VecDeque;

use crate::clock::difference;

/// Arrivals remembered, 2.5 s: long enough to know a link's habits, short
/// enough to forget a bad moment.
const WINDOW: usize = 125;
/// Share of packets that may arrive too late to be played in time.
const LATE_SHARE: f64 = 0.01;
/// Jitter assumed while little is known, and the least ever assumed.
const LEAST_JITTER_US: i64 = 8_000;
/// More jitter than this is not waited for: concealment is the lesser evil.
const MOST_JITTER_US: i64 = 400_000;
/// Room for the scheduling of threads.
const MARGIN_US: i64 = 4_000;
/// A delay this far beyond the least one, held for [`JUMP_PACKETS`], is a
/// sender whose clock or path changed, not jitter.
const JUMP_US: i64 = 1_000_000;
const JUMP_PACKETS: usize = 10;

/// Estimates the delay from capture to play that a stream needs.
///
/// Delays are arrival minus capture. The two clocks need not agree: an offset
/// is part of every delay alike.
#[derive(Debug, Default)]
pub(super) struct DelayEstimator {
    delays_us: VecDeque<i64>,
    jumped: usize,
    target_us: i64,
}

impl DelayEstimator {
    /// Takes note of the first arrival of a packet.
    pub(super) fn observe(&mut self, arrival_us: u64, capture_us: u64) {
        let delay_us = difference(arrival_us, capture_us);
        let least_us = self.least_us().unwrap_or(delay_us);
        let far = delay_us.saturating_sub(least_us).saturating_abs() > JUMP_US;
        self.jumped = if far { self.jumped + 1 } else { 0 };
        if self.jumped >= JUMP_PACKETS {
            let keep = self.delays_us.len().saturating_sub(JUMP_PACKETS - 1);
            self.delays_us.drain(..keep);
            self.jumped = 0;
        }
        if self.delays_us.len() == WINDOW {
            self.delays_us.pop_front();
        }
        self.delays_us.push_back(delay_us);
        self.target_us = self.compute();
    }

    /// Delay from capture to play, on the receiver's clock, that lets all but
    /// a small share of packets arrive in time. Zero before the first packet.
    pub(super) fn target_us(&self) -> i64 {
        self.target_us
    }

    fn least_us(&self) -> Option<i64> {
        self.delays_us.iter().min().copied()
    }

    fn compute(&self) -> i64 {
        let mut sorted: Vec<i64> = self.delays_us.iter().copied().collect();
        sorted.sort_unstable();
        let Some(least) = sorted.first() else {
            return 0;
        };
        let late = (sorted.len() as f64 * LATE_SHARE) as usize;
        let usual = sorted[sorted.len() - 1 - late];
        let jitter = (usual - least).clamp(LEAST_JITTER_US, MOST_JITTER_US);
        least + jitter + MARGIN_US
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(estimator: &mut DelayEstimator, from: u64, delays_us: impl IntoIterator<Item = i64>) {
        for (n, delay) in delays_us.into_iter().enumerate() {
            let capture = 1_000_000_000 + (from + n as u64) * 20_000;
            estimator.observe((capture as i64 + delay) as u64, capture);
        }
    }

    #[test]
    fn a_clean_link_needs_little_and_the_clock_offset_does_not_matter() {
        for offset in [-500_000_000, 0, 500_000_000] {
            let mut estimator = DelayEstimator::default();
            run(
                &mut estimator,
                0,
                (0..200).map(|n| offset + 25_000 + n % 3 * 500),
            );
            let target = estimator.target_us() - offset;
            assert!((30_000..45_000).contains(&target), "{target}");
        }
    }

    #[test]
    fn jitter_raises_the_target_and_calm_lowers_it_again() {
        let mut estimator = DelayEstimator::default();
        run(
            &mut estimator,
            0,
            (0..400).map(|n| 25_000 + n * 7919 % 80 * 1000),
        );
        assert!((100_000..115_000).contains(&estimator.target_us()));
        run(&mut estimator, 400, (0..400).map(|_| 25_000));
        assert!(estimator.target_us() < 40_000);
    }

    #[test]
    fn a_moved_clock_is_followed_and_absurd_stamps_do_no_harm() {
        let mut estimator = DelayEstimator::default();
        run(&mut estimator, 0, (0..400).map(|_| 25_000));
        run(&mut estimator, 400, (0..20).map(|_| 60_000_000));
        let target = estimator.target_us();
        assert!((60_000_000..60_050_000).contains(&target), "{target}");
        estimator.observe(0, u64::MAX);
        estimator.observe(u64::MAX, 0);
    }
}
