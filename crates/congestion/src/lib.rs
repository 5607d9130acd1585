//! Congestion control of media, for both ends of a QUIC connection.
//!
//! BBR (draft-ietf-ccwg-bbr-06) lets next to nothing be under way for 200 ms whenever it has seen no
//! shorter round trip for five seconds (section 5.3.4, ProbeRTT): a queue of its own making must
//! drain before the path's own delay shows. A meeting sends what microphones and cameras give, which
//! is less than what fits, so there is no queue, and the pause is a hole of 50 to 100 ms in
//! everybody's sound every few seconds. [`MediaBbr`] is BBRv3 as the QUIC library has it, to which a
//! round trip that is about as short as the shortest is told as a shorter one, as long as the
//! application has nothing more to send (`floor.rs`). Where a queue stands, or data waits, BBR
//! looks as it always does.
//!
//! Chromium's BBR has had both conditions as options for the same reason
//! (`probe_rtt_skipped_if_similar_rtt`, `probe_rtt_disabled_if_app_limited`).

mod floor;

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use moq_noq_proto::RttEstimator;
use moq_noq_proto::congestion::{
    Bbr3Config, Controller, ControllerFactory, ControllerMetrics, PacketId,
};

use crate::floor::Floor;

/// Makes the controllers of a connection's paths. For
/// `TransportConfig::congestion_controller_factory`.
#[derive(Clone, Copy, Debug, Default)]
pub struct MediaBbr;

impl ControllerFactory for MediaBbr {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        Box::new(Steady {
            bbr: Arc::new(Bbr3Config::default()).build(now, current_mtu),
            floor: Floor::default(),
        })
    }
}

/// BBR behind its floor. Everything but the acknowledgements passes as it is.
#[derive(Debug)]
struct Steady {
    bbr: Box<dyn Controller>,
    floor: Floor,
}

impl Controller for Steady {
    fn on_packet_space_acked(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        packet: PacketId,
        app_limited: bool,
        rtt: &RttEstimator,
    ) {
        let told = self.floor.told(now, sent, app_limited);
        self.bbr
            .on_packet_space_acked(told, sent, bytes, packet, app_limited, rtt);
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        app_limited: bool,
        largest_packet_num_acked: Option<u64>,
    ) {
        self.floor.end_acks(now);
        self.bbr
            .on_end_acks(now, in_flight, app_limited, largest_packet_num_acked);
    }

    fn on_sent(&mut self, now: Instant, bytes: u64, largest_pn: u64) {
        self.bbr.on_sent(now, bytes, largest_pn);
    }

    fn on_packet_space_sent(&mut self, now: Instant, bytes: u16, packet: PacketId) {
        self.bbr.on_packet_space_sent(now, bytes, packet);
    }

    fn on_packet_space_lost(&mut self, lost_bytes: u16, packet: PacketId, now: Instant) {
        self.bbr.on_packet_space_lost(lost_bytes, packet, now);
    }

    fn on_congestion_event_space(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        is_ecn: bool,
        lost_bytes: u64,
        largest_lost: PacketId,
    ) {
        self.bbr.on_congestion_event_space(
            now,
            sent,
            is_persistent_congestion,
            is_ecn,
            lost_bytes,
            largest_lost,
        );
    }

    fn on_spurious_congestion_event(&mut self) {
        self.bbr.on_spurious_congestion_event();
    }

    fn on_cwnd_limited(&mut self) {
        self.bbr.on_cwnd_limited();
    }

    fn on_app_limited(&mut self, in_flight: u64) {
        self.bbr.on_app_limited(in_flight);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.bbr.on_mtu_update(new_mtu);
    }

    fn on_ack_frequency_update(
        &mut self,
        ack_eliciting_threshold: u64,
        requested_max_ack_delay: Duration,
    ) {
        self.bbr
            .on_ack_frequency_update(ack_eliciting_threshold, requested_max_ack_delay);
    }

    fn window(&self) -> u64 {
        self.bbr.window()
    }

    fn initial_window(&self) -> u64 {
        self.bbr.initial_window()
    }

    fn metrics(&self) -> ControllerMetrics {
        self.bbr.metrics()
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Self {
            bbr: self.bbr.clone_box(),
            floor: self.floor.clone(),
        })
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
