//! Who is who: cards, what each sends, and who seems to be connected.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use conclave_wire::DeviceId;

use crate::card::{Card, SignedCard};
use crate::content::{Content, MAX_CARDS, MediaState};
use crate::event::Names;
use crate::name::DisplayName;

#[derive(Default)]
pub(crate) struct People {
    cards: HashMap<DeviceId, (SignedCard, Card)>,
    media: HashMap<DeviceId, MediaState>,
    /// Members whose control connection is gone, and since when.
    offline: HashMap<DeviceId, Instant>,
}

impl People {
    /// Takes a verified card; the first one for a device stays.
    pub(crate) fn introduce(&mut self, signed: SignedCard, card: Card, media: MediaState) {
        self.media.entry(card.device).or_insert(media);
        self.cards.entry(card.device).or_insert((signed, card));
    }

    /// Whether this very card was verified and taken before.
    pub(crate) fn knows(&self, signed: &SignedCard) -> bool {
        let known = self.cards.get(&signed.claims());
        known.is_some_and(|(known, _)| known == signed)
    }

    pub(crate) fn name(&self, device: DeviceId) -> Option<&DisplayName> {
        self.cards.get(&device).map(|(_, card)| &card.name)
    }

    pub(crate) fn names(&self, devices: &[DeviceId]) -> Names {
        let names = devices.iter().map(|device| self.name(*device).cloned());
        Names(names.collect())
    }

    pub(crate) fn media(&self, device: DeviceId) -> MediaState {
        self.media.get(&device).copied().unwrap_or_default()
    }

    pub(crate) fn set_media(&mut self, device: DeviceId, media: MediaState) {
        self.media.insert(device, media);
    }

    /// A member's long-term key, by its card.
    pub(crate) fn device_key(&self, device: DeviceId) -> Option<[u8; 32]> {
        self.cards.get(&device).map(|(_, card)| card.device_key)
    }

    /// The member that shows this long-term key, if any.
    pub(crate) fn by_device_key(&self, key: &[u8; 32]) -> Option<DeviceId> {
        self.cards
            .values()
            .find(|(_, card)| card.device_key == *key)
            .map(|(_, card)| card.device)
    }

    pub(crate) fn set_online(&mut self, device: DeviceId, online: bool, now: Instant) {
        match online {
            true => drop(self.offline.remove(&device)),
            false => drop(self.offline.entry(device).or_insert(now)),
        }
    }

    pub(crate) fn is_online(&self, device: DeviceId) -> bool {
        !self.offline.contains_key(&device)
    }

    /// Since when a member has been away.
    pub(crate) fn away_since(&self, device: DeviceId) -> Option<Instant> {
        self.offline.get(&device).copied()
    }

    /// Members and since when they have been away.
    pub(crate) fn away(&self) -> impl Iterator<Item = (DeviceId, Instant)> + '_ {
        self.offline.iter().map(|(device, since)| (*device, *since))
    }

    /// Forgets everyone who is not in `present`.
    pub(crate) fn retain(&mut self, present: &HashSet<DeviceId>) {
        self.cards.retain(|device, _| present.contains(device));
        self.media.retain(|device, _| present.contains(device));
        self.offline.retain(|device, _| present.contains(device));
    }

    /// The card of one member.
    pub(crate) fn introduction(&self, device: DeviceId) -> Option<Content> {
        let (signed, _) = self.cards.get(&device)?;
        Some(Content::Cards(vec![(signed.clone(), self.media(device))]))
    }

    /// All cards, in messages of bounded size, for those who came late.
    pub(crate) fn introductions(&self) -> Vec<Content> {
        let cards: Vec<_> = self
            .cards
            .values()
            .map(|(signed, card)| (signed.clone(), self.media(card.device)))
            .collect();
        cards
            .chunks(MAX_CARDS)
            .map(|chunk| Content::Cards(chunk.to_vec()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use conclave_e2ee::DeviceKey;

    use super::*;
    use crate::card::tests::{candidate, card_of, signed};

    const BEN: DeviceId = DeviceId([2; 16]);

    #[test]
    fn a_card_is_known_by_all_of_it_as_long_as_its_owner_is_here() {
        let (key, leaf) = (DeviceKey::generate().unwrap(), candidate(BEN));
        let card = card_of(BEN, &leaf, &key);
        let other_words = Card {
            name: "Director".parse().unwrap(),
            ..card.clone()
        };
        let mut people = People::default();
        let his = signed(card.clone(), &key, &leaf);
        assert!(!people.knows(&his));
        people.introduce(his.clone(), card.clone(), MediaState::default());
        assert!(people.knows(&his));
        // The same words by another key, and other words by his.
        assert!(!people.knows(&signed(card, &DeviceKey::generate().unwrap(), &leaf)));
        assert!(!people.knows(&signed(other_words, &key, &leaf)));
        people.retain(&HashSet::new());
        assert!(!people.knows(&his));
    }
}
