//! Noticing that a sender's key is not here and will not come by itself.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use conclave_e2ee::OpenError;

/// How long nothing may open before the key counts as missing: the way that keys take is short.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often a missing key is asked for.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// Without a frame for this long nothing is known to be missing.
const FORGETS: Duration = Duration::from_secs(3);

/// Whether one sender's key is missing.
#[derive(Debug, Default)]
pub(crate) struct MissingKey(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Since when frames come and none opens, and when the last one came.
    span: Option<(Instant, Instant)>,
    asked: Option<Instant>,
}

impl MissingKey {
    /// Takes in that a frame did not open. Gives whether the key is to be asked for now.
    pub(super) fn shut(&self, now: Instant, error: &OpenError) -> bool {
        match error {
            OpenError::NotYet | OpenError::Expired | OpenError::UnknownKey => {}
            _ => return false,
        }
        let mut inner = self.lock();
        let since = inner.span.filter(|(_, last)| now < *last + FORGETS);
        inner.span = Some((since.map_or(now, |(since, _)| since), now));
        let due = inner.asked.is_none_or(|asked| now >= asked + ASK_EVERY);
        inner.is_missing(now) && due
    }

    /// Takes in that the key was asked for.
    pub(super) fn asked(&self, now: Instant) {
        self.lock().asked = Some(now);
    }

    /// Takes in that a frame opened.
    pub(super) fn opened(&self) {
        self.lock().span = None;
    }

    pub(super) fn is_missing(&self, now: Instant) -> bool {
        self.lock().is_missing(now)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Plain values, replaced whole: nothing can be half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn is_missing(&self, now: Instant) -> bool {
        self.span
            .is_some_and(|(since, last)| now >= since + PATIENCE && now < last + FORGETS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_key_that_stays_away_is_asked_for_every_two_seconds() {
        let (missing, start) = (MissingKey::default(), Instant::now());
        let asked: Vec<u32> = (0..60)
            .map(|step| step * 100)
            .filter(|ms| {
                let now = start + *ms * MS;
                let ask = missing.shut(now, &OpenError::NotYet);
                if ask {
                    missing.asked(now);
                }
                ask
            })
            .collect();
        assert_eq!(asked, [1000, 3000, 5000]);
        assert!(missing.is_missing(start + 6000 * MS));
        missing.opened();
        assert!(!missing.is_missing(start + 6000 * MS));
    }

    #[test]
    fn a_key_that_comes_within_a_second_was_never_missing() {
        let (missing, start) = (MissingKey::default(), Instant::now());
        for round in 0..5 {
            let begin = start + round * 1000 * MS;
            assert!(!missing.shut(begin, &OpenError::NotYet));
            assert!(!missing.shut(begin + 900 * MS, &OpenError::NotYet));
            missing.opened();
        }
    }

    #[test]
    fn stragglers_and_forgeries_are_no_missing_key() {
        let (missing, start) = (MissingKey::default(), Instant::now());
        for minute in 0..5 {
            let now = start + minute * 60_000 * MS;
            assert!(!missing.shut(now, &OpenError::Expired));
        }
        let missing = MissingKey::default();
        for ms in 0..5000 {
            assert!(!missing.shut(start + ms * MS, &OpenError::Forged));
        }
    }

    #[test]
    fn a_sender_who_fell_silent_lacks_nothing() {
        let (missing, start) = (MissingKey::default(), Instant::now());
        missing.shut(start, &OpenError::NotYet);
        missing.shut(start + 1500 * MS, &OpenError::NotYet);
        assert!(missing.is_missing(start + 2000 * MS));
        assert!(!missing.is_missing(start + 4500 * MS));
    }
}
