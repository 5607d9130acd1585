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
