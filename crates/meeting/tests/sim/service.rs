//! A delivery service in a page: tables, a log, and the faults that a test asks for.

use std::collections::{BTreeMap, VecDeque};

use conclave_wire::{
    Attach, ClientMessage, Commit, DeviceId, Entry, EntryBody, ErrorCode, Knock, MeetingId,
    OpenMeeting, ServerMessage, TokenHash,
};

/// Names one connection.
pub type Line = usize;

#[derive(Default)]
pub struct Service {
    meeting: Option<Table>,
    /// What waits to be delivered, by connection.
    pub outbox: VecDeque<(Line, ServerMessage)>,
    /// Every byte that the service ever saw.
    pub seen: Vec<u8>,
}

struct Table {
    id: MeetingId,
    knock_hash: TokenHash,
    descriptor: conclave_wire::Blob<{ conclave_wire::MAX_DESCRIPTOR }>,
    start_epoch: u64,
    /// Hash of the delivery token of each epoch from `start_epoch` on.
    epochs: Vec<TokenHash>,
    log: Vec<Entry>,
    members: BTreeMap<DeviceId, Seat>,
    knocks: BTreeMap<DeviceId, (Line, Knock)>,
}

struct Seat {
    hash: TokenHash,
    line: Option<Line>,
    wants_knocks: bool,
}

impl Table {
    fn epoch(&self) -> u64 {
        self.start_epoch + self.epochs.len() as u64 - 1
    }

    fn on_line(&self, line: Line) -> Option<DeviceId> {
        self.members
            .iter()
            .find(|(_, seat)| seat.line == Some(line))
            .map(|(device, _)| *device)
    }
}

impl Service {
    /// Entries in the log.
    pub fn log_len(&self) -> u64 {
        self.meeting
            .as_ref()
            .map_or(0, |table| table.log.len() as u64)
    }

    /// All memory is lost, as when the process ends.
    pub fn restart(&mut self) {
        self.meeting = None;
        self.outbox.clear();
    }

