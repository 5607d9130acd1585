//! One direction of a network as a pure machine: no socket, no thread, no clock of its own.
//!
//! ```text
//! offer ─▶ outage, bursts, loss ─▶ queue ─▶ rate ─▶ delay, jitter ─▶ pop
//!                 └─ dropped          └─ dropped, or refused if a stream
//! ```
//!
//! The caller offers packets, sleeps until `next` and pops what has arrived. Times are counted from
//! any moment, always the same. A change of the rate holds for what waits already; what has left
//! the queue arrives as it was sent.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::time::Duration;

use crate::bursts::RandomBursts;
use crate::dice::{Dice, Draws};
use crate::direction::{Direction, Flow, Kind};
use crate::packet::{Flying, Waiting};
use crate::plan::Plan;
use crate::settings::{BurstLength, Queue, Settings};
use crate::stats::{Cause, LinkStats, Spread};

/// The least time in which TCP notices a loss.
const FASTEST_REPAIR: Duration = Duration::from_millis(10);
/// What each further loss of the same piece costs, doubled each time (RFC 6298 §5; Linux's least).
const REPEATED_REPAIR: Duration = Duration::from_millis(200);
/// No piece is lost more often in a row.
const MOST_REPAIRS: u32 = 6;

/// What became of an offered packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer<T> {
    /// It is on its way.
    Taken,
    /// It is lost.
    Dropped(Cause),
    /// A piece of a stream found no room: offer it again when [`Link::changes`] has grown.
    Full(T),
}

/// A packet at the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival<T> {
    /// When it was to arrive.
    pub at: Duration,
    /// Whose it is.
    pub flow: Flow,
    /// What was offered.
    pub item: T,
}

#[derive(Default)]
struct FlowState {
    packets: u64,
    in_burst: bool,
    last_arrival: Duration,
}

/// One direction of a network.
pub struct Link<T> {
    dice: Dice,
    settings: Settings,
    steps: VecDeque<(Duration, Settings)>,
    begun: Option<Duration>,
    now: Duration,
    bursts: Option<RandomBursts>,
    bursts_set: u64,
    burst_every_since: Duration,
    queue: VecDeque<Waiting<T>>,
    queued_bytes: u64,
    /// Of the packet at the head: bits times 10⁹ still to be sent at `served`.
    left: u128,
    served: Duration,
    /// Pieces of streams that came to the end of the queue in an outage.
    parked: Vec<Waiting<T>>,
    flying: BinaryHeap<Reverse<Flying<T>>>,
    order: u64,
    last_arrival: Duration,
    flows: HashMap<Flow, FlowState>,
    changes: u64,
    stats: LinkStats,
    queue_time: Spread,
}

impl<T: Clone> Link<T> {
    /// A link of `plan` that nothing has passed.
    pub fn new(plan: &Plan, direction: Direction) -> Self {
        let schedule = plan.schedule(direction);
        let mut link = Self {
            dice: Dice::new(plan.seed, direction),
            settings: Settings::default(),
            steps: schedule.then.iter().cloned().collect(),
            begun: None,
            now: Duration::ZERO,
            bursts: None,
            bursts_set: 0,
            burst_every_since: Duration::ZERO,
            queue: VecDeque::new(),
            queued_bytes: 0,
            left: 0,
            served: Duration::ZERO,
            parked: Vec::new(),
            flying: BinaryHeap::new(),
            order: 0,
            last_arrival: Duration::ZERO,
            flows: HashMap::new(),
            changes: 0,
            stats: LinkStats::default(),
            queue_time: Spread::default(),
        };
        link.apply(Duration::ZERO, schedule.first.clone());
        link
    }

