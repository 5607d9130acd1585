//! Identity cards: who a device belongs to, signed by the device's long-term key and shown to
//! members only.
//!
//! A card binds a name and a device key to one leaf of one group, so that nobody can show it as
//! his own: it names the meeting, the MLS group, the leaf's signature key and the KeyPackage.

use conclave_e2ee::{DeviceKey, VerifiedKeyPackage, verify_device};
use conclave_wire::{DeviceId, MeetingId};
use serde::{Deserialize, Serialize};

use crate::name::DisplayName;

const DOMAIN: &str = "Conclave identity card v1";

/// What a card says.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Card {
    pub(crate) name: DisplayName,
    pub(crate) device_key: [u8; 32],
    pub(crate) meeting: MeetingId,
    pub(crate) group_id: Vec<u8>,
    pub(crate) device: DeviceId,
    /// The Ed25519 key of the MLS leaf.
    pub(crate) leaf_key: [u8; 32],
    /// Hash of the KeyPackage that the leaf came from; zero for the group's creator, who had none.
    pub(crate) key_package_hash: [u8; 32],
}

/// A card and its signature; nothing in it is to be believed before [`SignedCard::verify`].
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SignedCard {
    card: Card,
    signature: Vec<u8>,
}

/// What a knock carries, sealed to the host.
#[derive(Serialize, Deserialize)]
pub(crate) struct KnockCard {
    pub(crate) card: SignedCard,
    pub(crate) key_package: Vec<u8>,
}

/// Why a card is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CardError {
    #[error("the card cannot be read")]
    Malformed,
    #[error("the card's signature is wrong")]
    Signature,
    #[error("the card belongs to another meeting, group, device or key")]
    Elsewhere,
}

impl SignedCard {
    pub(crate) fn sign(card: Card, key: &DeviceKey) -> Option<Self> {
        let signature = key
            .sign(DOMAIN, &postcard::to_allocvec(&card).ok()?)
            .to_vec();
        Some(Self { card, signature })
    }

    /// The card, if its device key signed it and it is of this meeting and group.
    pub(crate) fn verify(self, meeting: MeetingId, group_id: &[u8]) -> Result<Card, CardError> {
        let bytes = postcard::to_allocvec(&self.card).map_err(|_| CardError::Malformed)?;
        let signature = self
            .signature
            .as_slice()
            .try_into()
            .map_err(|_| CardError::Malformed)?;
        verify_device(&self.card.device_key, DOMAIN, &bytes, signature)
            .map_err(|_| CardError::Signature)?;
        if self.card.meeting != meeting || self.card.group_id != group_id {
            return Err(CardError::Elsewhere);
        }
        Ok(self.card)
    }
}

impl KnockCard {
    /// Checks the card and that it fits the KeyPackage beside it and the device that knocks.
    pub(crate) fn verify(
        self,
        meeting: MeetingId,
        group_id: &[u8],
        device: DeviceId,
    ) -> Result<(SignedCard, Card, VerifiedKeyPackage), CardError> {
        let key_package =
            VerifiedKeyPackage::parse(&self.key_package).map_err(|_| CardError::Malformed)?;
        let card = self.card.clone().verify(meeting, group_id)?;
        let fits = card.device == device
            && key_package.pseudonym().0 == device.0
            && key_package.leaf_key() == card.leaf_key
            && key_package.hash() == card.key_package_hash;
        match fits {
            true => Ok((self.card, card, key_package)),
            false => Err(CardError::Elsewhere),
        }
    }
}
