//! An honest delivery service in a page: the rules of `conclave-wire`, tables, and a log.
//!
//! It has no socket and no clock. What it says waits in [`Service::outbox`]; the connections that
//! it ends stand in [`Service::closing`]. Lies are told elsewhere, between it and the people.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use conclave_wire::{
    Admission, Attach, Blob, ClientMessage, Commit, DeviceId, Door, Entry, EntryBody, ErrorCode,
    Knock, MAX_CARD, MAX_DIRECT, MeetingId, OpenMeeting, ServerMessage, TokenHash,
};

/// Names one connection.
pub type Line = usize;

/// Every error that a service can answer with.
pub const CODES: &[ErrorCode] = &[
    ErrorCode::UnsupportedVersion,
    ErrorCode::Malformed,
    ErrorCode::TooLarge,
    ErrorCode::NoSuchMeeting,
    ErrorCode::MeetingOver,
    ErrorCode::MeetingExists,
    ErrorCode::WrongKnockToken,
    ErrorCode::NotAMember,
    ErrorCode::TooFarBehind,
    ErrorCode::Full,
    ErrorCode::TooFast,
];

#[derive(Default, Clone)]
pub struct Service {
    meeting: Option<Table>,
    /// What waits to be delivered, by connection.
    pub outbox: VecDeque<(Line, ServerMessage)>,
    /// Connections to end once everything before is delivered.
    pub closing: Vec<Line>,
    /// Where the log of a meeting that is opened now begins: numbers of an earlier life are not
    /// those of a later one.
    pub log_begins_at: u64,
    /// Every byte that the service ever saw.
    pub seen: Vec<u8>,
    /// Whether its log holds what no member sent.
    pub was_forged: bool,
    /// It lets nothing through that one member says to another.
    pub swallow_direct: bool,
    /// What it answers to every commit, which it takes none of then.
    pub refuses_commits: Option<ErrorCode>,
    /// How often a member asked for a grant; none is given, for there is no relay here.
    pub grants_asked: u32,
    /// What a lying service would keep to say it again.
    last_welcome: Option<ServerMessage>,
    last_knock: Option<(DeviceId, Blob<MAX_CARD>)>,
    last_signals: BTreeMap<DeviceId, Blob<MAX_DIRECT>>,
}

#[derive(Clone)]
struct Table {
    id: MeetingId,
    door: Door,
    first_seq: u64,
    start_epoch: u64,
    /// Hash of the delivery token of each epoch from `start_epoch` on, and whom the commit that
    /// began it removed.
    epochs: Vec<(TokenHash, Vec<DeviceId>)>,
    log: Vec<Entry>,
    members: BTreeMap<DeviceId, Seat>,
    knocks: BTreeMap<DeviceId, (Line, Knock)>,
    lifetime_s: u32,
}

#[derive(Clone)]
struct Seat {
    hash: TokenHash,
    line: Option<Line>,
    wants_knocks: bool,
}

impl Table {
    fn epoch(&self) -> u64 {
        self.start_epoch + self.epochs.len() as u64 - 1
    }

    fn next_seq(&self) -> u64 {
        self.first_seq + self.log.len() as u64
    }

    fn on_line(&self, line: Line) -> Option<DeviceId> {
        self.members
            .iter()
            .find(|(_, seat)| seat.line == Some(line))
            .map(|(device, _)| *device)
    }

    /// Whether the proof is of an epoch here, and no commit since has removed the device.
    fn proves(&self, attach: &Attach) -> bool {
        let place = attach.proof.epoch.checked_sub(self.start_epoch);
        let Some(place) = place.and_then(|place| usize::try_from(place).ok()) else {
            return false;
        };
        let proven = self
            .epochs
            .get(place)
            .is_some_and(|(hash, _)| hash.admits(&attach.proof.token));
        proven
            && !self.epochs[place + 1..]
                .iter()
                .any(|(_, removed)| removed.contains(&attach.device))
    }
}

impl Service {
    /// The position that the next entry of the log will have.
    pub fn log_len(&self) -> u64 {
        self.meeting.as_ref().map_or(0, Table::next_seq)
    }

    /// The epoch that the log has reached.
    pub fn epoch(&self) -> u64 {
        self.meeting.as_ref().map_or(0, Table::epoch)
    }

    /// The devices that it counts as members.
    pub fn devices(&self) -> BTreeSet<DeviceId> {
        let members = self.meeting.iter().flat_map(|table| table.members.keys());
        members.copied().collect()
    }

    /// The member on a connection.
    pub fn member_on(&self, line: Line) -> Option<DeviceId> {
        self.meeting.as_ref()?.on_line(line)
    }

    /// All memory is lost, as when the process ends.
    pub fn restart(&mut self) {
        self.meeting = None;
        self.was_forged = false;
        self.outbox.clear();
        self.closing.clear();
    }

