//! A seeded play: people, their programs and connections, the service, and virtual time.
//!
//! Everything that happens is drawn from the seed. Keys are not: openmls draws its own. So a seed
//! repeats the order of things to the letter, and the bytes of the blobs not.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use conclave_e2ee::{DeviceKey, MediaEpoch};
use conclave_meeting::{
    Change, Command, Event, HostParams, Identity, Input, InviteLink, LeftReason, MediaState,
    Meeting, Output, Phase, Role, Snapshot,
};
use conclave_wire::{ClientMessage, DeviceId, ServerMessage};

use super::audit::{Auditor, Who};
use super::malice::Malice;
use super::network::{Happening, MS, Micros, Network, SECOND};
use super::rng::Rng;
use super::script::{Act, FOUNDER, Rule, Script};
use super::service::{Line, Service};

/// Outputs that one input may lead to: the queue of a machine that nobody drains is bounded by it.
const MAX_OUTPUTS: usize = 64;
/// What one play may say and do in all, that a loop shows as a failure.
const MAX_MESSAGES: u64 = 30_000;
const MAX_STEPS: u64 = 300_000;
/// Wakings in one moment that lead to nothing.
const MAX_WAKINGS: u32 = 5;

/// What came of a play, for those who want to know whether it was worth watching.
#[derive(Debug, Default)]
pub struct Outcome {
    pub faults: Vec<String>,
    pub people: usize,
    /// In the meeting at the end.
    pub present: usize,
    pub left: Vec<LeftReason>,
    pub frames_tried: u64,
    pub frames_opened: u64,
}

struct Actor {
    name: String,
    key: Arc<DeviceKey>,
    meeting: Option<Meeting>,
    line: Option<Line>,
    left: Option<LeftReason>,
    /// The one waking that is planned.
    wakes_at: Option<Micros>,
    woken_at: (Micros, u32),
    /// Until it is let in again.
    removed: Option<Removal>,
    /// Went by the script.
    wanted_out: bool,
}

/// Somebody's removal, as somebody wished it.
struct Removal {
    by: Who,
    /// The devices from before it.
    before: BTreeSet<DeviceId>,
    /// Who began an epoch without him. Those on another branch of a service that forks know nothing
    /// of it, and a wish whose owner goes before anybody does goes with him.
    seen_by: BTreeSet<Who>,
}

pub struct Play {
    seed: u64,
    now: Micros,
    beginning: Instant,
    network: Network<Act>,
    service: Service,
    /// The log that the other half sees, while the service forks.
    other: Option<Service>,
    otherwise: BTreeSet<Who>,
    /// Lines that lead to the other log.
    other_lines: BTreeSet<Line>,
    down_until: Micros,
    malice: Malice,
    script: Script,
    auditor: Auditor,
    actors: Vec<Actor>,
    link: Option<InviteLink>,
    rng: Rng,
    /// The waiting room was off at some time.
    door_was_open: bool,
    messages: u64,
    trace: bool,
}

type Step = Result<(), String>;

impl Play {
    /// Plays a seed to its end.
    ///
    /// # Errors
    /// What did not hold, and when.
    pub fn run(seed: u64, trace: bool) -> Result<Outcome, String> {
        let malice = Malice::new(seed);
        let script = Script::new(seed, &malice);
        let mut play = Self {
            seed,
            now: 0,
            beginning: Instant::now(),
            network: Network::new(seed),
            service: Service::default(),
            other: None,
            otherwise: BTreeSet::new(),
            other_lines: BTreeSet::new(),
            down_until: 0,
            malice,
            script,
            auditor: Auditor::default(),
            actors: Vec::new(),
            link: None,
            rng: Rng::new(seed, 4),
            door_was_open: false,
            messages: 0,
            trace,
        };
        play.act_out().map_err(|fault| {
            let faults: Vec<_> = play.malice.plan().collect();
            let at = play.now as f64 / SECOND as f64;
            format!("after {at:.3} s, with {faults:?}: {fault}")
        })?;
        Ok(play.outcome())
    }

