//! The people, their connections, and the clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use conclave_e2ee::{DeviceKey, MediaEpoch};
use conclave_meeting::{
    Command, Event, HostParams, Identity, Input, InviteLink, LeftReason, Meeting, MemberView,
    Output, Phase, Snapshot, Warning,
};
use conclave_wire::{ClientMessage, DeviceId, EntryBody, ServerMessage};

use super::service::{Line, Service};

/// A service, its people, and virtual time.
pub struct World {
    pub service: Service,
    pub people: Vec<Person>,
    pub now: Instant,
    lines: Line,
    /// Connections of those who are driven by no machine of ours, and what they were sent.
    strangers: BTreeMap<Line, Vec<ServerMessage>>,
    seed: u64,
}

pub struct Person {
    pub meeting: Meeting,
    pub events: Vec<Event>,
    pub keys: Vec<MediaEpoch>,
    /// When the sender moves to each of those keys.
    pub moves_at: Vec<Instant>,
    line: Option<Line>,
    /// The service keeps from it what it sends.
    is_deaf: bool,
}

impl Person {
    pub fn snapshot(&self) -> Snapshot {
        self.meeting.snapshot()
    }

    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self
            .snapshot()
            .members
            .into_iter()
            .filter_map(|m| m.name)
            .map(String::from)
            .collect();
        names.sort();
        names
    }

    /// What it was warned of.
    pub fn warnings(&self) -> Vec<Warning> {
        let warnings = self.events.iter().filter_map(|event| match event {
            Event::Warning(warning) => Some(warning.clone()),
            _ => None,
        });
        warnings.collect()
    }

    pub fn left(&self) -> Option<LeftReason> {
        match self.snapshot().phase {
            Phase::Left(reason) => Some(reason),
            _ => None,
        }
    }
}

/// Another link, as it comes by one click.
pub const NEW_LINK: Command = Command::RenewLink {
    single_use: false,
    valid_s: None,
};

/// Ana, the host, and Ben, whom she let in.
pub fn two() -> (World, usize, usize) {
    let mut world = World::new();
    let (ana, link) = world.host("Ana", true);
    let ben = world.join("Ben", &link);
    world.admit_all(ana);
    (world, ana, ben)
}

/// Ana, the host, and Ben and Cy, whom she let in; in this order.
pub fn three() -> World {
    let mut world = World::new();
    let (ana, link) = world.host("Ana", true);
    world.join("Ben", &link);
    world.join("Cy", &link);
    world.admit_all(ana);
    world.assert_agreement(&[0, 1, 2]);
    world
}

impl World {
    pub fn new() -> Self {
        Self {
            service: Service::default(),
            people: Vec::new(),
            now: Instant::now(),
            lines: 0,
            strangers: BTreeMap::new(),
            seed: 0,
        }
    }

    /// The host, with his meeting open.
    pub fn host(&mut self, name: &str, waiting_room: bool) -> (usize, InviteLink) {
        let entropy = self.entropy();
        let meeting = Meeting::host(
            host_params(waiting_room),
            identity(name),
            Default::default(),
            entropy,
        )
        .unwrap();
        let link = meeting.link().clone();
        let who = self.seat(meeting);
        (who, link)
    }

    /// Somebody who has pressed Join.
    pub fn join(&mut self, name: &str, link: &InviteLink) -> usize {
        self.join_as(identity(name), link)
    }

    /// The same for somebody who has a device key already.
    pub fn join_as(&mut self, identity: Identity, link: &InviteLink) -> usize {
        let who = self.look_as(identity, link);
        self.command(who, Command::Join);
        who
    }

    /// Somebody who has opened the link, and not pressed Join.
    pub fn look(&mut self, name: &str, link: &InviteLink) -> usize {
        self.look_as(identity(name), link)
    }

    fn look_as(&mut self, identity: Identity, link: &InviteLink) -> usize {
        let entropy = self.entropy();
        let meeting = Meeting::join(link.clone(), identity, Default::default(), entropy);
        self.seat(meeting)
    }

    fn entropy(&mut self) -> conclave_meeting::Entropy {
        self.seed += 1;
        entropy(self.seed)
    }

    fn seat(&mut self, meeting: Meeting) -> usize {
        self.people.push(Person {
            meeting,
            events: Vec::new(),
            keys: Vec::new(),
            moves_at: Vec::new(),
            line: None,
            is_deaf: false,
        });
        let who = self.people.len() - 1;
        self.dial(who);
        self.settle();
        who
    }

    pub fn command(&mut self, who: usize, command: Command) {
        self.people[who]
            .meeting
            .handle(self.now, Input::Command(command));
        self.settle();
    }

    pub fn admit_all(&mut self, host: usize) {
        for knock in self.people[host].snapshot().knocks {
            self.command(host, Command::Admit(knock.device));
        }
        self.pass(Duration::from_millis(300));
    }

    pub fn device(&self, who: usize) -> DeviceId {
        self.people[who].snapshot().device
    }

    /// How somebody sees a member.
    pub fn seen(&self, by: usize, device: DeviceId) -> MemberView {
        let members = self.people[by].snapshot().members;
        let found = members.into_iter().find(|member| member.device == device);
        found.unwrap()
    }

    pub fn hang_up(&mut self, who: usize) {
        if let Some(line) = self.people[who].line.take() {
            self.service.hang_up(line);
            self.people[who].meeting.handle(self.now, Input::LinkDown);
        }
        self.drain(who);
    }

    /// A new connection, and what comes of it.
    pub fn back(&mut self, who: usize) {
        self.dial(who);
        self.settle();
    }

