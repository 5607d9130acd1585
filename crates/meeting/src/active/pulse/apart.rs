//! Whether those who count stand elsewhere, and what a device does that stands apart from them.

use std::time::Instant;

use conclave_wire::DeviceId;

use super::super::{Active, Flow};
use super::Beat;
use crate::context::Context;
use crate::policy::Role;

/// So often the service may say in a row that the log stands behind us before it is believed.
const MAX_LOOKS: u32 = 3;

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

    /// Takes the end of the log for the place that this device has reached, where waiting for the log
    /// is in vain: it has gone by another way, or still stands behind us when it is looked at again.
    /// Who is in step goes on from there, and the others come as to anybody who is ahead.
    ///
    /// Not so if those who count are there, and could let this device in: it knocks, for no other
    /// way leads to an earlier epoch.
    pub(in crate::active) fn take_up_log(&mut self, context: &Context) {
        if !self.is_off_log() || !self.has_read_all() {
            return;
        }
        let by_another_way = self.by_another_way();
        let beats = self.pulse.beats(context.device).into_iter();
        let others_went = beats.map(|(_, beat)| beat).any(by_another_way);
        let is_vain = others_went || self.position.looks >= MAX_LOOKS;
        let knocks = || self.stand_elsewhere(context) && self.could_be_let_in(context);
        if is_vain && !knocks() {
            self.position.take_up_log();
        }
    }

    /// Whether somebody else could let this device in again, now or once he has succeeded it.
    pub(in crate::active) fn could_be_let_in(&self, context: &Context) -> bool {
        let members = self.group.members();
        let is_known = members.iter().any(|member| {
            let device = DeviceId(member.pseudonym.0);
            let keeps_door = self.policy.role(member.pseudonym) >= Role::CoHost
                || self.policy.successors.contains(&device.0);
            device != context.device && keeps_door && !self.pulse.is_silent(device)
        });
        // Of those who came later some may have the role by now.
        is_known || self.pulse.among_strangers_since(context.device).is_some()
    }

    /// Whether those who count are in another state at our epoch or beyond it, or where the log
    /// ends that has not followed us, or this device has gone ahead without anybody.
    pub(in crate::active) fn stand_elsewhere(&self, context: &Context) -> bool {
        let (own, by_another_way) = (self.own_beat(), self.by_another_way());
        self.is_carried(context, |beat| {
            beat.stands_apart_from(&own) || by_another_way(beat)
        }) || self.is_ahead_alone(context)
    }

    /// Whether all who are heard have gone another way than this device, who is no host, and one of
    /// them who keeps the door is not alone: he stays there, whoever is further.
    fn is_ahead_alone(&self, context: &Context) -> bool {
        let beats = self.pulse.beats(context.device);
        let has_company = |keeper: DeviceId, at: &Beat| {
            let mut others = beats.iter().filter(|(device, _)| *device != keeper);
            others.any(|(_, beat)| beat.stands_with(at))
        };
        let stays = |(device, at)| self.role(device) >= Role::CoHost && has_company(device, at);
        self.role(context.device) < Role::Host
            && beats.iter().all(|one| self.pulse.went_otherwise(one.1))
            && beats.iter().copied().any(stays)
    }

    /// Whether the sender of a heartbeat has come by another way to where the log ends, or ended
    /// when it was taken up: waiting until he has come as far would be in vain.
    fn by_another_way(&self) -> impl Fn(&Beat) -> bool {
        let epoch = self.group.epoch();
        let is_off_log = self.is_off_log() || self.position.has_taken_up;
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