    fn act_out(&mut self) -> Step {
        self.found()?;
        for (at, act) in std::mem::take(&mut self.script.acts) {
            self.network.plan(at, act);
        }
        for _ in 0..MAX_STEPS {
            let (at, happening) = self.network.next().ok_or("the play has no end")?;
            self.now = self.now.max(at);
            match happening {
                Happening::Up(line, message) => self.up(line, *message)?,
                Happening::Down(line, message) => self.down(line, *message)?,
                Happening::ServiceNotices(line) => {
                    self.network.forget(line);
                    self.service_of(line).hang_up(line);
                    self.pump();
                }
                Happening::PersonNotices(line) => self.lost(line)?,
                Happening::Planned(Act::End) => return self.end(),
                Happening::Planned(act) => self.act(act)?,
            }
        }
        Err("the play does not come to its end".into())
    }

    /// The founder, with a meeting that is about to be opened.
    fn found(&mut self) -> Step {
        let params = HostParams {
            host: "meet.example.org".into(),
            port: 443,
            certificate: None,
            title: "Xylograph and sons".parse().expect("a title"),
            waiting_room: self.script.waiting_room,
            secrecy: Default::default(),
            strict: false,
            lifetime: Duration::from_secs(3600),
        };
        let who = self.somebody();
        let entropy = self.entropy();
        let identity = self.identity(who);
        let meeting = Meeting::host(params, identity, MediaState::default(), entropy)
            .map_err(|error| error.to_string())?;
        let link = meeting.link().clone();
        self.auditor.keep_secret(*link.secret.expose());
        self.auditor.owns(who, meeting.snapshot().device);
        self.auditor.admit(who);
        self.link = Some(link);
        self.actors[who].meeting = Some(meeting);
        for _ in 1..self.script.people {
            self.somebody();
        }
        self.act(Act::Dial(who))
    }

    fn somebody(&mut self) -> Who {
        let who = self.actors.len();
        let seed: [u8; 32] = self.rng.bytes();
        self.actors.push(Actor {
            name: format!("Xylograph {who}"),
            key: Arc::new(DeviceKey::from_seed(seed).expect("a key")),
            meeting: None,
            line: None,
            left: None,
            wakes_at: None,
            woken_at: (0, 0),
            removed: None,
            wanted_out: false,
        });
        who
    }

    fn identity(&self, who: Who) -> Identity {
        let actor = &self.actors[who];
        Identity {
            name: actor.name.parse().expect("a name"),
            key: actor.key.clone(),
        }
    }

    fn entropy(&mut self) -> conclave_meeting::Entropy {
        let mut rng = Rng::new(self.rng.next(), 5);
        Box::new(move |buffer| rng.fill(buffer))
    }

    fn act(&mut self, act: Act) -> Step {
        if !matches!(act, Act::Wake(_)) {
            self.say(|| format!("{act:?}"));
        }
        match act {
            Act::Begin(who) | Act::Back(who) => self.join(who),
            Act::Leave(who) => {
                self.actors[who].wanted_out = true;
                if self.is_last_host(who) {
                    // Without an heir it ends for all.
                    for actor in &mut self.actors {
                        actor.wanted_out = true;
                    }
                }
                self.command(who, Command::Leave)
            }
            Act::Media(who, media) => self.command(who, Command::SetMedia(media)),
            Act::Cut(who) => {
                if let Some(line) = self.actors[who].line {
                    self.network.cut(self.now, line);
                }
                Ok(())
            }
            Act::Crash(who) => {
                self.actors[who].wanted_out = true;
                self.actors[who].meeting = None;
                if let Some(line) = self.actors[who].line.take() {
                    self.network.cut(self.now, line);
                }
                Ok(())
            }
            Act::Remove(who) => self.remove(who),
            Act::Restart => {
                self.restart();
                Ok(())
            }
            Act::Fork => {
                self.fork();
                Ok(())
            }
            Act::Honest => self.honest(),
            Act::Appoint(who, role) => self.about(who, |device| Command::SetRole(device, role)),
            Act::Name(who) => self.about(who, |device| Command::SetSuccessor(device, true)),
            Act::Rule(rule) => self.rule(rule),
            Act::Hand(who, up) => self.command(who, Command::RaiseHand(up)),
            Act::LetSpeak(who) => self.about(who, Command::LetSpeak),
            Act::AskToMute(who) => self.about(who, Command::AskToMute),
            Act::EndMeeting => match self.host() {
                Some(host) => {
                    for actor in &mut self.actors {
                        actor.wanted_out = true;
                    }
                    self.command(host, Command::End)
                }
                None => Ok(()),
            },
            Act::Decide(holder, device, admit) => self.decide(holder, device, admit),
            Act::Latecomer => {
                let who = self.somebody();
                self.join(who)
            }
            Act::Dial(who) => self.dial(who),
            Act::Wake(who) => self.wake(who),
            Act::End => Ok(()),
        }
    }

