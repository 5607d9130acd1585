//! Identity cards: who a device belongs to, signed by the device's long-term key and by the leaf,
//! and shown to members only.
//!
//! A card binds a name and a device key to one leaf of one group, so that nobody can show it as
//! his own: it names the meeting, the MLS group, the leaf's signature key and the KeyPackage. Both
//! sides of the bond sign: without the leaf's word somebody could claim another's leaf as his, and
//! with it what its owner says and sends.

use conclave_e2ee::{CryptoFailure, DeviceKey, VerifiedKeyPackage, verify_device, verify_leaf};
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

/// A card and its signatures; nothing in it is to be believed before [`SignedCard::verify`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SignedCard {
    card: Card,
    by_device: Vec<u8>,
    by_leaf: Vec<u8>,
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
    /// Signs a card with the device's key, and by `leaf` with the key that the card names.
    pub(crate) fn sign(
        card: Card,
        key: &DeviceKey,
        leaf: impl FnOnce(&str, &[u8]) -> Result<[u8; 64], CryptoFailure>,
    ) -> Option<Self> {
        let bytes = postcard::to_allocvec(&card).ok()?;
        let by_device = key.sign(DOMAIN, &bytes).to_vec();
        let by_leaf = leaf(DOMAIN, &bytes).ok()?.to_vec();
        Some(Self {
            card,
            by_device,
            by_leaf,
        })
    }

    /// The device that it claims to be of.
    pub(crate) fn claims(&self) -> DeviceId {
        self.card.device
    }

    /// The card, if its device key and its leaf key signed it and it is of this meeting and group.
    pub(crate) fn verify(self, meeting: MeetingId, group_id: &[u8]) -> Result<Card, CardError> {
        let bytes = postcard::to_allocvec(&self.card).map_err(|_| CardError::Malformed)?;
        let signature = |bytes: &[u8]| bytes.try_into().map_err(|_| CardError::Malformed);
        let (by_device, by_leaf) = (signature(&self.by_device)?, signature(&self.by_leaf)?);
        verify_device(&self.card.device_key, DOMAIN, &bytes, &by_device)
            .map_err(|_| CardError::Signature)?;
        verify_leaf(&self.card.leaf_key, DOMAIN, &bytes, &by_leaf)
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

#[cfg(test)]
pub(crate) mod tests {
    use conclave_e2ee::{Candidate, LinkSecret, Pseudonym};

    use super::*;

    const MEETING: MeetingId = MeetingId([3; 16]);
    const ANA: DeviceId = DeviceId([4; 16]);

    /// Whoever knocks as this device.
    pub(crate) fn candidate(device: DeviceId) -> Candidate {
        Candidate::new(Pseudonym(device.0), &LinkSecret::generate().unwrap()).unwrap()
    }

    /// The card that `leaf` of `device` shows with a long-term key.
    pub(crate) fn card_of(device: DeviceId, leaf: &Candidate, key: &DeviceKey) -> Card {
        Card {
            name: "Ana".parse().unwrap(),
            device_key: key.public(),
            meeting: MEETING,
            group_id: vec![5; 16],
            device,
            leaf_key: leaf.leaf_key(),
            key_package_hash: leaf.key_package_hash(),
        }
    }

    pub(crate) fn signed(card: Card, key: &DeviceKey, leaf: &Candidate) -> SignedCard {
        SignedCard::sign(card, key, |domain, message| leaf.sign(domain, message)).unwrap()
    }

    #[test]
    fn a_card_is_believed_when_device_and_leaf_signed_it() {
        let (key, leaf) = (DeviceKey::generate().unwrap(), candidate(ANA));
        let card = card_of(ANA, &leaf, &key);
        let shown = signed(card.clone(), &key, &leaf);
        assert!(shown.clone().verify(MEETING, &[5; 16]) == Ok(card));
        let elsewhere = shown.clone().verify(MeetingId([9; 16]), &[5; 16]);
        assert!(elsewhere == Err(CardError::Elsewhere));
        assert!(shown.verify(MEETING, &[9; 16]) == Err(CardError::Elsewhere));
    }

    #[test]
    fn nobody_claims_a_leaf_that_is_another_ones() {
        let (key, leaf, own) = (
            DeviceKey::generate().unwrap(),
            candidate(ANA),
            candidate(ANA),
        );
        let claim = card_of(ANA, &leaf, &key);
        let shown = signed(claim, &key, &own);
        assert!(shown.verify(MEETING, &[5; 16]) == Err(CardError::Signature));
    }

    #[test]
    fn nobody_claims_a_device_key_that_is_another_ones() {
        let (key, own, leaf) = (
            DeviceKey::generate().unwrap(),
            DeviceKey::generate().unwrap(),
            candidate(ANA),
        );
        let claim = card_of(ANA, &leaf, &key);
        let shown = signed(claim, &own, &leaf);
        assert!(shown.verify(MEETING, &[5; 16]) == Err(CardError::Signature));
    }
}
