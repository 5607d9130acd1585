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

/// Sound goes first, then small pictures before large ones.
pub(super) const AUDIO_PRIORITY: u8 = 200;
/// Small, and everything else looks doubtful without them.
pub(super) const AUTH_PRIORITY: u8 = 190;

/// Older sound than this is of no use to a listener.
pub(super) const AUDIO_MAX_AGE: Duration = Duration::from_millis(400);
/// What was said longer ago has been called unverified by now.
pub(super) const AUTH_MAX_AGE: Duration = Duration::from_secs(1);
/// A picture this far behind is skipped up to the next key frame.
pub(super) const VIDEO_MAX_AGE: Duration = Duration::from_millis(800);

pub(super) fn video_name(size: Size) -> &'static str {
    match size {
        Size::Low => "video/low",
        Size::Medium => "video/medium",
        Size::High => "video/high",
    }
}

pub(super) fn video_track(size: Size) -> Track {
    match size {
        Size::Low => Track::VIDEO_LOW,
        Size::Medium => Track::VIDEO_MEDIUM,
        Size::High => Track::VIDEO_HIGH,
    }
}

pub(super) fn video_priority(size: Size) -> u8 {
    match size {
        Size::Low => 120,
        Size::Medium => 100,
        Size::High => 80,
    }
}

pub(super) fn size_of(track: Track) -> Option<Size> {
    Size::ALL
        .into_iter()
        .find(|size| video_track(*size) == track)
}