    /// A fresh program opens the link and presses Join.
    fn join(&mut self, who: Who) -> Step {
        let gone = self.actors[who].left.is_some() || self.actors[who].meeting.is_none();
        let Some(link) = self.link.clone().filter(|_| gone) else {
            return Ok(());
        };
        if !self.door_is_kept() {
            self.auditor.admit(who);
        }
        let entropy = self.entropy();
        let identity = self.identity(who);
        let meeting = Meeting::join(link, identity, MediaState::default(), entropy);
        let actor = &mut self.actors[who];
        actor.meeting = Some(meeting);
        actor.left = None;
        actor.wanted_out = false;
        actor.wakes_at = None;
        if let Some(line) = actor.line.take() {
            self.network.close(self.now, line);
        }
        self.command(who, Command::Join)?;
        self.dial(who)
    }

    /// What somebody may do, as he sees it himself.
    fn role(&self, who: Who) -> Option<Role> {
        let snapshot = self.snapshot(who)?;
        let mut members = snapshot.members.iter();
        members.find(|member| member.is_me).map(|me| me.role)
    }

    fn host(&self) -> Option<Who> {
        (0..self.actors.len()).find(|who| self.role(*who) == Some(Role::Host))
    }

    fn is_last_host(&self, who: Who) -> bool {
        let hosts = |other: &Who| self.role(*other) == Some(Role::Host);
        hosts(&who) && !(0..self.actors.len()).any(|other| other != who && hosts(&other))
    }

    /// The device under which a host sees somebody.
    fn device_seen_by(&self, host: Who, who: Who) -> Option<DeviceId> {
        let members = self.snapshot(host)?.members;
        let devices = members.iter().map(|member| member.device);
        let mut theirs = devices.filter(|device| self.auditor.owner(*device) == Some(who));
        theirs.next_back()
    }

    /// A host does something about somebody else.
    fn about(&mut self, who: Who, command: impl FnOnce(DeviceId) -> Command) -> Step {
        let host = self.host();
        let seen = host.and_then(|host| Some((host, self.device_seen_by(host, who)?)));
        match seen {
            Some((host, device)) => self.command(host, command(device)),
            None => Ok(()),
        }
    }

    fn rule(&mut self, rule: Rule) -> Step {
        let Some(host) = self.host() else {
            return Ok(());
        };
        let command = match rule {
            Rule::Locked(locked) => Command::SetLocked(locked),
            Rule::WaitingRoom(on) => {
                self.door_was_open |= !on;
                Command::SetWaitingRoom(on)
            }
            Rule::Secrecy(secrecy) => Command::SetSecrecy(secrecy),
            Rule::Strict(strict) => Command::SetStrict(strict),
            Rule::OpenMicrophones(bound) => Command::SetOpenMicrophones(bound),
            Rule::Link {
                single_use,
                valid_s,
            } => Command::RenewLink {
                single_use,
                valid_s,
            },
        };
        self.command(host, command)?;
        if self.door_was_open {
            for who in 0..self.actors.len() {
                self.auditor.admit(who);
            }
        }
        Ok(())
    }

    fn remove(&mut self, who: Who) -> Step {
        let host = self.host().filter(|host| *host != who);
        let seen = host.and_then(|host| Some((host, self.device_seen_by(host, who)?)));
        let Some((host, device)) = seen else {
            return Ok(());
        };
        self.actors[who].removed = Some(Removal {
            by: host,
            before: self.auditor.devices(who),
            seen_by: BTreeSet::new(),
        });
        self.actors[who].wanted_out = true;
        self.command(host, Command::Remove(device))
    }

    fn decide(&mut self, holder: Who, device: DeviceId, admit: bool) -> Step {
        let waits = self
            .snapshot(holder)
            .is_some_and(|there| there.knocks.iter().any(|knock| knock.device == device));
        let Some(who) = self.auditor.owner(device).filter(|_| waits) else {
            return Ok(());
        };
        if admit || !self.malice.active {
            self.auditor.admit(who);
            self.actors[who].removed = None;
            self.command(holder, Command::Admit(device))
        } else {
            self.actors[who].wanted_out = true;
            self.command(holder, Command::Refuse(device))
        }
    }

