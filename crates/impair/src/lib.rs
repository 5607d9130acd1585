//! A bad network on loopback, from a seed.
//!
//! [`Link`] is one direction of a network as a pure machine over a virtual clock: loss, bursts,
//! delay, jitter, doubling, a rate with a bounded queue, outages and a schedule of all these.
//! [`Proxy`] puts one of them each way between clients and a server, for UDP and TCP on one port.
//! `impair` is the same as a program.
//!
//! - One proxy is one network: all its clients share its rate and its queue. Give each client a
//!   proxy of its own when each is to have a line of its own.
//! - Sizes are counted with the headers of IP and UDP (28 bytes) or TCP (40 bytes).
//! - **TCP** bytes cannot be lost by a relay in user space. A lost piece (at most a segment) comes
//!   late instead, as a retransmission would: by twice the delay, at least 10 ms, after the end of
//!   a burst; each further loss of it adds 200 ms, doubled each time. All later bytes of the
//!   connection wait for it. In an outage a connection stands still. A full queue drops nothing of
//!   a stream but makes its sender wait; streams leave a quarter of the queue to datagrams.
//!   What this does not show is that TCP slows down after a loss.
//! - The fate of a packet depends on seed, direction, flow and number alone. What depends on the
//!   time (bursts measured in ms, queues, outages) has the same times in each run.
//! - A queue in front of a rate keeps its order, and jitter does by default.
//!
//! `./dev bench impair` measures what the proxy adds to the planned delay and what it costs. On two
//! cores, busy with other programs (load 6): 0.03 ms added at no delay and 0.2 ms at 25 ms in the
//! median; 50 Mbit/s one way take 18 % of a core. When the computer is that busy, single packets
//! are late by as long as others hold the cores (p95 6.8 ms, most 26 ms), and at 100 Mbit/s the
//! sockets' buffers lost 0.3 % beyond the plan. `late_ms_mean` and `late_ms_max` of the statistics
//! tell for each run: figures from a run with much of it are not of the planned network.

mod bursts;
mod dice;
mod direction;
mod engine;
mod link;
mod packet;
mod plan;
mod proxy;
mod relay;
mod settings;
mod stats;
mod units;

pub use direction::{Direction, Flow, Kind};
pub use link::{Arrival, Link, Offer};
pub use plan::{DEFAULT_IDLE, Plan, PlanError, PlanText, Schedule, Start};
pub use proxy::{Proxy, StartError};
pub use settings::{Burst, BurstEvery, BurstLength, DEFAULT_QUEUE, Queue, Settings, SettingsError};
pub use stats::{Cause, Dropped, LinkStats, Stats};
