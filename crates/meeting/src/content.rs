//! What members say to each other inside MLS application messages.

use serde::{Deserialize, Serialize};

use crate::card::SignedCard;
use crate::warrant::Warrant;

/// Cards in one message at the most; a larger meeting sends several.
pub(crate) const MAX_CARDS: usize = 256;

/// What somebody sends of himself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaState {
    /// The microphone is muted.
    pub muted: bool,
    /// The camera is on.
    pub camera: bool,
}

impl Default for MediaState {
    fn default() -> Self {
        Self {
            muted: false,
            camera: true,
        }
    }
}

/// A message from one member to all.
#[derive(Serialize, Deserialize)]
pub(crate) enum Content {
    /// Who is who. Anyone may hand cards on: they are signed by their owners.
    Cards(Vec<(SignedCard, MediaState)>),
    /// The sender's microphone and camera.
    Media(MediaState),
    /// The sender is going.
    Leave,
    /// The host ends the meeting for all.
    End,
    /// What the door shows now, sealed under the link: all members keep it, for any of them may
    /// have to restore the meeting.
    Descriptor(Vec<u8>),
    /// The sender's X-Wing key, to seal knock cards to: he keeps the door.
    KnockKey(Vec<u8>),
    /// A host's warrant for one member, with the chain that leads to it.
    Warrants(Vec<Warrant>),
    /// When the link in force ends, for those who were not here when it was made.
    LinkEnds {
        /// Which link.
        generation: u32,
        /// In so many seconds from now.
        in_s: u32,
    },
}

impl Content {
    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        postcard::to_allocvec(self).ok()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        match postcard::take_from_bytes(bytes) {
            Ok((Content::Cards(cards), [])) if cards.len() > MAX_CARDS => None,
            Ok((content, [])) => Some(content),
            _ => None,
        }
    }
}
