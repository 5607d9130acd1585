//! What becomes of a packet that is offered: lost, doubled, refused, or into the queue.

use std::time::Duration;

use super::{Link, Offer, nanobits};
use crate::dice::Draws;
use crate::direction::{Flow, Kind};
use crate::packet::Waiting;
use crate::settings::{BurstLength, Queue};
use crate::stats::Cause;

/// The least time in which TCP notices a loss.
const FASTEST_REPAIR: Duration = Duration::from_millis(10);
/// What each further loss of the same piece costs, doubled each time (RFC 6298 §5; Linux's least).
const REPEATED_REPAIR: Duration = Duration::from_millis(200);
/// No piece is lost more often in a row.
const MOST_REPAIRS: u32 = 6;

impl<T: Clone> Link<T> {
    /// Gives it a packet of `size` bytes with headers.
    pub fn offer(&mut self, now: Duration, flow: Flow, size: u64, item: T) -> Offer<T> {
        let now = self.advance(now);
        let outcome = match flow.kind {
            Kind::Datagrams => self.offer_datagram(now, flow, size, item),
            Kind::Stream => self.offer_piece(now, flow, size, item),
        };
        self.advance(now);
        outcome
    }

    fn offer_datagram(&mut self, now: Duration, flow: Flow, size: u64, item: T) -> Offer<T> {
        self.count_in(size);
        let (mut draws, in_burst) = self.draw(flow);
        // Always the same draws in the same order, whatever the settings.
        let (loss, twice) = (draws.share(), draws.share());
        let sways = [draws.share(), draws.share()].map(|share| 2.0 * share - 1.0);
        let timed_burst = self.burst_end(now).is_some();
        let cause = if !self.settings.udp {
            Some(Cause::Blocked)
        } else if self.settings.outage {
            Some(Cause::Outage)
        } else if in_burst || timed_burst {
            Some(Cause::Burst)
        } else {
            (loss < self.settings.loss).then_some(Cause::Loss)
        };
        if let Some(cause) = cause {
            self.stats.dropped.count(cause);
            return Offer::Dropped(cause);
        }
        let twin = (twice < self.settings.duplicate).then(|| item.clone());
        self.stats.duplicated += u64::from(twin.is_some());
        let mut outcome = Offer::Taken;
        for (copy, sway) in [Some(item), twin].into_iter().zip(sways) {
            let Some(item) = copy else { continue };
            if self.has_room(size, 4) {
                self.enqueue(Waiting {
                    since: now,
                    flow,
                    size,
                    sway,
                    repair: Duration::ZERO,
                    item,
                });
            } else {
                self.stats.dropped.count(Cause::Queue);
                outcome = Offer::Dropped(Cause::Queue);
            }
        }
        outcome
    }

    /// A stream fills three quarters of the queue at most: TCP leaves room on average, too.
    fn offer_piece(&mut self, now: Duration, flow: Flow, size: u64, item: T) -> Offer<T> {
        if self.settings.outage || !self.has_room(size, 3) {
            return Offer::Full(item);
        }
        self.count_in(size);
        let (mut draws, in_burst) = self.draw(flow);
        let (loss, _twice) = (draws.share(), draws.share());
        let sway = 2.0 * draws.share() - 1.0;
        let mut repair = Duration::ZERO;
        let burst_end = self.burst_end(now);
        if in_burst || burst_end.is_some() || loss < self.settings.loss {
            self.stats.retransmitted += 1;
            repair = (2 * self.settings.delay).max(FASTEST_REPAIR);
            repair += burst_end.map_or(Duration::ZERO, |end| end.saturating_sub(now));
            let again = |draws: &mut Draws| draws.share() < self.settings.loss;
            let mut times = 0;
            while times < MOST_REPAIRS && again(&mut draws) {
                repair += REPEATED_REPAIR * 2_u32.pow(times);
                times += 1;
            }
        }
        self.enqueue(Waiting {
            since: now,
            flow,
            size,
            sway,
            repair,
            item,
        });
        Offer::Taken
    }

    fn count_in(&mut self, size: u64) {
        self.stats.packets_in += 1;
        self.stats.bytes_in += size;
    }

    /// The draws of the flow's next packet, and whether a burst counted in packets hits it.
    fn draw(&mut self, flow: Flow) -> (Draws, bool) {
        let state = self.flows.entry(flow).or_default();
        let mut draws = self.dice.packet(flow, state.packets);
        state.packets += 1;
        let turn = draws.share();
        let burst = self.settings.burst.filter(|burst| burst.share > 0.0);
        state.in_burst = match burst.map(|burst| (burst, burst.length)) {
            Some((_, BurstLength::Packets(mean))) if state.in_burst => turn >= 1.0 / mean,
            Some((burst, BurstLength::Packets(mean))) => turn < burst.entering(mean),
            _ => false,
        };
        (draws, state.in_burst)
    }

    fn burst_end(&mut self, now: Duration) -> Option<Duration> {
        let random = self.bursts.as_mut().and_then(|bursts| bursts.end(now));
        let since = self.burst_every_since;
        let every = self
            .settings
            .burst_every
            .and_then(|every| every.end(since, now));
        random.max(every)
    }

    /// Whether `size` more fits into so many quarters of the queue. Streams (3) are measured by
    /// all that waits; what is alone always fits, however large.
    fn has_room(&self, size: u64, quarters: u64) -> bool {
        if self.settings.rate_bps.is_none() || (quarters == 3 && self.queue.is_empty()) {
            return true;
        }
        match self.settings.queue {
            Queue::Bytes(most) => 4 * (self.queued_bytes + size) <= quarters * most,
            Queue::Packets(most) => 4 * (self.queue.len() as u64 + 1) <= quarters * most,
        }
    }

    fn enqueue(&mut self, packet: Waiting<T>) {
        if self.queue.is_empty() {
            self.left = nanobits(packet.size);
            self.served = packet.since;
        }
        self.queued_bytes += packet.size;
        self.queue.push_back(packet);
    }
}
