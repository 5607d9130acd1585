//! The host's desk: who knocks, and what becomes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use conclave_e2ee::{KnockKey, Pseudonym, VerifiedKeyPackage};
use conclave_wire::{ClientMessage, DeviceId};

use super::Active;
use super::standing::Standing;
use crate::card::{Card, KnockCard, SignedCard};
use crate::context::Context;
use crate::event::{Event, Warning};
use crate::joining::knock_aad;
use crate::snapshot::KnockView;

/// Knocks that wait at the same time; the service has a bound of its own.
const MAX_KNOCKS: usize = 256;

/// Somebody who may be let in.
pub(super) struct Knocker {
    pub(super) signed: SignedCard,
    pub(super) card: Card,
    pub(super) key_package: VerifiedKeyPackage,
}

pub(super) struct Desk {
    knock_key: KnockKey,
    knocks: BTreeMap<u64, (DeviceId, Knocker)>,
    arrivals: u64,
    /// Turned away while the service could not be told.
    refused: BTreeSet<DeviceId>,
}

impl Desk {
    pub(super) fn new(knock_key: KnockKey) -> Self {
        Self {
            knock_key,
            knocks: BTreeMap::new(),
            arrivals: 0,
            refused: BTreeSet::new(),
        }
    }

    /// The key that knock cards are sealed to.
    pub(super) fn public(&self) -> Vec<u8> {
        self.knock_key.public()
    }

    /// In the order of arrival.
    pub(super) fn waiting(&self) -> impl Iterator<Item = KnockView> + '_ {
        self.knocks.values().map(|(device, knocker)| KnockView {
            device: *device,
            name: knocker.card.name.clone(),
            device_key: knocker.card.device_key,
        })
    }

    fn take(&mut self, device: DeviceId) -> Option<Knocker> {
        let place = self
            .knocks
            .iter()
            .find(|(_, (who, _))| *who == device)
            .map(|(place, _)| *place)?;
        self.knocks.remove(&place).map(|(_, knocker)| knocker)
    }

    fn put(&mut self, device: DeviceId, knocker: Knocker) {
        self.arrivals += 1;
        self.knocks.insert(self.arrivals, (device, knocker));
    }
}

impl Active {
    pub(super) fn knocked(
        &mut self,
        context: &mut Context,
        now: Instant,
        device: DeviceId,
        sealed: &[u8],
    ) {
        let Some(knocker) = self.read_card(context, device, sealed) else {
            // Who came to the desk lately cannot open cards that were sealed before: they are for
            // those whom the door named then.
            if self.describer() != Some(context.device) {
                return;
            }
            context.warn(Warning::BadKnock);
            context.send(ClientMessage::Refuse { device });
            return;
        };
        // A device knocks once: what comes again is an old knock that the service plays anew.
        if self.seen.contains(&device) {
            context.send(ClientMessage::Refuse { device });
            return;
        }
        // Decided already; the service tells all knocks anew to who comes back.
        if self.commits.admissions.contains_key(&device) {
            return;
        }
        let Some(desk) = &mut self.desk else { return };
        let is_too_many = desk.take(device).is_none() && desk.knocks.len() >= MAX_KNOCKS;
        if desk.refused.remove(&device) || is_too_many {
            context.send(ClientMessage::Refuse { device });
            return;
        }
        // Somebody who is in already comes back, with proof of the same long-term key.
        let before = self.people.by_device_key(&knocker.card.device_key);
        // Who is being removed is not let in again by the same key.
        let before = before.filter(|before| !self.commits.wants_removal(*before));
        // Our own key from another device of ours: one more place, not a return.
        let before = before.filter(|before| *before != context.device);
        // A co-host cannot take a host's old place away: for him that is a newcomer, who is asked for.
        let role = |device: DeviceId| self.policy.role(Pseudonym(device.0));
        let mine = role(context.device);
        let holds_role = before.is_some_and(|before| !mine.may_remove(role(before)));
        let before = before.filter(|_| !holds_role);
        let returns = before.is_some();
        if self.policy.locked && !returns {
            context.send(ClientMessage::Refuse { device });
            return;
        }
        let own = knocker.card.device_key == context.identity.key.public();
        // Who was sent away is asked for again, whatever the rules say.
        let was_removed = self.removed.has(&knocker.card.device_key);
        if !was_removed && (returns || (!self.policy.waiting_room && !own && !holds_role)) {
            let older = before.map(|before| self.commits.drop_older_returns_of(before));
            for older in older.into_iter().flatten() {
                context.send(ClientMessage::Refuse { device: older });
            }
            self.commits.want_admission(now, knocker, before);
            return;
        }
        let name = knocker.card.name.clone();
        let device_key = knocker.card.device_key;
        desk.put(device, knocker);
        context.event(Event::Knock {
            device,
            name,
            device_key,
        });
    }

    fn read_card(&self, context: &Context, device: DeviceId, sealed: &[u8]) -> Option<Knocker> {
        let meeting = context.link.meeting;
        let desk = self.desk.as_ref()?;
        let aad = knock_aad(meeting, device);
        let bytes = desk
            .knock_key
            .open_card(&context.link.secret, &aad, sealed)
            .ok()?;
        let (knock, rest): (KnockCard, _) = postcard::take_from_bytes(&bytes).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let (signed, card, key_package) =
            knock.verify(meeting, &self.group.group_id(), device).ok()?;
        Some(Knocker {
            signed,
            card,
            key_package,
        })
    }

    pub(super) fn knock_withdrawn(&mut self, context: &mut Context, device: DeviceId) {
        self.commits.withdraw(device);
        if self
            .desk
            .as_mut()
            .and_then(|desk| desk.take(device))
            .is_some()
        {
            context.event(Event::KnockWithdrawn { device });
        }
    }

    /// The service tells anew who knocks; those who went meanwhile must not stay on the list.
    pub(super) fn clear_desk(&mut self, context: &mut Context) {
        let Some(desk) = &mut self.desk else { return };
        for (device, _) in std::mem::take(&mut desk.knocks).into_values() {
            context.event(Event::KnockWithdrawn { device });
        }
    }

    pub(super) fn admit(&mut self, context: &mut Context, now: Instant, device: DeviceId) {
        let Some(desk) = &mut self.desk else {
            return context.warn(Warning::NotAllowed);
        };
        if let Some(knocker) = desk.take(device) {
            self.commits.want_admission(now, knocker, None);
        }
    }

    /// The person wants somebody out: he does not come back by himself either.
    pub(super) fn remove(&mut self, context: &mut Context, device: DeviceId) {
        // A co-host leaves those who keep the door with him to the hosts.
        let may = self.may_remove(context, device);
        if self.desk.is_none() || !may {
            return context.warn(Warning::NotAllowed);
        }
        self.send_away(device);
        for back in self.commits.drop_returns_of(device) {
            self.turn_away(context, back);
        }
        self.commits.want_removal(device);
    }

    pub(super) fn refuse(&mut self, context: &mut Context, device: DeviceId) {
        let Some(desk) = &mut self.desk else {
            return context.warn(Warning::NotAllowed);
        };
        if desk.take(device).is_some() {
            self.turn_away(context, device);
            context.event(Event::KnockWithdrawn { device });
        }
    }

    /// Says so at once if the service knows us, or else when it tells of the knock again. Its answer to
    /// somebody whom it does not know would read like one to the proof of membership.
    fn turn_away(&mut self, context: &mut Context, device: DeviceId) {
        if self.standing == Standing::Attached {
            context.send(ClientMessage::Refuse { device });
        } else if let Some(desk) = &mut self.desk {
            desk.refused.insert(device);
        }
    }
}
