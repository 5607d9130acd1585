//! Whose turn it is to try more, among the ways that end at one computer.
//!
//! They share its link: two tries at once would fail together where each would have succeeded, and
//! nobody could tell whose fault it was.

use std::time::Duration;

/// How long one tells that he wants a turn before he takes it, so that who matters more can say so.
const ASKED: Duration = Duration::from_millis(45);
/// How long everybody waits after a failed try of everything, at first and at most: each of many ways
/// would fail in its turn, and disturb all the others.
const PAUSE: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(16)];

/// Whose turn it is. One for all ways to one computer.
#[derive(Debug, Default)]
pub struct Turns {
    asks: Option<Asks>,
    taken: Option<Taken>,
    /// How long nobody tries everything, after the last failure.
    pause: Duration,
    /// Until when that is.
    paused_until: Duration,
}

#[derive(Debug)]
struct Asks {
    way: u64,
    rank: u8,
    since: Duration,
    last: Duration,
}

#[derive(Debug)]
struct Taken {
    way: u64,
    until: Duration,
}

impl Turns {
    /// Asks for the turn, and takes it for so long if it is to be had. Ask again at each look.
    pub(super) fn take(&mut self, now: Duration, way: u64, rank: u8, lasts: Duration) -> bool {
        if self.taken.as_ref().is_some_and(|taken| now < taken.until) {
            return false;
        }
        match &mut self.asks {
            Some(asks) if asks.way == way => {
                (asks.last, asks.rank) = (now, rank);
                if now.saturating_sub(asks.since) < ASKED {
                    return false;
                }
                self.asks = None;
                self.taken = Some(Taken {
                    way,
                    until: now + lasts,
                });
                true
            }
            Some(asks) if asks.rank >= rank && now.saturating_sub(asks.last) < ASKED => false,
            _ => {
                self.asks = Some(Asks {
                    way,
                    rank,
                    since: now,
                    last: now,
                });
                false
            }
        }
    }

    /// Whether nobody is to try everything now.
    pub(super) fn is_paused(&self, now: Duration) -> bool {
        now < self.paused_until
    }

    /// Everything was tried and did not fit.
    pub(super) fn fits_not(&mut self, now: Duration) {
        self.pause = (self.pause * 2).clamp(PAUSE[0], PAUSE[1]);
        self.paused_until = now + self.pause;
    }

    /// This way bears everything: if it was the last to try, the next failure is a first one.
    pub(super) fn fits(&mut self, way: u64) {
        if self.was_last(way) {
            self.pause = Duration::ZERO;
        }
    }

    /// Whether this way was the last to try more.
    pub(super) fn was_last(&self, way: u64) -> bool {
        self.taken.as_ref().is_some_and(|taken| taken.way == way)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Duration = Duration::from_millis(20);
    const LASTS: Duration = Duration::from_millis(200);

    /// Lets the ways of these ranks ask at each look; gives who took the turn, in their order.
    fn play(ranks: &[u8], looks: u32) -> Vec<u64> {
        let (mut turns, mut took) = (Turns::default(), Vec::new());
        for look in 0..looks {
            for (way, rank) in (0..).zip(ranks) {
                if !took.contains(&way) && turns.take(LOOK * look, way, *rank, LASTS) {
                    took.push(way);
                    assert!(turns.was_last(way));
                }
            }
        }
        took
    }

    #[test]
    fn who_matters_more_goes_first_and_then_who_asked_first() {
        assert_eq!(play(&[0, 1, 3, 1], 100), [2, 1, 3, 0]);
    }

    #[test]
    fn nobody_tries_while_somebody_else_does() {
        assert_eq!(play(&[0, 0], 13), [0], "after 260 ms");
        assert_eq!(play(&[0, 0], 20), [0, 1], "after 400 ms");
    }

    /// Seconds for which nobody tries everything after a failure.
    fn pause(turns: &mut Turns, now: &mut Duration) -> u64 {
        turns.fits_not(*now);
        let failed = *now;
        while turns.is_paused(*now) {
            *now += LOOK;
        }
        (*now - failed).as_secs()
    }

    #[test]
    fn failures_in_a_row_make_everybody_wait_longer() {
        let (mut turns, mut now) = (Turns::default(), Duration::ZERO);
        let pauses: Vec<u64> = (0..5).map(|_| pause(&mut turns, &mut now)).collect();
        assert_eq!(pauses, [2, 4, 8, 16, 16]);
        while !turns.take(now, 1, 0, LASTS) {
            now += LOOK;
        }
        turns.fits(2);
        assert_eq!(pause(&mut turns, &mut now), 16, "that was not way 2's turn");
        turns.fits(1);
        assert_eq!(pause(&mut turns, &mut now), 2);
    }

    #[test]
    fn who_asks_no_more_keeps_nobody_waiting() {
        let mut turns = Turns::default();
        assert!(!turns.take(Duration::ZERO, 1, 9, LASTS));
        let asked = (3..).find(|look| turns.take(LOOK * *look, 2, 0, LASTS));
        assert!(asked <= Some(7), "{asked:?}");
    }
}
