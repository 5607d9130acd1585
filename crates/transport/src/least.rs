//! The least of what was seen lately.

use std::collections::VecDeque;
use std::time::Duration;

/// Remembers by ages, so that what it keeps is bounded: the oldest age is forgotten as a whole.
#[derive(Debug)]
pub(crate) struct Least<T> {
    age: Duration,
    ages: usize,
    /// The least of each age, with its beginning.
    kept: VecDeque<(Duration, T)>,
}

impl<T: Copy + Ord> Least<T> {
    /// Of so many ages of this length, the current one included.
    pub(crate) const fn new(age: Duration, ages: usize) -> Self {
        Self {
            age,
            ages,
            kept: VecDeque::new(),
        }
    }

    /// `now` counts from any moment, always the same one.
    pub(crate) fn take(&mut self, now: Duration, value: T) {
        match self.kept.back_mut() {
            Some((since, least)) if now.saturating_sub(*since) < self.age => {
                *least = value.min(*least);
            }
            _ => {
                self.kept.push_back((now, value));
                if self.kept.len() > self.ages {
                    self.kept.pop_front();
                }
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        self.kept.clear();
    }

    /// `None` before anything was taken.
    pub(crate) fn get(&self) -> Option<T> {
        self.kept.iter().map(|(_, least)| *least).min()
    }
}
