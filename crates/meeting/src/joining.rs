//! Knocked: waiting for a host to let us in.

use std::time::{Duration, Instant};

use conclave_e2ee::{Candidate, Group, Pseudonym, seal_card_for};
use conclave_wire::{Blob, ClientMessage, ErrorCode, Knock, ServerMessage};

use crate::active::{Active, Place};
use crate::card::{Card, KnockCard, SignedCard};
use crate::context::Context;
use crate::event::{Command, Event, Input, LeftReason, Warning};
use crate::lobby::{Described, knock_token, leave, leave_for, look, open_door};
use crate::machine::State;
use crate::seal::{Purpose, aad};

/// A service that restarted has lost the meeting until a member restores it: so long we ask again.
const RESTORE_GRACE: Duration = Duration::from_secs(20);
const RETRY: Duration = Duration::from_millis(500);
/// Fresh tries after a Welcome that did not open (it has consumed its KeyPackage).
const MAX_TRIES: u32 = 4;

pub(crate) struct Joining {
    pub(crate) described: Described,
    candidate: Candidate,
    card: SignedCard,
    own: Card,
    tries: u32,
    told: bool,
    /// Whether this KeyPackage was shown on a connection before.
    knocked: bool,
    /// Whether the door is being looked at, before a knock on this connection.
    looks: bool,
    /// Since when the service has not known the meeting.
    lost_since: Option<Instant>,
    retry_at: Option<Instant>,
}

impl Joining {
    /// Makes a fresh KeyPackage and card and knocks with them.
    pub(crate) fn knock(context: &mut Context, described: Described) -> State {
        match Self::prepare(context, described, 0) {
            Some(mut joining) => {
                joining.send_knock(context);
                State::Joining(Box::new(joining))
            }
            None => leave(context, LeftReason::Fault),
        }
    }

    pub(crate) fn prepare(context: &Context, described: Described, tries: u32) -> Option<Self> {
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
            described,
            candidate,
            card,
            own,
            tries,
            told: false,
            knocked: false,
            looks: false,
            lost_since: None,
            retry_at: None,
        })
    }

    pub(crate) fn handle(
        mut self: Box<Self>,
        context: &mut Context,
        now: Instant,
        input: Input,
    ) -> State {
        match input {
            Input::LinkUp => self.look_anew(context),
            Input::LinkDown => self.retry_at = None,
            Input::Tick if self.retry_at.is_some_and(|at| at <= now) => {
                self.retry_at = None;
                self.look_anew(context);
            }
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
        self.looks = true;
        look(context);
    }

    fn knock_anew(self: Box<Self>, context: &mut Context, described: Described) -> State {
        let told = self.told;
        let lost_since = self.lost_since;
        if self.knocked {
            context.renew_device();
        }
        match Self::prepare(context, described, self.tries) {
            Some(mut joining) => {
                joining.told = told;
                joining.lost_since = lost_since;
                joining.send_knock(context);
                State::Joining(Box::new(joining))
            }
            None => leave(context, LeftReason::Fault),
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.retry_at
    }

    fn receive(
        mut self: Box<Self>,
        context: &mut Context,
        now: Instant,
        message: ServerMessage,
    ) -> State {
        match message {
            ServerMessage::Waiting => {
                self.lost_since = None;
                if !std::mem::replace(&mut self.told, true) {
                    context.event(Event::Waiting);
                }
            }
            ServerMessage::Descriptor { descriptor } if self.looks => {
                return match open_door(context, descriptor.into_vec()) {
                    Ok(described) => self.knock_anew(context, described),
                    Err(reason) => leave(context, reason),
                };
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
                return self.enter(
                    context,
                    now,
                    epoch,
                    next_seq,
                    welcome.as_slice(),
                    tree.as_slice(),
                );
            }
            ServerMessage::Error {
                code: ErrorCode::NoSuchMeeting,
            } if self.may_wait(now) => {
                self.retry_at = Some(now + RETRY);
            }
            ServerMessage::Error { code } => return leave_for(context, code, State::Joining(self)),
            _ => {}
        }
        State::Joining(self)
    }

    fn may_wait(&mut self, now: Instant) -> bool {
        now.duration_since(*self.lost_since.get_or_insert(now)) < RESTORE_GRACE
    }

    fn send_knock(&mut self, context: &mut Context) {
        self.knocked = context.link_up;
        let sealed = self
            .sealed_card(context)
            .and_then(|card| Blob::new(card).ok());
        match sealed {
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
    }

    fn sealed_card(&self, context: &Context) -> Option<Vec<u8>> {
        let knock = KnockCard {
            card: self.card.clone(),
            key_package: self.candidate.key_package().to_vec(),
        };
        let card = postcard::to_allocvec(&knock).ok()?;
        let keys = &self.described.descriptor.knock_keys;
        let keys: Vec<_> = keys.iter().map(Vec::as_slice).collect();
        seal_card_for(
            &keys,
            &context.link.secret,
            &knock_aad(context.link.meeting, context.device),
            &card,
        )
        .ok()
    }

    fn enter(
        self: Box<Self>,
        context: &mut Context,
        now: Instant,
        epoch: u64,
        next_seq: u64,
        welcome: &[u8],
        tree: &[u8],
    ) -> State {
        let Self {
            described,
            candidate,
            card,
            own,
            tries,
            ..
        } = *self;
        let joined = open_welcome(context, candidate, epoch, welcome, tree)
            .filter(|group| group.group_id() == described.descriptor.group_id);
        if let Some(active) = joined.and_then(|group| {
            let place = Place { epoch, next_seq };
            Active::joined(context, now, group, described.clone(), (card, own), place)
        }) {
            context.event(Event::Admitted);
            return active.begin(context, now);
        }
        if tries + 1 >= MAX_TRIES {
            return leave(context, LeftReason::Lost);
        }
        context.warn(Warning::WelcomeFailed);
        context.renew_device();
        match Self::prepare(context, described, tries + 1) {
            Some(joining) => {
                // The service counts the old device as a member: the new one needs a new connection.
                context.emit(crate::event::Output::Reconnect);
                State::Joining(Box::new(joining))
            }
            None => leave(context, LeftReason::Fault),
        }
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
