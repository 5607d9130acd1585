//! What the way from one sender to here bears, and what is read of its picture for that.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use conclave_media::video::Size;
use conclave_transport::{Burden, BurdenSense};
use tokio::sync::watch;

use super::figures::lock;

/// How often a sender's way is judged.
pub(super) const LOOK: Duration = Duration::from_millis(20);

/// A picture that is paused for longer is worth words.
const WORTH_WORDS: Duration = Duration::from_secs(3);

/// What the person is told then.
pub(super) const WEAK: &str = "The link is weak: video paused, sound kept.";

/// One sender's way to here.
pub(super) struct Link {
    sense: Mutex<BurdenSense>,
    began: Instant,
    burden: watch::Sender<Burden>,
    paused: Mutex<Paused>,
}

#[derive(Default)]
struct Paused {
    since: Option<Instant>,
    told: bool,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            sense: Mutex::default(),
            began: Instant::now(),
            burden: watch::channel(Burden::Full).0,
            paused: Mutex::default(),
        }
    }
}

impl Link {
    /// A packet of sound came, captured at this time by its sender's clock.
    pub(super) fn sound(&self, capture_us: u64) {
        lock(&self.sense).sound(self.began.elapsed(), Duration::from_micros(capture_us));
    }

    /// A picture of so many bytes came.
    pub(super) fn picture(&self, capture_us: u64, bytes: usize) {
        let sent = Duration::from_micros(capture_us);
        lock(&self.sense).heavy(self.began.elapsed(), sent, bytes);
    }

    /// Judges anew; whether the person is to be told now that the picture is paused.
    pub(super) fn look(&self) -> bool {
        let burden = lock(&self.sense).look(self.began.elapsed());
        self.burden.send_if_modified(|known| {
            let before = std::mem::replace(known, burden);
            if before != burden {
                tracing::debug!(?burden, "what a link bears");
            }
            before != burden
        });
        let mut paused = lock(&self.paused);
        if burden > Burden::Light {
            *paused = Paused::default();
            return false;
        }
        let since = *paused.since.get_or_insert_with(Instant::now);
        since.elapsed() >= WORTH_WORDS && !std::mem::replace(&mut paused.told, true)
    }

    /// Every change of what the way bears.
    pub(super) fn watch(&self) -> watch::Receiver<Burden> {
        self.burden.subscribe()
    }

    /// The size to read of a picture that is looked at in this one.
    /// `yields`: something of the same sender matters more.
    pub(super) fn size(&self, looked_at: Option<Size>, yields: bool) -> Option<Size> {
        size_for(*self.burden.borrow(), looked_at, yields)
    }

    /// Whether no picture is read because the way does not bear it.
    pub(super) fn is_paused(&self) -> bool {
        *self.burden.borrow() == Burden::Light
    }
}

/// The size to read of a picture that is looked at in this one; none while it is paused.
fn size_for(burden: Burden, looked_at: Option<Size>, yields: bool) -> Option<Size> {
    match burden {
        Burden::Light => None,
        Burden::Reduced if yields => None,
        Burden::Reduced => looked_at.map(|_| Size::Low),
        Burden::Full => looked_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_narrow_way_what_matters_more_goes_first() {
        let high = Some(Size::High);
        assert_eq!(size_for(Burden::Full, high, true), high);
        assert_eq!(size_for(Burden::Reduced, high, false), Some(Size::Low));
        assert_eq!(size_for(Burden::Reduced, high, true), None);
        assert_eq!(size_for(Burden::Light, high, false), None);
    }
}
