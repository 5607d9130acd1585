//! One meeting: its members, who knocks, and the epoch that the group has reached.
//!
//! No socket, no clock, no log: the service asks here what is allowed, does it, and tells the
//! outcome.
//!
//! ```text
//! stranger ── knock ─▶ knocking ── commit that admits ─▶ member ── leave, commit that removes ─▶ gone
//!                          └── refuse, withdraw ─▶ stranger
//! stranger ── attach with proof of an epoch since the meeting was opened ─▶ member
//! ```

mod door;
mod membership;

use std::collections::HashMap;

use bytes::Bytes;
use conclave_wire::{
    Commit, DeviceId, EntryBody, ErrorCode, MeetingId, OpenMeeting, ServerMessage, TokenHash,
};
use tokio::time::Instant;

use super::epochs::Epochs;
use super::notice::{Line, Notice};
use super::signals::Signal;
use crate::limits::Limits;

pub use membership::{Greeting, Start};

use door::{Doorplate, Knocking};

/// See the module.
#[derive(Debug)]
pub struct Meeting {
    id: MeetingId,
    doorplate: Doorplate,
    ends: Instant,
    /// Why the meeting is over, once it is: some connections learn it only when they ask.
    ended: Option<ErrorCode>,
    epochs: Epochs,
    /// Where this life of the log began, and where it is.
    first_seq: u64,
    next_seq: u64,
    members: HashMap<DeviceId, Member>,
    knocks: HashMap<DeviceId, Knocking>,
    /// Since when nobody has been connected.
    empty_since: Option<Instant>,
    max_members: usize,
    max_knocks: usize,
}

#[derive(Debug)]
struct Member {
    token: TokenHash,
    line: Option<Line>,
    wants_knocks: bool,
}

/// Why a commit was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitRefused {
    /// Another commit ended the expected epoch; the log is at this one.
    Conflict(u64),
    /// Not allowed at all.
    Error(ErrorCode),
}

impl Meeting {
    /// Opens a meeting whose log begins at `first_seq`.
    ///
    /// # Errors
    /// [`ErrorCode::NotAMember`] when the opener's id is not that of its token;
    /// [`ErrorCode::TooLarge`] if the descriptor cannot be encoded.
    pub fn open(
        open: OpenMeeting,
        first_seq: u64,
        line: Line,
        now: Instant,
        limits: &Limits,
    ) -> Result<Self, ErrorCode> {
        let token = open.device_token.hash();
        if open.device != DeviceId::of(&token) {
            return Err(ErrorCode::NotAMember);
        }
        let lifetime =
            std::time::Duration::from_secs(open.lifetime_s.into()).min(limits.meeting_lifetime);
        let opener = Member {
            token,
            line: Some(line),
            wants_knocks: open.wants_knocks,
        };
        Ok(Self {
            id: open.meeting,
            doorplate: Doorplate::new(open.door)?,
            ends: now + lifetime,
            ended: None,
            epochs: Epochs::new(open.epoch, open.member_hash, limits.epochs),
            first_seq,
            next_seq: first_seq,
            members: HashMap::from([(open.device, opener)]),
            knocks: HashMap::new(),
            empty_since: None,
            max_members: limits.members,
            max_knocks: limits.knocks,
        })
    }

    /// Which meeting this is.
    pub fn id(&self) -> MeetingId {
        self.id
    }

    /// The position that the next log entry will have.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Whether the device is a member of a meeting that goes on.
    ///
    /// # Errors
    /// [`ErrorCode::NotAMember`], or why the meeting is over.
    pub fn check_member(&self, device: DeviceId) -> Result<(), ErrorCode> {
        self.alive()?;
        if self.members.contains_key(&device) {
            Ok(())
        } else {
            Err(ErrorCode::NotAMember)
        }
    }

    /// Whether a commit may be appended, and the epoch that it would begin.
    ///
    /// # Errors
    /// [`CommitRefused`].
    pub fn may_commit(&self, from: DeviceId, commit: &Commit) -> Result<u64, CommitRefused> {
        self.check_member(from).map_err(CommitRefused::Error)?;
        if commit.expected_epoch != self.epochs.current() {
            return Err(CommitRefused::Conflict(self.epochs.current()));
        }
        let newcomers = commit
            .admission
            .as_ref()
            .map_or(0, |admission| admission.devices.as_slice().len());
        if self.members.len() + newcomers > self.max_members {
            return Err(CommitRefused::Error(ErrorCode::Full));
        }
        commit
            .expected_epoch
            .checked_add(1)
            .ok_or(CommitRefused::Error(ErrorCode::Malformed))
    }

