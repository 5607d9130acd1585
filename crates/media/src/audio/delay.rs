//! Learns from arrivals how long a stream must be held back to play smoothly.

use std::collections::VecDeque;

use crate::clock::difference;

/// Arrivals remembered, 2.5 s: long enough to know a link's habits, short
/// enough to forget a bad moment.
const WINDOW: usize = 125;
/// The first packets may have waited for their reader, on a way with a round trip of 200 ms for 300 ms, which
/// says nothing of the link. They come in a heap, each less late than the one before, by more than this.
const HEAP_US: i64 = 10_000;
/// A link that was full: for so many packets, 160 ms, all came late, by so much at the worst, and then for
/// so many, 500 ms, all came in time. What queued is gone, and sound need not go on as late as it made it.
const FULL_PACKETS: usize = 8;
const FULL_US: i64 = 100_000;
const EMPTY_PACKETS: usize = 25;
/// Packets, 10 s, before another such moment is forgotten as soon: one that comes again is a habit.
const HABIT: usize = 500;
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
    /// Whether a packet came that had not waited for its reader.
    begun: bool,
    jumped: usize,
    /// Packets for which a full link is remembered like everything else.
    wary: usize,
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
        if let (false, Some(last_us)) = (self.begun, self.delays_us.back()) {
            self.begun = last_us.saturating_sub(delay_us) <= HEAP_US;
            if !self.begun {
                self.delays_us.clear();
            }
        }
        if self.delays_us.len() == WINDOW {
            self.delays_us.pop_front();
        }
        self.delays_us.push_back(delay_us);
        self.forget_full();
        self.target_us = self.compute();
    }

    /// Delay from capture to play, on the receiver's clock, that lets all but
    /// a small share of packets arrive in time. Zero before the first packet.
    pub(super) fn target_us(&self) -> i64 {
        self.target_us
    }

    /// Forgets what came before and while the link was full, if it was and is no more.
    fn forget_full(&mut self) {
        self.wary = self.wary.saturating_sub(1);
        if self.wary > 0 {
            return;
        }
        let delays = self.delays_us.iter();
        let (Some(least), Some(most)) = (self.least_us(), delays.clone().max()) else {
            return;
        };
        let above_us = most.saturating_sub(least);
        if !(FULL_US..JUMP_US).contains(&above_us) {
            return;
        }
        let is_late = |delay: &&i64| **delay > least + above_us / 4;
        let in_time = delays
            .clone()
            .rev()
            .take_while(|delay| !is_late(delay))
            .count();
        let late = delays.rev().skip(in_time).take_while(is_late).count();
        if in_time >= EMPTY_PACKETS && late >= FULL_PACKETS {
            self.delays_us.drain(..self.delays_us.len() - in_time);
            self.wary = HABIT;
        }
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
    fn first_packets_that_waited_for_their_reader_are_forgotten() {
        let mut estimator = DelayEstimator::default();
        run(&mut estimator, 0, (0..15).map(|n| 400_000 - n * 20_000));
        run(&mut estimator, 15, (0..10).map(|_| 100_000));
        let target = estimator.target_us();
        assert!((100_000..120_000).contains(&target), "{target}");
        run(&mut estimator, 25, [180_000, 160_000, 140_000, 120_000]);
        run(&mut estimator, 29, [100_000; 50]);
        let target = estimator.target_us();
        assert!(target > 180_000, "later ones are remembered: {target}");
    }

    #[test]
    fn a_link_that_was_full_once_is_soon_forgotten_and_one_that_is_often_is_not() {
        let mut estimator = DelayEstimator::default();
        let full = || {
            (0..15)
                .map(|n| 25_000 + n * 15_000)
                .chain((0..15).map(|n| 235_000 - n * 15_000))
        };
        run(&mut estimator, 0, [25_000; 200]);
        run(&mut estimator, 200, full());
        assert!(
            estimator.target_us() > 200_000,
            "it is heard while it lasts"
        );
        run(&mut estimator, 230, [25_000; 30]);
        assert!(estimator.target_us() < 90_000, "{}", estimator.target_us());
        run(&mut estimator, 260, full());
        run(&mut estimator, 290, [25_000; 30]);
        assert!(estimator.target_us() > 200_000, "{}", estimator.target_us());
    }

    #[test]
    fn single_packets_that_come_late_are_remembered() {
        let mut estimator = DelayEstimator::default();
        run(&mut estimator, 0, [25_000; 200]);
        run(
            &mut estimator,
            200,
            [150_000, 130_000, 110_000, 90_000, 70_000],
        );
        run(&mut estimator, 205, [25_000; 60]);
        assert!(estimator.target_us() > 120_000, "{}", estimator.target_us());
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
