//! Whether those who count stand elsewhere, and what a device does that stands apart from them.

use std::time::Instant;

use conclave_wire::DeviceId;

use super::super::{Active, Flow};
use super::Beat;
use crate::context::Context;
use crate::policy::Role;

impl Active {
    /// Those who count have stood elsewhere for too long.
    pub(super) fn is_astray(&mut self, context: &mut Context, now: Instant) -> Flow {
        if !self.stand_elsewhere(context) {
            self.is_home(now);
            return Flow::Stay;
        }
        self.pulse.astray_since = Some(now);
        if self.asks_for_state(context) {
            return Flow::Stay;
        }
        match self.could_be_let_in(context) {
            true => Flow::Recover,
            false => Flow::Stay,
        }
    }

    /// Those who count stand where this device does, or have to come there.
    pub(super) fn is_home(&mut self, now: Instant) {
        self.pulse.astray_since = None;
        self.returning.is_home();
        if self.is_off_log() {
            self.pulse.look_again(now);
        }
    }

    /// Where the log has gone by another way, but not as far as this device, no way leads there
    /// but a knock. Who has none to knock at, or counts for more than they, takes the log's end for
    /// the place that he has reached, and they come to him as to anybody who is ahead.
    pub(in crate::active) fn take_up_log(&mut self, context: &Context) {
        let by_another_way = self.by_another_way();
        let beats = self.pulse.beats(context.device).into_iter();
        let do_others = beats.map(|(_, beat)| beat).any(by_another_way);
        let knocks = || self.stand_elsewhere(context) && self.could_be_let_in(context);
        if do_others && self.has_read_all() && !knocks() {
            self.begun_at = self.log_epoch;
        }
    }

    /// Whether somebody else could let this device in again, now or once he has succeeded it.
    pub(in crate::active) fn could_be_let_in(&self, context: &Context) -> bool {
        self.group.members().iter().any(|member| {
            let device = DeviceId(member.pseudonym.0);
            let keeps_door = self.policy.role(member.pseudonym) >= Role::CoHost
                || self.policy.successors.contains(&device.0);
            device != context.device && keeps_door && !self.pulse.is_silent(device)
        })
    }

    /// Whether those who count are in another state at our epoch or beyond it, or where the log
    /// ends that has not followed us.
    pub(in crate::active) fn stand_elsewhere(&self, context: &Context) -> bool {
        let (own, by_another_way) = (self.own_beat(), self.by_another_way());
        self.is_carried(context, |beat| {
            beat.stands_apart_from(&own) || by_another_way(beat)
        })
    }

    /// Whether the sender of a heartbeat has come by another way where the log ends, to which
    /// this device is ahead: waiting for him would be in vain.
    fn by_another_way(&self) -> impl Fn(&Beat) -> bool {
        let (epoch, is_off_log) = (self.group.epoch(), self.is_off_log());
        move |beat| is_off_log && beat.epoch < epoch && !self.pulse.has_passed(beat)
    }

    pub(in crate::active) fn is_behind(&self) -> bool {
        let epoch = self.group.epoch();
        self.pulse
            .signs
            .values()
            .filter_map(|sign| sign.beat.as_ref())
            .any(|beat| beat.epoch > epoch)
    }
}
