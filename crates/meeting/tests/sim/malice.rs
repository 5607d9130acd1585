//! A service that lies: what stands between the honest one and the people until the faults stop.
//!
//! It has no keys. Everything here is in the power of whoever runs the server.

use std::collections::{BTreeMap, BTreeSet};

use conclave_wire::{Blob, DeviceId, Entry, EntryBody, ServerMessage};

use super::network::{MS, Micros, SECOND};
use super::rng::Rng;
use super::service::{CODES, Line};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Two messages to somebody change places.
    Reorder,
    Duplicate,
    Delay,
    /// Somebody does not get a message.
    WithholdOne,
    /// Nobody gets an entry of the log.
    WithholdAll,
    /// Somebody gets nothing at all for a while.
    Silence,
    /// What a person sends is thrown away.
    Swallow,
    /// What members say to each other is cut or altered.
    DamageMessage,
    DamageCommit,
    DamageWelcome,
    DamageDescriptor,
    DamageKnock,
    /// Something said before is said again, to the same person or to another.
    Replay,
    /// An old message of a member stands in the log once more.
    ReplayIntoLog,
    ReplayCommitIntoLog,
    /// A message that nobody wrote stands in the log.
    GarbageIntoLog,
    GarbageCommitIntoLog,
    /// An entry is said to be somebody else's.
    LieFrom,
    /// A commit is said to begin another epoch.
    LieEpoch,
    /// A return is answered with false numbers.
    LieAttached,
    LiePresence,
    FalseRemoved,
    FalseRefused,
    FalseConflict,
    FalseError,
    /// A newcomer gets another one's Welcome, or another batch's tree.
    SwapWelcome,
    /// Two halves of the meeting see two logs.
    Fork,
}

/// What a lying service may do in these runs.
pub const ENABLED: &[Fault] = &[
    Fault::Reorder,
    Fault::Duplicate,
    Fault::Delay,
    Fault::WithholdOne,
    Fault::WithholdAll,
    Fault::Silence,
    Fault::Swallow,
    Fault::DamageMessage,
    Fault::DamageCommit,
    Fault::DamageWelcome,
    Fault::DamageDescriptor,
    Fault::DamageKnock,
    Fault::Replay,
    Fault::ReplayIntoLog,
    Fault::ReplayCommitIntoLog,
    Fault::GarbageIntoLog,
    Fault::GarbageCommitIntoLog,
    Fault::LieFrom,
    Fault::LieEpoch,
    Fault::LieAttached,
    Fault::LiePresence,
    Fault::FalseRemoved,
    Fault::FalseRefused,
    Fault::FalseConflict,
    Fault::FalseError,
    Fault::SwapWelcome,
    Fault::Fork,
];

/// Messages that are kept to be said again.
const ARCHIVE: usize = 200;
/// Forged entries in one play: each comes to everybody, and each arrival is a chance to forge.
const MAX_FORGERIES: u32 = 60;

/// What becomes of one message.
#[derive(Default)]
pub struct Passed {
    /// Who gets what, and how much later than the network would bring it.
    pub deliver: Vec<(Line, ServerMessage, Micros)>,
    /// What the service puts into its log.
    pub forge: Option<(DeviceId, EntryBody)>,
}

pub struct Malice {
    pub active: bool,
    faults: BTreeMap<Fault, u64>,
    archive: Vec<ServerMessage>,
    held: BTreeMap<Line, ServerMessage>,
    silent: BTreeMap<Line, Micros>,
    /// Entries that nobody is to see.
    withheld: BTreeSet<u64>,
    forgeries: u32,
    rng: Rng,
}

impl Malice {
    /// Whether it never lies.
    pub fn is_honest(&self) -> bool {
        self.faults.is_empty()
    }