    fn restart(&mut self) {
        self.service.restart();
        self.other = None;
        self.otherwise.clear();
        self.other_lines.clear();
        self.down_until = self.now + self.rng.between(100 * MS, 3 * SECOND);
        for line in self.network.standing() {
            self.network.cut(self.now, line);
        }
    }

    fn fork(&mut self) {
        if self.other.is_some() {
            return;
        }
        self.other = Some(self.service.clone());
        self.otherwise = (0..self.actors.len())
            .filter(|_| self.rng.chance(500))
            .collect();
        let of = |line: &Line| {
            self.actors
                .iter()
                .position(|actor| actor.line == Some(*line))
        };
        let standing = self.network.standing();
        let there = |line: &Line| of(line).is_some_and(|who| self.otherwise.contains(&who));
        self.other_lines = standing.into_iter().filter(there).collect();
    }

    /// The faults stop. Whoever runs the server has put an honest one in its place, which has the
    /// memory of the old one or none; people's programs find each other by themselves.
    fn honest(&mut self) -> Step {
        for (line, message, _) in self.malice.stop() {
            self.network.down(self.now, line, message, 0);
        }
        if self.script.forgets || self.service.was_forged {
            self.restart();
        } else {
            for line in self.network.standing() {
                self.network.cut(self.now, line);
            }
        }
        Ok(())
    }

    fn service_of(&mut self, line: Line) -> &mut Service {
        match &mut self.other {
            Some(other) if self.other_lines.contains(&line) => other,
            _ => &mut self.service,
        }
    }

    fn dial(&mut self, who: Who) -> Step {
        let actor = &self.actors[who];
        let alive = actor.meeting.is_some() && actor.left.is_none();
        if !alive || actor.line.is_some() {
            return Ok(());
        }
        if self.now < self.down_until {
            self.network.plan(self.now + 500 * MS, Act::Dial(who));
            return Ok(());
        }
        let line = self.network.dial();
        if self.other.is_some() && self.otherwise.contains(&who) {
            self.other_lines.insert(line);
        }
        self.actors[who].line = Some(line);
        self.feed(who, Input::LinkUp)
    }

    fn wake(&mut self, who: Who) -> Step {
        let actor = &mut self.actors[who];
        if actor.wakes_at != Some(self.now) {
            return Ok(());
        }
        actor.wakes_at = None;
        actor.woken_at = match actor.woken_at {
            (at, times) if at == self.now => (at, times + 1),
            _ => (self.now, 1),
        };
        if actor.woken_at.1 > MAX_WAKINGS {
            return Err(format!("{who} wants to be woken again and again at once"));
        }
        self.feed(who, Input::Tick)
    }

    fn up(&mut self, line: Line, message: ClientMessage) -> Step {
        if !self.network.carries_up(line) || self.now < self.down_until || self.malice.swallows() {
            return Ok(());
        }
        let now = self.now;
        let service = self.service_of(line);
        service.log_begins_at = now;
        service.receive(line, message);
        let seen = std::mem::take(&mut service.seen);
        self.auditor.bytes(&seen)?;
        self.pump();
        Ok(())
    }

    /// What the services say goes on its way, through the hands of whoever runs them.
    fn pump(&mut self) {
        for is_other in [false, true] {
            while let Some((line, message)) = self.next_said(is_other) {
                if self.other_lines.contains(&line) != is_other {
                    continue;
                }
                let standing = self.network.standing();
                let to = self.service_of(line).member_on(line);
                let passed = self.malice.pass(self.now, line, to, &standing, message);
                for (line, message, later) in passed.deliver {
                    self.network.down(self.now, line, message, later);
                }
                if let Some((from, body)) = passed.forge {
                    self.service_of(line).forge(from, body);
                }
            }
        }
        let mut closing = std::mem::take(&mut self.service.closing);
        closing.extend(
            self.other
                .iter_mut()
                .flat_map(|other| other.closing.drain(..)),
        );
        for line in closing {
            self.network.end(self.now, line);
        }
    }