    /// Starts the plan's times, and those of its bursts. A second call changes nothing.
    pub fn begin(&mut self, now: Duration) {
        if self.begun.is_none() {
            self.begun = Some(now);
            self.burst_every_since = now;
            self.bursts = RandomBursts::new(&self.settings, self.dice.bursts(0), now);
        }
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Changes the settings now; what the plan says of later still comes.
    pub fn set(&mut self, now: Duration, settings: Settings) {
        let now = self.advance(now);
        self.apply(now, settings);
        self.advance(now);
    }

    /// Grows whenever something left the queue or the settings changed.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// How many packets wait for the rate.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// What became of the packets so far.
    pub fn stats(&self) -> LinkStats {
        LinkStats {
            queue_ms_mean: self.queue_time.mean_ms(),
            queue_ms_max: self.queue_time.max_ms(),
            ..self.stats.clone()
        }
    }

    /// Counts a delivered packet as dropped after all.
    pub(crate) fn undeliver(&mut self, size: u64) {
        self.stats.packets_out -= 1;
        self.stats.bytes_out -= size;
        self.stats.dropped.count(Cause::Socket);
    }

    /// Nothing more comes of `flow`.
    pub fn forget(&mut self, flow: Flow) {
        self.flows.remove(&flow);
    }

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

    /// The next moment at which something happens of itself; `None` when nothing will.
    pub fn next(&self) -> Option<Duration> {
        let flying = self.flying.peek().map(|Reverse(packet)| packet.at);
        [flying, self.departure(), self.step()]
            .into_iter()
            .flatten()
            .min()
    }

    /// What has arrived by now, one at a time, in order.
    pub fn pop(&mut self, now: Duration) -> Option<Arrival<T>> {
        let now = self.advance(now);
        if self.flying.peek()?.0.at > now {
            return None;
        }
        let Reverse(packet) = self.flying.pop()?;
        self.stats.packets_out += 1;
        self.stats.bytes_out += packet.size;
        Some(Arrival {
            at: packet.at,
            flow: packet.flow,
            item: packet.item,
        })
    }

    /// Lets pass what happens until `now`; time never goes back.
    fn advance(&mut self, now: Duration) -> Duration {
        self.now = self.now.max(now);
        loop {
            let (departure, step) = (self.departure(), self.step());
            if let Some(at) =
                departure.filter(|at| *at <= self.now && step.is_none_or(|step| *at <= step))
            {
                self.depart(at);
            } else if let Some(at) = step.filter(|at| *at <= self.now) {
                if let Some((_, settings)) = self.steps.pop_front() {
                    self.apply(at, settings);
                }
            } else {
                return self.now;
            }
        }
    }

    fn step(&self) -> Option<Duration> {
        Some(self.begun? + self.steps.front()?.0)
    }

    /// When the packet at the head has been sent.
    fn departure(&self) -> Option<Duration> {
        self.queue.front()?;
        let Some(rate) = self.settings.rate_bps else {
            return Some(self.served);
        };
        let nanos = self.left.div_ceil(u128::from(rate));
        Some(self.served + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }

    fn depart(&mut self, at: Duration) {
        let Some(packet) = self.queue.pop_front() else {
            return;
        };
        self.queued_bytes -= packet.size;
        self.changes += 1;
        self.served = at;
        self.left = self.queue.front().map_or(0, |next| nanobits(next.size));
        self.queue_time.add(at.saturating_sub(packet.since));
        match (self.settings.outage, packet.flow.kind) {
            (true, Kind::Datagrams) => self.stats.dropped.count(Cause::Outage),
            (true, Kind::Stream) => self.parked.push(packet),
            (false, _) => self.fly(at, packet),
        }
    }

    fn fly(&mut self, from: Duration, packet: Waiting<T>) {
        let sway = self.settings.jitter.mul_f64(packet.sway.abs());
        let mut at = from + self.settings.delay;
        at = if packet.sway < 0.0 {
            at.saturating_sub(sway).max(from)
        } else {
            at + sway
        };
        if !self.settings.reorder {
            at = at.max(self.last_arrival);
            self.last_arrival = at;
        }
        if packet.flow.kind == Kind::Stream {
            let state = self.flows.entry(packet.flow).or_default();
            at = (at + packet.repair).max(state.last_arrival);
            state.last_arrival = at;
        }
        self.order += 1;
        self.flying.push(Reverse(Flying {
            at,
            order: self.order,
            flow: packet.flow,
            size: packet.size,
            item: packet.item,
        }));
    }

    fn apply(&mut self, at: Duration, settings: Settings) {
        if let Some(rate) = self.settings.rate_bps {
            let passed = at.saturating_sub(self.served).as_nanos();
            self.left = self.left.saturating_sub(passed * u128::from(rate));
        }
        self.served = self.served.max(at);
        if settings.burst != self.settings.burst {
            self.bursts_set += 1;
            self.bursts = RandomBursts::new(&settings, self.dice.bursts(self.bursts_set), at);
        }
        if settings.burst_every != self.settings.burst_every {
            self.burst_every_since = at;
        }
        self.settings = settings;
        self.changes += 1;
        if !self.settings.outage {
            for packet in std::mem::take(&mut self.parked) {
                self.fly(at, packet);
            }
        }
    }
}

fn nanobits(size: u64) -> u128 {
    u128::from(size) * 8 * 1_000_000_000
}
