//! Who may be heard: places for open microphones, raised hands, and who was let speak.
//!
//! Nobody mixes or selects for us, so that every client reads every sound it plays. The policy bounds
//! how many that are; this says which. All of it follows from the order of the log, so that all who
//! read the same log agree without a word more than is said anyway. In a meeting of no more people
//! than places everybody has one, and nothing here shows.

use std::collections::HashSet;

use conclave_wire::DeviceId;
use serde::{Deserialize, Serialize};

use crate::policy::Role;

/// Entries of each list that are taken from a host; more members than this no meeting has.
const MAX_LISTED: usize = 4096;

/// What a host or co-host says about one member's speaking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Say {
    /// He may open his microphone; his hand is lowered.
    LetSpeak,
    /// His hand is lowered.
    LowerHand,
    /// He is to mute. In a meeting with more people than places his place is free at once.
    Mute,
}

/// A member who has spoken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Turn {
    device: DeviceId,
    open: bool,
}

/// The state of the floor. A host hands it to newcomers as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Floor {
    /// In the order in which they last opened or closed the microphone.
    turns: Vec<Turn>,
    /// In the order in which they were raised.
    hands: Vec<DeviceId>,
    /// Let speak by a host, in that order, until they mute.
    invited: Vec<DeviceId>,
}

impl Floor {
    /// A member says that the microphone is open or muted. Saying it again changes nothing.
    pub(crate) fn media(&mut self, device: DeviceId, muted: bool) {
        if self.is_open(device) != muted {
            return;
        }
        self.turns.retain(|turn| turn.device != device);
        let open = !muted;
        self.turns.push(Turn { device, open });
        match open {
            // Whoever speaks has got what he raised it for.
            true => self.hands.retain(|hand| *hand != device),
            false => self.invited.retain(|invited| *invited != device),
        }
    }

    /// A member raises a hand, or lowers it and does not want to speak.
    pub(crate) fn hand(&mut self, device: DeviceId, up: bool) {
        if !up {
            self.hands.retain(|hand| *hand != device);
            if !self.is_open(device) {
                self.invited.retain(|invited| *invited != device);
            }
        } else if !self.hands.contains(&device) {
            self.hands.push(device);
        }
    }

    /// A host lets somebody speak.
    pub(crate) fn let_speak(&mut self, device: DeviceId) {
        self.hands.retain(|hand| *hand != device);
        if !self.invited.contains(&device) {
            self.invited.push(device);
        }
    }

    pub(crate) fn lower(&mut self, device: DeviceId) {
        self.hands.retain(|hand| *hand != device);
    }

    /// A host ends somebody's turn: he is taken for muted until he says otherwise.
    pub(crate) fn end(&mut self, device: DeviceId) {
        self.media(device, true);
        self.invited.retain(|invited| *invited != device);
    }

    /// Takes the floor as a host knows it. What he had not heard of when he said so follows.
    pub(crate) fn adopt(&mut self, told: Self) {
        let mine = std::mem::take(self);
        let mut known = HashSet::new();
        let turns = told.turns.into_iter().take(MAX_LISTED).chain(mine.turns);
        self.turns = turns.filter(|turn| known.insert(turn.device)).collect();
        self.hands = joined(told.hands, mine.hands);
        self.invited = joined(told.invited, mine.invited);
    }

    /// Forgets who has gone.
    pub(crate) fn retain(&mut self, present: &HashSet<DeviceId>) {
        self.turns.retain(|turn| present.contains(&turn.device));
        self.hands.retain(|hand| present.contains(hand));
        self.invited.retain(|invited| present.contains(invited));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.turns.is_empty() && self.hands.is_empty() && self.invited.is_empty()
    }

    /// Whether a member has said that the microphone is open, by the log.
    pub(crate) fn is_open(&self, device: DeviceId) -> bool {
        self.turns
            .iter()
            .any(|turn| turn.device == device && turn.open)
    }

    pub(crate) fn is_invited(&self, device: DeviceId) -> bool {
        self.invited.contains(&device)
    }