    /// A new connection, over which nothing has gone yet.
    pub fn dial(&mut self, who: usize) {
        self.lines += 1;
        self.people[who].line = Some(self.lines);
        self.people[who].meeting.handle(self.now, Input::LinkUp);
    }

    /// From now on nothing that the service says reaches this person …
    pub fn deaf(&mut self, who: usize) {
        self.people[who].is_deaf = true;
    }

    /// … until now; what was said meanwhile is lost.
    pub fn hears_again(&mut self, who: usize) {
        self.people[who].is_deaf = false;
    }

    /// A connection of somebody who runs another program.
    pub fn stranger(&mut self) -> Line {
        self.lines += 1;
        self.strangers.insert(self.lines, Vec::new());
        self.lines
    }

    /// What a stranger says to the service, and the first that he hears of it.
    pub fn stranger_says(&mut self, line: Line, message: ClientMessage) -> Vec<ServerMessage> {
        let before = self.strangers[&line].len();
        self.service.receive(line, message);
        self.settle();
        self.strangers[&line][before..].to_vec()
    }

    /// All that a stranger heard since he was last asked.
    pub fn stranger_hears(&mut self, line: Line) -> Vec<ServerMessage> {
        std::mem::take(self.strangers.get_mut(&line).unwrap())
    }

    /// The service puts something of its own into the log, and everybody gets it.
    pub fn forge(&mut self, from: DeviceId, body: EntryBody) {
        self.service.forge(from, body);
        self.settle();
    }

    /// Hands a message to somebody as if the service had sent it.
    pub fn slip(&mut self, who: usize, message: ServerMessage) {
        self.people[who]
            .meeting
            .handle(self.now, Input::Message(Box::new(message)));
        self.settle();
    }

    /// Time passes; whoever wants to be woken is.
    pub fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let next = self
                .people
                .iter()
                .filter_map(|person| person.meeting.deadline())
                .min();
            match next {
                Some(at) if at <= end => {
                    self.now = self.now.max(at);
                    let due =
                        |person: &Person| person.meeting.deadline().is_some_and(|when| when <= at);
                    let woken: Vec<_> = (0..self.people.len())
                        .filter(|who| due(&self.people[*who]))
                        .collect();
                    for who in woken {
                        self.people[who].meeting.handle(self.now, Input::Tick);
                    }
                    self.settle();
                }
                _ => break,
            }
        }
        self.now = end;
    }

    /// Delivers until nothing moves any more.
    pub fn settle(&mut self) {
        loop {
            (0..self.people.len()).for_each(|who| self.drain(who));
            let Some((line, message)) = self.service.outbox.pop_front() else {
                return;
            };
            let Some(who) = self
                .people
                .iter()
                .position(|person| person.line == Some(line))
            else {
                if let Some(heard) = self.strangers.get_mut(&line) {
                    heard.push(message);
                }
                continue;
            };
            if self.people[who].is_deaf {
                continue;
            }
            // Through the codec, as on a real line.
            let message = ServerMessage::decode(&message.encode().unwrap()).unwrap();
            self.people[who]
                .meeting
                .handle(self.now, Input::Message(Box::new(message)));
        }
    }

    fn drain(&mut self, who: usize) {
        while let Some(output) = self.people[who].meeting.poll() {
            match output {
                Output::Send(message) => {
                    if let Some(line) = self.people[who].line {
                        self.service.receive(line, *message);
                    }
                }
                Output::Event(event) => self.people[who].events.push(event),
                Output::Keys {
                    keys,
                    senders_move_at,
                } => {
                    self.people[who].keys.push(*keys);
                    self.people[who].moves_at.push(senders_move_at);
                }
                Output::Reconnect => {
                    self.hang_up(who);
                    self.dial(who);
                }
                Output::Close => {
                    if let Some(line) = self.people[who].line.take() {
                        self.service.hang_up(line);
                    }
                }
                Output::Grant { .. } => {}
            }
        }
    }

    /// In the whole meeting, so far.
    #[track_caller]
    pub fn assert_nobody_is_warned(&self) {
        for (who, person) in self.people.iter().enumerate() {
            assert_eq!(person.warnings(), [], "{who}");
        }
    }

    /// All in the meeting agree on epoch, code and roster.
    pub fn assert_agreement(&self, who: &[usize]) {
        let first = self.people[who[0]].snapshot();
        for other in &who[1..] {
            let snapshot = self.people[*other].snapshot();
            assert_eq!((snapshot.phase, snapshot.epoch), (first.phase, first.epoch));
            assert_eq!(snapshot.code, first.code);
            assert_eq!(self.people[*other].names(), self.people[who[0]].names());
        }
    }
}

/// A meeting like any other.
pub fn host_params(waiting_room: bool) -> HostParams {
    HostParams {
        host: "meet.example.org".into(),
        port: 443,
        certificate: None,
        title: "Merger of the two".parse().unwrap(),
        waiting_room,
        secrecy: Default::default(),
        strict: false,
        lifetime: Duration::from_secs(3600),
    }
}

/// SplitMix64: enough for ids that must only differ.
pub fn entropy(seed: u64) -> conclave_meeting::Entropy {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Box::new(move |buffer| {
        for byte in buffer {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            *byte = (z >> 32) as u8;
        }
    })
}

/// Somebody whom nobody has met.
pub fn identity(name: &str) -> Identity {
    Identity {
        name: name.parse().unwrap(),
        key: Arc::new(DeviceKey::generate().unwrap()),
    }
}
