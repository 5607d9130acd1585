//! Reading only what is used: the sound of those who have a place, that of shared screens, and the
//! signatures of those whose sound or picture is read.
//!
//! The relay sees who reads whom. Places follow from the log, and are kept by who mutes until
//! somebody needs them (`conclave-meeting`, `floor`): never from who makes a sound.

use std::sync::Arc;

use conclave_media::audio::AudioEngine;
use tokio::sync::watch;

use super::keys::SharedOpener;
use super::receiving::{self, Sender};
use super::tracks::{Kind, Sound};
use super::viewing::{Screen, Sizes};

/// Reads a sender's sound while there is a place for it, until the session ends.
pub(super) async fn sound(
    sender: Sender,
    opener: SharedOpener,
    engine: Arc<AudioEngine>,
    place: watch::Receiver<bool>,
) {
    let read = || receiving::sound(sender.clone(), Sound::Voice, opener.clone(), engine.clone());
    read_while(Place(place), read).await;
}

/// Reads the sound of a sender's shared screen while it shares one and may, until the session ends.
/// Places are for microphones: this needs none.
pub(super) async fn shared_sound(
    sender: Sender,
    opener: SharedOpener,
    engine: Arc<AudioEngine>,
    sizes: watch::Receiver<Sizes>,
) {
    let device = sender.device;
    let read = || {
        receiving::sound(
            sender.clone(),
            Sound::Shared,
            opener.clone(),
            engine.clone(),
        )
    };
    read_while(Sharing { device, sizes }, read).await;
}

/// Reads a sender's signatures while its sound or picture is read, until the session ends.
pub(super) async fn signatures(
    sender: Sender,
    opener: SharedOpener,
    place: watch::Receiver<bool>,
    screen: Screen,
) {
    let use_of = Use {
        device: sender.device,
        place,
        sizes: screen.sizes.clone(),
        screen,
    };
    let read = || receiving::signatures(sender.clone(), opener.clone());
    read_while(use_of, read).await;
}

/// Reads again and again, and only while that is of use.
async fn read_while<R: Future<Output = ()>>(mut need: impl Need, read: impl Fn() -> R) {
    while need.becomes(true).await {
        let goes_on = tokio::select! {
            () = read() => true,
            goes_on = need.becomes(false) => goes_on,
        };
        // Whatever was said last: at the end nothing is read again.
        if !goes_on {
            return;
        }
    }
}

/// Whether something is to be read.
trait Need {
    /// Waits until that is so, or not so any more; `false` when the session ends.
    fn becomes(&mut self, wanted: bool) -> impl Future<Output = bool> + Send;
}

/// Whether there is a place for one sender's sound.
struct Place(watch::Receiver<bool>);

impl Need for Place {
    async fn becomes(&mut self, wanted: bool) -> bool {
        self.0.wait_for(|has| *has == wanted).await.is_ok()
    }
}

/// Whether one sender shares a screen, and may.
struct Sharing {
    device: conclave_wire::DeviceId,
    sizes: watch::Receiver<Sizes>,
}

impl Need for Sharing {
    async fn becomes(&mut self, wanted: bool) -> bool {
        let device = self.device;
        let is_so = |sizes: &Sizes| sizes.shares(device) == wanted;
        self.sizes.wait_for(is_so).await.is_ok()
    }
}

/// Whether anything of one sender is read.
struct Use {
    device: conclave_wire::DeviceId,
    place: watch::Receiver<bool>,
    screen: Screen,
    sizes: watch::Receiver<Sizes>,
}

