//! Notices that a computer is too slow for the pictures of one size, and spares it.
//!
//! An encoder that cannot keep up takes all of a core, and whatever else needs one suffers, sound first. So
//! fewer and smaller pictures are made as soon as they take longer than the time between two of them, and it
//! goes back one step at a time once they are made with ease: soon after what may have been a moment, later and
//! later where it comes again.

use std::time::{Duration, Instant};

/// Pictures that are judged together.
const WINDOW: usize = 20;
/// From capture to encoded, median: more than the time between two pictures, 33 ms, and some waiting.
const SLOW: Duration = Duration::from_millis(45);
/// With less than this there is room for more.
const EASY: Duration = Duration::from_millis(22);
/// Windows of ease before a step back, at first and at most: 5 s and 160 s at 15 pictures a second.
const EASE: [u32; 2] = [4, 120];
/// Windows with every picture after which half the ease will do: 80 s at 30 pictures a second.
const HELD: u32 = 120;
/// A strain of less is a moment, and not worth a sentence.
const TELL_AFTER: Duration = Duration::from_secs(8);
/// What is told is told once, until no picture was spared for so long.
const OVER_AFTER: Duration = Duration::from_secs(60);

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
    /// A step was taken back, and it is not known yet whether that holds.
    is_trying: bool,
    held_windows: u32,
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
            is_trying: false,
            held_windows: 0,
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
        self.easy_windows = if median < EASY {
            self.easy_windows + 1
        } else {
            0
        };
        if median > SLOW && self.step + 1 < self.steps.len() {
            self.step_down();
        } else if self.step > 0 && self.easy_windows >= self.wanted_ease {
            self.step_up();
        } else {
            self.hold();
            return None;
        }
        self.steps.get(self.step).copied()
    }

    fn step_down(&mut self) {
        self.step += 1;
        self.held_windows = 0;
        if std::mem::take(&mut self.is_trying) {
            // What was tried again and failed is tried later next time.
            self.wanted_ease = (self.wanted_ease * 2).min(EASE[1]);
        }
    }

    fn step_up(&mut self) {
        self.step -= 1;
        self.easy_windows = 0;
        self.is_trying = true;
    }

    /// A window that changes nothing.
    fn hold(&mut self) {
        if self.step > 0 {
            return;
        }
        self.held_windows += 1;
        if self.held_windows == HELD {
            self.held_windows = 0;
            self.is_trying = false;
            self.wanted_ease = (self.wanted_ease / 2).max(EASE[0]);
        }
    }
}

/// Decides when a person hears of a strain.
#[derive(Debug, Default)]
pub(super) struct Telling {
    /// Since when pictures are spared.
    since: Option<Instant>,
    /// When some were spared last, if that was told.
    told: Option<Instant>,
}

impl Telling {
    /// Whether pictures are spared at this time. True when it is to be told.
    pub(super) fn is_due(&mut self, is_strained: bool, now: Instant) -> bool {
        let over = |at: Instant| now.duration_since(at) >= OVER_AFTER;
        if !is_strained {
            self.since = None;
            self.told = self.told.filter(|at| !over(*at));
            return false;
        }
        let since = *self.since.get_or_insert(now);
        let is_due = self.told.is_none() && now.duration_since(since) >= TELL_AFTER;
        if is_due || self.told.is_some() {
            self.told = Some(now);
        }
        is_due
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
        assert_eq!(changes(&mut strain, 3, ms(10)), NONE);
        assert_eq!(changes(&mut strain, 1, ms(10)), [whole(3)]);
        assert_eq!(changes(&mut strain, 8, ms(10)), [whole(2), whole(1)]);
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
        for ease in [4, 8, 16, 32, 64, 120, 120] {
            assert_eq!(changes(&mut strain, 1, ms(60)), [whole(2)]);
            assert_eq!(changes(&mut strain, ease - 1, ms(10)), NONE);
            assert_eq!(changes(&mut strain, 1, ms(10)), [whole(1)], "after {ease}");
        }
    }

    #[test]
    fn what_held_is_forgotten() {
        let mut strain = Strain::new(false);
        for _ in 0..5 {
            assert_eq!(changes(&mut strain, 1, ms(60)), [whole(2)]);
            assert_eq!(changes(&mut strain, 4, ms(10)), [whole(1)]);
            assert_eq!(changes(&mut strain, HELD as usize, ms(30)), NONE);
        }
    }

    /// The seconds at which it is told, where pictures are spared in these spans of seconds.
    fn told(spans: &[(u64, u64)]) -> Vec<u64> {
        let mut telling = Telling::default();
        let begin = Instant::now();
        let mut is_due = |s: u64| {
            let is_strained = spans
                .iter()
                .any(|(from, until)| (*from..*until).contains(&s));
            telling.is_due(is_strained, begin + Duration::from_secs(s))
        };
        (0..400).filter(|s| is_due(*s)).collect()
    }

    #[test]
    fn a_moment_is_not_told_and_what_lasts_is_told_once() {
        assert!(told(&[(10, 17), (100, 107)]).is_empty());
        assert_eq!(told(&[(10, 200)]), [18]);
    }

    #[test]
    fn what_comes_again_within_a_minute_is_not_told_again() {
        assert_eq!(told(&[(10, 30), (31, 60), (115, 200)]), [18]);
        assert_eq!(told(&[(10, 30), (100, 200)]), [18, 108]);
    }
}