    /// What a service that lies puts into its log for all to read.
    pub fn forge(&mut self, from: DeviceId, body: EntryBody) {
        self.was_forged = true;
        self.append(from, body);
    }

    /// The whole log.
    pub fn entries(&self) -> Vec<Entry> {
        self.meeting
            .as_ref()
            .map_or_else(Vec::new, |table| table.log.clone())
    }

    /// What is shown at the door.
    pub fn door(&self) -> Option<Door> {
        self.meeting.as_ref().map(|table| table.door.clone())
    }

    /// How long the meeting is to live.
    pub fn lifetime_s(&self) -> Option<u32> {
        self.meeting.as_ref().map(|table| table.lifetime_s)
    }

    /// What a member said last to all, as it was passed on.
    pub fn last_signal(&self, from: DeviceId) -> Option<ServerMessage> {
        let message = self.last_signals.get(&from)?.clone();
        Some(ServerMessage::Signal { from, message })
    }

    /// Whether a member asked to be told who knocks.
    pub fn wants_knocks(&self, device: DeviceId) -> bool {
        let seat = self.meeting.as_ref().map(|table| &table.members[&device]);
        seat.is_some_and(|seat| seat.wants_knocks)
    }

    pub fn last_welcome(&self) -> Option<ServerMessage> {
        self.last_welcome.clone()
    }

    pub fn last_knock(&self) -> Option<(DeviceId, Blob<MAX_CARD>)> {
        self.last_knock.clone()
    }

    /// What a service that lies shows at the door.
    pub fn forge_door(&mut self, change: impl FnOnce(&mut Door)) {
        if let Some(table) = &mut self.meeting {
            change(&mut table.door);
        }
    }

    pub fn hang_up(&mut self, line: Line) {
        self.outbox.retain(|(to, _)| *to != line);
        self.step_out(line);
    }

    /// Who was on a connection is there no more.
    fn step_out(&mut self, line: Line) {
        let Some(table) = &mut self.meeting else {
            return;
        };
        let away = table.on_line(line);
        if let Some(seat) = away.and_then(|device| table.members.get_mut(&device)) {
            seat.line = None;
        }
        let gone: Vec<_> = table
            .knocks
            .iter()
            .filter(|(_, (at, _))| *at == line)
            .map(|(who, _)| *who)
            .collect();
        table.knocks.retain(|device, _| !gone.contains(device));
        if let Some(device) = away {
            self.presence(device, false);
        }
        for device in gone {
            self.tell_hosts(ServerMessage::KnockWithdrawn { device });
        }
    }

    pub fn receive(&mut self, line: Line, message: ClientMessage) {
        self.seen
            .extend(message.encode().expect("a message encodes"));
        match message {
            ClientMessage::Open(open) => self.open(line, open),
            ClientMessage::Look {
                meeting,
                knock_token,
            } => {
                let answer = match &self.meeting {
                    Some(table)
                        if table.id == meeting && table.door.knock_hash.admits(&knock_token) =>
                    {
                        ServerMessage::Descriptor {
                            descriptor: table.door.descriptor.clone(),
                        }
                    }
                    Some(_) => error(ErrorCode::WrongKnockToken),
                    None => error(ErrorCode::NoSuchMeeting),
                };
                self.outbox.push_back((line, answer));
            }
            ClientMessage::Knock(knock) => self.knock(line, knock),
            ClientMessage::Attach(attach) => self.attach(line, attach),
            message => match self.member_on(line) {
                Some(from) => self.obey(line, from, message),
                // A knocker that goes.
                None if message == ClientMessage::Leave => self.hang_up(line),
                None => self.say(line, error(ErrorCode::NotAMember)),
            },
        }
    }

