//! A talking picture over a path with room for it, in virtual time: BBR stops it every few seconds,
//! [`MediaBbr`] does not.

mod path;

use std::sync::Arc;
use std::time::Duration;

use conclave_congestion::MediaBbr;
use moq_noq_proto::congestion::{Bbr3Config, ControllerFactory};

use path::Path;

const ONE_WAY: Duration = Duration::from_millis(25);
const LASTS: Duration = Duration::from_secs(30);

/// By pacing, sound waits for a picture that came just before it; longer is a pause.
const PACED: Duration = Duration::from_millis(20);

/// Of the sound of 30 s, from the second second on, the longest time on its way.
fn latest(controller: Arc<dyn ControllerFactory + Send + Sync>) -> Duration {
    let mut path = Path::new(controller, ONE_WAY);
    path.talk(LASTS)
        .into_iter()
        .filter(|sound| sound.said > Duration::from_secs(2))
        .map(|sound| sound.heard - sound.said)
        .max()
        .unwrap_or(Duration::MAX)
}

#[test]
fn sound_passes_without_a_pause() {
    let latest = latest(Arc::new(MediaBbr));
    assert!(latest < ONE_WAY + PACED, "{latest:?}");
}

/// What this crate is for. If it fails, the library no longer pauses, and the crate can go.
#[test]
fn without_it_sound_waits() {
    let latest = latest(Arc::new(Bbr3Config::default()));
    assert!(latest > ONE_WAY + 2 * PACED, "{latest:?}");
}