impl Need for Use {
    async fn becomes(&mut self, wanted: bool) -> bool {
        loop {
            let has_place = *self.place.borrow_and_update();
            self.sizes.mark_unchanged();
            let is_seen = |kind| self.screen.size(self.device, kind).is_some();
            let is_heard = has_place || self.screen.shares(self.device);
            if (is_heard || Kind::ALL.into_iter().any(is_seen)) == wanted {
                return true;
            }
            let changed = tokio::select! {
                changed = self.place.changed() => changed,
                changed = self.sizes.changed() => changed,
            };
            if changed.is_err() {
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use conclave_media::video::Size;
    use conclave_wire::DeviceId;
    use tokio::sync::mpsc;
    use tokio::time::timeout;

    use super::super::viewing::Shown;
    use super::*;
    use crate::frames::FrameHub;

    const ANA: DeviceId = DeviceId([1; 16]);
    const BEN: DeviceId = DeviceId([2; 16]);
    const A_WHILE: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn signatures_are_read_with_sound_or_picture_and_not_without() {
        let (sizes, watched) = watch::channel(Sizes::all(Size::Low));
        let (place, has_place) = watch::channel(false);
        let show = |shown: &[DeviceId]| {
            let pictures = shown.iter().map(|who| (*who, Size::Low)).collect();
            let shown = Shown {
                pictures,
                ..Shown::default()
            };
            sizes.send_modify(|sizes| sizes.show(shown));
        };
        show(&[BEN]);
        let screen = Screen {
            sizes: watched.clone(),
            hub: Arc::<FrameHub>::default(),
            recorder: None,
            events: mpsc::channel(1).0,
        };
        let mut ana = Use {
            device: ANA,
            place: has_place,
            screen,
            sizes: watched,
        };
        assert!(timeout(A_WHILE, ana.becomes(true)).await.is_err());
        show(&[ANA, BEN]);
        assert!(ana.becomes(true).await);
        place.send_replace(true);
        show(&[]);
        assert!(timeout(A_WHILE, ana.becomes(false)).await.is_err());
        place.send_replace(false);
        assert!(ana.becomes(false).await);
        // The sound of a shared screen that nobody looks at is heard.
        sizes.send_modify(|sizes| sizes.set_sharing([ANA].into()));
        assert!(timeout(A_WHILE, ana.becomes(true)).await.is_ok());
        sizes.send_modify(|sizes| sizes.set_sharing([BEN].into()));
        assert!(ana.becomes(false).await);
        drop((place, sizes));
        assert!(!ana.becomes(true).await, "the session has ended");
    }

    #[tokio::test]
    async fn the_sound_of_a_screen_is_read_of_who_may_share_and_of_nobody_else() {
        let (sizes, watched) = watch::channel(Sizes::all(Size::Low));
        let [mut ana, mut ben] = [ANA, BEN].map(|device| Sharing {
            device,
            sizes: watched.clone(),
        });
        assert!(timeout(A_WHILE, ana.becomes(true)).await.is_err());
        sizes.send_modify(|sizes| sizes.set_sharing([ANA].into()));
        assert!(ana.becomes(true).await);
        assert!(timeout(A_WHILE, ben.becomes(true)).await.is_err());
        sizes.send_modify(|sizes| sizes.set_sharing([].into()));
        assert!(ana.becomes(false).await);
        drop(sizes);
        assert!(!ana.becomes(true).await, "the session has ended");
    }

    #[tokio::test]
    async fn at_the_end_of_a_session_nothing_is_read_again() {
        let (place, has_place) = watch::channel(true);
        let reads = std::cell::Cell::new(0);
        let reading = read_while(Place(has_place), || {
            reads.set(reads.get() + 1);
            std::future::pending()
        });
        let end = async move { drop(place) };
        let both = async { tokio::join!(reading, end) };
        assert!(timeout(A_WHILE, both).await.is_ok());
        assert_eq!(reads.get(), 1);
    }

    #[tokio::test]
    async fn sound_is_read_from_the_moment_there_is_a_place() {
        let (place, has_place) = watch::channel(false);
        let mut has_place = Place(has_place);
        assert!(timeout(A_WHILE, has_place.becomes(true)).await.is_err());
        place.send_replace(true);
        assert!(has_place.becomes(true).await);
        drop(place);
        assert!(!has_place.becomes(false).await);
    }
}