    fn obey(&mut self, line: Line, from: DeviceId, message: ClientMessage) {
        match message {
            ClientMessage::Commit(commit) => self.commit(line, from, commit),
            ClientMessage::Publish { message } => {
                self.append(from, EntryBody::Application { message });
            }
            ClientMessage::Signal { message } => {
                let Ok(message) = Blob::<MAX_DIRECT>::new(message.into_vec()) else {
                    return;
                };
                self.last_signals.insert(from, message.clone());
                self.tell_others(from, ServerMessage::Signal { from, message });
            }
            ClientMessage::Direct { to, message } => {
                let seat = self
                    .meeting
                    .as_ref()
                    .filter(|_| !self.swallow_direct)
                    .and_then(|table| table.members.get(&to));
                if let Some(to) = seat.and_then(|seat| seat.line) {
                    self.say(to, ServerMessage::Signal { from, message });
                }
            }
            ClientMessage::Describe(door) => self.describe(door),
            ClientMessage::WantKnocks(wants) => {
                let Some(table) = &mut self.meeting else {
                    return;
                };
                if let Some(seat) = table.members.get_mut(&from) {
                    seat.wants_knocks = wants;
                }
                if wants {
                    self.show_knocks(line);
                }
            }
            ClientMessage::Refuse { device } => {
                let knock = self
                    .meeting
                    .as_mut()
                    .and_then(|table| table.knocks.remove(&device));
                if let Some((at, _)) = knock {
                    self.say(at, ServerMessage::Refused);
                }
            }
            ClientMessage::Leave => {
                if let Some(table) = &mut self.meeting {
                    table.members.remove(&from);
                }
                self.presence(from, false);
                self.closing.push(line);
            }
            // Media is not the simulator's subject.
            ClientMessage::RequestGrant => self.grants_asked += 1,
            ClientMessage::Open(_)
            | ClientMessage::Look { .. }
            | ClientMessage::Knock(_)
            | ClientMessage::Attach(_) => unreachable!("handled before"),
        }
    }

    fn open(&mut self, line: Line, open: OpenMeeting) {
        let hash = open.device_token.hash();
        if DeviceId::of(&hash) != open.device {
            return self.say(line, error(ErrorCode::NotAMember));
        }
        if self.meeting.is_some() {
            return self.say(line, error(ErrorCode::MeetingExists));
        }
        let seat = Seat {
            hash,
            line: Some(line),
            wants_knocks: open.wants_knocks,
        };
        let first_seq = self.log_begins_at;
        self.meeting = Some(Table {
            id: open.meeting,
            door: open.door,
            first_seq,
            start_epoch: open.epoch,
            epochs: vec![(open.member_hash, Vec::new())],
            log: Vec::new(),
            members: BTreeMap::from([(open.device, seat)]),
            knocks: BTreeMap::new(),
            lifetime_s: open.lifetime_s,
        });
        let attached = ServerMessage::Attached {
            epoch: open.epoch,
            known: false,
            first_seq,
            next_seq: first_seq,
        };
        self.say(line, attached);
    }

    fn knock(&mut self, line: Line, knock: Knock) {
        let refusal = match &self.meeting {
            None => Some(ErrorCode::NoSuchMeeting),
            Some(table) if !table.door.knock_hash.admits(&knock.knock_token) => {
                Some(ErrorCode::WrongKnockToken)
            }
            Some(_) if DeviceId::of(&knock.device_hash) != knock.device => {
                Some(ErrorCode::Malformed)
            }
            Some(_) => None,
        };
        if let Some(code) = refusal {
            return self.say(line, error(code));
        }
        // Who was lied to may knock again where he knocked. A connection is one device's.
        self.step_out(line);
        let message = ServerMessage::Knock {
            device: knock.device,
            card: knock.card.clone(),
        };
        self.last_knock = Some((knock.device, knock.card.clone()));
        if let Some(table) = &mut self.meeting {
            table.knocks.insert(knock.device, (line, knock));
        }
        self.say(line, ServerMessage::Waiting);
        self.tell_hosts(message);
    }

    fn attach(&mut self, line: Line, attach: Attach) {
        let Some(table) = &mut self.meeting else {
            return self.say(line, error(ErrorCode::NoSuchMeeting));
        };
        let hash = attach.device_token.hash();
        let before = table.members.get(&attach.device);
        let known = match before.map(|seat| seat.hash == hash) {
            Some(true) => true,
            None if DeviceId::of(&hash) == attach.device && table.proves(&attach) => false,
            _ => return self.say(line, error(ErrorCode::NotAMember)),
        };
        let replaced = before
            .and_then(|seat| seat.line)
            .filter(|older| *older != line);
        let seat = Seat {
            hash,
            line: Some(line),
            wants_knocks: attach.wants_knocks,
        };
        table.members.insert(attach.device, seat);
        // A position of an earlier life of the log says nothing about this one.
        let known = known && (table.first_seq..=table.next_seq()).contains(&attach.from_seq);
        let from = match known {
            true => attach.from_seq,
            false => table.first_seq,
        };
        let attached = ServerMessage::Attached {
            epoch: table.epoch(),
            known,
            first_seq: from,
            next_seq: table.next_seq(),
        };
        self.outbox.push_back((line, attached));
        let skipped = (from - table.first_seq) as usize;
        for entry in table.log.iter().skip(skipped) {
            self.outbox
                .push_back((line, ServerMessage::Entry(entry.clone())));
        }
        self.tell_who_is_here(attach.device, line);
        self.closing.extend(replaced);
        self.presence(attach.device, true);
        if attach.wants_knocks {
            self.show_knocks(line);
        }
    }

