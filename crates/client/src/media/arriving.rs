//! Whether what a member sends arrives: what it says in its heartbeats that it has sent, held
//! against what came.
//!
//! A service that holds sound back, and says nothing, looks like somebody who is quiet. The
//! heartbeats come another way and are signed.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Packets of sound in one second. Fewer between two heartbeats say nothing.
const ENOUGH: u64 = 50;

/// How much of one member's sound arrives.
#[derive(Debug, Default)]
pub(crate) struct Arriving(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// At the last heartbeat: packets sent by the member's word, and packets that had come.
    last: Option<(u64, u64)>,
    share: Option<f32>,
}

impl Arriving {
    /// Takes in a heartbeat: `sent` by the member's word, `came` by our own count, both since they
    /// began to count.
    pub(super) fn hear(&self, sent: u64, came: u64) {
        let mut inner = self.lock();
        let Some((sent_before, came_before)) = inner.last.replace((sent, came)) else {
            return;
        };
        // Smaller than before: the member or this device has begun anew.
        let (Some(sent), Some(came)) =
            (sent.checked_sub(sent_before), came.checked_sub(came_before))
        else {
            inner.share = None;
            return;
        };
        inner.share = (sent >= ENOUGH).then(|| (came as f32 / sent as f32).min(1.0));
    }

    /// What was counted so far says nothing about what comes.
    pub(super) fn begin_anew(&self) {
        *self.lock() = Inner::default();
    }

    /// The share of the sound sent between the last two heartbeats that came, 0 to 1; `None` if
    /// hardly anything was sent.
    pub(super) fn share(&self) -> Option<f32> {
        self.lock().share
    }

    /// The member sends, and nothing comes.
    pub(super) fn is_held_back(&self) -> bool {
        self.share() == Some(0.0)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Plain values, replaced whole: nothing can be half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sends_and_is_not_heard_is_held_back() {
        let arriving = Arriving::default();
        arriving.hear(1000, 990);
        assert_eq!(arriving.share(), None, "one heartbeat says nothing");
        arriving.hear(1250, 1240);
        assert_eq!(arriving.share(), Some(1.0));
        arriving.hear(1500, 1240);
        assert!(arriving.is_held_back());
        arriving.hear(1750, 1365);
        assert_eq!(arriving.share(), Some(0.5));
        assert!(!arriving.is_held_back());
    }

    #[test]
    fn who_is_muted_is_not_held_back() {
        let arriving = Arriving::default();
        arriving.hear(1000, 990);
        arriving.hear(1000, 990);
        assert!(!arriving.is_held_back());
        arriving.hear(1000 + ENOUGH - 1, 990);
        assert!(!arriving.is_held_back());
    }

    #[test]
    fn sound_that_was_not_read_is_not_held_back() {
        let arriving = Arriving::default();
        arriving.hear(1000, 990);
        arriving.begin_anew();
        arriving.hear(2000, 990);
        assert!(!arriving.is_held_back());
        arriving.hear(2250, 990);
        assert!(arriving.is_held_back());
    }

    #[test]
    fn who_begins_to_count_anew_is_not_held_back() {
        let arriving = Arriving::default();
        arriving.hear(1000, 990);
        arriving.hear(60, 990);
        assert!(!arriving.is_held_back());
        arriving.hear(400, 990);
        assert!(arriving.is_held_back());
    }
}