    fn next_said(&mut self, other: bool) -> Option<(Line, ServerMessage)> {
        match other {
            true => self.other.as_mut()?.outbox.pop_front(),
            false => self.service.outbox.pop_front(),
        }
    }

    fn down(&mut self, line: Line, message: ServerMessage) -> Step {
        let who = self
            .actors
            .iter()
            .position(|actor| actor.line == Some(line));
        let Some(who) = who.filter(|_| self.network.carries_down(line)) else {
            return Ok(());
        };
        self.say(|| format!("{who} hears {}", self.heard_in_short(&message)));
        // Through the codec, as on a real line.
        let bytes = message.encode().map_err(|error| error.to_string())?;
        let message = ServerMessage::decode(&bytes).map_err(|error| error.to_string())?;
        self.feed(who, Input::Message(Box::new(message)))
    }

    /// Somebody's connection is gone, and he has noticed.
    fn lost(&mut self, line: Line) -> Step {
        self.network.forget(line);
        let Some(who) = self
            .actors
            .iter()
            .position(|actor| actor.line == Some(line))
        else {
            return Ok(());
        };
        self.actors[who].line = None;
        self.feed(who, Input::LinkDown)?;
        let later = self.rng.between(50 * MS, 1500 * MS);
        self.network.plan(self.now + later, Act::Dial(who));
        Ok(())
    }

    fn command(&mut self, who: Who, command: Command) -> Step {
        self.feed(who, Input::Command(command))
    }

    /// One input, and all that comes of it.
    fn feed(&mut self, who: Who, input: Input) -> Step {
        let now = self.instant();
        let Some(meeting) = &mut self.actors[who].meeting else {
            return Ok(());
        };
        meeting.handle(now, input);
        let mut outputs = Vec::new();
        while let Some(output) = meeting.poll() {
            outputs.push(output);
        }
        if outputs.len() > MAX_OUTPUTS {
            return Err(format!("{who} wants {} things at once", outputs.len()));
        }
        let (mut reconnect, mut close) = (false, false);
        for output in outputs {
            match output {
                Output::Send(message) => self.send(who, *message)?,
                Output::Event(event) => self.hear(who, event),
                Output::Keys { keys, .. } => self.keys(who, *keys)?,
                Output::Reconnect => reconnect = true,
                Output::Close => close = true,
                Output::Grant { .. } => {}
            }
        }
        if close || reconnect {
            if let Some(line) = self.actors[who].line.take() {
                self.network.close(self.now, line);
                self.feed(who, Input::LinkDown)?;
            }
            if reconnect {
                let later = self.rng.between(20 * MS, 500 * MS);
                self.network.plan(self.now + later, Act::Dial(who));
            }
        }
        self.plan_waking(who);
        Ok(())
    }

    fn plan_waking(&mut self, who: Who) {
        let actor = &mut self.actors[who];
        let deadline = actor.meeting.as_ref().and_then(Meeting::deadline);
        let Some(deadline) = deadline else { return };
        let after = deadline.saturating_duration_since(self.beginning);
        // Rounded up: a waking that comes too early would only ask for another.
        let at = Micros::try_from(after.as_nanos().div_ceil(1000)).unwrap_or(Micros::MAX);
        let at = at.max(self.now);
        if actor.wakes_at != Some(at) {
            actor.wakes_at = Some(at);
            self.network.plan(at, Act::Wake(who));
        }
    }

    fn send(&mut self, who: Who, message: ClientMessage) -> Step {
        self.messages += 1;
        if self.messages > MAX_MESSAGES {
            return Err("a storm of messages".into());
        }
        let device = match &message {
            ClientMessage::Open(open) => Some(open.device),
            ClientMessage::Knock(knock) => Some(knock.device),
            ClientMessage::Attach(attach) => Some(attach.device),
            _ => None,
        };
        if let Some(device) = device {
            self.auditor.owns(who, device);
        }
        self.say(|| format!("{who} says {}", in_short(&message)));
        if let Some(line) = self.actors[who].line {
            self.network.up(self.now, line, message);
        }
        Ok(())
    }

