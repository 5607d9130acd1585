//! What the way from one sender to here bears, and what is read of its picture for that.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use conclave_media::video::Size;
use conclave_transport::{Burden, BurdenSense, Turns};
use tokio::sync::watch;

use super::figures::lock;
use super::tracks::Kind;
use crate::randomness;

/// How often a sender's way is judged.
pub(super) const LOOK: Duration = Duration::from_millis(20);

/// A picture that is paused for longer is worth words.
const WORTH_WORDS: Duration = Duration::from_secs(3);

/// What the person is told then.
pub(super) const WEAK: &str = "The link is weak: video paused, sound kept.";

/// This computer's own link, which all ways to here have in common.
pub(super) struct Downlink {
    began: Instant,
    turns: Mutex<Turns>,
}

impl Downlink {
    /// The time that all ways have in common.
    fn now(&self) -> Duration {
        self.began.elapsed()
    }
}

impl Default for Downlink {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            turns: Mutex::default(),
        }
    }
}

/// At which size somebody looks at what a sender shows; `None` if nobody does.
#[derive(Clone, Copy)]
pub(super) struct LookedAt {
    pub(super) camera: Option<Size>,
    pub(super) screen: Option<Size>,
}

impl LookedAt {
    /// The size to read of one kind of picture; none while it is paused. On a narrow way a screen goes
    /// before the face of who shares it.
    fn read(self, kind: Kind, burden: Burden) -> Option<Size> {
        let (looked_at, yields) = match kind {
            Kind::Camera => (self.camera, self.screen.is_some()),
            Kind::Screen => (self.screen, false),
        };
        match burden {
            Burden::Light => None,
            Burden::Reduced if yields => None,
            Burden::Reduced => looked_at.map(|_| Size::Low),
            Burden::Full => looked_at,
        }
    }
}

/// One sender's way to here.
pub(super) struct Link {
    sense: Mutex<BurdenSense>,
    downlink: Arc<Downlink>,
    burden: watch::Sender<Burden>,
    paused: Mutex<Paused>,
}

#[derive(Default)]
struct Paused {
    since: Option<Instant>,
    told: bool,
}

impl Link {
    pub(super) fn new(downlink: Arc<Downlink>) -> Self {
        Self {
            sense: Mutex::new(BurdenSense::new(randomness::number())),
            downlink,
            burden: watch::channel(Burden::Full).0,
            paused: Mutex::default(),
        }
    }

    /// A packet of sound came, captured at this time by its sender's clock.
    pub(super) fn sound(&self, capture_us: u64) {
        let sent = Duration::from_micros(capture_us);
        lock(&self.sense).sound(self.downlink.now(), sent);
    }

    /// A picture of so many bytes came.
    pub(super) fn picture(&self, capture_us: u64, bytes: usize) {
        let sent = Duration::from_micros(capture_us);
        lock(&self.sense).heavy(self.downlink.now(), sent, bytes);
    }

    /// Judges anew; whether the person is to be told now that the picture is paused.
    pub(super) fn look(&self, looked_at: impl FnOnce() -> LookedAt) -> bool {
        let burden = self.judge(looked_at);
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

    fn judge(&self, looked_at: impl FnOnce() -> LookedAt) -> Burden {
        let mut sense = lock(&self.sense);
        let rank = match sense.burden() {
            Burden::Full => None,
            burden => rank(burden, looked_at()),
        };
        let mut turns = lock(&self.downlink.turns);
        sense.look(self.downlink.now(), rank, &mut turns)
    }

    /// Every change of what the way bears.
    pub(super) fn watch(&self) -> watch::Receiver<Burden> {
        self.burden.subscribe()
    }

    /// The size to read of one kind of picture, as far as the way bears it.
    pub(super) fn size(&self, kind: Kind, looked_at: LookedAt) -> Option<Size> {
        looked_at.read(kind, *self.burden.borrow())
    }

    /// Whether no picture is read because the way does not bear it.
    pub(super) fn is_paused(&self) -> bool {
        *self.burden.borrow() == Burden::Light
    }
}

/// How much it matters that the way bears more than this: screens before faces, large ones before
/// small ones, as the window shows them. `None` if nothing more would be read then.
///
/// Not who speaks: the relay sees what is read first.
fn rank(burden: Burden, looked_at: LookedAt) -> Option<u8> {
    let read = |burden| Kind::ALL.map(|kind| looked_at.read(kind, burden));
    let more = match burden {
        Burden::Light => Burden::Reduced,
        Burden::Reduced | Burden::Full => Burden::Full,
    };
    if read(more) == read(burden) {
        return None;
    }
    Some(match (looked_at.screen, looked_at.camera) {
        (Some(_), _) => 3,
        (None, Some(Size::High)) => 2,
        (None, Some(Size::Medium)) => 1,
        (None, _) => 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_narrow_way_what_matters_more_goes_first() {
        let high = Some(Size::High);
        let face = |screen, burden| {
            let camera = high;
            LookedAt { camera, screen }.read(Kind::Camera, burden)
        };
        assert_eq!(face(high, Burden::Full), high);
        assert_eq!(face(None, Burden::Reduced), Some(Size::Low));
        assert_eq!(face(high, Burden::Reduced), None);
        assert_eq!(face(None, Burden::Light), None);
    }

    #[test]
    fn what_is_shown_large_comes_back_first_and_what_nobody_sees_is_no_try() {
        let rank_of = |burden, camera, screen| rank(burden, LookedAt { camera, screen });
        let (low, high) = (Some(Size::Low), Some(Size::High));
        let of_light = |camera, screen| rank_of(Burden::Light, camera, screen);
        assert!(of_light(None, low) > of_light(high, None));
        assert!(of_light(high, None) > of_light(Some(Size::Medium), None));
        assert!(of_light(Some(Size::Medium), None) > of_light(low, None));
        assert_eq!(of_light(None, None), None);
        assert_eq!(rank_of(Burden::Reduced, low, None), None, "it is there");
        assert!(rank_of(Burden::Reduced, high, None).is_some());
        assert!(rank_of(Burden::Reduced, low, low).is_some(), "the face");
    }
}
