//! Both links with all that is under way, and the thread that delivers on time.
//!
//! Tokio's timer counts whole milliseconds; a thread that sleeps on a condition is exact to a
//! fraction of one. It sends datagrams itself and hands pieces of streams to their tasks.

mod state;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use self::state::{Bytes, Connection, Event, State};
use crate::direction::{Direction, Flow, Kind};
use crate::link::Offer;
use crate::plan::{Plan, Start};
use crate::settings::Settings;
use crate::stats::Stats;

pub(crate) use self::state::NewPeer;

/// Headers of IPv4 and UDP.
const DATAGRAM_HEADERS: u64 = 28;
/// Headers of IPv4 and TCP.
const SEGMENT_HEADERS: u64 = 40;

pub(crate) struct Engine {
    state: Mutex<State>,
    wake: Condvar,
    room: [Notify; 2],
    started: Instant,
    front: UdpSocket,
    upstream: SocketAddr,
}

/// What the task of a connection needs.
pub(crate) struct NewConnection {
    pub number: u32,
    pub up: UnboundedReceiver<Bytes>,
    pub down: UnboundedReceiver<Bytes>,
    pub cut: Arc<Notify>,
}

impl Engine {
    pub(crate) fn new(plan: &Plan, front: UdpSocket, upstream: SocketAddr) -> Self {
        let mut state = State::new(plan);
        if plan.start == Start::Process {
            state.begin(Duration::ZERO);
        }
        Self {
            state: Mutex::new(state),
            wake: Condvar::new(),
            room: Default::default(),
            started: Instant::now(),
            front,
            upstream,
        }
    }

    fn lock(&self) -> (MutexGuard<'_, State>, Duration) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state, self.started.elapsed())
    }

    /// Delivers what is due until it is stopped.
    pub(crate) fn run(&self) {
        let (mut state, mut now) = self.lock();
        while !state.stopped {
            self.pump(&mut state, now);
            let next = state.next();
            state.sleeping_until = Some(next.unwrap_or(Duration::MAX));
            let wait = next.map_or(Duration::from_secs(3600), |at| {
                at.saturating_sub(self.started.elapsed())
            });
            if !wait.is_zero() {
                state = match self.wake.wait_timeout(state, wait) {
                    Ok((state, _)) => state,
                    Err(poisoned) => poisoned.into_inner().0,
                };
            }
            state.sleeping_until = None;
            now = self.started.elapsed();
        }
    }

    pub(crate) fn stop(&self) -> Stats {
        let (mut state, _) = self.lock();
        state.stopped = true;
        self.wake.notify_one();
        state.stats()
    }

    pub(crate) fn stats(&self) -> Stats {
        self.lock().0.stats()
    }

    pub(crate) fn settings(&self, direction: Direction) -> Settings {
        self.lock().0.links[direction.index()].settings().clone()
    }

    pub(crate) fn set(&self, direction: Direction, settings: Settings) {
        let (mut state, now) = self.lock();
        state.links[direction.index()].set(now, settings);
        self.settle(&mut state, now);
    }

    pub(crate) fn rebind(&self) -> io::Result<()> {
        self.lock().0.rebind(self.upstream)
    }

    pub(crate) fn cut(&self) {
        self.lock().0.cut();
    }

    /// The time that a handshake takes.
    pub(crate) fn round_trip(&self) -> Duration {
        let (state, _) = self.lock();
        state.links.iter().map(|link| link.settings().delay).sum()
    }

    /// Takes a datagram of a client, and says when the client is new.
    pub(crate) fn take_from_client(
        &self,
        client: SocketAddr,
        bytes: &[u8],
    ) -> io::Result<Option<NewPeer>> {
        let (mut state, now) = self.lock();
        state.begin(now);
        let (number, new) = match state.numbers.get(&client) {
            Some(number) => (*number, None),
            None => {
                let new = state.welcome(client, self.upstream)?;
                (new.number, Some(new))
            }
        };
        self.datagram(&mut state, now, Direction::Up, number, bytes);
        Ok(new)
    }

    /// Takes a datagram of the server for a client.
    pub(crate) fn take_from_server(&self, number: u32, bytes: &[u8]) {
        let (mut state, now) = self.lock();
        self.datagram(&mut state, now, Direction::Down, number, bytes);
    }

    fn datagram(
        &self,
        state: &mut State,
        now: Duration,
        way: Direction,
        number: u32,
        bytes: &[u8],
    ) {
        if let Some(peer) = state.peers.get_mut(&number) {
            peer.heard = now;
        }
        let size = bytes.len() as u64 + DATAGRAM_HEADERS;
        let link = &mut state.links[way.index()];
        link.offer(now, Flow::datagrams(number), size, bytes.to_vec());
        self.settle(state, now);
    }

