//! Knocked: waiting for a host to let us in.

use std::time::{Duration, Instant};

use conclave_e2ee::{Candidate, Group, Pseudonym, seal_card_for};
use conclave_wire::{Blob, ClientMessage, ErrorCode, Knock, ServerMessage};

use crate::active::{Active, Place};
use crate::card::{Card, KnockCard, SignedCard};
use crate::context::Context;
use crate::event::{Command, Event, Input, LeftReason, Output, Warning};
use crate::lobby::{Described, Look, knock_token, leave, leave_for, open_door};
use crate::machine::State;
use crate::seal::{Purpose, aad};

/// Longer than in the lobby: nobody wants to begin anew.
const RESTORE_GRACE: Duration = Duration::from_secs(20);
/// Fresh tries after a Welcome that did not open (it has consumed its KeyPackage).
const MAX_TRIES: u32 = 4;

pub(crate) struct Joining {
    /// The door as it was last seen.
    pub(crate) described: Described,
    /// `None` while the door is looked at, before a knock.
    attempt: Option<Attempt>,
    tries: u32,
    told: bool,
    look: Look,
}

/// What was knocked with.
struct Attempt {
    candidate: Candidate,
    card: SignedCard,
    own: Card,
    /// The knock keys that the card is sealed to.
    sealed_to: Vec<Vec<u8>>,
}

impl Attempt {
    /// Makes a fresh KeyPackage and card.
    fn new(context: &Context, described: &Described) -> Option<Self> {
        let candidate = Candidate::new(Pseudonym(context.device.0), &context.link.secret).ok()?;
        let key_package = conclave_e2ee::VerifiedKeyPackage::parse(candidate.key_package()).ok()?;
        let own = Card {
            name: context.identity.name.clone(),
            device_key: context.identity.key.public(),
            meeting: context.link.meeting,
            group_id: described.descriptor.group_id.clone(),
            device: context.device,
            leaf_key: candidate.leaf_key(),
            key_package_hash: key_package.hash(),
        };
        let by_leaf = |domain: &str, msg: &[u8]| candidate.sign(domain, msg);
        let card = SignedCard::sign(own.clone(), &context.identity.key, by_leaf)?;
        Some(Self {
            candidate,
            card,
            own,
            sealed_to: described.descriptor.knock_keys.clone(),
        })
    }

    fn sealed_card(&self, context: &Context) -> Option<Vec<u8>> {
        let knock = KnockCard {
            card: self.card.clone(),
            key_package: self.candidate.key_package().to_vec(),
        };
        let card = postcard::to_allocvec(&knock).ok()?;
        let keys: Vec<_> = self.sealed_to.iter().map(Vec::as_slice).collect();
        seal_card_for(
            &keys,
            &context.link.secret,
            &knock_aad(context.link.meeting, context.device),
            &card,
        )
        .ok()
    }
}

impl Joining {
    /// Knocks at a door that was just looked at.
    pub(crate) fn knock(context: &mut Context, described: Described) -> State {
        Box::new(Self::away(described)).knock_at(context)
    }

    /// Will look at the door, and knock, on the next connection.
    pub(crate) fn away(described: Described) -> Self {
        Self {
            described,
            attempt: None,
            tries: 0,
            told: false,
            look: Look::new(RESTORE_GRACE),
        }
    }

    pub(crate) fn handle(
        mut self: Box<Self>,
        context: &mut Context,
        now: Instant,
        input: Input,
    ) -> State {
        match input {
            Input::LinkUp => self.look_anew(context),
            Input::LinkDown => self.look.cancel(),
            Input::Tick if self.look.is_due(now) => self.look_anew(context),
            Input::Command(Command::Leave) => {
                context.send(ClientMessage::Leave);
                return leave(context, LeftReason::ByChoice);
            }
            Input::Message(message) => return self.receive(context, now, *message),
            _ => {}
        }
        State::Joining(self)
    }

    /// On a new connection the door is looked at anew: another may keep it by now, and a card
    /// sealed for who kept it before would be opened by nobody. A Welcome may have been lost with
    /// the old connection: the service would count this device as a member. So it is another
    /// device that knocks.
    fn look_anew(&mut self, context: &mut Context) {
        if self.attempt.take().is_some() {
            context.renew_device();
        }
        self.look.now(context);
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.look.deadline()
    }

