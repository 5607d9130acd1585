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

mod offering;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::time::Duration;

use crate::bursts::RandomBursts;
use crate::dice::Dice;
use crate::direction::{Direction, Flow, Kind};
use crate::packet::{Flying, Waiting};
use crate::plan::Plan;
use crate::settings::Settings;
use crate::stats::{Cause, LinkStats, Spread};

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
