//! How late packets come over a way, up to the unknown difference of two clocks.

use std::collections::VecDeque;
use std::time::Duration;

use crate::least::Least;

/// Over how long sound must come late, and by how much.
const SOUND: (Duration, Duration) = (Duration::from_millis(160), Duration::from_millis(60));
/// The same of heavy tracks: their large frames take their time.
const HEAVY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_millis(150));
/// Where delays differ from packet to packet, all of a short time may come late by chance: so many times
/// the mean difference, over so many packets, more is allowed.
const JITTERS: i64 = 3;
const JITTER_OVER: i64 = 64;
const JITTER_AFTER: Duration = Duration::from_millis(500);
/// Fewer packets in that time say nothing.
const ENOUGH: usize = 3;
/// A queue fills when the last packets come later than ever by so much, those before them already by
/// so much, and later than those. Two and two, since a large frame holds up a packet or two of sound.
const FILLING: usize = 2;
const FILLED_US: i64 = 70_000;
const BEFORE_US: i64 = 35_000;
const RISE_US: i64 = 25_000;
/// The quickest packet is remembered for [`AGES`] times this.
const AGE: Duration = Duration::from_secs(10);
const AGES: usize = 6;

/// The delay of one kind of packets, up to the unknown difference of two clocks.
#[derive(Debug)]
pub(super) struct Delay {
    window: Duration,
    limit_us: i64,
    recent: VecDeque<(Duration, i64)>,
    least: Least<i64>,
    jitter: Jitter,
}

impl Delay {
    pub(super) fn of_sound() -> Self {
        Self::new(SOUND)
    }

    /// Of pictures and screens.
    pub(super) fn of_heavy() -> Self {
        Self::new(HEAVY)
    }

    fn new((window, limit): (Duration, Duration)) -> Self {
        Self {
            window,
            limit_us: micros(limit),
            recent: VecDeque::new(),
            least: Least::new(AGE, AGES),
            jitter: Jitter::default(),
        }
    }

    pub(super) fn take(&mut self, now: Duration, sent: Duration) {
        let delay = micros(now).saturating_sub(micros(sent));
        if let Some((_, before)) = self.recent.back() {
            self.jitter.take(now, delay.saturating_sub(*before));
        }
        self.recent.push_back((now, delay));
        self.trim(now);
        self.least.take(now, delay);
    }

    /// Bounded by time and, against a sender without measure, by number.
    fn trim(&mut self, now: Duration) {
        const MOST: usize = 256;
        while let Some((at, _)) = self.recent.front()
            && (now.saturating_sub(*at) > self.window || self.recent.len() > MOST)
        {
            self.recent.pop_front();
        }
    }

    /// Whether all that came lately came late, by so many times the limit.
    pub(super) fn stands(&mut self, now: Duration, times: i64) -> bool {
        self.trim(now);
        if self.recent.len() < ENOUGH {
            return false;
        }
        let lately = self.recent.iter().map(|(_, delay)| *delay).min();
        let limit_us = self.limit_us.saturating_mul(times);
        matches!((lately, self.usual()), (Some(lately), Some(usual))
            if lately.saturating_sub(usual) >= limit_us)
    }

    /// The delay without a queue: the least of long, and what jitter may add to it.
    fn usual(&self) -> Option<i64> {
        let least = self.least.get()?;
        Some(least.saturating_add(self.jitter.allowance_us()))
    }

    /// Whether the last packets came later than those before, which came late, by so many times the
    /// limit.
    pub(super) fn fills(&self, times: i64) -> bool {
        if self.recent.len() < 2 * FILLING {
            return false;
        }
        let mut newest = self.recent.iter().rev().map(|(_, delay)| *delay);
        let mut least = || newest.by_ref().take(FILLING).min();
        let (last, before) = (least(), least());
        let (Some(last), Some(before), Some(usual)) = (last, before, self.usual()) else {
            return false;
        };
        last.saturating_sub(usual) >= FILLED_US * times
            && before.saturating_sub(usual) >= BEFORE_US * times
            && last.saturating_sub(before) >= RISE_US
    }

    pub(super) fn forget(&mut self) {
        self.recent.clear();
        self.least.clear();
        self.jitter = Jitter::default();
    }
}

/// How much one delay differs from the next (RFC 3550 §6.4.1), as it was before whatever happens now:
/// a queue that fills must not excuse itself.
#[derive(Debug, Default)]
struct Jitter {
    recent: VecDeque<(Duration, i64)>,
    taken: i64,
    mean_us: i64,
}

impl Jitter {
    fn take(&mut self, now: Duration, difference_us: i64) {
        const MOST: usize = 256;
        self.recent.push_back((now, difference_us.saturating_abs()));
        while let Some((at, difference_us)) = self.recent.front()
            && (now.saturating_sub(*at) > JITTER_AFTER || self.recent.len() > MOST)
        {
            self.taken = (self.taken + 1).min(JITTER_OVER);
            self.mean_us += (difference_us - self.mean_us) / self.taken;
            self.recent.pop_front();
        }
    }

    fn allowance_us(&self) -> i64 {
        self.mean_us.saturating_mul(JITTERS)
    }
}

/// Microseconds.
pub(super) fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}
