//! Who speaks, and who wants to: turns, hands, and what becomes of this person's own.
//!
//! All of it counts from its place in the log on (see `floor`), so that everybody who reads the
//! same log plays the same people. Only muting is done before it is said.

use std::collections::HashSet;

use conclave_e2ee::{Member, Pseudonym};
use conclave_wire::DeviceId;

use super::echoes::Said;
use super::standing::Standing;
use super::{Active, Flow};
use crate::content::{Content, MediaState};
use crate::context::Context;
use crate::event::{Event, Speaking, Warning};
use crate::floor::{Floor, Say};
use crate::policy::Role;
use crate::snapshot::FloorView;

#[derive(Default)]
pub(super) struct Podium {
    pub(super) floor: Floor,
    /// What was said in this log alone, if it is another than the one before, until somebody tells
    /// the floor in it. The end of a lost log was read by some and not by others.
    here: Option<Floor>,
    /// Something happened after which places may be others.
    changed: bool,
    /// The floor is to be told to those who came, once the log is read.
    owed: bool,
    /// What this person wants of the hand, until the log shows it.
    hand_wish: Option<bool>,
    was_called: bool,
}

impl Podium {
    pub(super) fn touch(&mut self) {
        self.changed = true;
    }

    pub(super) fn owe(&mut self) {
        self.owed = true;
    }

    /// The service lost its memory, and with it the log that the floor followed from.
    pub(super) fn log_begins(&mut self) {
        self.here = Some(Floor::default());
    }

    fn hear(&mut self, change: impl Fn(&mut Floor)) {
        change(&mut self.floor);
        self.here.iter_mut().for_each(change);
    }

    /// Takes the floor as it is told: what it lacks counts only if all have heard it.
    fn adopt(&mut self, told: Floor) {
        if let Some(here) = self.here.take() {
            self.floor = here;
        }
        self.floor.adopt(told);
    }
}

impl Active {
    /// The members in the order of leaves, with what each may do.
    pub(super) fn speakers(&self, members: &[Member]) -> Vec<(DeviceId, Role)> {
        let speaker = |member: &Member| {
            let role = self.policy.role(member.pseudonym);
            (DeviceId(member.pseudonym.0), role)
        };
        members.iter().map(speaker).collect()
    }

    fn all_speakers(&self) -> Vec<(DeviceId, Role)> {
        self.speakers(&self.group.members())
    }

    fn bound(&self) -> usize {
        self.policy.open_microphones.into()
    }

    /// Whether there are more people than places.
    pub(super) fn has_audience(&self) -> bool {
        self.group.members().len() > self.bound()
    }

    pub(super) fn places(&self, speakers: &[(DeviceId, Role)]) -> HashSet<DeviceId> {
        self.podium.floor.places(speakers, self.bound())
    }

    pub(super) fn floor_view(&self, context: &Context, speakers: &[(DeviceId, Role)]) -> FloorView {
        let (me, bound) = (context.device, self.bound());
        let floor = &self.podium.floor;
        FloorView {
            audience: context.media.muted && !floor.has_room_for(me, speakers, bound),
            called: context.media.muted && floor.is_called(me, speakers, bound),
        }
    }

    /// The person turns microphone or camera on or off.
    pub(super) fn set_media(&mut self, context: &mut Context, mut media: MediaState) {
        let opens = context.media.muted && !media.muted;
        if opens && !self.has_room_for(context.device) {
            media.muted = true;
            context.event(Event::Speaking(Speaking::Full));
            if media == context.media {
                return;
            }
        }
        self.say_media(context, media);
    }

    fn has_room_for(&self, device: DeviceId) -> bool {
        let (floor, speakers) = (&self.podium.floor, self.all_speakers());
        floor.has_room_for(device, &speakers, self.bound())
    }

    fn say_media(&mut self, context: &mut Context, media: MediaState) {
        context.media = media;
        self.people.set_media(context.device, media);
        context.event(Event::Roster);
        self.publish(context, &Content::Media(media));
    }

    fn mute(&mut self, context: &mut Context, why: Speaking) {
        if !context.media.muted {
            let media = MediaState {
                muted: true,
                ..context.media
            };
            self.say_media(context, media);
        }
        context.event(Event::Speaking(why));
    }

    /// Where there are more people than places, nobody comes in with an open microphone.
    pub(super) fn enter_audience(&mut self, context: &mut Context) {
        if self.has_audience() && !context.media.muted {
            context.media.muted = true;
            self.people.set_media(context.device, context.media);
            context.event(Event::Speaking(Speaking::Audience));
        }
    }

    pub(super) fn raise_hand(&mut self, context: &mut Context, up: bool) {
        self.podium.hand_wish = Some(up);
        self.publish(context, &Content::Hand(up));
    }

    /// What was said about the own hand may have been lost with the connection.
    pub(super) fn say_hand_again(&mut self, context: &mut Context) {
        if let Some(up) = self.podium.hand_wish {
            self.publish(context, &Content::Hand(up));
        }
    }

