//! Reading only what is used: the sound of those who have a place, and the signatures of those
//! whose sound or picture is read.
//!
//! The relay sees who reads whom. Places follow from the log, and are kept by who mutes until
//! somebody needs them (`conclave-meeting`, `floor`): never from who makes a sound.

use std::sync::Arc;

use conclave_media::audio::AudioEngine;
use tokio::sync::watch;

use super::keys::SharedOpener;
use super::receiving::{self, Sender};
use super::tracks::Kind;
use super::viewing::{Screen, Sizes};

/// Reads a sender's sound while there is a place for it, until the session ends.
pub(super) async fn sound(
    sender: Sender,
    opener: SharedOpener,
    engine: Arc<AudioEngine>,
    mut place: watch::Receiver<bool>,
) {
    while place_becomes(true, &mut place).await {
        let read = receiving::sound(sender.clone(), opener.clone(), engine.clone());
        let goes_on = tokio::select! {
            () = read => true,
            goes_on = place_becomes(false, &mut place) => goes_on,
        };
        // Whatever was said last: at the end nothing is read again.
        if !goes_on {
            return;
        }
    }
}

/// Reads a sender's signatures while its sound or picture is read, until the session ends.
pub(super) async fn signatures(
    sender: Sender,
    opener: SharedOpener,
    place: watch::Receiver<bool>,
    screen: Screen,
) {
    let sizes = screen.sizes.clone();
    let mut use_of = Use {
        device: sender.device,
        place,
        screen,
        sizes,
    };
    while use_of.becomes(true).await {
        let goes_on = tokio::select! {
            () = receiving::signatures(sender.clone(), opener.clone()) => true,
            goes_on = use_of.becomes(false) => goes_on,
        };
        if !goes_on {
            return;
        }
    }
}

/// Waits until there is a place, or none any more; `false` when the session ends.
async fn place_becomes(wanted: bool, place: &mut watch::Receiver<bool>) -> bool {
    loop {
        if *place.borrow_and_update() == wanted {
            return true;
        }
        if place.changed().await.is_err() {
            return false;
        }
    }
}

/// Whether anything of one sender is read.
struct Use {
    device: conclave_wire::DeviceId,
    place: watch::Receiver<bool>,
    screen: Screen,
    sizes: watch::Receiver<Sizes>,
}

impl Use {
    /// Waits until that is so, or not so any more; `false` when the session ends.
    async fn becomes(&mut self, wanted: bool) -> bool {
        loop {
            let has_place = *self.place.borrow_and_update();
            self.sizes.mark_unchanged();
            let kinds = [Kind::Camera, Kind::Screen];
            let is_seen = kinds
                .iter()
                .any(|kind| self.screen.size(self.device, *kind).is_some());
            if (has_place || is_seen) == wanted {
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
        drop((place, sizes));
        assert!(!ana.becomes(true).await, "the session has ended");
    }

    #[tokio::test]
    async fn sound_is_read_from_the_moment_there_is_a_place() {
        let (place, mut has_place) = watch::channel(false);
        assert!(
            timeout(A_WHILE, place_becomes(true, &mut has_place))
                .await
                .is_err()
        );
        place.send_replace(true);
        assert!(place_becomes(true, &mut has_place).await);
        drop(place);
        assert!(!place_becomes(false, &mut has_place).await);
    }
}