    /// The commit stands in the log at `seq`: moves the epoch, lets newcomers in, changes the door,
    /// drops the removed and returns them.
    pub fn committed(
        &mut self,
        from: DeviceId,
        commit: Commit,
        seq: u64,
        now: Instant,
    ) -> Vec<DeviceId> {
        let removed: Vec<DeviceId> = commit.removed.as_slice().to_vec();
        self.next_seq = seq + 1;
        self.epochs.begin(
            commit.expected_epoch + 1,
            Some(commit.member_hash),
            removed.clone(),
        );
        for device in &removed {
            let Some(member) = self.members.remove(device) else {
                continue;
            };
            if let Some(line) = member.line {
                line.say(Notice::Removed { through: seq });
                self.presence(*device, false);
            }
        }
        if let Some(admission) = commit.admission {
            self.admit(from, admission, seq);
        }
        if let Some(door) = commit.door {
            // It can be encoded, because it came in within bounds.
            let _ = self.replace_door(door);
        }
        self.note_empty(now);
        removed
    }

    /// Entry `seq` stands in the log; a commit began `epoch`. Used alone for entries of another
    /// server, whose proof of membership this one does not know.
    pub fn absorb(&mut self, seq: u64, epoch: Option<u64>) {
        self.next_seq = seq + 1;
        if let Some(epoch) = epoch {
            self.epochs.begin(epoch, None, Vec::new());
        }
    }

    /// Whether time has ended the meeting: `MeetingOver` after its lifetime, `NoSuchMeeting` when
    /// it was abandoned.
    pub fn overdue(&self, now: Instant, limits: &Limits) -> Option<ErrorCode> {
        if now >= self.ends {
            return Some(ErrorCode::MeetingOver);
        }
        let abandoned = self
            .empty_since
            .is_some_and(|since| now - since >= limits.meeting_abandoned);
        abandoned.then_some(ErrorCode::NoSuchMeeting)
    }

    /// Ends the meeting for everybody.
    pub fn end(&mut self, why: ErrorCode) {
        self.ended = Some(why);
        let members = self.members.drain().filter_map(|(_, member)| member.line);
        let knocks = self.knocks.drain().map(|(_, waits)| waits.into_line());
        for line in members.chain(knocks) {
            line.say(Notice::Ended(why));
        }
    }

    fn alive(&self) -> Result<(), ErrorCode> {
        self.ended.map_or(Ok(()), Err)
    }

    fn note_empty(&mut self, now: Instant) {
        let connected = self.members.values().any(|member| member.line.is_some());
        self.empty_since = if connected {
            None
        } else {
            self.empty_since.or(Some(now))
        };
    }

    /// Hands a member's signal to all others that are connected.
    pub fn signal(&self, from: DeviceId, signal: &Signal) {
        let others = self.members.iter().filter(|(device, _)| **device != from);
        for line in others.filter_map(|(_, member)| member.line.as_ref()) {
            line.signal(signal);
        }
    }

    /// Hands a member's signal to another, if that one is connected.
    pub fn direct(&self, from: DeviceId, to: DeviceId, signal: &Signal) {
        let receiver = self.members.get(&to).filter(|_| to != from);
        if let Some(line) = receiver.and_then(|member| member.line.as_ref()) {
            line.signal(signal);
        }
    }

    fn presence(&mut self, device: DeviceId, online: bool) {
        self.tell(&ServerMessage::Presence { device, online }, |other, _| {
            other != device
        });
    }

    /// Sends a message to the connected members that `whom` picks.
    fn tell(&mut self, message: &ServerMessage, whom: impl Fn(DeviceId, &Member) -> bool) {
        // Every message told here is far below the bound.
        if let Ok(frame) = frame(message) {
            self.tell_frame(&frame, whom);
        }
    }

    /// As [`Meeting::tell`]. Who cannot keep up loses the connection and comes back by itself.
    fn tell_frame(&mut self, frame: &Bytes, whom: impl Fn(DeviceId, &Member) -> bool) {
        let mut lost = Vec::new();
        for (device, member) in &mut self.members {
            if member.line.is_some() && whom(*device, member) {
                let dead = member
                    .line
                    .take_if(|line| !line.say(Notice::Frame(frame.clone())));
                lost.extend(dead.map(|_| *device));
            }
        }
        for device in lost {
            self.presence(device, false);
        }
    }
}

/// The epoch that an entry begins, if it is a commit.
pub fn epoch_begun(body: &EntryBody) -> Option<u64> {
    match body {
        EntryBody::Commit { epoch, .. } => Some(*epoch),
        EntryBody::Application { .. } => None,
    }
}

/// A message as one frame.
///
/// # Errors
/// [`ErrorCode::TooLarge`] when it is over the bound of a frame.
pub fn frame(message: &ServerMessage) -> Result<Bytes, ErrorCode> {
    message
        .encode()
        .map(Bytes::from)
        .map_err(|_| ErrorCode::TooLarge)
}
