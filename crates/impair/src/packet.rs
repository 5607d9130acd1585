//! A packet on its way through a link.

use std::time::Duration;

use crate::direction::Flow;

/// A packet before the rate.
pub(crate) struct Waiting<T> {
    pub since: Duration,
    pub flow: Flow,
    pub size: u64,
    /// −1 to 1, times the jitter.
    pub sway: f64,
    pub repair: Duration,
    pub item: T,
}

/// A packet that has left the queue. Ordered by arrival, then by departure.
pub(crate) struct Flying<T> {
    pub at: Duration,
    pub order: u64,
    pub flow: Flow,
    pub size: u64,
    pub item: T,
}

impl<T> PartialEq for Flying<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl<T> Eq for Flying<T> {}
impl<T> PartialOrd for Flying<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Flying<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}
