//! The clock of the bench, and what its readings come to.

use std::hint::black_box;
use std::time::Duration;

/// CPU time of this program since it began, on all its threads: openmls spreads
/// part of its work over several.
#[cfg(unix)]
fn cpu_time() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Where the time of a program cannot be read, the clock on the wall stands in.
#[cfg(not(unix))]
fn cpu_time() -> Duration {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// How long each round of one thing took.
#[derive(Debug, Default, Clone)]
pub struct Rounds(Vec<Duration>);

impl Rounds {
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Does `work` once and keeps the time.
    pub fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let start = cpu_time();
        let result = black_box(work());
        self.0.push(cpu_time() - start);
        result
    }

    /// The middle one; of an even number, the higher of the two in the middle.
    pub fn median(&self) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied().unwrap_or_default()
    }

    pub fn least(&self) -> Duration {
        self.0.iter().min().copied().unwrap_or_default()
    }

    pub fn total(&self) -> Duration {
        self.0.iter().sum()
    }

    /// Each round's time over that of the same round of `other`: the median of
    /// these, which outlives a computer that slows down in the middle.
    pub fn ratio_to(&self, other: &Self) -> f64 {
        let mut ratios: Vec<f64> = self
            .0
            .iter()
            .zip(&other.0)
            .map(|(own, others)| own.as_secs_f64() / others.as_secs_f64())
            .collect();
        ratios.sort_unstable_by(f64::total_cmp);
        ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// Round by round, this and `other` together.
    pub fn plus(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| *a + *b).collect())
    }
}
