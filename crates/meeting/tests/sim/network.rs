//! Connections with seeded delays: each is first in, first out, as TLS is, and all of them
//! together come in any order. Time is a number of microseconds that nobody waits for.

use std::collections::BTreeMap;

use conclave_wire::{ClientMessage, ServerMessage};

use super::rng::Rng;
use super::service::Line;

/// Microseconds since the beginning.
pub type Micros = u64;

pub const MS: Micros = 1_000;
pub const SECOND: Micros = 1_000 * MS;

/// What comes to pass at a moment.
#[derive(Debug)]
pub enum Happening<A> {
    /// A message reaches the service.
    Up(Line, Box<ClientMessage>),
    /// A message reaches a person.
    Down(Line, Box<ServerMessage>),
    /// The service learns that a connection is gone.
    ServiceNotices(Line),
    /// The person's program learns it.
    PersonNotices(Line),
    /// Something that the play itself planned.
    Planned(A),
}

struct Wire {
    /// The least delay, each way.
    delay: Micros,
    /// Nothing may overtake what is on its way already.
    last_up: Micros,
    last_down: Micros,
    /// When it broke: what would arrive later never does.
    broken: bool,
    /// The person's side has closed it: what he had sent still arrives.
    closed: bool,
}

pub struct Network<A> {
    agenda: BTreeMap<(Micros, u64), Happening<A>>,
    order: u64,
    wires: BTreeMap<Line, Wire>,
    lines: Line,
    rng: Rng,
    /// The longest delay that a connection of this run has.
    slowest: Micros,
}

impl<A> Network<A> {
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed, 2);
        let slowest = *rng
            .pick(&[5 * MS, 40 * MS, 150 * MS, 600 * MS])
            .expect("not empty");
        Self {
            agenda: BTreeMap::new(),
            order: 0,
            wires: BTreeMap::new(),
            lines: 0,
            rng,
            slowest,
        }
    }

    /// The next thing that comes to pass.
    pub fn next(&mut self) -> Option<(Micros, Happening<A>)> {
        let ((at, _), happening) = self.agenda.pop_first()?;
        Some((at, happening))
    }

    pub fn plan(&mut self, at: Micros, act: A) {
        self.put(at, Happening::Planned(act));
    }

    /// A new connection.
    pub fn dial(&mut self) -> Line {
        self.lines += 1;
        let wire = Wire {
            delay: self.rng.between(MS, self.slowest),
            last_up: 0,
            last_down: 0,
            broken: false,
            closed: false,
        };
        self.wires.insert(self.lines, wire);
        self.lines
    }

    /// From a person to the service; lost if the connection is broken.
    pub fn up(&mut self, now: Micros, line: Line, message: ClientMessage) {
        let jitter = self.rng.below(self.slowest / 4 + 1);
        let Some(wire) = self.wires.get_mut(&line).filter(|wire| wire.is_open()) else {
            return;
        };
        wire.last_up = wire.last_up.max(now + wire.delay + jitter);
        let at = wire.last_up;
        self.put(at, Happening::Up(line, Box::new(message)));
    }

    /// From the service to a person, held back by `extra`.
    pub fn down(&mut self, now: Micros, line: Line, message: ServerMessage, extra: Micros) {
        let jitter = self.rng.below(self.slowest / 4 + 1);
        let Some(wire) = self.wires.get_mut(&line).filter(|wire| wire.is_open()) else {
            return;
        };
        wire.last_down = wire.last_down.max(now + wire.delay + jitter + extra);
        let at = wire.last_down;
        self.put(at, Happening::Down(line, Box::new(message)));
    }

    /// The connection breaks; both sides find out, each in its own time.
    pub fn cut(&mut self, now: Micros, line: Line) {
        let Some(wire) = self.wires.get_mut(&line).filter(|wire| !wire.broken) else {
            return;
        };
        wire.broken = true;
        let (service, person) = (self.rng.below(5 * SECOND), self.rng.below(3 * SECOND));
        self.put(now + service, Happening::ServiceNotices(line));
        self.put(now + person, Happening::PersonNotices(line));
    }

    /// The person's side closes: what it sent arrives, then the service knows.
    pub fn close(&mut self, now: Micros, line: Line) {
        let Some(wire) = self.wires.get_mut(&line).filter(|wire| wire.is_open()) else {
            return;
        };
        wire.closed = true;
        let at = wire.last_up.max(now + wire.delay);
        self.put(at, Happening::ServiceNotices(line));
    }

    /// The service closes: what it said arrives, then the person knows.
    pub fn end(&mut self, now: Micros, line: Line) {
        let Some(wire) = self.wires.get_mut(&line).filter(|wire| wire.is_open()) else {
            return;
        };
        let at = wire.last_down.max(now + wire.delay);
        self.put(at, Happening::PersonNotices(line));
    }

    /// Whether what travels on this connection still arrives.
    pub fn carries_up(&self, line: Line) -> bool {
        self.wires.get(&line).is_some_and(|wire| !wire.broken)
    }

    pub fn carries_down(&self, line: Line) -> bool {
        self.wires.get(&line).is_some_and(Wire::is_open)
    }

    /// All connections that stand.
    pub fn standing(&self) -> Vec<Line> {
        let open = self.wires.iter().filter(|(_, wire)| wire.is_open());
        open.map(|(line, _)| *line).collect()
    }

    /// Forgets a connection that both sides have given up.
    pub fn forget(&mut self, line: Line) {
        if let Some(wire) = self.wires.get_mut(&line) {
            wire.broken = true;
        }
    }

    fn put(&mut self, at: Micros, happening: Happening<A>) {
        self.order += 1;
        self.agenda.insert((at, self.order), happening);
    }
}

impl Wire {
    fn is_open(&self) -> bool {
        !self.broken && !self.closed
    }
}
