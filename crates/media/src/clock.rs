//! The clock of capture stamps, and the ticker that paces whatever has no
//! hardware clock of its own.

use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How far a [`Ticker`] may fall behind before it gives up catching up.
const MAX_LAG: Duration = Duration::from_millis(200);

/// Microseconds since the UNIX epoch.
///
/// Anchored to the wall clock once per process and monotonic from then on, so
/// that a step of the wall clock never makes a frame older or younger. Two
/// processes on one machine agree to within the age of their anchors' drift,
/// which makes capture-to-play delays between them meaningful.
pub fn now_us() -> u64 {
    static ANCHOR: OnceLock<(Instant, u64)> = OnceLock::new();
    let (instant, wall_us) = ANCHOR.get_or_init(|| {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        (Instant::now(), wall.as_micros() as u64)
    });
    wall_us + instant.elapsed().as_micros() as u64
}

/// `a - b` in microseconds, bounded so that sums of a few never overflow even
/// when a peer sends absurd stamps.
pub fn difference(a: u64, b: u64) -> i64 {
    const BOUND: i128 = i64::MAX as i128 / 8;
    (i128::from(a) - i128::from(b)).clamp(-BOUND, BOUND) as i64
}

/// Wakes at a fixed period without accumulating error.
#[derive(Debug)]
pub struct Ticker {
    period: Duration,
    next: Option<Instant>,
}

impl Ticker {
    /// A ticker whose first tick comes one `period` after the first wait.
    pub fn new(period: Duration) -> Self {
        Self { period, next: None }
    }

    /// Sleeps until the next tick and returns the time it was due, in
    /// microseconds on the clock of [`now_us`].
    ///
    /// A late caller gets the missed ticks at once, so that the long-run rate
    /// holds; after more than 200 ms the missed ticks are dropped instead.
    pub fn wait(&mut self) -> u64 {
        let now = Instant::now();
        let mut due = self.next.unwrap_or(now + self.period);
        if let Some(rest) = due.checked_duration_since(now) {
            thread::sleep(rest);
        } else if now.duration_since(due) > MAX_LAG {
            due = now;
        }
        let late = Instant::now().saturating_duration_since(due);
        self.next = Some(due + self.period);
        now_us().saturating_sub(late.as_micros() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_wall_time_and_never_go_back() {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let first = now_us();
        let second = now_us();
        assert!(second >= first);
        assert!(first.abs_diff(wall.as_micros() as u64) < 5_000_000);
    }

    #[test]
    fn ticks_keep_the_rate_although_one_came_late() {
        let mut ticker = Ticker::new(Duration::from_millis(10));
        let first = ticker.wait();
        thread::sleep(Duration::from_millis(35));
        let mut last = first;
        for _ in 0..5 {
            last = ticker.wait();
        }
        assert!((last - first).abs_diff(50_000) < 5_000, "{}", last - first);
    }
}
