//! Who is connected, what is under way between them, and what the plan still holds.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::direction::Direction;
use crate::link::Link;
use crate::plan::Plan;
use crate::stats::{Spread, Stats};

/// Bytes on their way. An empty piece of a stream is its end.
pub(super) type Bytes = Vec<u8>;

pub(super) struct Peer {
    pub(super) client: SocketAddr,
    pub(super) upstream: UdpSocket,
    /// Takes each further socket to listen on.
    pub(super) sockets: UnboundedSender<UdpSocket>,
    pub(super) heard: Duration,
}

pub(super) struct Connection {
    pub(super) ends: [UnboundedSender<Bytes>; 2],
    pub(super) cut: Arc<Notify>,
}

#[derive(Clone, Copy)]
pub(super) enum Event {
    Rebind,
    Cut,
}

pub(super) struct State {
    pub(super) links: [Link<Bytes>; 2],
    pub(super) lateness: [Spread; 2],
    /// Of each link's changes, how many the waiting streams were told.
    pub(super) told: [u64; 2],
    events: VecDeque<(Duration, Event)>,
    begun: Option<Duration>,
    pub(super) numbers: HashMap<SocketAddr, u32>,
    pub(super) peers: HashMap<u32, Peer>,
    pub(super) connections: HashMap<u32, Connection>,
    pub(super) stats: Stats,
    pub(super) sleeping_until: Option<Duration>,
    pub(super) stopped: bool,
}

/// What the task of a client of datagrams needs.
pub(crate) struct NewPeer {
    pub number: u32,
    pub sockets: UnboundedReceiver<UdpSocket>,
}

impl State {
    pub(super) fn new(plan: &Plan) -> Self {
        let rebinds = plan.rebind_at.iter().map(|at| (*at, Event::Rebind));
        let cuts = plan.cut_at.iter().map(|at| (*at, Event::Cut));
        let mut events: Vec<_> = rebinds.chain(cuts).collect();
        events.sort_by_key(|(at, _)| *at);
        Self {
            links: Direction::BOTH.map(|direction| Link::new(plan, direction)),
            lateness: Default::default(),
            told: [0; 2],
            events: events.into(),
            begun: None,
            numbers: HashMap::new(),
            peers: HashMap::new(),
            connections: HashMap::new(),
            stats: Stats::default(),
            sleeping_until: None,
            stopped: false,
        }
    }

    pub(super) fn begin(&mut self, now: Duration) {
        if self.begun.is_none() {
            self.begun = Some(now);
            for link in &mut self.links {
                link.begin(now);
            }
        }
    }

    pub(super) fn next(&self) -> Option<Duration> {
        let event = self.begun.zip(self.events.front());
        let event = event.map(|(begun, (at, _))| begun + *at);
        self.links.iter().filter_map(Link::next).chain(event).min()
    }

    pub(super) fn due(&mut self, now: Duration) -> Option<Event> {
        let at = self.begun? + self.events.front()?.0;
        (at <= now)
            .then(|| self.events.pop_front())
            .flatten()
            .map(|(_, event)| event)
    }

    pub(super) fn welcome(
        &mut self,
        client: SocketAddr,
        upstream: SocketAddr,
    ) -> io::Result<NewPeer> {
        let (socket, listening) = socket_to(upstream)?;
        let (sender, sockets) = unbounded_channel();
        // The receiver is in this function.
        let _ = sender.send(listening);
        let number = self.stats.clients;
        self.stats.clients += 1;
        self.numbers.insert(client, number);
        let peer = Peer {
            client,
            upstream: socket,
            sockets: sender,
            heard: Duration::ZERO,
        };
        self.peers.insert(number, peer);
        Ok(NewPeer { number, sockets })
    }

    pub(super) fn rebind(&mut self, upstream: SocketAddr) -> io::Result<()> {
        for peer in self.peers.values_mut() {
            let (socket, listening) = socket_to(upstream)?;
            peer.upstream = socket;
            // A client whose task has ended is about to be forgotten.
            let _ = peer.sockets.send(listening);
            self.stats.rebinds += 1;
        }
        Ok(())
    }

    pub(super) fn cut(&mut self) {
        for connection in self.connections.values() {
            connection.cut.notify_one();
            self.stats.cuts += 1;
        }
    }

    pub(super) fn stats(&self) -> Stats {
        let mut stats = self.stats.clone();
        for (way, of) in [(0, &mut stats.up), (1, &mut stats.down)] {
            *of = self.links[way].stats();
            of.late_ms_mean = self.lateness[way].mean_ms();
            of.late_ms_max = self.lateness[way].max_ms();
        }
        stats
    }
}

/// A new socket towards the server, to send and to listen with.
fn socket_to(upstream: SocketAddr) -> io::Result<(UdpSocket, UdpSocket)> {
    let any = match upstream {
        SocketAddr::V4(_) => SocketAddr::from(([0, 0, 0, 0], 0)),
        SocketAddr::V6(_) => SocketAddr::from(([0_u16; 8], 0)),
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(upstream)?;
    socket.set_nonblocking(true)?;
    Ok((socket.try_clone()?, socket))
}