    /// The place of a raised hand in the order of hands, from 1.
    pub(crate) fn hand_of(&self, device: DeviceId) -> Option<usize> {
        let place = self.hands.iter().position(|hand| *hand == device)?;
        place.checked_add(1)
    }

    /// Who has a place, of these members in the order of leaves.
    ///
    /// Open microphones come first: those of hosts and co-hosts, then of who was let speak, then of
    /// the others, each in the order in which they opened. The places that are left go to who spoke
    /// last: who mutes keeps the place until somebody needs it, so that the relay does not see by
    /// the readers who is muted.
    pub(crate) fn places(&self, members: &[(DeviceId, Role)], bound: usize) -> HashSet<DeviceId> {
        if members.len() <= bound {
            return members.iter().map(|(device, _)| *device).collect();
        }
        let class = |turn: &Turn| {
            let role = members.iter().find(|(device, _)| *device == turn.device);
            match role {
                Some((_, role)) if *role >= Role::CoHost => 0,
                _ if self.invited.contains(&turn.device) => 1,
                _ => 2,
            }
        };
        let mut open: Vec<_> = self.turns.iter().filter(|turn| turn.open).collect();
        open.sort_by_cached_key(|turn| class(turn));
        let muted = self.turns.iter().rev().filter(|turn| !turn.open);
        let spoke = open.into_iter().chain(muted).map(|turn| turn.device);
        let mut places = HashSet::new();
        for device in spoke.chain(members.iter().map(|(device, _)| *device)) {
            if places.len() == bound {
                break;
            }
            places.insert(device);
        }
        places
    }

    /// Whether a member who opens the microphone now gets a place.
    pub(crate) fn has_room_for(
        &self,
        device: DeviceId,
        members: &[(DeviceId, Role)],
        bound: usize,
    ) -> bool {
        let mut then = self.clone();
        then.media(device, false);
        then.places(members, bound).contains(&device)
    }

    /// Whether a member may open the microphone now and waits to: a host let him speak, or there
    /// are more people than places, a place is free, and his hand comes first.
    pub(crate) fn is_called(
        &self,
        device: DeviceId,
        members: &[(DeviceId, Role)],
        bound: usize,
    ) -> bool {
        if self.is_open(device) {
            return false;
        }
        if self.invited.contains(&device) {
            return self.has_room_for(device, members, bound);
        }
        let open = self.turns.iter().filter(|turn| turn.open).count();
        let free = bound.saturating_sub(open);
        members.len() > bound && self.hand_of(device).is_some_and(|place| place <= free)
    }
}