    fn show_knocks(&mut self, line: Line) {
        let Some(table) = &self.meeting else { return };
        for (device, (_, knock)) in &table.knocks {
            let message = ServerMessage::Knock {
                device: *device,
                card: knock.card.clone(),
            };
            self.outbox.push_back((line, message));
        }
    }

    fn describe(&mut self, door: Door) {
        let Some(table) = &mut self.meeting else {
            return;
        };
        let same_link = table.door.knock_hash == door.knock_hash;
        let descriptor = door.descriptor.clone();
        table.door = door;
        if same_link {
            let waiting: Vec<_> = table.knocks.values().map(|(line, _)| *line).collect();
            for line in waiting {
                let descriptor = descriptor.clone();
                self.say(line, ServerMessage::Descriptor { descriptor });
            }
            return;
        }
        // Their link was revoked.
        for (device, (line, _)) in std::mem::take(&mut table.knocks) {
            self.say(line, ServerMessage::Refused);
            self.tell_hosts(ServerMessage::KnockWithdrawn { device });
        }
    }

    fn commit(&mut self, line: Line, from: DeviceId, commit: Commit) {
        if let Some(code) = self.refuses_commits {
            return self.say(line, error(code));
        }
        let Some(table) = &mut self.meeting else {
            return;
        };
        if commit.expected_epoch != table.epoch() {
            let epoch = table.epoch();
            return self.say(line, ServerMessage::CommitConflict { epoch });
        }
        let removed = commit.removed.as_slice().to_vec();
        table.epochs.push((commit.member_hash, removed.clone()));
        let epoch = table.epoch();
        let body = EntryBody::Commit {
            epoch,
            commit: commit.commit,
        };
        self.append(from, body);
        for device in removed {
            let seat = self
                .meeting
                .as_mut()
                .and_then(|table| table.members.remove(&device));
            if let Some(line) = seat.and_then(|seat| seat.line) {
                self.say(line, ServerMessage::Removed);
                self.closing.push(line);
                self.presence(device, false);
            }
        }
        if let Some(admission) = commit.admission {
            self.admit(epoch, admission);
        }
        if let Some(door) = commit.door {
            self.describe(door);
        }
    }

    fn admit(&mut self, epoch: u64, admission: Admission) {
        let Some(table) = &mut self.meeting else {
            return;
        };
        let next_seq = table.next_seq();
        let mut came = Vec::new();
        for device in admission.devices.as_slice() {
            let Some((at, knock)) = table.knocks.remove(device) else {
                continue;
            };
            let seat = Seat {
                hash: knock.device_hash,
                line: Some(at),
                wants_knocks: false,
            };
            table.members.insert(*device, seat);
            let welcome = ServerMessage::Welcome {
                epoch,
                next_seq,
                welcome: admission.welcome.clone(),
                tree: admission.tree.clone(),
            };
            self.last_welcome = Some(welcome.clone());
            self.outbox.push_back((at, welcome));
            came.push((*device, at));
        }
        for (device, line) in came {
            self.tell_who_is_here(device, line);
            self.presence(device, true);
        }
    }

    fn append(&mut self, from: DeviceId, body: EntryBody) {
        let Some(table) = &mut self.meeting else {
            return;
        };
        let entry = Entry {
            seq: table.next_seq(),
            from,
            body,
        };
        table.log.push(entry.clone());
        for line in table.members.values().filter_map(|seat| seat.line) {
            self.outbox
                .push_back((line, ServerMessage::Entry(entry.clone())));
        }
    }

    fn say(&mut self, line: Line, message: ServerMessage) {
        self.outbox.push_back((line, message));
    }

    fn tell_who_is_here(&mut self, device: DeviceId, line: Line) {
        let Some(table) = &self.meeting else { return };
        for (other, seat) in &table.members {
            if seat.line.is_some() && *other != device {
                let online = ServerMessage::Presence {
                    device: *other,
                    online: true,
                };
                self.outbox.push_back((line, online));
            }
        }
    }

    fn presence(&mut self, device: DeviceId, online: bool) {
        self.tell_others(device, ServerMessage::Presence { device, online });
    }

    fn tell_others(&mut self, from: DeviceId, message: ServerMessage) {
        let Some(table) = &self.meeting else { return };
        for (device, seat) in &table.members {
            if let Some(line) = seat.line.filter(|_| *device != from) {
                self.outbox.push_back((line, message.clone()));
            }
        }
    }

    fn tell_hosts(&mut self, message: ServerMessage) {
        let Some(table) = &self.meeting else { return };
        for line in table
            .members
            .values()
            .filter(|seat| seat.wants_knocks)
            .filter_map(|seat| seat.line)
        {
            self.outbox.push_back((line, message.clone()));
        }
    }
}

fn error(code: ErrorCode) -> ServerMessage {
    ServerMessage::Error { code }
}
