//! Decides when a stream must be hurried or slowed, and leaves it alone
//! whenever possible.

use std::collections::VecDeque;

/// Lag beyond the target that is tolerated.
const SLACK_US: i64 = 18_000;
/// Lag short of the target that is tolerated.
const SHORTFALL_US: i64 = 4_000;
/// Lag beyond the target that is tolerated in a pause, where less of it costs nothing.
const SLACK_IN_PAUSE_US: i64 = 8_000;
/// Blocks of one age, 1 s, and how many ages their highest target is remembered: what a link has
/// needed lately it will need again.
const AGE: u32 = 100;
const AGES: usize = 10;
/// A correction under way goes on until this little is left.
const REST_US: i64 = 5_000;
/// Beyond this, correction does not wait for a pause in speech.
const URGENT_US: i64 = 40_000;
/// Blocks over which the least lag is taken, 200 ms: a sink may ask for
/// several blocks at once, and the last of them has the least lag.
const WINDOW: usize = 20;
/// Blocks for which a correction waits for a pause in speech, 1 s.
const PATIENCE: u32 = 100;
/// Blocks after which even an audible joint is accepted, 3 s.
const LAST_RESORT: u32 = 300;

/// What to do with the sound at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Correction {
    /// Leave out or repeat one period of the voice.
    Period {
        direction: Direction,
        /// Whether to accept any joint.
        force: bool,
    },
    /// Leave out this much of a pause, in microseconds.
    Trim(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Shorten,
    Lengthen,
}

/// Compares the lag of a stream with its target over time.
#[derive(Debug, Default)]
pub(super) struct Steering {
    lags_us: VecDeque<i64>,
    under_way: Option<Direction>,
    waiting: u32,
    /// The highest target of each age.
    targets_us: VecDeque<i64>,
    blocks: u32,
}

impl Steering {
    /// Takes note of the lag of one block; `pause` says whether it is one in
    /// which no joint can be heard.
    pub(super) fn observe(
        &mut self,
        lag_us: i64,
        target_us: i64,
        pause: bool,
    ) -> Option<Correction> {
        if self.lags_us.len() == WINDOW {
            self.lags_us.pop_front();
        }
        self.lags_us.push_back(lag_us);
        if self.lags_us.len() < WINDOW {
            return None;
        }
        let highest_us = self.highest(target_us);
        let least_us = self.lags_us.iter().min().copied().unwrap_or(lag_us);
        let excess_us = least_us - target_us;
        self.under_way = match self.under_way {
            Some(Direction::Shorten) if excess_us > REST_US => self.under_way,
            Some(Direction::Lengthen) if excess_us < 0 => self.under_way,
            _ if excess_us > SLACK_US => Some(Direction::Shorten),
            _ if excess_us < -SHORTFALL_US => Some(Direction::Lengthen),
            _ => None,
        };
        let Some(direction) = self.under_way else {
            self.waiting = 0;
            let spare_us = least_us - highest_us;
            return (pause && spare_us > SLACK_IN_PAUSE_US)
                .then(|| Correction::Trim((spare_us - REST_US).unsigned_abs()));
        };
        self.waiting += 1;
        let may = pause || excess_us.abs() > URGENT_US || self.waiting > PATIENCE;
        may.then_some(Correction::Period {
            direction,
            force: pause || self.waiting > LAST_RESORT,
        })
    }

    /// The highest target of late.
    fn highest(&mut self, target_us: i64) -> i64 {
        if self.blocks.is_multiple_of(AGE) {
            self.targets_us.push_back(target_us);
            if self.targets_us.len() > AGES {
                self.targets_us.pop_front();
            }
        }
        self.blocks = self.blocks.wrapping_add(1);
        if let Some(latest) = self.targets_us.back_mut() {
            *latest = target_us.max(*latest);
        }
        self.targets_us.iter().max().copied().unwrap_or(target_us)
    }

    /// Accounts for a correction that changed the lag by so much.
    pub(super) fn corrected(&mut self, by_us: i64) {
        self.lags_us.iter_mut().for_each(|lag| *lag += by_us);
    }

    /// Forgets everything, at the start of a stream.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(steering: &mut Steering, blocks: u32, lag_us: i64, pause: bool) -> Option<Correction> {
        let mut last = None;
        for _ in 0..blocks {
            last = steering.observe(lag_us, 40_000, pause).or(last);
        }
        last
    }

    #[test]
    fn a_lag_near_the_target_is_left_alone() {
        let mut steering = Steering::default();
        for lag in [37_000, 40_000, 50_000, 57_000] {
            assert_eq!(feed(&mut steering, 400, lag, false), None, "{lag}");
        }
        for lag in [37_000, 40_000, 47_000] {
            assert_eq!(feed(&mut steering, 400, lag, true), None, "{lag}");
        }
    }

    #[test]
    fn a_pause_gives_what_speech_would_keep() {
        let mut steering = Steering::default();
        assert_eq!(feed(&mut steering, 60, 55_000, false), None);
        let trim = feed(&mut steering, 1, 55_000, true);
        assert_eq!(trim, Some(Correction::Trim(10_000)));
        steering.corrected(-10_000);
        assert_eq!(feed(&mut steering, 400, 45_000, true), None);
    }

    #[test]
    fn a_pause_keeps_what_the_link_has_needed_lately() {
        let mut steering = Steering::default();
        for _ in 0..60 {
            steering.observe(55_000, 50_000, false);
        }
        // The link is calm, for as long as it may be so by chance.
        assert_eq!(feed(&mut steering, 800, 55_000, true), None);
        assert!(feed(&mut steering, 400, 55_000, true).is_some());
    }

    #[test]
    fn a_small_excess_waits_for_a_pause_but_not_forever() {
        let mut steering = Steering::default();
        assert_eq!(feed(&mut steering, 60, 65_000, false), None);
        let in_pause = feed(&mut steering, 1, 65_000, true);
        assert_eq!(
            in_pause,
            Some(Correction::Period {
                direction: Direction::Shorten,
                force: true
            })
        );
        let later = feed(&mut steering, 100, 65_000, false);
        assert_eq!(
            later,
            Some(Correction::Period {
                direction: Direction::Shorten,
                force: false
            })
        );
    }

    #[test]
    fn a_correction_goes_on_to_the_target_and_stops_there() {
        let mut steering = Steering::default();
        assert!(feed(&mut steering, 20, 65_000, true).is_some());
        steering.corrected(-10_000);
        assert!(
            feed(&mut steering, 1, 55_000, true).is_some(),
            "15 ms are left"
        );
        steering.corrected(-12_000);
        assert!(feed(&mut steering, 1, 43_000, true).is_none());
    }

    #[test]
    fn bursts_are_judged_by_their_last_block() {
        let mut steering = Steering::default();
        for n in 0..200 {
            let lag_us = if n % 2 == 0 { 56_000 } else { 46_000 };
            assert_eq!(steering.observe(lag_us, 40_000, true), None);
        }
    }
}
