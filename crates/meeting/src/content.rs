//! What members say to each other inside MLS application messages.

use conclave_wire::DeviceId;
use serde::{Deserialize, Serialize};

use crate::card::SignedCard;
use crate::floor::{Floor, Say};
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
    /// A screen is shared. Nobody believes it of a member who may not share.
    pub screen: bool,
}

impl Default for MediaState {
    fn default() -> Self {
        Self {
            muted: false,
            camera: true,
            screen: false,
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
    /// The sender raises a hand, or lowers it and does not want to speak.
    Hand(bool),
    /// A host or co-host about one member's speaking.
    Speaking {
        /// Whose.
        device: DeviceId,
        /// What he says about it.
        say: Say,
    },
    /// Who speaks and who wants to, for those who came late; from a host or co-host.
    Floor(Floor),
}

impl Content {
    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        postcard::to_allocvec(self).ok()
    }

    /// Whether it says who speaks: such a message counts from its place in the log on, for its
    /// sender too.
    pub(crate) fn is_of_floor(&self) -> bool {
        matches!(
            self,
            Self::Media(_) | Self::Hand(_) | Self::Speaking { .. } | Self::Floor(_)
        )
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        match postcard::take_from_bytes(bytes) {
            Ok((Content::Cards(cards), [])) if cards.len() > MAX_CARDS => None,
            Ok((content, [])) => Some(content),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use conclave_e2ee::DeviceKey;

    use super::*;
    use crate::card::tests::{candidate, card_of, signed};

    fn card() -> SignedCard {
        let (ana, key) = (DeviceId([4; 16]), DeviceKey::generate().unwrap());
        let leaf = candidate(ana);
        signed(card_of(ana, &leaf, &key), &key, &leaf)
    }

    fn cards(count: usize) -> Vec<u8> {
        let cards = vec![(card(), MediaState::default()); count];
        Content::Cards(cards).encode().unwrap()
    }

    #[test]
    fn a_message_holds_so_many_cards_and_no_more() {
        for count in [0, 1, MAX_CARDS] {
            assert!(Content::decode(&cards(count)).is_some(), "{count}");
        }
        assert!(Content::decode(&cards(MAX_CARDS + 1)).is_none());
    }

    #[test]
    fn bytes_left_over_are_an_error() {
        let mut bytes = Content::Leave.encode().unwrap();
        assert!(Content::decode(&bytes).is_some());
        bytes.push(0);
        assert!(Content::decode(&bytes).is_none());
    }
}
