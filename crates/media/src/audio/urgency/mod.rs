//! The threads of sound run before all others of the computer, as far as its system allows.
//!
//! A block of 10 ms that comes a block late is a hole that everybody hears; a picture that comes
//! as late is seen by nobody. Without this a computer that is busy with something else spoils the
//! sound first, because its blocks are due most often.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod service;

use std::thread;
use std::time::{Duration, Instant};

#[cfg(not(target_os = "linux"))]
use self::elsewhere as system;
#[cfg(target_os = "linux")]
use self::linux as system;

/// Makes the calling thread urgent. Where a service must be asked, it becomes so a little later,
/// and this does not wait for it.
pub(super) fn claim() {
    system::claim();
}

/// Opens a stream of the sound system, whose threads become urgent.
pub(super) fn claim_for_stream<T>(open: impl FnOnce() -> T) -> T {
    system::claim_for_stream(open)
}

/// How long an urgent thread may go on without a pause.
const LONGEST_WORK: Duration = Duration::from_millis(50);
const PAUSE: Duration = Duration::from_micros(100);

/// Pauses of an urgent thread that has more to do than it can.
///
/// Nothing else gets a processor that such a thread never leaves; Linux ends the whole program
/// when one goes on for 200 ms (RLIMIT_RTTIME).
#[derive(Debug)]
pub(super) struct Pauses {
    last: Instant,
}

impl Pauses {
    pub(super) fn new() -> Self {
        Self {
            last: Instant::now(),
        }
    }

    /// To be called once in each round of the thread's work.
    pub(super) fn take(&mut self) {
        if self.last.elapsed() > LONGEST_WORK {
            thread::sleep(PAUSE);
            self.last = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_works_on_pauses_in_time_and_no_more_often() {
        let begun = Instant::now();
        let mut pauses = Pauses::new();
        let (mut taken, mut last) = (0, pauses.last);
        while begun.elapsed() < 4 * LONGEST_WORK {
            pauses.take();
            if pauses.last != last {
                assert!(pauses.last - last >= LONGEST_WORK);
                (taken, last) = (taken + 1, pauses.last);
            }
        }
        assert!((1..=4).contains(&taken), "{taken}");
    }
}