    fn hear(&mut self, who: Who, event: Event) {
        self.say(|| format!("{who}: {event:?}"));
        match event {
            Event::Left(reason) => self.actors[who].left = Some(reason),
            Event::Knock { device, .. } => {
                let later = self.rng.between(200 * MS, 4 * SECOND);
                let admit = self.rng.chance(900);
                let decision = Act::Decide(who, device, admit);
                self.network.plan(self.now + later, decision);
            }
            Event::Link => {
                // Whoever keeps the door hands on the newest link.
                let link = self.actors[who]
                    .meeting
                    .as_ref()
                    .map(Meeting::link)
                    .cloned();
                if let Some(link) = link.filter(|_| self.role(who) >= Some(Role::CoHost)) {
                    self.auditor.keep_secret(*link.secret.expose());
                    self.link = Some(link);
                }
            }
            _ => {}
        }
    }

    /// Whether nobody ever came in without a yes.
    fn door_is_kept(&self) -> bool {
        self.script.waiting_room && !self.door_was_open
    }

    fn keys(&mut self, who: Who, keys: MediaEpoch) -> Step {
        let Some(snapshot) = self.snapshot(who) else {
            // A host goes in the very moment in which his heir is one.
            let goes = self.actors[who].wanted_out;
            return match goes {
                true => Ok(()),
                false => Err(format!("{who} is given keys outside of a meeting")),
            };
        };
        self.say(|| format!("{who} is in epoch {} {:?}", snapshot.epoch, snapshot.change));
        let present: BTreeSet<_> = snapshot.members.iter().map(|there| there.device).collect();
        let owners: BTreeSet<_> = present
            .iter()
            .filter_map(|device| self.auditor.owner(*device))
            .collect();
        let enters = snapshot.change == Change::Begun;
        for (owner, actor) in self.actors.iter_mut().enumerate() {
            let Some(removal) = &mut actor.removed else {
                continue;
            };
            if !owners.contains(&owner) {
                removal.seen_by.insert(who);
            } else if enters && removal.seen_by.remove(&who) && removal.seen_by.is_empty() {
                // The group in which it was seen is lost to all who were there: the service had
                // parted them from the others, who never heard of it.
                actor.removed = None;
            }
        }
        for device in &present {
            let Some(owner) = self.auditor.owner(*device) else {
                continue;
            };
            let Some(removal) = &self.actors[owner].removed else {
                continue;
            };
            if removal.before.contains(device) || !self.door_is_kept() {
                continue;
            }
            let is_under_way = removal.seen_by.is_empty();
            let is_wished = is_under_way && self.snapshot(removal.by).is_some();
            if is_wished || removal.seen_by.contains(&who) {
                return Err(format!("{owner} was removed and is back without a yes"));
            }
            if is_under_way {
                self.actors[owner].removed = None;
            }
        }
        self.auditor.begins(who, keys, &snapshot)
    }

    /// Somebody's meeting, if he is in one.
    fn snapshot(&self, who: Who) -> Option<Snapshot> {
        let snapshot = self.actors[who].meeting.as_ref()?.snapshot();
        (snapshot.phase == Phase::Active).then_some(snapshot)
    }

    /// The faults are long over: all agree, or have left and know why.
    fn end(&mut self) -> Step {
        let phases: Vec<_> = (0..self.actors.len())
            .filter_map(|who| Some((who, self.actors[who].meeting.as_ref()?.snapshot())))
            .collect();
        let present: Vec<_> = phases
            .iter()
            .filter(|(_, snapshot)| snapshot.phase == Phase::Active)
            .collect();
        let strongest = present.iter().filter_map(|(who, _)| self.role(*who)).max();
        let door_is_kept = strongest >= Some(Role::CoHost);
        let host_is_in = strongest == Some(Role::Host);
        for (who, snapshot) in &phases {
            match snapshot.phase {
                Phase::Active | Phase::Left(_) => {}
                // Nobody is there who could open.
                Phase::Joining if !door_is_kept => {}
                phase => return Err(format!("{who} is {phase:?} at the end")),
            }
        }
        let Some((one, first)) = present.first() else {
            return Ok(());
        };
        for (who, snapshot) in &present {
            let same = (snapshot.epoch, &snapshot.code) == (first.epoch, &first.code);
            if !same {
                return Err(format!(
                    "{one} is in epoch {} and {who} in epoch {} at the end",
                    first.epoch, snapshot.epoch
                ));
            }
            // Who was let in by somebody who died at once is told by the next keeper of the door.
            let is_told = self.malice.plan().next().is_none() && door_is_kept;
            if is_told && floor(snapshot) != floor(first) {
                return Err(format!(
                    "{one} and {who} see others speak, or other hands: {:?}, {:?}",
                    floor(first),
                    floor(snapshot)
                ));
            }
            if roster(snapshot) != roster(first) {
                return Err(format!("{one} and {who} see other people at the end"));
            }
        }
        let devices: BTreeSet<_> = present.iter().map(|(_, there)| there.device).collect();
        if host_is_in && roster(first) != devices {
            let gone: Vec<_> = roster(first).difference(&devices).copied().collect();
            let owners: Vec<_> = gone
                .iter()
                .map(|device| self.auditor.owner(*device))
                .collect();
            return Err(format!(
                "{owners:?} are still counted, and have gone: {gone:?}"
            ));
        }
        self.nobody_is_lost(&phases)
    }

