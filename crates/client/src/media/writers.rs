//! The tracks that this device publishes in one media session.

use bytes::Bytes;
use conclave_transport::{
    Broadcast, Delivery, PublishError, TrackOptions, TrackWriter, WriteError,
};

use super::tracks::{self, Reel, Sound};

/// The two tracks of one sound.
pub(super) struct SoundWriter {
    datagrams: TrackWriter,
    groups: TrackWriter,
}

impl SoundWriter {
    fn new(broadcast: &mut Broadcast, sound: Sound) -> Result<Self, PublishError> {
        let options = |name, delivery| TrackOptions {
            name,
            delivery,
            priority: sound.priority(),
            max_age: tracks::AUDIO_MAX_AGE,
            bitrate_bps: 0,
        };
        Ok(Self {
            datagrams: broadcast.track(options(sound.name(), Delivery::Datagrams))?,
            groups: broadcast.track(options(sound.groups_name(), Delivery::Groups))?,
        })
    }

    /// Writes a sealed packet to both.
    pub(super) fn write(&mut self, sealed: Bytes, capture_us: u64) -> [Result<(), WriteError>; 2] {
        [
            self.datagrams.write(sealed.clone(), capture_us, true),
            self.groups.write(sealed, capture_us, true),
        ]
    }
}

/// The tracks of one media session.
pub(super) struct Writers {
    /// Withdrawn with the session.
    _broadcast: Broadcast,
    voice: SoundWriter,
    shared_sound: SoundWriter,
    pub(super) auth: TrackWriter,
    pub(super) pictures: Vec<(Reel, TrackWriter)>,
}

impl Writers {
    pub(super) fn new(mut broadcast: Broadcast) -> Result<Self, PublishError> {
        let voice = SoundWriter::new(&mut broadcast, Sound::Voice)?;
        let shared_sound = SoundWriter::new(&mut broadcast, Sound::Shared)?;
        let auth = broadcast.track(TrackOptions {
            name: tracks::AUTH,
            delivery: Delivery::Groups,
            priority: tracks::AUTH_PRIORITY,
            max_age: tracks::AUTH_MAX_AGE,
            bitrate_bps: 0,
        })?;
        let mut pictures = Vec::new();
        for reel in Reel::ALL {
            let writer = broadcast.track(TrackOptions {
                name: reel.name(),
                delivery: Delivery::Groups,
                priority: reel.priority(),
                max_age: reel.max_age(),
                bitrate_bps: reel.bitrate_bps(),
            })?;
            pictures.push((reel, writer));
        }
        broadcast.announce()?;
        Ok(Self {
            _broadcast: broadcast,
            voice,
            shared_sound,
            auth,
            pictures,
        })
    }

    pub(super) fn sound(&mut self, sound: Sound) -> &mut SoundWriter {
        match sound {
            Sound::Voice => &mut self.voice,
            Sound::Shared => &mut self.shared_sound,
        }
    }
}
