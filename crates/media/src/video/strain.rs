//! Notices that a computer is too slow for the pictures of one size, and spares it.
//!
//! An encoder that cannot keep up takes all of a core, and whatever else needs one suffers, sound first. So
//! fewer and smaller pictures are made as soon as they take longer than the time between two of them, and it
//! goes back one step at a time once they are made with ease.

use std::time::Duration;

/// Pictures that are judged together.
const WINDOW: usize = 20;
/// From capture to encoded, median: more than the time between two pictures, 33 ms, and some waiting.
const SLOW: Duration = Duration::from_millis(45);
/// With less than this there is room for more.
const EASY: Duration = Duration::from_millis(22);
/// Windows of ease before a step back, at first and at most: 10 s at 20 pictures a second, and 2 min.
const EASE: [u32; 2] = [10, 120];

/// What is made of the pictures of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Effort {
    /// Each one is made (1), every second (2) and so on.
    pub stride: u32,
    /// Width and height are half of what they are to be.
    pub halved: bool,
}

/// From all to a quarter of the pictures: 7 a second still move.
const FEWER: [Effort; 4] = [whole(1), whole(2), whole(3), whole(4)];
/// Half of the pictures are missed less than half of the lines; beyond that it is the other way round.
const SMALLER: [Effort; 5] = [whole(1), whole(2), half(2), half(3), half(4)];

const fn whole(stride: u32) -> Effort {
    Effort {
        stride,
        halved: false,
    }
}

const fn half(stride: u32) -> Effort {
    Effort {
        stride,
        halved: true,
    }
}

/// Judges one size.
#[derive(Debug)]
pub(super) struct Strain {
    steps: &'static [Effort],
    step: usize,
    took: Vec<Duration>,
    easy_windows: u32,
    wanted_ease: u32,
}

impl Strain {
    /// Of a size whose pictures may be halved or not.
    pub(super) fn new(may_halve: bool) -> Self {
        Self {
            steps: if may_halve { &SMALLER } else { &FEWER },
            step: 0,
            took: Vec::with_capacity(WINDOW),
            easy_windows: 0,
            wanted_ease: EASE[0],
        }
    }

    /// A picture took so long from capture until it was encoded. Gives what to make from now on, if that
    /// changes.
    pub(super) fn encoded(&mut self, took: Duration) -> Option<Effort> {
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
        if median > SLOW && self.step + 1 < self.steps.len() {
            // What was tried again and failed is tried later next time.
            self.wanted_ease = (self.wanted_ease * 2).min(EASE[1]);
            self.step += 1;
        } else if self.step > 0 && self.easy_windows >= self.wanted_ease {
            self.easy_windows = 0;
            self.step -= 1;
        } else {
            return None;
        }
        self.steps.get(self.step).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    const NONE: [Effort; 0] = [];

    /// The changes while so many windows of pictures take so long.
    fn changes(strain: &mut Strain, windows: usize, took: Duration) -> Vec<Effort> {
        let pictures = windows * WINDOW;
        (0..pictures).filter_map(|_| strain.encoded(took)).collect()
    }

    #[test]
    fn a_computer_that_keeps_up_makes_every_picture() {
        let mut strain = Strain::new(false);
        assert_eq!(changes(&mut strain, 100, ms(30)), NONE);
        assert_eq!(changes(&mut strain, 100, ms(5)), NONE);
    }

    #[test]
    fn one_slow_picture_is_no_strain() {
        let mut strain = Strain::new(false);
        for _ in 0..10 {
            assert_eq!(strain.encoded(ms(500)), None);
            assert!((1..WINDOW).all(|_| strain.encoded(ms(20)).is_none()));
        }
    }

    #[test]
    fn a_slow_computer_makes_fewer_and_comes_back_step_by_step() {
        let mut strain = Strain::new(false);
        assert_eq!(
            changes(&mut strain, 10, ms(60)),
            [whole(2), whole(3), whole(4)]
        );
        assert_eq!(changes(&mut strain, 100, ms(30)), NONE, "no ease");
        assert_eq!(changes(&mut strain, 79, ms(10)), NONE);
        assert_eq!(changes(&mut strain, 1, ms(10)), [whole(3)]);
        assert_eq!(changes(&mut strain, 160, ms(10)), [whole(2), whole(1)]);
    }

    #[test]
    fn large_pictures_become_smaller_before_they_become_few() {
        let mut strain = Strain::new(true);
        let fewer = [whole(2), half(2), half(3), half(4)];
        assert_eq!(changes(&mut strain, 10, ms(60)), fewer);
        let back = [half(3), half(2), whole(2), whole(1)];
        assert_eq!(changes(&mut strain, 1000, ms(10)), back);
    }

    #[test]
    fn what_failed_is_tried_later_and_later() {
        let mut strain = Strain::new(false);
        for ease in [20, 40, 80, 120, 120] {
            assert_eq!(changes(&mut strain, 1, ms(60)), [whole(2)]);
            assert_eq!(changes(&mut strain, ease - 1, ms(10)), NONE);
            assert_eq!(changes(&mut strain, 1, ms(10)), [whole(1)], "after {ease}");
        }
    }
}