    /// The person, a host or co-host, says something about somebody's speaking.
    pub(super) fn speak_of(&mut self, context: &mut Context, device: DeviceId, say: Say) {
        if !self.may_say(self.role(context.device), device, say) {
            return context.warn(Warning::NotAllowed);
        }
        if self.standing != Standing::Attached {
            return context.warn(Warning::NotSaid);
        }
        self.publish(context, &Content::Speaking { device, say });
    }

    fn may_say(&self, role: Role, device: DeviceId, say: Say) -> bool {
        match say {
            Say::LetSpeak | Say::LowerHand => role >= Role::CoHost,
            Say::Mute => role.may_remove(self.role(device)),
        }
    }

    /// Something about the floor is in the log, from somebody else or from this device.
    pub(super) fn hear_of_floor(
        &mut self,
        context: &mut Context,
        from: Pseudonym,
        content: Content,
    ) {
        let device = DeviceId(from.0);
        let role = self.policy.role(from);
        match content {
            Content::Media(media) => {
                if device != context.device {
                    self.people.set_media(device, media);
                }
                self.podium.hear(|floor| floor.media(device, media.muted));
            }
            Content::Hand(up) => {
                if device == context.device && self.podium.hand_wish == Some(up) {
                    self.podium.hand_wish = None;
                }
                self.podium.hear(|floor| floor.hand(device, up));
            }
            Content::Speaking { device, say } if self.may_say(role, device, say) => {
                self.obey_host(context, device, say);
            }
            Content::Floor(told) if role >= Role::CoHost => {
                self.podium.adopt(told);
                let present = self.devices().collect();
                self.podium.floor.retain(&present);
            }
            // From somebody who has just lost the role, or never had it: it says nothing.
            _ => return,
        }
        self.podium.touch();
    }

    fn obey_host(&mut self, context: &mut Context, device: DeviceId, say: Say) {
        if !self.devices().any(|member| member == device) {
            return;
        }
        let is_me = device == context.device;
        match say {
            Say::LetSpeak => self.podium.hear(|floor| floor.let_speak(device)),
            Say::LowerHand => self.podium.hear(|floor| floor.lower(device)),
            Say::Mute if self.has_audience() => {
                self.podium.hear(|floor| floor.end(device));
                let media = MediaState {
                    muted: true,
                    ..self.people.media(device)
                };
                match is_me {
                    true => self.mute(context, Speaking::Ended),
                    false => self.people.set_media(device, media),
                }
            }
            Say::Mute if is_me && !context.media.muted => {
                context.event(Event::Speaking(Speaking::AskedToMute));
            }
            Say::Mute => {}
        }
    }

    /// After whatever may have changed the places: mutes who has none, and tells who has one now.
    pub(super) fn settle_floor(&mut self, context: &mut Context) {
        self.tell_floor(context);
        if !std::mem::take(&mut self.podium.changed) {
            return;
        }
        context.event(Event::Roster);
        let me = context.device;
        // An opening that is not in the log yet has no place to lose.
        let opened = self.podium.floor.is_open(me) && !context.media.muted;
        let speakers = self.all_speakers();
        if opened && !self.places(&speakers).contains(&me) {
            self.mute(context, Speaking::Lost);
        }
        let called = self.floor_view(context, &speakers).called;
        if called && !std::mem::replace(&mut self.podium.was_called, called) {
            let why = match self.podium.floor.is_invited(me) {
                true => Speaking::LetSpeak,
                false => Speaking::Room,
            };
            context.event(Event::Speaking(why));
        }
        self.podium.was_called = called;
    }

    /// Tells newcomers who speaks and who wants to, as soon as this device has read all that was
    /// said about it.
    fn tell_floor(&mut self, context: &mut Context) {
        if !self.podium.owed || !self.has_read_all() || self.role(context.device) < Role::CoHost {
            return;
        }
        self.podium.owed = false;
        // Of a lost log the others may know what this device does not: then nothing is a word too.
        if !self.podium.floor.is_empty() || self.podium.here.is_some() {
            self.publish(context, &Content::Floor(self.podium.floor.clone()));
        }
    }

    /// Our own message is in the log: what it says of the floor counts from here on.
    pub(super) fn said(&mut self, context: &mut Context, said: Said) -> Flow {
        let content = said.plain.and_then(|plain| Content::decode(&plain));
        let Some(content) = content else {
            return Flow::Stay;
        };
        if said.epoch < self.group.epoch() {
            self.say_to_newcomers(context, &content);
        }
        self.hear_of_floor(context, Pseudonym(context.device.0), content);
        Flow::Stay
    }

    /// Others came before what this device said of the floor stood in the log, and could not read it:
    /// they are told how things stand now.
    fn say_to_newcomers(&mut self, context: &mut Context, content: &Content) {
        match content {
            Content::Media(_) => self.publish(context, &Content::Media(context.media)),
            Content::Hand(up) => {
                let up = self.podium.hand_wish.unwrap_or(*up);
                self.publish(context, &Content::Hand(up));
            }
            // Only who may tell the floor has said anything else.
            _ => self.podium.owe(),
        }
    }
}