    /// Where the service never lied, weather and restarts alone throw nobody out.
    fn nobody_is_lost(&self, phases: &[(Who, Snapshot)]) -> Step {
        if self.malice.plan().next().is_some() || self.actors[FOUNDER].wanted_out {
            return Ok(());
        }
        for (who, snapshot) in phases {
            // Who looks at the door before the service knows the meeting is told so, and tries again.
            // Links end, doors are locked and their keepers go by the script.
            let by_weather = |reason| {
                let door = [
                    LeftReason::Refused,
                    LeftReason::Locked,
                    LeftReason::WrongLink,
                    LeftReason::NotByHost,
                ];
                reason != LeftReason::NoSuchMeeting && !door.contains(&reason)
            };
            if let Phase::Left(reason) = snapshot.phase
                && !self.actors[*who].wanted_out
                && by_weather(reason)
            {
                return Err(format!("{who} lost the meeting without a lie: {reason:?}"));
            }
        }
        Ok(())
    }

    fn outcome(self) -> Outcome {
        let left: Vec<_> = self.actors.iter().filter_map(|actor| actor.left).collect();
        let present = (0..self.actors.len())
            .filter(|who| self.snapshot(*who).is_some())
            .count();
        Outcome {
            faults: self
                .malice
                .plan()
                .map(|fault| format!("{fault:?}"))
                .collect(),
            people: self.actors.len(),
            present,
            left,
            frames_tried: self.auditor.frames_tried,
            frames_opened: self.auditor.frames_opened,
        }
    }

    fn instant(&self) -> Instant {
        self.beginning + Duration::from_micros(self.now)
    }

    fn say(&self, what: impl FnOnce() -> String) {
        if self.trace {
            let at = self.now as f64 / SECOND as f64;
            eprintln!("{}  {at:9.3}  {}", self.seed, what());
        }
    }
}

/// Who has a place, and whose hand is up.
fn floor(snapshot: &Snapshot) -> Vec<(DeviceId, bool, Option<usize>)> {
    snapshot
        .members
        .iter()
        .map(|member| (member.device, member.place, member.hand))
        .collect()
}

fn roster(snapshot: &Snapshot) -> BTreeSet<DeviceId> {
    snapshot
        .members
        .iter()
        .map(|member| member.device)
        .collect()
}

impl Play {
    fn heard_in_short(&self, message: &ServerMessage) -> String {
        let owner = |device: &DeviceId| match self.auditor.owner(*device) {
            Some(who) => format!("{who}'s {device}"),
            None => device.to_string(),
        };
        match message {
            ServerMessage::Signal { from, .. } => format!("a signal of {}", owner(from)),
            ServerMessage::Presence { device, online } => {
                format!("{} is online: {online}", owner(device))
            }
            ServerMessage::Entry(entry) => format!(
                "{} from {}: {:?}",
                entry.seq,
                owner(&entry.from),
                entry.body
            ),
            other => format!("{other:?}"),
        }
    }
}

fn in_short(message: &ClientMessage) -> String {
    match message {
        ClientMessage::Open(open) => format!("Open at epoch {}", open.epoch),
        ClientMessage::Attach(attach) => format!(
            "Attach {} proving {} from {}",
            attach.device, attach.proof.epoch, attach.from_seq
        ),
        ClientMessage::Knock(knock) => format!("Knock {}", knock.device),
        other => format!("{other:?}"),
    }
}
