//! State that a target keeps from one input to the next.

use std::sync::{Mutex, PoisonError};

/// What a target changes. An input that stops in the middle leaves it as it was then: a failure is
/// reported once and ends the run.
pub struct Shared<T>(Mutex<T>);

impl<T> Shared<T> {
    /// Begins with `value`.
    pub fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Does something with it.
    pub fn with<R>(&self, act: impl FnOnce(&mut T) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What became of it.
    pub fn into_inner(self) -> T {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
