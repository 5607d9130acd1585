//! People around a service that does anything, in virtual time, with an eye on progress.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use conclave_meeting::{Command, Event, Input, InviteLink, Meeting, Output, Phase};
use conclave_wire::{DeviceId, ServerMessage};

use crate::sim::people::{entropy, host_params, identity};
use crate::sim::service::{Line, Service};

/// Messages that may follow from one input at most. A meeting of a few people takes some dozens.
const MAX_MESSAGES: usize = 4000;
/// Ticks that may be due in one stretch of time at most; heartbeats come every five seconds.
const MAX_TICKS: usize = 4000;
/// Ticks of one machine at one moment at most, the one included that finds nothing left to do.
const MAX_TICKS_AT_ONCE: usize = 3;
/// Messages that are remembered to be said again.
const MAX_HEARD: usize = 64;

/// One host, those who joined, and the service between them.
pub struct Table {
    /// The service; it is honest until somebody meddles with it.
    pub service: Service,
    people: Vec<Person>,
    now: Instant,
    lines: Line,
    heard: Vec<ServerMessage>,
    devices: BTreeSet<DeviceId>,
}

struct Person {
    meeting: Meeting,
    line: Option<Line>,
}

impl Table {
    /// A host with an open meeting. Ids come from `seed`.
    pub fn host(waiting_room: bool, seed: u64) -> Self {
        let meeting = Meeting::host(
            host_params(waiting_room),
            identity("Ana"),
            Default::default(),
            entropy(seed),
        )
        .unwrap();
        let mut table = Self {
            service: Service::default(),
            people: Vec::new(),
            now: Instant::now(),
            lines: 0,
            heard: Vec::new(),
            devices: BTreeSet::new(),
        };
        table.seat(meeting);
        table
    }

    /// Somebody with the link presses Join.
    pub fn join(&mut self, seed: u64) {
        let meeting = Meeting::join(
            self.link(),
            identity("Ben"),
            Default::default(),
            entropy(seed),
        );
        let who = self.seat(meeting);
        self.command(who, Command::Join);
    }

    /// How many people ever sat here.
    pub fn len(&self) -> usize {
        self.people.len()
    }

    /// Never: the host has a place.
    pub fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    /// The link that the host would hand on now.
    pub fn link(&self) -> InviteLink {
        self.people[0].meeting.link().clone()
    }

    /// Every device that any of them ever was.
    pub fn devices(&self) -> Vec<DeviceId> {
        self.devices.iter().copied().collect()
    }

    /// The epoch that one of them is in.
    pub fn epoch(&self, who: usize) -> u64 {
        self.people[who].meeting.snapshot().epoch
    }

    /// What the service said lately.
    pub fn heard(&self) -> &[ServerMessage] {
        &self.heard
    }

    /// One of them wants something.
    pub fn command(&mut self, who: usize, command: Command) {
        self.input(who, Input::Command(command));
    }

    /// Every host lets in all who knock.
    pub fn admit_all(&mut self) {
        for who in 0..self.people.len() {
            for knock in self.people[who].meeting.snapshot().knocks {
                self.command(who, Command::Admit(knock.device));
            }
        }
    }

    /// The service says this to one of them.
    pub fn slip(&mut self, who: usize, message: ServerMessage) {
        self.input(who, Input::Message(Box::new(message)));
    }

    /// A connection breaks, or stands again.
    pub fn toggle(&mut self, who: usize) {
        match self.people[who].line {
            Some(_) => self.hang_up(who),
            None => self.dial(who),
        }
        self.settle();
    }