    /// A plan from a seed: no fault, some, or all of them.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed, 3);
        let kinds = match rng.below(20) {
            0 | 1 => 0,
            2 => ENABLED.len() as u64,
            _ => rng.between(1, 4),
        };
        let mut faults = BTreeMap::new();
        for _ in 0..kinds {
            let fault = *rng.pick(ENABLED).expect("not empty");
            faults.insert(fault, rng.between(10, 120));
        }
        Self {
            active: true,
            faults,
            archive: Vec::new(),
            held: BTreeMap::new(),
            silent: BTreeMap::new(),
            withheld: BTreeSet::new(),
            forgeries: 0,
            rng,
        }
    }

    pub fn plan(&self) -> impl Iterator<Item = Fault> + '_ {
        self.faults.keys().copied()
    }

    pub fn forks(&self) -> bool {
        self.faults.contains_key(&Fault::Fork)
    }

    /// From now on the service is honest; what it held back it lets go.
    pub fn stop(&mut self) -> Vec<(Line, ServerMessage, Micros)> {
        self.active = false;
        let held = std::mem::take(&mut self.held);
        held.into_iter()
            .map(|(line, message)| (line, message, 0))
            .collect()
    }

    fn strikes(&mut self, fault: Fault) -> bool {
        let rate = self.faults.get(&fault).copied();
        rate.is_some_and(|rate| self.rng.chance(rate))
    }

    /// Whether a message from a person is thrown away.
    pub fn swallows(&mut self) -> bool {
        self.active && self.strikes(Fault::Swallow)
    }

    /// What becomes of a message that the honest service would send over `line` to `to`.
    pub fn pass(
        &mut self,
        now: Micros,
        line: Line,
        to: Option<DeviceId>,
        lines: &[Line],
        message: ServerMessage,
    ) -> Passed {
        let mut passed = Passed::default();
        if !self.active {
            passed.deliver.push((line, message, 0));
            return passed;
        }
        self.remember(&message);
        if self.withholds(now, line, &message) {
            return passed;
        }
        let mut message = message;
        self.damage(&mut message);
        self.lie(&mut message, to);
        let delay = match self.strikes(Fault::Delay) {
            true => self.rng.between(100 * MS, 20 * SECOND),
            false => 0,
        };
        if self.strikes(Fault::Reorder) && !self.held.contains_key(&line) {
            self.held.insert(line, message);
        } else {
            passed.deliver.push((line, message.clone(), delay));
            if self.strikes(Fault::Duplicate) {
                let later = self.rng.below(2 * SECOND);
                passed.deliver.push((line, message, later));
            }
            if let Some(held) = self.held.remove(&line) {
                passed.deliver.push((line, held, 0));
            }
        }
        self.slip_in(line, to, lines, &mut passed);
        passed
    }

    fn remember(&mut self, message: &ServerMessage) {
        if self.archive.len() < ARCHIVE {
            self.archive.push(message.clone());
        } else {
            let place = self.rng.below(self.archive.len() as u64) as usize;
            self.archive[place] = message.clone();
        }
    }

    fn withholds(&mut self, now: Micros, line: Line, message: &ServerMessage) -> bool {
        if self.silent.get(&line).is_some_and(|until| now < *until) {
            return true;
        }
        if self.strikes(Fault::Silence) && self.rng.chance(200) {
            self.silent
                .insert(line, now + self.rng.between(SECOND, 40 * SECOND));
            return true;
        }
        if let ServerMessage::Entry(entry) = message {
            if self.strikes(Fault::WithholdAll) {
                self.withheld.insert(entry.seq);
            }
            // Everybody who has not got it yet.
            if self.withheld.contains(&entry.seq) {
                return true;
            }
        }
        self.strikes(Fault::WithholdOne)
    }

    fn damage(&mut self, message: &mut ServerMessage) {
        match message {
            ServerMessage::Entry(Entry { body, .. }) => match body {
                EntryBody::Application { message } if self.strikes(Fault::DamageMessage) => {
                    self.alter(message);
                }
                EntryBody::Commit { commit, .. } if self.strikes(Fault::DamageCommit) => {
                    self.alter(commit);
                }
                _ => {}
            },
            ServerMessage::Signal { message, .. } if self.strikes(Fault::DamageMessage) => {
                self.alter(message);
            }
            ServerMessage::Welcome { welcome, tree, .. } if self.strikes(Fault::DamageWelcome) => {
                match self.rng.chance(500) {
                    true => self.alter(welcome),
                    false => self.alter(tree),
                }
            }
            ServerMessage::Descriptor { descriptor } if self.strikes(Fault::DamageDescriptor) => {
                self.alter(descriptor);
            }
            ServerMessage::Knock { card, .. } if self.strikes(Fault::DamageKnock) => {
                self.alter(card);
            }
            _ => {}
        }
    }

    /// Cut short, one bit turned, or other bytes altogether.
    fn alter<const MAX: usize>(&mut self, blob: &mut Blob<MAX>) {
        let mut bytes = blob.as_slice().to_vec();
        let len = bytes.len().max(1) as u64;
        match self.rng.below(3) {
            0 => bytes.truncate(self.rng.below(len) as usize),
            1 => {
                let at = self.rng.below(len) as usize;
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << self.rng.below(8);
                }
            }
            _ => self.rng.fill(&mut bytes),
        }
        *blob = Blob::new(bytes).expect("no longer than before");
    }

    fn lie(&mut self, message: &mut ServerMessage, to: Option<DeviceId>) {
        match message {
            ServerMessage::Entry(entry) => {
                if self.strikes(Fault::LieFrom) {
                    // The receiver's own entries are skipped by him.
                    let stranger = DeviceId(self.rng.bytes());
                    entry.from = to.filter(|_| self.rng.chance(500)).unwrap_or(stranger);
                }
                if let EntryBody::Commit { epoch, .. } = &mut entry.body
                    && self.strikes(Fault::LieEpoch)
                {
                    *epoch = self.number(*epoch);
                }
            }
            ServerMessage::Attached {
                known,
                epoch,
                first_seq,
                next_seq,
            } if self.strikes(Fault::LieAttached) => match self.rng.below(4) {
                0 => *known = !*known,
                1 => *epoch = self.number(*epoch),
                2 => *first_seq = self.number(*first_seq),
                _ => *next_seq = self.number(*next_seq),
            },
            _ => {}
        }
    }

    fn number(&mut self, true_one: u64) -> u64 {
        match self.rng.below(4) {
            0 => true_one.wrapping_add(1),
            1 => true_one.wrapping_sub(1),
            2 => self.rng.next(),
            _ => 0,
        }
    }

    /// What nobody asked for.
    fn slip_in(&mut self, line: Line, to: Option<DeviceId>, lines: &[Line], passed: &mut Passed) {
        if self.strikes(Fault::Replay)
            && let Some(old) = self.rng.pick(&self.archive).cloned()
        {
            let whom = match self.rng.chance(500) {
                true => line,
                false => self.rng.pick(lines).copied().unwrap_or(line),
            };
            passed.deliver.push((whom, old, self.rng.below(SECOND)));
        }
        if self.strikes(Fault::SwapWelcome) {
            self.swap_welcome(passed);
        }
        let falsehoods = [
            (Fault::FalseRemoved, ServerMessage::Removed),
            (Fault::FalseRefused, ServerMessage::Refused),
        ];
        for (fault, message) in falsehoods {
            if self.strikes(fault) && self.rng.chance(200) {
                passed.deliver.push((line, message, 0));
            }
        }
        if self.strikes(Fault::FalseConflict) {
            let epoch = self.rng.between(0, 12);
            let epoch = self.number(epoch);
            let conflict = ServerMessage::CommitConflict { epoch };
            passed.deliver.push((line, conflict, 0));
        }
        if self.strikes(Fault::FalseError) {
            let code = *self.rng.pick(CODES).expect("not empty");
            passed
                .deliver
                .push((line, ServerMessage::Error { code }, 0));
        }
        if self.strikes(Fault::LiePresence)
            && let Some(device) = self.somebody()
        {
            let online = self.rng.chance(500);
            let presence = ServerMessage::Presence { device, online };
            passed.deliver.push((line, presence, 0));
        }
        passed.forge = self.forgery(to);
    }

    /// A Welcome of the archive in place of the one on its way, or half of it.
    fn swap_welcome(&mut self, passed: &mut Passed) {
        let is_welcome =
            |message: &&ServerMessage| matches!(message, ServerMessage::Welcome { .. });
        let old: Vec<_> = self.archive.iter().filter(is_welcome).cloned().collect();
        let Some(ServerMessage::Welcome { welcome, tree, .. }) = self.rng.pick(&old) else {
            return;
        };
        let whole = self.rng.chance(500);
        for (_, message, _) in &mut passed.deliver {
            if let ServerMessage::Welcome {
                welcome: to_swap,
                tree: with_it,
                ..
            } = message
            {
                *to_swap = welcome.clone();
                if whole {
                    *with_it = tree.clone();
                }
            }
        }
    }

    fn somebody(&mut self) -> Option<DeviceId> {
        let from = |message: &ServerMessage| match message {
            ServerMessage::Entry(entry) => Some(entry.from),
            ServerMessage::Presence { device, .. } => Some(*device),
            _ => None,
        };
        let known: BTreeSet<_> = self.archive.iter().filter_map(from).collect();
        let known: Vec<_> = known.into_iter().collect();
        self.rng.pick(&known).copied()
    }

    fn forgery(&mut self, to: Option<DeviceId>) -> Option<(DeviceId, EntryBody)> {
        if self.forgeries >= MAX_FORGERIES {
            return None;
        }
        let from = self.somebody().or(to)?;
        let commits = |body: &EntryBody| matches!(body, EntryBody::Commit { .. });
        let bodies = |wanted: bool, archive: &[ServerMessage]| -> Vec<EntryBody> {
            let entries = archive.iter().filter_map(|message| match message {
                ServerMessage::Entry(entry) => Some(entry.body.clone()),
                _ => None,
            });
            entries.filter(|body| commits(body) == wanted).collect()
        };
        let body = if self.strikes(Fault::ReplayIntoLog) {
            self.rng.pick(&bodies(false, &self.archive)).cloned()?
        } else if self.strikes(Fault::ReplayCommitIntoLog) {
            self.rng.pick(&bodies(true, &self.archive)).cloned()?
        } else if self.strikes(Fault::GarbageIntoLog) {
            let mut bytes = vec![0; self.rng.between(0, 600) as usize];
            self.rng.fill(&mut bytes);
            let message = Blob::new(bytes).expect("short");
            EntryBody::Application { message }
        } else if self.strikes(Fault::GarbageCommitIntoLog) {
            let mut bytes = vec![0; self.rng.between(0, 3000) as usize];
            self.rng.fill(&mut bytes);
            let commit = Blob::new(bytes).expect("short");
            let epoch = self.rng.between(0, 20);
            EntryBody::Commit { epoch, commit }
        } else {
            return None;
        };
        self.forgeries += 1;
        Some((from, body))
    }
}
