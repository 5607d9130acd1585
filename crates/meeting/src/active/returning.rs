//! Coming back by oneself: a member that stands apart from the others enters their epoch by an
//! external commit (RFC 9420 §12.4.3.2), signed with the key of the leaf that it has. Nobody has
//! to let it in, for it never left; it keeps its name, its role and its place.
//!
//! It needs the others' state, which a member shows it on request. That state is believed only if
//! it is where a host, or most of the meeting, say by their signed heartbeats that they stand:
//! somebody who was removed while this device heard nothing could make a group of his own.

use std::time::{Duration, Instant};

use conclave_e2ee::Group;
use conclave_wire::{ClientMessage, Commit, DeviceId};

use super::offers::Draft;
use super::pulse::Beat;
use super::{Active, Flow};
use crate::context::Context;
use crate::policy::{Policy, Role};
use crate::signal::Signal;
use crate::snapshot::Change;

/// Tries before this device knocks, if there is anybody who could let it in.
const TRIES: u32 = 2;
/// The state is shown no more often than this, whoever asks.
const SHOW_EVERY: Duration = Duration::from_millis(500);

#[derive(Default)]
pub(super) struct Returning {
    tries: u32,
    /// Who was asked for the state.
    asked: Option<DeviceId>,
    way: Option<Way>,
    /// When this device last showed its own state to somebody.
    shown_at: Option<Instant>,
}

/// The external commit that the service has not confirmed, and the group behind it.
struct Way {
    group: Group,
    message: Commit,
}

impl Returning {
    pub(super) fn is_under_way(&self) -> bool {
        self.way.is_some()
    }

    /// The log's epoch that the way back begins, if these are its bytes.
    pub(super) fn own_epoch(&self, sealed: &[u8]) -> Option<u64> {
        let message = &self.way.as_ref()?.message;
        (message.commit.as_slice() == sealed)
            .then(|| message.expected_epoch.checked_add(1))
            .flatten()
    }

    /// Another commit is first, or there is no need any more.
    pub(super) fn give_up_way(&mut self) {
        self.asked = None;
        self.way = None;
    }

    /// Whether the own state may be shown again; it counts as shown.
    fn may_show(&mut self, now: Instant) -> bool {
        let may = self.shown_at.is_none_or(|at| at + SHOW_EVERY <= now);
        if may {
            self.shown_at = Some(now);
        }
        may
    }

    /// This device stands where the others do.
    pub(super) fn is_home(&mut self) {
        self.give_up_way();
        self.tries = 0;
    }
}

impl Active {
    /// Asks somebody who stands elsewhere for the state; `false` when it is time to knock instead,
    /// or there is nobody to ask.
    pub(super) fn asks_for_state(&mut self, context: &mut Context) -> bool {
        if self.returning.tries >= TRIES && self.could_be_let_in(context) {
            return false;
        }
        let Some(helper) = self.helper(context) else {
            return false;
        };
        self.returning.give_up_way();
        self.returning.tries = self.returning.tries.saturating_add(1);
        self.returning.asked = Some(helper);
        self.signal(context, Signal::StateWanted { device: helper });
        true
    }

    /// The one with the highest role among those who stand elsewhere; another one each time.
    fn helper(&self, context: &Context) -> Option<DeviceId> {
        let own = self.own_beat();
        let mut elsewhere = self.pulse.beats(context.device);
        elsewhere.retain(|(_, beat)| beat.stands_apart_from(&own));
        elsewhere.sort_by_key(|(device, _)| (std::cmp::Reverse(self.role(*device)), *device));
        let turn = usize::try_from(self.returning.tries).unwrap_or(0);
        let place = turn.checked_rem(elsewhere.len())?;
        elsewhere.get(place).map(|(device, _)| *device)
    }

    /// A member asks for the state. It sees nothing that it would not see as a member, and whoever
    /// else opens the signal cannot use it: every client refuses a stranger's external commit.
    pub(super) fn show_state(&mut self, context: &mut Context, now: Instant, to: DeviceId) {
        if !self.may_offer() || !self.returning.may_show(now) {
            return;
        }
        let Ok(group_info) = self.group.group_info() else {
            return;
        };
        // First where we stand, so that he can hold the state against it.
        self.beat(context);
        let state = Signal::State {
            log_epoch: self.position.log_epoch,
            group_info,
        };
        self.signal_to(context, to, state);
    }

    /// The state that was asked for: makes the commit and offers it.
    pub(super) fn state_came(
        &mut self,
        context: &mut Context,
        from: DeviceId,
        log_epoch: u64,
        group_info: &[u8],
    ) {
        let is_asked = self.returning.asked == Some(from) && !self.returning.is_under_way();
        // A log that one of us has read further is asked about again.
        if !is_asked || !self.has_read_all() || log_epoch != self.position.log_epoch {
            return;
        }
        let Ok((epoch, transcript)) = self.group.place_of(group_info) else {
            return;
        };
        let is_there = |beat: &Beat| (beat.epoch, beat.transcript) == (epoch, transcript);
        if !self.is_carried(context, is_there) {
            return;
        }
        // The leaf keeps its key, which everybody knows: nothing is to be certified beside it.
        let link = &context.link.secret;
        let Ok((group, bundle)) = self.group.resync(link, group_info, |_| Some(Vec::new())) else {
            return;
        };
        self.commits.lost(&mut self.group);
        let Some(message) = self.seal_commit(context, &bundle, &Draft::default(), None) else {
            return;
        };
        context.send(ClientMessage::Commit(message.clone()));
        self.returning.way = Some(Way { group, message });
    }

