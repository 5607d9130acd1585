//! Changing the rules, and what a change of them brings with it: roles taken up and given up, a
//! renewed link.

use std::time::{Duration, Instant};

use conclave_e2ee::{KnockKey, LinkSecret, Pseudonym};
use conclave_wire::{ClientMessage, DeviceId};

use super::desk::Desk;
use super::standing::Standing;
use super::{Active, Flow};
use crate::context::Context;
use crate::event::{Event, LeftReason, Warning};
use crate::lobby::Described;
use crate::policy::{Policy, Role, Secrecy, Who};

/// The first successor acts when no host has been heard of for so long.
pub(super) const SUCCESSION: Duration = Duration::from_secs(30);
/// Each further one waits so much longer, so that the first comes first.
const SUCCESSION_STEP: Duration = Duration::from_secs(15);

/// One wished change of the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RuleWish {
    Locked(bool),
    WaitingRoom(bool),
    Secrecy(Secrecy),
    Strict(bool),
    OpenMicrophones(u16),
    Sharing(Who),
    Role(DeviceId, Role),
    Successor(DeviceId, bool),
    RenewLink {
        single_use: bool,
        valid_s: Option<u32>,
    },
    /// This device makes itself a host: it was named, and the hosts have gone.
    Succeed,
}

impl RuleWish {
    /// The rules after this change; `None` if it cannot be fulfilled.
    fn apply(self, policy: &Policy, me: DeviceId) -> Option<Policy> {
        let mut new = policy.clone();
        match self {
            Self::Locked(locked) => new.locked = locked,
            Self::WaitingRoom(on) => new.waiting_room = on,
            Self::Secrecy(secrecy) => new.secrecy = secrecy,
            Self::Strict(strict) => new.strict = strict,
            Self::OpenMicrophones(bound) => return policy.with_open_microphones(bound),
            Self::Sharing(who) => new.permissions.share = who,
            Self::Role(device, role) => return policy.with_role(device.0, role),
            Self::Successor(device, named) => return policy.with_successor(device.0, named),
            Self::RenewLink {
                single_use,
                valid_s,
            } => {
                new.link.generation = policy.link.generation.checked_add(1)?;
                new.link.single_use = single_use;
                new.link.valid_s = valid_s;
            }
            Self::Succeed => return policy.succeeded_by(me.0),
        }
        Some(new)
    }
}

/// The rules after all these changes, as far as they can be fulfilled; `None` if nothing changes.
/// At most one of them renews the link: a commit raises the generation by one.
pub(super) fn apply(wishes: &[RuleWish], policy: &Policy, me: DeviceId) -> Option<Policy> {
    let mut new = policy.clone();
    for wish in wishes {
        let renewed = new.link.generation > policy.link.generation;
        if renewed && matches!(wish, RuleWish::RenewLink { .. }) {
            continue;
        }
        if let Some(next) = wish.apply(&new, me) {
            new = next;
        }
    }
    (new != *policy).then_some(new)
}

/// The wishes, from the first on, that one commit fulfils. A succession goes alone: the others let
/// a successor do nothing more with it.
pub(super) fn batch(wishes: &[RuleWish]) -> &[RuleWish] {
    let succession = wishes.iter().position(|wish| *wish == RuleWish::Succeed);
    let until = succession.map_or(wishes.len(), |place| place.max(1));
    wishes
        .split_at_checked(until)
        .map_or(wishes, |(batch, _)| batch)
}

impl Active {
    pub(super) fn role(&self, device: DeviceId) -> Role {
        self.policy.role(Pseudonym(device.0))
    }

    /// Whether this device may remove another member.
    pub(super) fn may_remove(&self, context: &Context, device: DeviceId) -> bool {
        self.role(context.device).may_remove(self.role(device))
    }

    /// A wish of the person at this computer; refused at once where the role does not allow it.
    pub(super) fn want_rule(&mut self, context: &mut Context, wish: RuleWish) {
        let needed = match wish {
            RuleWish::Locked(_) | RuleWish::WaitingRoom(_) | RuleWish::RenewLink { .. } => {
                Role::CoHost
            }
            _ => Role::Host,
        };
        if self.role(context.device) < needed {
            return context.warn(Warning::NotAllowed);
        }
        if wish.apply(&self.policy, context.device).is_none() {
            return context.warn(Warning::NotPossible);
        }
        self.commits.want_rule(wish);
    }

    /// The rules that a commit brought are in force. If the commit was our own and renewed the link,
    /// with what the door shows under it.
    pub(super) fn rules_changed(
        &mut self,
        context: &mut Context,
        now: Instant,
        new: Policy,
        next_link: Option<LinkSecret>,
        described: Option<Described>,
    ) -> Flow {
        let old = std::mem::replace(&mut self.policy, new);
        if self.policy.link.generation != old.link.generation {
            let next =
                next_link.map_or_else(|| self.group.next_link(self.policy.link.generation), Ok);
            let Ok(secret) = next else {
                return Flow::Leave(LeftReason::Fault);
            };
            if self.take_link(context, now, secret).is_none() {
                return Flow::Leave(LeftReason::Fault);
            }
        }
        if let Some(described) = described {
            // Before anybody asks whether this device speaks for the link: it does, for it made it.
            self.set_described(context, described);
        }
        self.podium.touch();
        let kept_door = self.desk.is_some();
        self.take_role(context);
        if self.desk.is_some() && !kept_door {
            // Who kept it may have let somebody in and gone before telling him.
            self.podium.owe();
        }
        self.give_warrants(context, &old);
        context.event(Event::Rules);
        Flow::Stay
    }

