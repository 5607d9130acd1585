//! The shortest round trip, kept fresh.
//!
//! BBR keeps the shortest round trip (`probe_rtt_min_delay`, draft-ietf-ccwg-bbr-06, section
//! 5.3.4.3) and the moment at which it came, and looks for another after [`INTERVAL`]. [`Floor`]
//! keeps the same by the same rules. Before the interval is over it tells BBR one that is about as
//! short as shorter by a nanosecond, which starts the interval anew.

use std::time::{Duration, Instant};

/// After this long BBR looks for the shortest round trip (its `PROBE_RTT_INTERVAL_SEC`).
const INTERVAL: Duration = Duration::from_secs(5);

/// From this age on the floor is told anew. Half of the interval is left to see a round trip that
/// is as short.
const FRESH: Duration = Duration::from_millis(2500);

/// The least by which a round trip is shorter.
const LESS: Duration = Duration::from_nanos(1);

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Floor {
    shortest: Option<Sample>,
    /// Of the acknowledgement that is being read, what is told of the packet that was sent last:
    /// BBR takes that one.
    latest: Option<(Instant, Duration)>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    delay: Duration,
    seen: Instant,
}

impl Sample {
    /// Whether no queue to speak of has been added: an eighth of the shortest round trip, which is
    /// Chromium's `kSimilarMinRttThreshold`.
    fn is_like(&self, delay: Duration) -> bool {
        delay <= self.delay + self.delay / 8
    }
}

impl Floor {
    /// A packet that was sent at `sent` was acknowledged; `app_limited` if nothing waits to be sent.
    /// Returns the moment to tell BBR instead of `now`.
    pub fn told(&mut self, now: Instant, sent: Instant, app_limited: bool) -> Instant {
        let delay = now.saturating_duration_since(sent);
        let told = match self.shortest {
            Some(shortest) if app_limited && self.is_stale(now) && shortest.is_like(delay) => {
                delay.min(shortest.delay.saturating_sub(LESS))
            }
            _ => delay,
        };
        if self.latest.is_none_or(|(last, _)| sent >= last) {
            self.latest = Some((sent, told));
        }
        sent + told
    }

    /// The acknowledgement has been read.
    pub fn end_acks(&mut self, now: Instant) {
        let Some((_, delay)) = self.latest.take() else {
            return;
        };
        let over = |shortest: &Sample| now > shortest.seen + INTERVAL;
        if self
            .shortest
            .is_none_or(|shortest| delay < shortest.delay || over(&shortest))
        {
            self.shortest = Some(Sample { delay, seen: now });
        }
    }

    fn is_stale(&self, now: Instant) -> bool {
        self.shortest
            .is_some_and(|shortest| now > shortest.seen + FRESH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// What is told of one packet in an acknowledgement of its own.
    fn told(floor: &mut Floor, at: Instant, delay: Duration, app_limited: bool) -> Duration {
        let sent = at - delay;
        let told = floor.told(at, sent, app_limited) - sent;
        floor.end_acks(at);
        told
    }

    /// A floor that saw 50 ms three seconds before `at`.
    fn stale(at: Instant) -> Floor {
        let mut floor = Floor::default();
        assert_eq!(
            told(&mut floor, at - 3000 * MS, 50 * MS, true),
            50 * MS,
            "the first is told as it is"
        );
        floor
    }

    #[test]
    fn a_round_trip_like_the_shortest_is_told_as_shorter_once_that_is_old() {
        let at = Instant::now() + 10_000 * MS;
        let mut floor = stale(at);
        assert_eq!(told(&mut floor, at, 56 * MS, true), 50 * MS - LESS);
        assert_eq!(
            told(&mut floor, at + MS, 51 * MS, true),
            51 * MS,
            "the floor is fresh again"
        );
        assert_eq!(
            told(&mut floor, at + 3000 * MS, 52 * MS, true),
            50 * MS - 2 * LESS
        );
    }

    #[test]
    fn a_queue_is_told_as_it_is() {
        let at = Instant::now() + 10_000 * MS;
        assert_eq!(told(&mut stale(at), at, 57 * MS, true), 57 * MS);
    }

    #[test]
    fn what_waits_to_be_sent_is_no_reason_to_spare_the_look() {
        let at = Instant::now() + 10_000 * MS;
        assert_eq!(told(&mut stale(at), at, 50 * MS, false), 50 * MS);
    }

    #[test]
    fn a_shorter_round_trip_is_told_as_it_is() {
        let at = Instant::now() + 10_000 * MS;
        assert_eq!(told(&mut stale(at), at, 40 * MS, true), 40 * MS);
    }

    #[test]
    fn a_floor_that_nothing_comes_near_gives_way_after_the_interval() {
        let at = Instant::now() + 10_000 * MS;
        let mut floor = stale(at);
        assert_eq!(told(&mut floor, at + 2100 * MS, 80 * MS, true), 80 * MS);
        assert_eq!(
            told(&mut floor, at + 5000 * MS, 81 * MS, true),
            80 * MS - LESS,
            "the longer one is the floor now"
        );
    }

    #[test]
    fn of_an_acknowledgement_the_packet_that_was_sent_last_counts() {
        let at = Instant::now() + 10_000 * MS;
        let mut floor = stale(at);
        floor.told(at, at - 50 * MS, true);
        floor.told(at, at - 60 * MS, true);
        floor.end_acks(at);
        assert!(!floor.is_stale(at + MS), "the one of 50 ms is newer");

        let mut floor = stale(at);
        floor.told(at, at - 56 * MS, true);
        floor.told(at, at - 20 * MS, true);
        floor.end_acks(at);
        assert_eq!(
            told(&mut floor, at + 3000 * MS, 21 * MS, true),
            20 * MS - LESS
        );
    }
}
