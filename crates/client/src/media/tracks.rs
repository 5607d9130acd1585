//! The tracks of a participant: names at the relay, SFrame contexts, priorities.

use std::time::Duration;

use conclave_e2ee::Track;
use conclave_media::video::Size;

/// Sound, one datagram for each packet.
pub(super) const AUDIO: &str = "audio";
/// The same packets, one group each, for readers whose connection carries no datagrams.
pub(super) const AUDIO_GROUPS: &str = "audio.g";

/// The sender's signatures over its sound and pictures.
pub(super) const AUTH: &str = "auth";

/// Sound goes first, then shared screens, then small pictures before large ones.
pub(super) const AUDIO_PRIORITY: u8 = 200;
/// Small, and everything else looks doubtful without them.
pub(super) const AUTH_PRIORITY: u8 = 190;

/// Older sound than this is of no use to a listener.
pub(super) const AUDIO_MAX_AGE: Duration = Duration::from_millis(400);
/// What was said longer ago has been called unverified by now.
pub(super) const AUTH_MAX_AGE: Duration = Duration::from_secs(1);

/// Of what pictures are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Camera,
    Screen,
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::Camera, Self::Screen];

    /// Under which number such pictures go to the window, of a sender whose camera's go under this
    /// one: the tile of the screen stands beside it.
    pub(super) const fn tile(self, camera: u32) -> u32 {
        match self {
            Self::Camera => camera,
            Self::Screen => camera + 1,
        }
    }
}

/// One track of pictures: a camera in one of three sizes, or a screen in one of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Reel {
    pub(super) kind: Kind,
    pub(super) size: Size,
}

impl Reel {
    pub(super) const ALL: [Self; 5] = [
        Self::new(Kind::Camera, Size::Low),
        Self::new(Kind::Camera, Size::Medium),
        Self::new(Kind::Camera, Size::High),
        Self::new(Kind::Screen, Size::Low),
        Self::new(Kind::Screen, Size::High),
    ];

    /// A screen has no middle size: who wants that gets the large one.
    pub(super) const fn new(kind: Kind, size: Size) -> Self {
        match (kind, size) {
            (Kind::Screen, Size::Medium) => Self {
                kind,
                size: Size::High,
            },
            _ => Self { kind, size },
        }
    }

    pub(super) fn of(track: Track) -> Option<Self> {
        Self::ALL.into_iter().find(|reel| reel.track() == track)
    }

    pub(super) fn name(self) -> &'static str {
        match (self.kind, self.size) {
            (Kind::Camera, Size::Low) => "video/low",
            (Kind::Camera, Size::Medium) => "video/medium",
            (Kind::Camera, Size::High) => "video/high",
            (Kind::Screen, Size::Low) => "screen/low",
            (Kind::Screen, Size::Medium | Size::High) => "screen/high",
        }
    }

    pub(super) fn track(self) -> Track {
        match (self.kind, self.size) {
            (Kind::Camera, Size::Low) => Track::VIDEO_LOW,
            (Kind::Camera, Size::Medium) => Track::VIDEO_MEDIUM,
            (Kind::Camera, Size::High) => Track::VIDEO_HIGH,
            (Kind::Screen, Size::Low) => Track::SCREEN_LOW,
            (Kind::Screen, Size::Medium | Size::High) => Track::SCREEN_HIGH,
        }
    }

    pub(super) fn priority(self) -> u8 {
        match (self.kind, self.size) {
            (Kind::Screen, Size::Low) => 160,
            (Kind::Screen, Size::Medium | Size::High) => 140,
            (Kind::Camera, Size::Low) => 120,
            (Kind::Camera, Size::Medium) => 100,
            (Kind::Camera, Size::High) => 80,
        }
    }

    /// A picture this far behind is skipped up to the next key frame. A whole screen full of letters
    /// takes its time on a narrow link, and is worth waiting for.
    pub(super) fn max_age(self) -> Duration {
        match self.kind {
            Kind::Camera => Duration::from_millis(800),
            Kind::Screen => Duration::from_secs(3),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reel_has_a_track_and_a_name_of_its_own() {
        for reel in Reel::ALL {
            assert_eq!(Reel::of(reel.track()), Some(reel));
            let others = Reel::ALL.into_iter().filter(|other| *other != reel);
            assert!(others.map(Reel::name).all(|name| name != reel.name()));
        }
        assert_eq!(Reel::of(Track::AUDIO), None);
        let asked = Reel::new(Kind::Screen, Size::Medium);
        assert!(Reel::ALL.contains(&asked), "a screen has no middle size");
    }
}
