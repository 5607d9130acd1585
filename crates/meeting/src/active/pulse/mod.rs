//! Signs of life: heartbeats out, and what the others' heartbeats, or their absence, say.
//!
//! A service can withhold, delay and fork, but not without being noticed: whoever is cut off
//! falls silent for the others, and whoever was led astray hears that a host, or most of the
//! meeting, stands elsewhere. One member's word is never enough for that, so that no single
//! insider can throw the others out of step.

mod apart;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use conclave_wire::DeviceId;

use super::steps::MAX_PROOFS;
use super::{Active, Flow};
use crate::context::Context;
use crate::event::{Event, LeftReason, Output, Warning};
pub(super) use crate::signal::Beat;
use crate::signal::Signal;

/// Heartbeats of a small meeting.
pub(super) const BEAT: Duration = Duration::from_secs(5);
/// Heartbeats of all members together stay under ten a second.
const BEAT_SHARE: Duration = Duration::from_millis(100);
/// So many missed heartbeats are silence.
const MISSED: u32 = 3;
/// The others may be ahead or behind for this long before it means anything: entries are on
/// their way.
pub(super) const STEP_GRACE: Duration = Duration::from_secs(4);
/// Who misses an entry reads the log anew, no more often than this.
const REREAD: Duration = Duration::from_secs(3);
/// Who misses a key reads it anew too, but where that did not help he is astray, and the way back
/// needs a connection that stands: a heartbeat, and then [`STEP_GRACE`] for each of its tries.
const REREAD_FOR_KEY: Duration = Duration::from_secs(20);

/// Who has heard of nobody for so long, while others talk whom he does not know or under a link that
/// he does not know, or has been told for so long by a host what he cannot follow, stays no longer:
/// his meeting has gone on without him.
const ABANDONED: Duration = Duration::from_secs(60);

/// What is known of one member's life.
struct Sign {
    at: Instant,
    number: u64,
    beat: Option<Beat>,
}

/// The first and the last time that something was repeated in vain, each soon after the one before.
struct InVain {
    since: Instant,
    last: Instant,
}

#[derive(Default)]
pub(super) struct Pulse {
    signs: HashMap<DeviceId, Sign>,
    silent: HashSet<DeviceId>,
    number: u64,
    beat_at: Option<Instant>,
    /// Since when those who count stand elsewhere.
    astray_since: Option<Instant>,
    /// The last epochs of the group that this device has been in, each with its authenticator.
    been: VecDeque<(u64, [u8; 32])>,
    forked: bool,
    /// When a signal last came that was sealed under a link that this device never held.
    other_link_at: Option<Instant>,
    /// When a signal last came under our link from somebody who is no member where this device is.
    stranger_at: Option<Instant>,
    /// Whether somebody who may send this device away repeats what leads it nowhere.
    in_vain: Option<InVain>,
    /// When the log was last read anew, and when it is to be again.
    reread_at: Option<Instant>,
    wants_reread_at: Option<Instant>,
    /// Packets of sound that this device has sent.
    pub(super) sound: u64,
    /// When our card was last shown on request.
    pub(super) shown_at: Option<Instant>,
}

/// How often each member of a meeting of this size gives a sign of life.
fn interval(members: usize) -> Duration {
    let share = BEAT_SHARE.saturating_mul(u32::try_from(members).unwrap_or(u32::MAX));
    share.max(BEAT)
}

impl Pulse {
    /// The connection is new, and so is everybody's chance to be heard.
    pub(super) fn begin(&mut self, now: Instant) {
        self.beat_at = Some(now);
        self.astray_since = None;
        self.wants_reread_at = None;
        for sign in self.signs.values_mut() {
            sign.at = now;
        }
    }

    pub(super) fn pause(&mut self) {
        self.beat_at = None;
    }

    /// Forgets who left, and gives who came the time of a first heartbeat; returns who came.
    pub(super) fn retain(&mut self, present: &HashSet<DeviceId>, now: Instant) -> Vec<DeviceId> {
        self.signs.retain(|device, _| present.contains(device));
        self.silent.retain(|device| present.contains(device));
        let is_new = |device: &&DeviceId| !self.signs.contains_key(device);
        let new: Vec<_> = present.iter().filter(is_new).copied().collect();
        for device in &new {
            let sign = Sign {
                at: now,
                number: 0,
                beat: None,
            };
            self.signs.insert(*device, sign);
        }
        new
    }

    pub(super) fn heard_other_link(&mut self, now: Instant) {
        self.other_link_at = Some(now);
    }

    pub(super) fn heard_stranger(&mut self, now: Instant) {
        self.stranger_at = Some(now);
    }

    /// What was repeated for this device could not be read where it stands.
    pub(super) fn told_in_vain(&mut self, now: Instant) {
        let since = self.in_vain_since(now).unwrap_or(now);
        self.in_vain = Some(InVain { since, last: now });
    }

