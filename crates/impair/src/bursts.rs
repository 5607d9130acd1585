//! Bursts that last for a time: when one is on, and when it ends.

use std::time::Duration;

use crate::dice::Draws;
use crate::settings::{Burst, BurstEvery, BurstLength, Settings};

/// Good and bad times in turn, each drawn from the seed.
#[derive(Debug)]
pub(crate) struct RandomBursts {
    draws: Draws,
    good: f64,
    bad: f64,
    is_bad: bool,
    until: Duration,
}

impl RandomBursts {
    /// `None` when `settings` have no such bursts. They begin with a good time.
    pub(crate) fn new(settings: &Settings, draws: Draws, from: Duration) -> Option<Self> {
        let Burst { share, length } = settings.burst?;
        let BurstLength::Time(mean) = length else {
            return None;
        };
        if share <= 0.0 {
            return None;
        }
        let bad = mean.as_secs_f64();
        let mut bursts = Self {
            draws,
            good: bad * (1.0 - share) / share,
            bad,
            is_bad: true,
            until: from,
        };
        bursts.turn();
        Some(bursts)
    }

    fn turn(&mut self) {
        self.is_bad = !self.is_bad;
        let mean = if self.is_bad { self.bad } else { self.good };
        // A nanosecond at the least, so that time goes on; a year at the most.
        let seconds = (mean * self.draws.wait()).clamp(1e-9, 3e7);
        self.until += Duration::from_secs_f64(seconds);
    }

    /// When the burst of this moment ends; `None` outside of one.
    pub(crate) fn end(&mut self, now: Duration) -> Option<Duration> {
        while self.until <= now {
            self.turn();
        }
        self.is_bad.then_some(self.until)
    }
}

impl BurstEvery {
    /// When the burst of this moment ends, with periods counted from `since`.
    pub(crate) fn end(self, since: Duration, now: Duration) -> Option<Duration> {
        let every = self.every.as_nanos();
        let passed = now.saturating_sub(since).as_nanos();
        let phase = passed % every;
        let left = u64::try_from(every - phase).ok()?;
        (phase >= every - self.length.as_nanos()).then(|| now + Duration::from_nanos(left))
    }
}