    /// The log shows our way back: from now on the others' group is ours.
    pub(super) fn came_back(&mut self, context: &mut Context, now: Instant) -> Flow {
        let Some(Way { mut group, message }) = self.returning.way.take() else {
            return Flow::Stay;
        };
        let merged = group.merge_pending().ok().and_then(|()| group.policy());
        let policy = merged.and_then(|bytes| Policy::decode(&bytes));
        // Under another link the commit would not have been made.
        let fits = |policy: &Policy| policy.link.generation == self.policy.link.generation;
        let Some(policy) = policy.filter(fits) else {
            return Flow::Recover;
        };
        self.commits.lost(&mut self.group);
        self.steps.forget();
        self.pulse.leaves_way();
        self.position.has_taken_up = false;
        self.group = group;
        self.returning.is_home();
        let step = (message.expected_epoch, message.commit.as_slice());
        let flow = self.new_epoch(context, now, Change::Renewed, true, Some(step));
        self.path_renewed(now, self.group.own_leaf());
        match flow {
            Flow::Stay if policy != self.policy => {
                self.rules_changed(context, now, policy, None, None)
            }
            flow => flow,
        }
    }

    /// Whether `stands` holds of those who count, by their last heartbeats; see [`carries`].
    pub(super) fn is_carried(&self, context: &Context, stands: impl Fn(&Beat) -> bool) -> bool {
        let beats = self.pulse.beats(context.device).into_iter();
        let votes: Vec<_> = beats
            .map(|(device, beat)| (self.role(device), stands(beat)))
            .collect();
        carries(self.role(context.device), &votes, || self.is_behind())
    }
}

/// Whether a host says so (to those who are none), or most of those who give signs of life, each
/// with his role and what he says. One member's word is never enough.
fn carries(mine: Role, votes: &[(Role, bool)], is_behind: impl FnOnce() -> bool) -> bool {
    let agreeing = votes.iter().filter(|(_, says_so)| *says_so);
    if mine < Role::Host && agreeing.clone().any(|(role, _)| *role == Role::Host) {
        return true;
    }
    let most = agreeing.count() * 2 > votes.len();
    // A meeting of two hosts has no majority: the one who is behind follows.
    most && (votes.len() > 1 || mine < Role::Host || is_behind())
}

#[cfg(test)]
mod tests {
    use conclave_e2ee::{LinkSecret, Pseudonym};

    use super::super::pending::tests::message;
    use super::*;

    const HOST: (Role, bool) = (Role::Host, true);
    const OTHER_HOST: (Role, bool) = (Role::Host, false);
    const YES: (Role, bool) = (Role::CoHost, true);
    const NO: (Role, bool) = (Role::Participant, false);

    #[test]
    fn who_is_no_host_follows_one() {
        for mine in [Role::Participant, Role::CoHost] {
            assert!(carries(mine, &[HOST, NO, NO, NO], || false));
            assert!(carries(mine, &[HOST, OTHER_HOST, NO], || false));
            assert!(!carries(mine, &[OTHER_HOST, NO, YES], || true));
        }
    }

    #[test]
    fn a_host_follows_most_and_not_one() {
        let mine = Role::Host;
        assert!(!carries(mine, &[HOST, NO, NO], || true));
        assert!(!carries(mine, &[HOST, NO], || true), "half is not most");
        assert!(carries(mine, &[HOST, YES, NO], || false));
        assert!(carries(mine, &[YES, YES], || false));
    }

    #[test]
    fn of_two_the_one_who_is_behind_follows_and_who_is_no_host() {
        assert!(!carries(Role::Host, &[HOST], || false));
        assert!(carries(Role::Host, &[HOST], || true));
        assert!(carries(Role::Participant, &[YES], || false));
    }

    #[test]
    fn nobody_is_carried_by_silence() {
        for mine in [Role::Participant, Role::Host] {
            assert!(!carries(mine, &[], || true));
            assert!(!carries(mine, &[NO], || true));
        }
    }

    fn under_way() -> Returning {
        let link = LinkSecret::generate().unwrap();
        Returning {
            tries: 1,
            asked: Some(DeviceId([2; 16])),
            way: Some(Way {
                group: Group::create(Pseudonym([1; 16]), &link, b"").unwrap(),
                message: message(7, &[1]),
            }),
            shown_at: None,
        }
    }

    #[test]
    fn a_way_back_is_known_by_its_bytes_until_it_is_given_up() {
        let mut returning = under_way();
        assert!(returning.is_under_way());
        assert_eq!(returning.own_epoch(&[1]), Some(8));
        assert_eq!(returning.own_epoch(&[2]), None);
        returning.give_up_way();
        assert!(!returning.is_under_way() && returning.asked.is_none());
        assert_eq!(returning.own_epoch(&[1]), None);
        assert_eq!(returning.tries, 1, "that was one");
    }

    #[test]
    fn who_is_where_the_others_are_needs_no_way_back() {
        let mut returning = under_way();
        returning.is_home();
        assert!(!returning.is_under_way());
        assert_eq!(returning.tries, 0);
    }

    #[test]
    fn the_state_is_not_shown_again_and_again() {
        let (mut returning, now) = (Returning::default(), Instant::now());
        let ms = |ms| now + Duration::from_millis(ms);
        let shown = [0, 499, 500, 900, 1000].map(|at| returning.may_show(ms(at)));
        assert_eq!(shown, [true, false, true, false, true]);
    }
}