    fn receive(
        mut self: Box<Self>,
        context: &mut Context,
        now: Instant,
        message: ServerMessage,
    ) -> State {
        match message {
            ServerMessage::Waiting => {
                self.look.found();
                if !std::mem::replace(&mut self.told, true) {
                    context.event(Event::Waiting);
                }
            }
            ServerMessage::Descriptor { descriptor } => {
                return self.door_shown(context, descriptor.into_vec());
            }
            ServerMessage::Refused => {
                let reason = match self.described.descriptor.locked {
                    true => LeftReason::Locked,
                    false => LeftReason::Refused,
                };
                return leave(context, reason);
            }
            ServerMessage::Welcome {
                epoch,
                next_seq,
                welcome,
                tree,
            } => {
                let place = Place { epoch, next_seq };
                return self.enter(context, now, place, welcome.as_slice(), tree.as_slice());
            }
            ServerMessage::Error {
                code: ErrorCode::NoSuchMeeting,
            } if !self.look.lost(now) => {}
            ServerMessage::Error { code } => return leave_for(context, code, State::Joining(self)),
            _ => {}
        }
        State::Joining(self)
    }

    /// The door was looked at, or changed while this device waits at it.
    fn door_shown(mut self: Box<Self>, context: &mut Context, sealed: Vec<u8>) -> State {
        match open_door(context, sealed) {
            Ok(described) => self.described = described,
            Err(reason) => return leave(context, reason),
        }
        let Some(attempt) = &self.attempt else {
            return self.knock_at(context);
        };
        // Its keeper's own key stands first. One who came to the door later cannot open the card.
        let keeper = self.described.descriptor.knock_keys.first();
        if keeper.is_some_and(|keeper| !attempt.sealed_to.contains(keeper)) {
            context.emit(Output::Reconnect);
        }
        State::Joining(self)
    }

    fn knock_at(mut self: Box<Self>, context: &mut Context) -> State {
        let Some(attempt) = Attempt::new(context, &self.described) else {
            return leave(context, LeftReason::Fault);
        };
        let sealed = attempt.sealed_card(context);
        match sealed.and_then(|card| Blob::new(card).ok()) {
            Some(card) => {
                let knock = Knock {
                    meeting: context.link.meeting,
                    knock_token: knock_token(&context.link.secret),
                    device: context.device,
                    device_hash: context.device_token.hash(),
                    card,
                };
                context.send(ClientMessage::Knock(knock));
            }
            // A host key that cannot be sealed to: the descriptor's maker is at fault.
            None => context.warn(Warning::BadKnock),
        }
        self.attempt = Some(attempt);
        State::Joining(self)
    }

    fn enter(
        mut self: Box<Self>,
        context: &mut Context,
        now: Instant,
        place: Place,
        welcome: &[u8],
        tree: &[u8],
    ) -> State {
        // Nobody has knocked: the service makes it up.
        let Some(attempt) = self.attempt.take() else {
            return State::Joining(self);
        };
        let Attempt {
            candidate,
            card,
            own,
            ..
        } = attempt;
        let described = &self.described;
        let joined = open_welcome(context, candidate, place.epoch, welcome, tree)
            .filter(|group| group.group_id() == described.descriptor.group_id);
        if let Some(active) = joined.and_then(|group| {
            Active::joined(context, now, group, described.clone(), (card, own), place)
        }) {
            context.event(Event::Admitted);
            return active.begin(context, now);
        }
        self.tries += 1;
        if self.tries >= MAX_TRIES {
            return leave(context, LeftReason::Lost);
        }
        context.warn(Warning::WelcomeFailed);
        // The service counts the old device as a member: the new one needs a new connection.
        context.renew_device();
        context.emit(Output::Reconnect);
        State::Joining(self)
    }
}

/// A card is for one meeting and one knocking device.
pub(crate) fn knock_aad(
    meeting: conclave_wire::MeetingId,
    device: conclave_wire::DeviceId,
) -> Vec<u8> {
    let mut bytes = aad(Purpose::Knock, meeting, 0);
    bytes.extend_from_slice(&device.0);
    bytes
}

fn open_welcome(
    context: &Context,
    candidate: Candidate,
    epoch: u64,
    welcome: &[u8],
    tree: &[u8],
) -> Option<Group> {
    let open = |purpose, blob| context.seal.open(purpose, epoch, blob).ok();
    let welcome = open(Purpose::Welcome, welcome)?;
    let tree = open(Purpose::Tree, tree)?;
    candidate.join(&welcome, &tree).ok()
}
