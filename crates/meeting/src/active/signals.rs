//! Signals out and in: what members tell each other outside the log, and what each asks of the
//! others. Heartbeats are read in `pulse`, the way back in `returning`.

use std::time::Instant;

use conclave_wire::{Blob, ClientMessage, DeviceId};

use super::pulse::BEAT;
use super::standing::Standing;
use super::{Active, Flow};
use crate::context::Context;
use crate::event::{Event, Warning};
use crate::seal::{Purpose, SealError};
use crate::signal::{Heard, Signal, read, sign};

/// Cards that are asked for with one heartbeat.
const MAX_CARDS_WANTED: usize = 4;

impl Active {
    /// Seals and sends a signal to all who are connected.
    pub(super) fn signal(&mut self, context: &mut Context, signal: Signal) {
        let message = self.sealed_signal(context, signal);
        if let Some(message) = message.and_then(|sealed| Blob::new(sealed).ok()) {
            context.send(ClientMessage::Signal { message });
        }
    }

    /// Seals and sends a signal, which may be a long one, to one member.
    pub(super) fn signal_to(&mut self, context: &mut Context, to: DeviceId, signal: Signal) {
        let message = self.sealed_signal(context, signal);
        if let Some(message) = message.and_then(|sealed| Blob::new(sealed).ok()) {
            context.send(ClientMessage::Direct { to, message });
        }
    }

    /// The same for a member who has not heard of the renewed link.
    pub(super) fn signal_under(
        &mut self,
        context: &mut Context,
        generation: u32,
        to: DeviceId,
        signal: Signal,
    ) {
        let signed = self.signed_signal(context, signal);
        let message = signed.and_then(|bytes| {
            context
                .seal
                .seal_under(generation, Purpose::Signal, 0, &bytes)
        });
        if let Some(message) = message.and_then(|sealed| Blob::new(sealed).ok()) {
            context.send(ClientMessage::Direct { to, message });
        }
    }

    fn sealed_signal(&mut self, context: &Context, signal: Signal) -> Option<Vec<u8>> {
        let bytes = self.signed_signal(context, signal)?;
        context.seal.seal(Purpose::Signal, 0, &bytes)
    }

    fn signed_signal(&mut self, context: &Context, signal: Signal) -> Option<Vec<u8>> {
        if self.standing != Standing::Attached {
            return None;
        }
        let number = self.pulse.next_number();
        sign(&self.group, context.link.meeting, number, signal)
    }

    /// A signal came, from whomever the service says; the signature says who really sent it.
    pub(super) fn hear_signal(
        &mut self,
        context: &mut Context,
        now: Instant,
        sealed: &[u8],
    ) -> Flow {
        let bytes = match context.seal.open(Purpose::Signal, 0, sealed) {
            Ok(bytes) => bytes,
            Err(error) => {
                if error == SealError::Foreign {
                    context.warn_once(Warning::Foreign);
                }
                self.pulse.heard_other_link(now);
                return Flow::Stay;
            }
        };
        let Some(heard) = read(&self.group, context.link.meeting, &bytes) else {
            // Somebody who came or went in an epoch that this device is not in: not a fault.
            self.pulse.heard_stranger(now);
            return Flow::Stay;
        };
        if heard.from == context.device || !self.pulse.is_new(heard.from, heard.number) {
            return Flow::Stay;
        }
        let older = context.seal.older(sealed);
        let is_life = match &heard.signal {
            // Who repeats something for us speaks under our link for that alone: if it does not bring
            // us to where he is, we do not hear of him.
            Signal::Missed { .. } => false,
            // Under a link of before he cannot hear us, and only one who stands where we have been can
            // be told.
            Signal::Beat(beat) => older.is_none() || self.pulse.has_passed(beat),
            _ => older.is_none(),
        };
        if older.is_some() && !is_life {
            self.pulse.heard_other_link(now);
        }
        let was_silent = is_life && self.pulse.heard(heard.from, now);
        let was_online = self.people.is_online(heard.from);
        if !was_online {
            self.people.set_online(heard.from, true, now);
        }
        if was_silent || !was_online {
            context.event(Event::Roster);
        }
        if let (Signal::Beat(beat), Some(older)) = (&heard.signal, older) {
            self.repeat_for(context, now, heard.from, beat.epoch, older);
        }
        self.heed(context, now, heard)
    }

    fn heed(&mut self, context: &mut Context, now: Instant, heard: Heard) -> Flow {
        let from = heard.from;
        match heard.signal {
            Signal::Beat(beat) => self.hear_beat(context, now, from, beat),
            Signal::KeyFrame { device, track } if device == context.device => {
                if let Some(track) = conclave_e2ee::Track::new(track) {
                    context.event(Event::KeyFrameWanted { track });
                }
            }
            Signal::KeyMissing { device, epoch } if device == context.device => {
                self.key_wanted(context, now, epoch);
            }
            Signal::CardWanted { device } if device == context.device => {
                self.show_card(context, now);
            }
            Signal::StateWanted { device } if device == context.device => {
                self.show_state(context, now, from);
            }
            Signal::State {
                log_epoch,
                group_info,
            } => self.state_came(context, from, log_epoch, &group_info),
            Signal::Missed { log_epoch, commit } => {
                return self.repeated(context, now, from, log_epoch, &commit);
            }
            Signal::Loss {
                device,
                percent,
                bursts,
            } if device == context.device => context.event(Event::LossReported {
                device: from,
                percent: percent.min(100),
                bursts,
            }),
            // For somebody else.
            Signal::KeyFrame { .. }
            | Signal::KeyMissing { .. }
            | Signal::CardWanted { .. }
            | Signal::StateWanted { .. }
            | Signal::Loss { .. } => {}
        }
        Flow::Stay
    }

    /// A member without a name has shown a card that did not arrive.
    pub(super) fn ask_for_cards(&mut self, context: &mut Context) {
        let nameless: Vec<_> = self
            .devices()
            .filter(|device| self.people.name(*device).is_none())
            .take(MAX_CARDS_WANTED)
            .collect();
        for device in nameless {
            self.signal(context, Signal::CardWanted { device });
        }
    }

    /// This device lacks the key of somebody's frames: it asks him, and looks whether it has
    /// missed a step itself.
    pub(super) fn key_missing(&mut self, context: &mut Context, now: Instant, device: DeviceId) {
        let epoch = self.group.epoch();
        self.signal(context, Signal::KeyMissing { device, epoch });
        let beat = self.pulse.beat_of(device);
        let behind = beat.is_none_or(|beat| beat.epoch > epoch);
        if behind {
            self.pulse.want_reread_for_key(now);
        }
    }

    /// Somebody lacks our key. If he is ahead of us, the fault is on this side; if not, our next
    /// heartbeat tells him where we are, and he reads the log.
    fn key_wanted(&mut self, context: &mut Context, now: Instant, epoch: u64) {
        match epoch > self.group.epoch() {
            true => self.pulse.want_reread_for_key(now),
            false => self.beat(context),
        }
        for track in conclave_e2ee::Track::PICTURES {
            context.event(Event::KeyFrameWanted { track });
        }
    }

    /// Shows our card again to all; several may have asked at the same time.
    fn show_card(&mut self, context: &mut Context, now: Instant) {
        if self.pulse.shown_at.is_none_or(|at| at + BEAT <= now) {
            self.pulse.shown_at = Some(now);
            if let Some(content) = self.people.introduction(context.device) {
                self.publish(context, &content);
            }
        }
    }
}