    /// Forgets a client that was silent for `idle`; whether it was.
    pub(crate) fn forget_idle(&self, number: u32, idle: Duration) -> bool {
        let (mut state, now) = self.lock();
        let heard = state.peers.get(&number).map(|peer| peer.heard);
        let gone = heard.is_none_or(|heard| now.saturating_sub(heard) >= idle);
        if gone {
            if let Some(peer) = state.peers.remove(&number) {
                state.numbers.remove(&peer.client);
            }
            for link in &mut state.links {
                link.forget(Flow::datagrams(number));
            }
        }
        gone
    }

    pub(crate) fn open(&self) -> NewConnection {
        let (mut state, now) = self.lock();
        state.begin(now);
        let number = state.stats.connections;
        state.stats.connections += 1;
        let (to_server, up) = unbounded_channel();
        let (to_client, down) = unbounded_channel();
        let cut = Arc::new(Notify::new());
        let ends = [to_server, to_client];
        state.connections.insert(
            number,
            Connection {
                ends,
                cut: cut.clone(),
            },
        );
        self.settle(&mut state, now);
        NewConnection {
            number,
            up,
            down,
            cut,
        }
    }

    pub(crate) fn close(&self, number: u32) {
        let (mut state, _) = self.lock();
        state.connections.remove(&number);
        for link in &mut state.links {
            link.forget(Flow::stream(number));
        }
    }

    /// Takes a piece of a stream as soon as there is room.
    pub(crate) async fn piece(&self, way: Direction, number: u32, mut bytes: Bytes) {
        loop {
            let room = self.room[way.index()].notified();
            tokio::pin!(room);
            room.as_mut().enable();
            match self.try_piece(way, number, bytes) {
                Some(back) => bytes = back,
                None => return,
            }
            room.await;
        }
    }

    fn try_piece(&self, way: Direction, number: u32, bytes: Bytes) -> Option<Bytes> {
        let (mut state, now) = self.lock();
        let size = bytes.len() as u64 + SEGMENT_HEADERS;
        let offer = state.links[way.index()].offer(now, Flow::stream(number), size, bytes);
        self.settle(&mut state, now);
        match offer {
            Offer::Full(bytes) => Some(bytes),
            Offer::Taken | Offer::Dropped(_) => None,
        }
    }

    /// Delivers what is due, and wakes the thread if something is due before it would.
    fn settle(&self, state: &mut State, now: Duration) {
        self.pump(state, now);
        let sooner = |until| state.next().is_some_and(|next| next < until);
        if state.sleeping_until.is_some_and(sooner) {
            state.sleeping_until = state.next();
            self.wake.notify_one();
        }
    }

    fn pump(&self, state: &mut State, now: Duration) {
        for way in Direction::BOTH {
            while let Some(arrival) = state.links[way.index()].pop(now) {
                state.lateness[way.index()].add(now.saturating_sub(arrival.at));
                let Flow { kind, number } = arrival.flow;
                if kind == Kind::Stream {
                    if let Some(connection) = state.connections.get(&number) {
                        // A connection that has ended needs nothing more.
                        let _ = connection.ends[way.index()].send(arrival.item);
                    }
                } else if !self.send(state, way, number, &arrival.item) {
                    let size = arrival.item.len() as u64 + DATAGRAM_HEADERS;
                    state.links[way.index()].undeliver(size);
                }
            }
            let changes = state.links[way.index()].changes();
            if state.told[way.index()] != changes {
                state.told[way.index()] = changes;
                self.room[way.index()].notify_waiters();
            }
        }
        while let Some(event) = state.due(now) {
            match event {
                Event::Cut => state.cut(),
                Event::Rebind => {
                    if let Err(error) = state.rebind(self.upstream) {
                        eprintln!("impair: no new address to be had: {error}");
                    }
                }
            }
        }
    }

    fn send(&self, state: &State, way: Direction, number: u32, bytes: &[u8]) -> bool {
        let Some(peer) = state.peers.get(&number) else {
            return false;
        };
        let send = || match way {
            Direction::Up => peer.upstream.send(bytes),
            Direction::Down => self.front.send_to(bytes, peer.client),
        };
        // A refusal is the answer to an earlier datagram, and this one was not sent.
        match send() {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => send().is_ok(),
            sent => sent.is_ok(),
        }
    }
}
