//! Notices that a computer is too slow for the pictures of one size, and makes fewer of them.
//!
//! An encoder that cannot keep up takes all of a core, and whatever else needs one suffers, sound first. So
//! its pictures are thinned out as soon as they take longer than the time between two of them, and come
//! back one step at a time once they are made with ease.

use std::time::Duration;

/// Pictures that are judged together.
const WINDOW: usize = 20;
/// From capture to encoded, median: more than the time between two pictures, 33 ms, and some waiting.
const SLOW: Duration = Duration::from_millis(45);
/// With less than this there is room for more pictures.
const EASY: Duration = Duration::from_millis(22);
/// At the most every fourth picture is made: 7 a second still move.
const MOST_STRIDE: u32 = 4;
/// Windows of ease before a step back, at first and at most: 10 s at 20 pictures a second, and 2 min.
const EASE: [u32; 2] = [10, 120];

/// Judges one size.
#[derive(Debug)]
pub(super) struct Strain {
    stride: u32,
    took: Vec<Duration>,
    easy_windows: u32,
    wanted_ease: u32,
}

impl Default for Strain {
    fn default() -> Self {
        Self {
            stride: 1,
            took: Vec::with_capacity(WINDOW),
            easy_windows: 0,
            wanted_ease: EASE[0],
        }
    }
}

impl Strain {
    /// A picture took so long from capture until it was encoded. Gives which pictures to make from now on,
    /// every one (1) to every fourth (4), if that changes.
    pub(super) fn encoded(&mut self, took: Duration) -> Option<u32> {
        self.took.push(took);
        if self.took.len() < WINDOW {
            return None;
        }
        self.took.sort_unstable();
        let median = self.took[WINDOW / 2];
        self.took.clear();
        if median < EASY {
            self.easy_windows += 1;
        } else {
            self.easy_windows = 0;
        }
        if median > SLOW && self.stride < MOST_STRIDE {
            // What was tried again and failed is tried later next time.
            self.wanted_ease = (self.wanted_ease * 2).min(EASE[1]);
            self.stride += 1;
        } else if self.stride > 1 && self.easy_windows >= self.wanted_ease {
            self.easy_windows = 0;
            self.stride -= 1;
        } else {
            return None;
        }
        Some(self.stride)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    const NONE: [u32; 0] = [];

    /// The changes while so many windows of pictures take so long.
    fn changes(strain: &mut Strain, windows: usize, took: Duration) -> Vec<u32> {
        let pictures = windows * WINDOW;
        (0..pictures).filter_map(|_| strain.encoded(took)).collect()
    }

    #[test]
    fn a_computer_that_keeps_up_makes_every_picture() {
        let mut strain = Strain::default();
        assert_eq!(changes(&mut strain, 100, ms(30)), NONE);
        assert_eq!(changes(&mut strain, 100, ms(5)), NONE);
    }

    #[test]
    fn one_slow_picture_is_no_strain() {
        let mut strain = Strain::default();
        for _ in 0..10 {
            assert_eq!(strain.encoded(ms(500)), None);
            assert!((1..WINDOW).all(|_| strain.encoded(ms(20)).is_none()));
        }
    }

    #[test]
    fn a_slow_computer_makes_fewer_and_comes_back_step_by_step() {
        let mut strain = Strain::default();
        assert_eq!(changes(&mut strain, 10, ms(60)), [2, 3, 4]);
        assert_eq!(changes(&mut strain, 100, ms(30)), NONE, "no ease");
        assert_eq!(changes(&mut strain, 79, ms(10)), NONE);
        assert_eq!(changes(&mut strain, 1, ms(10)), [3]);
        assert_eq!(changes(&mut strain, 160, ms(10)), [2, 1]);
    }

    #[test]
    fn what_failed_is_tried_later_and_later() {
        let mut strain = Strain::default();
        for ease in [20, 40, 80, 120, 120] {
            assert_eq!(changes(&mut strain, 1, ms(60)), [2]);
            assert_eq!(changes(&mut strain, ease - 1, ms(10)), NONE);
            assert_eq!(changes(&mut strain, 1, ms(10)), [1], "after {ease}");
        }
    }
}
