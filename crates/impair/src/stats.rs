//! What became of the packets.

use std::time::Duration;

use serde::Serialize;

/// Why a packet was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// By chance.
    Loss,
    /// In a burst.
    Burst,
    /// There was no room in the queue.
    Queue,
    /// Nothing passed.
    Outage,
    /// UDP is switched off.
    Blocked,
    /// The computer did not take it.
    Socket,
}

/// Dropped packets by cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Dropped {
    /// By chance.
    pub loss: u64,
    /// In a burst.
    pub burst: u64,
    /// There was no room in the queue.
    pub queue: u64,
    /// Nothing passed.
    pub outage: u64,
    /// UDP is switched off.
    pub blocked: u64,
    /// The computer did not take it.
    pub socket: u64,
}

impl Dropped {
    pub(crate) fn count(&mut self, cause: Cause) {
        *match cause {
            Cause::Loss => &mut self.loss,
            Cause::Burst => &mut self.burst,
            Cause::Queue => &mut self.queue,
            Cause::Outage => &mut self.outage,
            Cause::Blocked => &mut self.blocked,
            Cause::Socket => &mut self.socket,
        } += 1;
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.loss + self.burst + self.queue + self.outage + self.blocked + self.socket
    }
}

/// One direction. Bytes are with headers; the pieces of a TCP stream count as packets.
/// `packets_in + duplicated = packets_out + dropped + still under way`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct LinkStats {
    /// Came.
    pub packets_in: u64,
    /// Came.
    pub bytes_in: u64,
    /// Were delivered.
    pub packets_out: u64,
    /// Were delivered.
    pub bytes_out: u64,
    /// Were dropped, by cause.
    pub dropped: Dropped,
    /// Were doubled.
    pub duplicated: u64,
    /// Pieces of streams that came late because a network would have lost them.
    pub retransmitted: u64,
    /// Mean time before the rate, ms.
    pub queue_ms_mean: f64,
    /// Longest time before the rate, ms.
    pub queue_ms_max: f64,
    /// How much later than planned packets were delivered, mean, ms: the proxy's own fault.
    pub late_ms_mean: f64,
    /// The worst of these, ms.
    pub late_ms_max: f64,
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Stats {
    /// From clients to the server.
    pub up: LinkStats,
    /// From the server to clients.
    pub down: LinkStats,
    /// Clients of datagrams so far.
    pub clients: u32,
    /// TCP connections so far.
    pub connections: u32,
    /// New addresses that clients were given.
    pub rebinds: u32,
    /// TCP connections that were cut.
    pub cuts: u32,
}

/// Mean and maximum as they grow.
#[derive(Debug, Default)]
pub(crate) struct Spread {
    count: u64,
    sum: Duration,
    max: Duration,
}

impl Spread {
    pub(crate) fn add(&mut self, time: Duration) {
        self.count += 1;
        self.sum += time;
        self.max = self.max.max(time);
    }

    pub(crate) fn mean_ms(&self) -> f64 {
        self.sum.as_secs_f64() * 1e3 / self.count.max(1) as f64
    }

    pub(crate) fn max_ms(&self) -> f64 {
        self.max.as_secs_f64() * 1e3
    }
}
