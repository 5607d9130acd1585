//! What the person at this computer wants.

use std::time::{Duration, Instant};

use conclave_e2ee::Pseudonym;
use conclave_wire::{ClientMessage, DeviceId};

use super::rules::RuleWish;
use super::{Active, Flow};
use crate::content::{Content, MediaState};
use crate::context::Context;
use crate::event::{Command, LeftReason, Warning};
use crate::floor::Say;
use crate::policy::{OPEN_MICROPHONES, Role};
use crate::signal::Signal;

/// How long a leaving host waits for his heir to be one.
const HAND_OVER: Duration = Duration::from_secs(3);

impl Active {
    pub(super) fn obey(&mut self, context: &mut Context, now: Instant, command: Command) -> Flow {
        match command {
            Command::Join => {}
            Command::Admit(device) => self.admit(context, now, device),
            Command::Refuse(device) => self.refuse(context, device),
            Command::Remove(device) if device == context.device => {}
            Command::Remove(device) => self.remove(context, device),
            Command::SetLocked(locked) => self.want_rule(context, RuleWish::Locked(locked)),
            Command::SetWaitingRoom(on) => self.want_rule(context, RuleWish::WaitingRoom(on)),
            Command::SetRole(device, role) => self.want_rule(context, RuleWish::Role(device, role)),
            Command::SetSuccessor(device, named) => {
                self.want_rule(context, RuleWish::Successor(device, named));
            }
            Command::SetSecrecy(secrecy) => self.want_rule(context, RuleWish::Secrecy(secrecy)),
            Command::SetStrict(strict) => self.want_rule(context, RuleWish::Strict(strict)),
            Command::SetSharing(who) => self.want_rule(context, RuleWish::Sharing(who)),
            Command::RenewLink {
                single_use,
                valid_s,
            } => {
                let wish = RuleWish::RenewLink {
                    single_use,
                    valid_s,
                };
                self.want_rule(context, wish);
            }
            Command::SoundSent(packets) => self.pulse.sound = packets,
            Command::KeyMissing(device) => self.key_missing(context, now, device),
            Command::SetMedia(media) => {
                let media = self.permitted(context, media);
                self.set_media(context, media);
            }
            Command::RaiseHand(up) => self.raise_hand(context, up),
            Command::LetSpeak(device) => self.speak_of(context, device, Say::LetSpeak),
            Command::LowerHand(device) => self.speak_of(context, device, Say::LowerHand),
            Command::AskToMute(device) => self.speak_of(context, device, Say::Mute),
            Command::SetOpenMicrophones(bound) if OPEN_MICROPHONES.contains(&bound) => {
                self.want_rule(context, RuleWish::OpenMicrophones(bound));
            }
            Command::SetOpenMicrophones(_) => context.warn(Warning::OpenMicrophones),
            Command::RequestGrant => {
                self.wants_grant = true;
                self.ask_for_grant(context);
            }
            Command::RequestKeyFrame(device, track) => {
                let track = track.number();
                self.signal(context, Signal::KeyFrame { device, track });
            }
            Command::ReportLoss {
                device,
                percent,
                bursts,
            } => {
                let loss = Signal::Loss {
                    device,
                    percent,
                    bursts,
                };
                self.signal_to(context, device, loss);
            }
            Command::Leave => return self.leave_or_hand_over(context, now),
            Command::End if self.role(context.device) == Role::Host => {
                return self.farewell(context, &Content::End);
            }
            Command::End => context.warn(Warning::NotAllowed),
        }
        Flow::Stay
    }

    /// What this device may send of itself: a screen only if the rules allow it.
    fn permitted(&self, context: &mut Context, media: MediaState) -> MediaState {
        let may = !media.screen || self.policy.may_share(Pseudonym(context.device.0));
        if !may {
            context.warn(Warning::NotAllowed);
        }
        MediaState {
            screen: media.screen && may,
            ..media
        }
    }

    /// The last host does not leave the others without one, if there is anybody to follow him.
    fn leave_or_hand_over(&mut self, context: &mut Context, now: Instant) -> Flow {
        if self.role(context.device) < Role::Host || self.has_another_host(context) {
            return self.farewell(context, &Content::Leave);
        }
        let heir = self.heir(context);
        match heir {
            Some(heir) if self.leaves_by.is_none() => {
                self.leaves_by = Some(now + HAND_OVER);
                self.commits.want_rule(RuleWish::Role(heir, Role::Host));
                Flow::Stay
            }
            // Asked twice, or nobody to follow: it ends for all.
            _ => self.farewell(context, &Content::End),
        }
    }

    pub(super) fn has_another_host(&self, context: &Context) -> bool {
        self.devices().any(|device| {
            device != context.device
                && self.role(device) == Role::Host
                && !self.pulse.is_silent(device)
        })
    }

    /// Who becomes host when the last one leaves: the first successor who is here, or a co-host.
    fn heir(&self, context: &Context) -> Option<DeviceId> {
        let here: Vec<_> = self
            .devices()
            .filter(|device| *device != context.device && self.people.is_online(*device))
            .collect();
        let named = self.policy.successors.iter().chain(&self.policy.co_hosts);
        named
            .map(|device| DeviceId(*device))
            .find(|device| here.contains(device))
    }

    pub(super) fn farewell(&mut self, context: &mut Context, content: &Content) -> Flow {
        self.publish(context, content);
        context.send(ClientMessage::Leave);
        Flow::Leave(LeftReason::ByChoice)
    }
}
