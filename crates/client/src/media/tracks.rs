//! The tracks of a participant: names at the relay, SFrame contexts, priorities.

use std::time::Duration;

use conclave_e2ee::{FrameMeta, Track};
use conclave_media::audio::SourceId;
use conclave_media::video::{ShareMode, Size, screen_bitrate_bps};
use conclave_transport::ReceivedFrame;

/// The sender's signatures over its sound and pictures.
pub(super) const AUTH: &str = "auth";

/// Small, and everything else looks doubtful without them.
pub(super) const AUTH_PRIORITY: u8 = 190;

/// Older sound than this is of no use to a listener.
pub(super) const AUDIO_MAX_AGE: Duration = Duration::from_millis(400);
/// What was said longer ago has been called unverified by now.
pub(super) const AUTH_MAX_AGE: Duration = Duration::from_secs(1);

/// What somebody can be heard with. Each goes out on two tracks, the same sealed packets on both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sound {
    /// The microphone.
    Voice,
    /// What goes along with a shared screen.
    Shared,
}

impl Sound {
    pub(super) const ALL: [Self; 2] = [Self::Voice, Self::Shared];

    /// The track of one datagram for each packet.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Voice => "audio",
            Self::Shared => "screen/audio",
        }
    }

    /// The track of one group for each packet, for readers whose connection carries no datagrams.
    pub(super) const fn groups_name(self) -> &'static str {
        match self {
            Self::Voice => "audio.g",
            Self::Shared => "screen/audio.g",
        }
    }

    pub(super) const fn track(self) -> Track {
        match self {
            Self::Voice => Track::AUDIO,
            Self::Shared => Track::SCREEN_AUDIO,
        }
    }

    /// Voices go first, then what goes with a screen, then screens, then small pictures before
    /// large ones.
    pub(super) const fn priority(self) -> u8 {
        match self {
            Self::Voice => 200,
            Self::Shared => 180,
        }
    }

    /// Where each packet is sealed to be. One goes out on both tracks, so its place is not
    /// authenticated.
    pub(super) const fn meta(self) -> FrameMeta<'static> {
        FrameMeta {
            track: self.name(),
            group: 0,
            frame: 0,
        }
    }

    /// The same, for a reader.
    pub(super) const fn place(self) -> fn(&'static str, &ReceivedFrame) -> FrameMeta<'static> {
        match self {
            Self::Voice => |_, _| Self::Voice.meta(),
            Self::Shared => |_, _| Self::Shared.meta(),
        }
    }

    /// Under which number it is played, of a sender whose camera's pictures go under this one.
    pub(super) fn source(self, camera: u32) -> SourceId {
        let kind = match self {
            Self::Voice => Kind::Camera,
            Self::Shared => Kind::Screen,
        };
        SourceId(kind.tile(camera).into())
    }
}

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

    /// What it carries at most, bits a second.
    pub(super) fn bitrate_bps(self) -> u32 {
        match self.kind {
            Kind::Camera => self.size.default_bitrate_bps(),
            // A reader does not know in which mode: in the one that takes more.
            Kind::Screen => screen_bitrate_bps(self.size, ShareMode::Motion),
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
    fn both_sounds_have_tracks_of_their_own_and_are_played_apart() {
        let [voice, shared] = Sound::ALL;
        assert_ne!(voice.track(), shared.track());
        let mut names: Vec<_> = Sound::ALL.map(Sound::name).into();
        names.extend(Sound::ALL.map(Sound::groups_name));
        names.extend(Reel::ALL.map(Reel::name));
        names.push(AUTH);
        let different: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len());
        // The next member's tiles begin two further on.
        let sources = [1, 3].map(|tile| Sound::ALL.map(|sound| sound.source(tile).0));
        assert_eq!(sources, [[1, 2], [3, 4]]);
    }

    #[test]
    fn every_reel_has_a_track_and_a_name_of_its_own() {
        for reel in Reel::ALL {
            assert_eq!(Reel::of(reel.track()), Some(reel));
            let others = Reel::ALL.into_iter().filter(|other| *other != reel);
            assert!(others.map(Reel::name).all(|name| name != reel.name()));
        }
        for sound in Sound::ALL {
            assert_eq!(Reel::of(sound.track()), None);
        }
        let asked = Reel::new(Kind::Screen, Size::Medium);
        assert!(Reel::ALL.contains(&asked), "a screen has no middle size");
    }
}
