//! Members who come back, lose their connection, or go for good.

use bytes::Bytes;
use conclave_wire::{Attach, DeviceId, ErrorCode, ServerMessage};
use tokio::time::Instant;

use super::{Meeting, Member, frame};
use crate::delivery::notice::{Line, LineId, Notice};

/// From where a device that takes up membership reads the log.
#[derive(Debug, Clone, Copy)]
pub struct Start {
    /// Whether the device, and the position it asked for, were known.
    pub known: bool,
    /// The entry to read first.
    pub cursor: u64,
}

/// What a device that took up membership is told: `attached`, then the entries from `cursor` to
/// `next_seq`, then `after`.
#[derive(Debug)]
pub struct Greeting {
    /// An encoded message.
    pub attached: Bytes,
    /// The entry to read first.
    pub cursor: u64,
    /// The position of the first entry that is new.
    pub next_seq: u64,
    /// Encoded messages.
    pub after: Vec<Bytes>,
}

impl Meeting {
    /// Whether `attach` would succeed, and from where the device then reads.
    ///
    /// # Errors
    /// [`ErrorCode::NotAMember`]; [`ErrorCode::Full`]; why the meeting is over.
    pub fn may_attach(&self, attach: &Attach) -> Result<Start, ErrorCode> {
        self.alive()?;
        if attach.device != DeviceId::of(&attach.device_token.hash()) {
            return Err(ErrorCode::NotAMember);
        }
        let known = match self.members.get(&attach.device) {
            Some(member) if member.token.admits(&attach.device_token) => true,
            Some(_) => return Err(ErrorCode::NotAMember),
            None if !self.epochs.admits(attach.device, &attach.proof) => {
                return Err(ErrorCode::NotAMember);
            }
            None if self.members.len() >= self.max_members => return Err(ErrorCode::Full),
            None => false,
        };
        // A position outside this life of the log was given before the service restarted; of this
        // life the device has seen nothing.
        let known = known && (self.first_seq..=self.next_seq).contains(&attach.from_seq);
        Ok(Start {
            known,
            cursor: if known {
                attach.from_seq
            } else {
                self.first_seq
            },
        })
    }

    /// Takes up membership on this line.
    ///
    /// # Errors
    /// As [`Meeting::may_attach`].
    pub fn attach(&mut self, attach: &Attach, line: Line) -> Result<Greeting, ErrorCode> {
        let start = self.may_attach(attach)?;
        let member = Member {
            token: attach.device_token.hash(),
            line: Some(line),
            wants_knocks: attach.wants_knocks,
        };
        let older = self
            .members
            .insert(attach.device, member)
            .and_then(|older| older.line);
        match older {
            Some(older) => {
                older.say(Notice::Replaced);
            }
            None => self.presence(attach.device, true),
        }
        self.empty_since = None;
        self.greeting(attach.device, start)
    }

    /// What a member is told first: where the log is, who else is here, who knocks.
    ///
    /// # Errors
    /// [`ErrorCode::TooLarge`] if something cannot be encoded.
    pub fn greeting(&self, device: DeviceId, start: Start) -> Result<Greeting, ErrorCode> {
        let Start { known, cursor } = start;
        let next_seq = self.next_seq;
        let attached = ServerMessage::Attached {
            known,
            epoch: self.epochs.current(),
            first_seq: cursor,
            next_seq,
        };
        let mut after = self.others_here(device)?;
        if self
            .members
            .get(&device)
            .is_some_and(|member| member.wants_knocks)
        {
            after.extend(self.waiting());
        }
        Ok(Greeting {
            attached: frame(&attached)?,
            cursor,
            next_seq,
            after,
        })
    }

    /// The other members that are connected, as the messages that say so.
    ///
    /// # Errors
    /// [`ErrorCode::TooLarge`] if one cannot be encoded.
    pub(super) fn others_here(&self, device: DeviceId) -> Result<Vec<Bytes>, ErrorCode> {
        let others = self
            .members
            .iter()
            .filter(|(other, member)| **other != device && member.line.is_some());
        others
            .map(|(other, _)| {
                frame(&ServerMessage::Presence {
                    device: *other,
                    online: true,
                })
            })
            .collect()
    }

    /// The member's connection has gone; the member stays.
    pub fn detach(&mut self, device: DeviceId, line: LineId, now: Instant) {
        let Some(member) = self.members.get_mut(&device) else {
            return;
        };
        if member.line.take_if(|mine| mine.id() == line).is_some() {
            self.presence(device, false);
        }
        self.note_empty(now);
    }

    /// The member goes for good. True when it was the last one.
    pub fn leave(&mut self, device: DeviceId, now: Instant) -> bool {
        if self.members.remove(&device).is_some() {
            self.presence(device, false);
        }
        self.note_empty(now);
        self.members.is_empty()
    }
}