    /// Sits down at the desk, or leaves it, as the rules now say.
    pub(super) fn take_role(&mut self, context: &mut Context) {
        let keeps_door = self.role(context.device) >= Role::CoHost;
        if keeps_door && self.desk.is_none() {
            let Ok(knock_key) = KnockKey::generate() else {
                return context.warn(Warning::NotPossible);
            };
            self.desk = Some(Desk::new(knock_key));
            self.is_open = true;
            if self.standing == Standing::Attached {
                context.send(ClientMessage::WantKnocks(true));
            }
        } else if !keeps_door && self.desk.is_some() {
            self.clear_desk(context);
            self.desk = None;
            if self.standing == Standing::Attached {
                context.send(ClientMessage::WantKnocks(false));
            }
        }
        self.announce_door(context);
    }

    /// When this device, named as a successor, makes itself a host: `None` while a host is heard.
    pub(super) fn succeeds_at(&self, context: &Context) -> Option<Instant> {
        let place = self
            .policy
            .successors
            .iter()
            .position(|successor| *successor == context.device.0)?;
        if self.role(context.device) == Role::Host {
            return None;
        }
        let members = self.group.members();
        let mut gone_since = None;
        for host in &self.policy.hosts {
            if !members.iter().any(|member| member.pseudonym.0 == *host) {
                continue;
            }
            let device = DeviceId(*host);
            let since = self
                .pulse
                .silent_since(device)
                .or_else(|| self.people.away_since(device))?;
            gone_since = gone_since.max(Some(since));
        }
        let steps = u32::try_from(place).unwrap_or(u32::MAX);
        gone_since?.checked_add(SUCCESSION + SUCCESSION_STEP.saturating_mul(steps))
    }

    /// When this device renews the link whose time is over: at once if it keeps the door, and if it
    /// may keep it only when those before it did not. Two links that follow one could part the
    /// meeting.
    pub(super) fn renews_link_at(&self, context: &Context) -> Option<Instant> {
        let at = self.keeper.link_ends_at?;
        if self.desk.is_none() || self.describer() == Some(context.device) {
            return Some(at);
        }
        let keepers = self.policy.hosts.iter().chain(&self.policy.co_hosts);
        let before = keepers.take_while(|keeper| **keeper != context.device.0);
        let steps = u32::try_from(before.count()).unwrap_or(u32::MAX);
        at.checked_add(SUCCESSION_STEP.saturating_mul(steps.saturating_add(1)))
    }

    /// Renews a link whose time is over, and takes a vanished host's place.
    pub(super) fn keep_rules(&mut self, context: &Context, now: Instant) {
        if self.renews_link_at(context).is_some_and(|at| at <= now) {
            self.keeper.link_ends_at = None;
            if self.desk.is_some() {
                self.commits.want_rule(RuleWish::RenewLink {
                    single_use: self.policy.link.single_use,
                    valid_s: None,
                });
            }
        }
        if self.succeeds_at(context).is_some_and(|at| at <= now) {
            self.commits.want_rule(RuleWish::Succeed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: DeviceId = DeviceId([1; 16]);
    const RENEWAL: RuleWish = RuleWish::RenewLink {
        single_use: false,
        valid_s: None,
    };

    /// A commit that raised the generation by two would be refused by everybody.
    #[test]
    fn one_commit_renews_the_link_once() {
        let policy = Policy::founded_by(ME.0);
        let before = policy.link.generation;
        let once = apply(&[RENEWAL, RuleWish::Locked(true), RENEWAL], &policy, ME).unwrap();
        assert_eq!(once.link.generation, before + 1);
        assert!(once.locked, "what stands between is done");
        let again = apply(&[RENEWAL], &once, ME).unwrap();
        assert_eq!(again.link.generation, before + 2);
    }

    #[test]
    fn what_changes_nothing_is_no_change() {
        let policy = Policy::founded_by(ME.0);
        let there_and_back = [RuleWish::Locked(true), RuleWish::Locked(policy.locked)];
        assert_eq!(apply(&there_and_back, &policy, ME), None);
    }

    #[test]
    fn a_succession_goes_alone() {
        let (lock, succeed) = (RuleWish::Locked(true), RuleWish::Succeed);
        assert_eq!(batch(&[lock, RENEWAL]), [lock, RENEWAL]);
        assert_eq!(batch(&[lock, succeed, RENEWAL]), [lock]);
        assert_eq!(batch(&[succeed, lock]), [succeed]);
        assert_eq!(batch(&[]), []);
    }
}