    /// Time passes, and whoever wants to be woken is.
    ///
    /// # Panics
    /// When a machine wants to be woken for a time that has come, and still does after it was.
    pub fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        for _ in 0..MAX_TICKS {
            let due = |person: &Person| person.meeting.deadline();
            let Some(at) = self.people.iter().filter_map(due).min() else {
                break;
            };
            if at > end {
                break;
            }
            self.now = self.now.max(at);
            for who in 0..self.people.len() {
                self.wake(who);
            }
            self.settle();
        }
        let due = |person: &Person| person.meeting.deadline();
        let first = self.people.iter().filter_map(due).min();
        assert!(
            first.is_none_or(|at| at > end),
            "more than {MAX_TICKS} ticks in {duration:?}"
        );
        self.now = end;
    }

    /// What holds whatever the service does.
    ///
    /// # Panics
    /// When somebody sees a member that never sat here, or not himself.
    pub fn check(&self) {
        for person in &self.people {
            let snapshot = person.meeting.snapshot();
            if snapshot.phase != Phase::Active {
                continue;
            }
            assert!(snapshot.members.iter().any(|member| member.is_me));
            for member in &snapshot.members {
                assert!(self.devices.contains(&member.device), "a ghost");
            }
        }
    }

    fn wake(&mut self, who: usize) {
        let meeting = &mut self.people[who].meeting;
        for _ in 0..MAX_TICKS_AT_ONCE {
            if meeting.deadline().is_none_or(|at| at > self.now) {
                return;
            }
            meeting.handle(self.now, Input::Tick);
        }
        panic!("{who} wants to be woken again and again at once");
    }

    fn seat(&mut self, meeting: Meeting) -> usize {
        self.people.push(Person {
            meeting,
            line: None,
        });
        let who = self.people.len() - 1;
        self.dial(who);
        self.settle();
        who
    }

    fn input(&mut self, who: usize, input: Input) {
        self.people[who].meeting.handle(self.now, input);
        self.settle();
    }

    fn hang_up(&mut self, who: usize) {
        if let Some(line) = self.people[who].line.take() {
            self.service.hang_up(line);
            self.people[who].meeting.handle(self.now, Input::LinkDown);
        }
    }

    fn dial(&mut self, who: usize) {
        self.lines += 1;
        self.people[who].line = Some(self.lines);
        self.people[who].meeting.handle(self.now, Input::LinkUp);
    }

    /// Delivers until nothing moves any more.
    fn settle(&mut self) {
        for _ in 0..MAX_MESSAGES {
            (0..self.people.len()).for_each(|who| self.drain(who));
            self.close();
            let Some((line, message)) = self.service.outbox.pop_front() else {
                return;
            };
            self.remember(&message);
            let at_line = |person: &Person| person.line == Some(line);
            if let Some(who) = self.people.iter().position(at_line) {
                let message = Input::Message(Box::new(message));
                self.people[who].meeting.handle(self.now, message);
            }
        }
        panic!("more than {MAX_MESSAGES} messages for one input");
    }

    fn drain(&mut self, who: usize) {
        for _ in 0..MAX_MESSAGES {
            let Some(output) = self.people[who].meeting.poll() else {
                self.devices
                    .insert(self.people[who].meeting.snapshot().device);
                return;
            };
            match output {
                Output::Send(message) => {
                    if let Some(line) = self.people[who].line {
                        self.service.receive(line, *message);
                    }
                }
                Output::Event(Event::Warning(warning)) => assert!(!warning.to_string().is_empty()),
                Output::Reconnect => {
                    self.hang_up(who);
                    self.dial(who);
                }
                Output::Close => {
                    if let Some(line) = self.people[who].line.take() {
                        self.service.hang_up(line);
                    }
                }
                Output::Event(_) | Output::Keys { .. } | Output::Grant { .. } => {}
            }
        }
        panic!("more than {MAX_MESSAGES} outputs of one input");
    }

    /// The service ends connections once everything before is delivered.
    fn close(&mut self) {
        if !self.service.outbox.is_empty() {
            return;
        }
        for line in std::mem::take(&mut self.service.closing) {
            let at_line = |person: &Person| person.line == Some(line);
            if let Some(who) = self.people.iter().position(at_line) {
                self.hang_up(who);
                // As the client does, only without waiting.
                self.dial(who);
            }
        }
    }

    fn remember(&mut self, message: &ServerMessage) {
        if self.heard.len() == MAX_HEARD {
            self.heard.remove(0);
        }
        self.heard.push(message.clone());
    }
}