fn joined(told: Vec<DeviceId>, mine: Vec<DeviceId>) -> Vec<DeviceId> {
    let mut known = HashSet::new();
    let all = told.into_iter().take(MAX_LISTED).chain(mine);
    all.filter(|device| known.insert(*device)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn who(number: u8) -> DeviceId {
        DeviceId([number; 16])
    }

    /// Number 0 is the host.
    fn members(count: u8) -> Vec<(DeviceId, Role)> {
        let role = |number| match number {
            0 => Role::Host,
            _ => Role::Participant,
        };
        (0..count)
            .map(|number| (who(number), role(number)))
            .collect()
    }

    fn placed(floor: &Floor, count: u8, bound: usize) -> Vec<u8> {
        let places = floor.places(&members(count), bound);
        (0..count)
            .filter(|number| places.contains(&who(*number)))
            .collect()
    }

    fn opened(numbers: &[u8]) -> Floor {
        let mut floor = Floor::default();
        for number in numbers {
            floor.media(who(*number), false);
        }
        floor
    }

    #[test]
    fn at_or_under_the_bound_everybody_has_a_place_and_nobody_is_called() {
        let mut floor = opened(&[3, 1]);
        floor.media(who(3), true);
        floor.hand(who(2), true);
        assert_eq!(placed(&floor, 4, 4), [0, 1, 2, 3]);
        assert!(floor.has_room_for(who(2), &members(4), 4));
        assert!(!floor.is_called(who(2), &members(4), 4));
    }

    #[test]
    fn who_opened_first_has_the_place() {
        let floor = opened(&[4, 2, 3]);
        assert_eq!(placed(&floor, 6, 2), [2, 4]);
        assert!(!floor.has_room_for(who(5), &members(6), 2));
        assert!(floor.has_room_for(who(5), &members(6), 4));
    }

    #[test]
    fn a_host_and_who_was_let_speak_come_before_the_others() {
        let mut floor = opened(&[4, 2]);
        assert!(floor.has_room_for(who(0), &members(6), 2));
        floor.let_speak(who(5));
        floor.media(who(5), false);
        assert_eq!(
            placed(&floor, 6, 2),
            [4, 5],
            "the last of the others gives way"
        );
        floor.media(who(0), false);
        assert_eq!(placed(&floor, 6, 2), [0, 5]);
        floor.media(who(5), true);
        floor.media(who(5), false);
        assert_eq!(placed(&floor, 6, 2), [0, 4], "muting gives the turn back");
    }

    #[test]
    fn muting_changes_no_place_until_somebody_needs_it() {
        let mut floor = opened(&[4, 2, 3]);
        let before = placed(&floor, 6, 3);
        floor.media(who(4), true);
        assert_eq!(placed(&floor, 6, 3), before);
        floor.media(who(5), false);
        assert_eq!(placed(&floor, 6, 3), [2, 3, 5]);
        floor.media(who(2), true);
        floor.media(who(4), false);
        assert_eq!(
            placed(&floor, 6, 3),
            [3, 4, 5],
            "an open one takes a muted one's"
        );
    }

    #[test]
    fn saying_it_again_costs_no_turn() {
        let mut floor = opened(&[4, 2]);
        floor.media(who(4), false);
        assert_eq!(placed(&floor, 6, 1), [4]);
    }

    #[test]
    fn hands_wait_in_order_and_are_called_when_a_place_is_free() {
        let mut floor = opened(&[0, 1]);
        for number in [4, 3, 4] {
            floor.hand(who(number), true);
        }
        assert_eq!(
            (floor.hand_of(who(4)), floor.hand_of(who(3))),
            (Some(1), Some(2))
        );
        let called = |floor: &Floor, number| floor.is_called(who(number), &members(6), 2);
        assert!(!called(&floor, 4));
        floor.media(who(1), true);
        assert!(called(&floor, 4) && !called(&floor, 3));
        floor.media(who(4), false);
        assert_eq!(
            floor.hand_of(who(3)),
            Some(1),
            "who speaks has lowered his hand"
        );
        assert!(!called(&floor, 3) && !called(&floor, 4));
    }

    #[test]
    fn who_declines_is_called_no_more() {
        let mut floor = Floor::default();
        floor.hand(who(2), true);
        floor.let_speak(who(2));
        assert_eq!(floor.hand_of(who(2)), None);
        assert!(floor.is_called(who(2), &members(3), 25));
        floor.hand(who(2), false);
        assert!(!floor.is_called(who(2), &members(3), 25));
    }

    #[test]
    fn whose_turn_a_host_ended_is_heard_no_more() {
        let mut floor = opened(&[1, 2]);
        floor.let_speak(who(1));
        floor.end(who(1));
        floor.media(who(3), false);
        assert_eq!(placed(&floor, 6, 2), [2, 3]);
        assert!(!floor.is_called(who(1), &members(6), 2));
    }

    #[test]
    fn a_newcomer_agrees_with_those_who_were_there() {
        let mut old = opened(&[5, 4, 3]);
        old.hand(who(1), true);
        let told = old.clone();
        let mut new = Floor::default();
        for floor in [&mut old, &mut new] {
            // Between the host's word and its place in the log.
            floor.media(who(2), false);
            floor.hand(who(0), true);
            floor.adopt(told.clone());
        }
        assert_eq!(old, new);
        assert_eq!(placed(&new, 6, 3), [3, 4, 5]);
        assert_eq!(new.hand_of(who(0)), Some(2));
        new.retain(&HashSet::from([who(4)]));
        assert_eq!((new.turns.len(), new.hands.len()), (1, 0));
    }
}