    /// This device stands somewhere else now.
    pub(super) fn moves(&mut self, to: (u64, [u8; 32])) {
        self.been.push_back(to);
        // As far as a log that lost its end can be attached to.
        if self.been.len() > MAX_PROOFS + 1 {
            self.been.pop_front();
        }
    }

    /// The way that led here was not the others'.
    pub(super) fn leaves_way(&mut self) {
        self.been.clear();
    }

    /// Whether the sender of a heartbeat only has to come on to where this device stands.
    pub(super) fn has_passed(&self, beat: &Beat) -> bool {
        self.been.contains(&(beat.epoch, beat.authenticator))
    }

    /// Whether the sender of a heartbeat never comes to where this device stands: it has been in that
    /// epoch itself, and was somewhere else in it.
    fn went_otherwise(&self, beat: &Beat) -> bool {
        let has_been = self.been.iter().any(|(epoch, _)| *epoch == beat.epoch);
        has_been && !self.has_passed(beat)
    }

    /// Since when the meeting goes on without this device.
    fn abandoned_since(&self, me: DeviceId, now: Instant) -> Option<Instant> {
        self.in_vain_since(now)
            .or_else(|| self.alone_since(me, self.other_link_at))
    }

    /// Since when this device has been told in vain, if it still is. Going on by a way of its own
    /// changes nothing about that.
    fn in_vain_since(&self, now: Instant) -> Option<Instant> {
        let in_vain = self.in_vain.as_ref()?;
        (now <= in_vain.last + self.patience()).then_some(in_vain.since)
    }

    /// Since when only those are heard who came after the meeting had gone on without this device.
    fn among_strangers_since(&self, me: DeviceId) -> Option<Instant> {
        self.alone_since(me, self.stranger_at)
    }

    /// Since when none of those who are known has been heard of, if others have talked since.
    fn alone_since(&self, me: DeviceId, others_talk_at: Option<Instant>) -> Option<Instant> {
        let others = self.signs.iter().filter(|(device, _)| **device != me);
        let since = others.map(|(_, sign)| sign.at).max()?;
        let talk = others_talk_at.is_some_and(|at| at > since);
        (talk && !self.hears_any_but(&[me])).then_some(since)
    }

    /// Whether any member is heard of beside these.
    pub(super) fn hears_any_but(&self, these: &[DeviceId]) -> bool {
        let mut others = self.signs.keys().filter(|device| !these.contains(device));
        others.any(|device| !self.silent.contains(device))
    }

    /// Whether this device is a member.
    pub(super) fn counts(&self, device: DeviceId) -> bool {
        self.signs.contains_key(&device)
    }

    /// Who gives no sign of life for so long is silent.
    fn patience(&self) -> Duration {
        interval(self.signs.len()) * MISSED
    }

    pub(super) fn is_silent(&self, device: DeviceId) -> bool {
        self.silent.contains(&device)
    }

    /// Since when nothing has been heard of a member that counts as silent.
    pub(super) fn silent_since(&self, device: DeviceId) -> Option<Instant> {
        let sign = self.signs.get(&device)?;
        self.silent.contains(&device).then_some(sign.at)
    }

    /// Anything that a member has really said is a sign of life. Whether he counted as silent.
    pub(super) fn heard(&mut self, device: DeviceId, now: Instant) -> bool {
        if let Some(sign) = self.signs.get_mut(&device) {
            sign.at = now;
        }
        self.silent.remove(&device)
    }

    /// Whether a member's signal of this number was not heard before; it is from now on.
    pub(super) fn is_new(&mut self, from: DeviceId, number: u64) -> bool {
        let Some(sign) = self.signs.get_mut(&from) else {
            return false;
        };
        let is_new = number > sign.number;
        sign.number = sign.number.max(number);
        is_new
    }

    pub(super) fn beat_of(&self, device: DeviceId) -> Option<&Beat> {
        self.signs.get(&device)?.beat.as_ref()
    }

    /// The last heartbeats of the others, as far as they are heard.
    pub(super) fn beats(&self, me: DeviceId) -> Vec<(DeviceId, &Beat)> {
        self.signs
            .iter()
            .filter(|(device, _)| **device != me && !self.silent.contains(*device))
            .filter_map(|(device, sign)| Some((*device, sign.beat.as_ref()?)))
            .collect()
    }

    /// Those who count stand elsewhere, as far as is known.
    pub(super) fn goes_astray(&mut self, now: Instant) {
        self.astray_since.get_or_insert(now);
    }

