//! The tracks that this device publishes in one media session.

use conclave_transport::{Broadcast, Delivery, PublishError, TrackOptions, TrackWriter};

use super::tracks::{self, Reel};

/// The tracks of one media session.
pub(super) struct Writers {
    /// Withdrawn with the session.
    _broadcast: Broadcast,
    pub(super) audio: TrackWriter,
    pub(super) audio_groups: TrackWriter,
    pub(super) auth: TrackWriter,
    pub(super) pictures: Vec<(Reel, TrackWriter)>,
}

impl Writers {
    pub(super) fn new(mut broadcast: Broadcast) -> Result<Self, PublishError> {
        let audio = |name, delivery| TrackOptions {
            name,
            delivery,
            priority: tracks::AUDIO_PRIORITY,
            max_age: tracks::AUDIO_MAX_AGE,
        };
        let sound = broadcast.track(audio(tracks::AUDIO, Delivery::Datagrams))?;
        let sound_groups = broadcast.track(audio(tracks::AUDIO_GROUPS, Delivery::Groups))?;
        let auth = broadcast.track(TrackOptions {
            name: tracks::AUTH,
            delivery: Delivery::Groups,
            priority: tracks::AUTH_PRIORITY,
            max_age: tracks::AUTH_MAX_AGE,
        })?;
        let mut pictures = Vec::new();
        for reel in Reel::ALL {
            let writer = broadcast.track(TrackOptions {
                name: reel.name(),
                delivery: Delivery::Groups,
                priority: reel.priority(),
                max_age: reel.max_age(),
            })?;
            pictures.push((reel, writer));
        }
        broadcast.announce()?;
        Ok(Self {
            _broadcast: broadcast,
            audio: sound,
            audio_groups: sound_groups,
            auth,
            pictures,
        })
    }
}
