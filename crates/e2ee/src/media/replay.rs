//! The replay window of one key (RFC 9605 §9.3, after RFC 6479).

const WORD_BITS: u64 = 64;
const WORDS: u64 = 16;

/// How far a frame may arrive behind the newest one, in frames: half a minute
/// of video, 20 seconds of audio.
const WINDOW: u64 = WORD_BITS * WORDS;

/// Which of the newest counters were seen.
#[derive(Debug, Clone, Default)]
pub(super) struct ReplayWindow {
    newest: Option<u64>,
    seen: [u64; WORDS as usize],
}

impl ReplayWindow {
    /// Whether a counter is new. One that fell out of the window counts as seen.
    pub(super) fn is_fresh(&self, ctr: u64) -> bool {
        match self.newest {
            None => true,
            Some(newest) if ctr > newest => true,
            Some(newest) if newest - ctr >= WINDOW => false,
            Some(_) => self.seen[word(ctr)] & bit(ctr) == 0,
        }
    }

    /// Remembers the counter of a frame that was authentic.
    pub(super) fn record(&mut self, ctr: u64) {
        if !self.is_fresh(ctr) {
            return;
        }
        let next = self.newest.map_or(0, |newest| newest.saturating_add(1));
        if ctr >= next {
            for stale in next.max(ctr.saturating_sub(WINDOW - 1))..=ctr {
                self.seen[word(stale)] &= !bit(stale);
            }
            self.newest = Some(ctr);
        }
        self.seen[word(ctr)] |= bit(ctr);
    }
}

fn word(ctr: u64) -> usize {
    (ctr / WORD_BITS % WORDS) as usize
}

fn bit(ctr: u64) -> u64 {
    1 << (ctr % WORD_BITS)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_counter_is_fresh_once() {
        let mut window = ReplayWindow::default();
        for ctr in [0, 5, 3, 1000, 999, 1023, u64::MAX] {
            assert!(window.is_fresh(ctr), "{ctr}");
            window.record(ctr);
            assert!(!window.is_fresh(ctr), "{ctr}");
        }
        assert!(!window.is_fresh(0));
    }

    #[test]
    fn the_window_ends_where_it_says() {
        let mut window = ReplayWindow::default();
        window.record(5000);
        assert!(window.is_fresh(5000 - WINDOW + 1));
        assert!(!window.is_fresh(5000 - WINDOW));
    }

    #[test]
    fn it_agrees_with_a_set_over_a_long_disorderly_walk() {
        let mut window = ReplayWindow::default();
        let mut seen = HashSet::new();
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut newest = 0;
        for step in 0..20_000_u64 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let jump = (state >> 33) % 2500;
            let ctr = (step / 2 + jump).saturating_sub(1300);
            let expected =
                !seen.contains(&ctr) && (seen.is_empty() || ctr > newest || newest - ctr < WINDOW);
            assert_eq!(window.is_fresh(ctr), expected, "step {step}, counter {ctr}");
            if expected {
                window.record(ctr);
                seen.insert(ctr);
                newest = newest.max(ctr);
            }
        }
    }
}
