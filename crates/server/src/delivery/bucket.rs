//! A token bucket: how much may come at once, and how much for long.

use tokio::time::Instant;

/// Allows `burst` at once and `per_s` for long.
#[derive(Debug, Clone)]
pub struct Bucket {
    burst: f64,
    per_s: f64,
    left: f64,
    at: Instant,
}

impl Bucket {
    /// A full bucket.
    pub fn new(burst: u32, per_s: u32, now: Instant) -> Self {
        Self {
            burst: burst.into(),
            per_s: per_s.into(),
            left: burst.into(),
            at: now,
        }
    }

    /// Takes `amount` if that much is left. Too large an amount takes nothing.
    pub fn take(&mut self, amount: u32, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + elapsed * self.per_s).min(self.burst);
        self.at = now;
        let enough = f64::from(amount) <= self.left;
        if enough {
            self.left -= f64::from(amount);
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10, 2, start);
        assert!((0..10).all(|_| bucket.take(1, start)));
        assert!(!bucket.take(1, start));
        assert!(!bucket.take(1, start + Duration::from_millis(400)));
        assert!(bucket.take(1, start + Duration::from_millis(600)));
        assert!(!bucket.take(1, start + Duration::from_millis(600)));
    }

    #[test]
    fn a_long_pause_saves_up_no_more_than_the_burst() {
        let start = Instant::now();
        let mut bucket = Bucket::new(3, 100, start);
        let later = start + Duration::from_secs(3600);
        assert!(bucket.take(3, later));
        assert!(!bucket.take(1, later));
    }
}