    pub fn hang_up(&mut self, line: Line) {
        self.outbox.retain(|(to, _)| *to != line);
        let Some(table) = &mut self.meeting else {
            return;
        };
        for seat in table
            .members
            .values_mut()
            .filter(|seat| seat.line == Some(line))
        {
            seat.line = None;
        }
        let gone: Vec<_> = table
            .knocks
            .iter()
            .filter(|(_, (at, _))| *at == line)
            .map(|(who, _)| *who)
            .collect();
        table.knocks.retain(|device, _| !gone.contains(device));
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
                    Some(table) if table.id == meeting && table.knock_hash.admits(&knock_token) => {
                        ServerMessage::Descriptor {
                            descriptor: table.descriptor.clone(),
                        }
                    }
                    Some(_) => ServerMessage::Error {
                        code: ErrorCode::WrongKnockToken,
                    },
                    None => ServerMessage::Error {
                        code: ErrorCode::NoSuchMeeting,
                    },
                };
                self.outbox.push_back((line, answer));
            }
            ClientMessage::Knock(knock) => self.knock(line, knock),
            ClientMessage::Attach(attach) => self.attach(line, attach),
            ClientMessage::Commit(commit) => self.commit(line, commit),
            ClientMessage::Publish { message } => {
                let Some(table) = &mut self.meeting else {
                    return;
                };
                let Some(from) = table.on_line(line) else {
                    return;
                };
                self.append(from, EntryBody::Application { message });
            }
            ClientMessage::Refuse { device } => {
                let knock = self
                    .meeting
                    .as_mut()
                    .and_then(|table| table.knocks.remove(&device));
                if let Some((at, _)) = knock {
                    self.outbox.push_back((at, ServerMessage::Refused));
                }
            }
            ClientMessage::RequestGrant
            | ClientMessage::Signal { .. }
            | ClientMessage::Direct { .. }
            | ClientMessage::Describe(_)
            | ClientMessage::WantKnocks(_) => {}
            ClientMessage::Leave => {
                let Some(table) = &mut self.meeting else {
                    return;
                };
                if let Some(device) = table.on_line(line) {
                    table.members.remove(&device);
                }
            }
        }
    }

    fn open(&mut self, line: Line, open: OpenMeeting) {
        if self.meeting.is_some() {
            return self.outbox.push_back((
                line,
                ServerMessage::Error {
                    code: ErrorCode::MeetingExists,
                },
            ));
        }
        let seat = Seat {
            hash: open.device_token.hash(),
            line: Some(line),
            wants_knocks: open.wants_knocks,
        };
        self.meeting = Some(Table {
            id: open.meeting,
            knock_hash: open.door.knock_hash,
            descriptor: open.door.descriptor,
            start_epoch: open.epoch,
            epochs: vec![open.member_hash],
            log: Vec::new(),
            members: BTreeMap::from([(open.device, seat)]),
            knocks: BTreeMap::new(),
        });
        let attached = ServerMessage::Attached {
            epoch: open.epoch,
            known: false,
            first_seq: 0,
            next_seq: 0,
        };
        self.outbox.push_back((line, attached));
    }

    fn knock(&mut self, line: Line, knock: Knock) {
        let Some(table) = &mut self.meeting else {
            return self.outbox.push_back((
                line,
                ServerMessage::Error {
                    code: ErrorCode::NoSuchMeeting,
                },
            ));
        };
        if !table.knock_hash.admits(&knock.knock_token) {
            return self.outbox.push_back((
                line,
                ServerMessage::Error {
                    code: ErrorCode::WrongKnockToken,
                },
            ));
        }
        let message = ServerMessage::Knock {
            device: knock.device,
            card: knock.card.clone(),
        };
        table.knocks.insert(knock.device, (line, knock));
        self.outbox.push_back((line, ServerMessage::Waiting));
        self.tell_hosts(message);
    }

    fn attach(&mut self, line: Line, attach: Attach) {
        let Some(table) = &mut self.meeting else {
            return self.outbox.push_back((
                line,
                ServerMessage::Error {
                    code: ErrorCode::NoSuchMeeting,
                },
            ));
        };
        let hash = attach.device_token.hash();
        let place = attach
            .proof
            .epoch
            .checked_sub(table.start_epoch)
            .map(|at| at as usize);
        let proven = place
            .and_then(|at| table.epochs.get(at))
            .is_some_and(|known| known.admits(&attach.proof.token));
        let known = table
            .members
            .get(&attach.device)
            .map(|seat| seat.hash == hash);
        let known = match (known, proven) {
            (Some(true), _) => true,
            (None, true) => false,
            _ => {
                return self.outbox.push_back((
                    line,
                    ServerMessage::Error {
                        code: ErrorCode::NotAMember,
                    },
                ));
            }
        };
        let seat = Seat {
            hash,
            line: Some(line),
            wants_knocks: attach.wants_knocks,
        };
        table.members.insert(attach.device, seat);
        let first_seq = if known { attach.from_seq } else { 0 };
        let next_seq = table.log.len() as u64;
        let attached = ServerMessage::Attached {
            epoch: table.epoch(),
            known,
            first_seq,
            next_seq,
        };
        self.outbox.push_back((line, attached));
        for entry in table.log.iter().skip(first_seq as usize) {
            self.outbox
                .push_back((line, ServerMessage::Entry(entry.clone())));
        }
        if attach.wants_knocks {
            for (device, (_, knock)) in &table.knocks {
                let message = ServerMessage::Knock {
                    device: *device,
                    card: knock.card.clone(),
                };
                self.outbox.push_back((line, message));
            }
        }
    }

    fn commit(&mut self, line: Line, commit: Commit) {
        let Some(table) = &mut self.meeting else {
            return;
        };
        let Some(from) = table.on_line(line) else {
            return;
        };
        if commit.expected_epoch != table.epoch() {
            let epoch = table.epoch();
            return self
                .outbox
                .push_back((line, ServerMessage::CommitConflict { epoch }));
        }
        table.epochs.push(commit.member_hash);
        let epoch = table.epoch();
        self.append(
            from,
            EntryBody::Commit {
                epoch,
                commit: commit.commit,
            },
        );
        let Some(table) = &mut self.meeting else {
            return;
        };
        for device in commit.removed.as_slice() {
            table.members.remove(device);
        }
        let Some(admission) = commit.admission else {
            return;
        };
        let next_seq = table.log.len() as u64;
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
            self.outbox.push_back((at, welcome));
        }
    }

    fn append(&mut self, from: DeviceId, body: EntryBody) {
        let Some(table) = &mut self.meeting else {
            return;
        };
        let entry = Entry {
            seq: table.log.len() as u64,
            from,
            body,
        };
        table.log.push(entry.clone());
        for line in table.members.values().filter_map(|seat| seat.line) {
            self.outbox
                .push_back((line, ServerMessage::Entry(entry.clone())));
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