    /// When something is to be done next.
    pub(super) fn deadline(&self, me: DeviceId) -> Option<Instant> {
        let beat_at = self.beat_at?;
        let patience = self.patience();
        let silence = self
            .signs
            .iter()
            .filter(|(device, _)| **device != me && !self.silent.contains(*device))
            .map(|(_, sign)| sign.at + patience)
            .min();
        let astray = self.astray_since.map(|since| since + STEP_GRACE);
        [Some(beat_at), silence, astray, self.wants_reread_at]
            .into_iter()
            .flatten()
            .min()
    }

    /// The log is to be read anew, on a new connection: soon, but not again and again.
    pub(super) fn want_reread(&mut self, now: Instant) {
        let at = self.reread_at.map_or(now, |last| (last + REREAD).max(now));
        self.wants_reread_at.get_or_insert(at);
    }

    /// The same for who has all entries, as far as he knows, and yet not the keys.
    pub(super) fn want_reread_for_key(&mut self, now: Instant) {
        if self
            .reread_at
            .is_none_or(|last| last + REREAD_FOR_KEY <= now)
        {
            self.want_reread(now);
        }
    }

    /// The log is to be read anew in a while.
    pub(super) fn look_again(&mut self, now: Instant) {
        self.wants_reread_at.get_or_insert(now + REREAD);
    }

    pub(super) fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }
}

impl Active {
    /// Gives a sign of life when it is time, and counts who has not given any.
    pub(super) fn keep_watch(&mut self, context: &mut Context, now: Instant) -> Flow {
        let Some(beat_at) = self.pulse.beat_at else {
            return Flow::Stay;
        };
        if beat_at <= now {
            self.pulse.beat_at = Some(now + interval(self.pulse.signs.len()));
            self.beat(context);
            self.ask_for_cards(context);
        }
        if self.pulse.wants_reread_at.is_some_and(|at| at <= now) {
            self.pulse.wants_reread_at = None;
            self.pulse.reread_at = Some(now);
            context.emit(Output::Reconnect);
        }
        self.count_silent(context, now);
        let is_long = |since: Instant| since + ABANDONED <= now;
        let me = context.device;
        if self.pulse.abandoned_since(me, now).is_some_and(is_long) {
            // Two links followed one, each taken by some: nobody can tell us the other.
            return Flow::Leave(LeftReason::WrongLink);
        }
        if self.pulse.among_strangers_since(me).is_some_and(is_long) {
            // They cannot prove to us who they are.
            return Flow::Recover;
        }
        match self.pulse.astray_since {
            Some(since) if since + STEP_GRACE <= now => self.is_astray(context, now),
            _ => Flow::Stay,
        }
    }

    /// Where this device stands.
    pub(super) fn own_beat(&self) -> Beat {
        Beat {
            epoch: self.group.epoch(),
            authenticator: self.group.authenticator_hash(),
            transcript: self.group.transcript_hash(),
            read: self.position.next_seq,
            sound: self.pulse.sound,
        }
    }

    pub(super) fn beat(&mut self, context: &mut Context) {
        let beat = self.own_beat();
        self.signal(context, Signal::Beat(beat));
    }

    fn count_silent(&mut self, context: &mut Context, now: Instant) {
        let (me, patience) = (context.device, self.pulse.patience());
        let due: Vec<_> = self
            .pulse
            .signs
            .iter()
            .filter(|(device, sign)| **device != me && sign.at + patience <= now)
            .map(|(device, _)| *device)
            .filter(|device| !self.pulse.silent.contains(device))
            .collect();
        if due.is_empty() {
            return;
        }
        // Who has said that he goes, or whose connection is known to be gone, surprises nobody.
        let surprising = due.iter().any(|device| self.people.is_online(*device));
        let names = self.people.names(&due);
        self.pulse.silent.extend(due);
        let others = self.pulse.signs.len().saturating_sub(1);
        if surprising {
            let all = others > 1 && self.pulse.silent.len() >= others;
            context.warn(match all {
                true => Warning::AllSilent,
                false => Warning::Silent(names),
            });
        }
        context.event(Event::Roster);
    }

    pub(super) fn hear_beat(
        &mut self,
        context: &mut Context,
        now: Instant,
        from: DeviceId,
        beat: Beat,
    ) {
        context.event(Event::SoundSent {
            device: from,
            packets: beat.sound,
        });
        let own = self.own_beat();
        let forked = beat.epoch == own.epoch
            && (beat.authenticator != own.authenticator || beat.transcript != own.transcript);
        if let Some(sign) = self.pulse.signs.get_mut(&from) {
            sign.beat = Some(beat);
        }
        if forked && !std::mem::replace(&mut self.pulse.forked, true) {
            context.warn(Warning::Forked(self.people.names(&[from])));
        }
        self.take_up_log(context);
        match self.stand_elsewhere(context) {
            true => self.pulse.goes_astray(now),
            false => {
                self.is_home(now);
                self.pulse.forked = forked;
            }
        }
    }
}
