//! The meeting's door: what it shows, who knocks, who is let in, who is turned down.

use bytes::Bytes;
use conclave_wire::{Admission, DeviceId, Door, ErrorCode, Knock, ServerMessage, Token, TokenHash};

use super::{Meeting, Member, frame};
use crate::delivery::notice::{Line, LineId, Notice};

/// What the door shows, and to whom.
#[derive(Debug)]
pub(super) struct Doorplate {
    knock_hash: TokenHash,
    /// The encoded descriptor.
    descriptor: Bytes,
}

/// Somebody who waits for an answer.
#[derive(Debug)]
pub(super) struct Knocking {
    token: TokenHash,
    /// The encoded message that shows the card to a host.
    seen: Bytes,
    line: Line,
}

impl Doorplate {
    /// # Errors
    /// [`ErrorCode::TooLarge`] if the descriptor cannot be encoded.
    pub(super) fn new(door: Door) -> Result<Self, ErrorCode> {
        Ok(Self {
            knock_hash: door.knock_hash,
            descriptor: frame(&ServerMessage::Descriptor {
                descriptor: door.descriptor,
            })?,
        })
    }
}

impl Knocking {
    /// The knocker's connection.
    pub(super) fn into_line(self) -> Line {
        self.line
    }
}

impl Meeting {
    /// The encoded descriptor, for holders of the link.
    ///
    /// # Errors
    /// [`ErrorCode::WrongKnockToken`], or why the meeting is over.
    pub fn look(&self, knock_token: &Token) -> Result<Bytes, ErrorCode> {
        self.alive()?;
        if !self.doorplate.knock_hash.admits(knock_token) {
            return Err(ErrorCode::WrongKnockToken);
        }
        Ok(self.doorplate.descriptor.clone())
    }

    /// A member changes what the door shows.
    ///
    /// # Errors
    /// [`ErrorCode::NotAMember`], or why the meeting is over.
    pub fn describe(&mut self, from: DeviceId, door: Door) -> Result<(), ErrorCode> {
        self.check_member(from)?;
        self.replace_door(door)
    }

    /// Token and descriptor change together. Whoever waits is shown what the door shows now; with
    /// a token that opens nothing any more he is turned down: the link was revoked.
    pub(super) fn replace_door(&mut self, door: Door) -> Result<(), ErrorCode> {
        let doorplate = Doorplate::new(door)?;
        let revoked = doorplate.knock_hash != self.doorplate.knock_hash;
        self.doorplate = doorplate;
        if !revoked {
            let shown = &self.doorplate.descriptor;
            for knocking in self.knocks.values() {
                // Who cannot take it loses the connection, and knocks again.
                knocking.line.say(Notice::Frame(shown.clone()));
            }
            return Ok(());
        }
        let refused = frame(&ServerMessage::Refused)?;
        let waiting: Vec<_> = self.knocks.drain().collect();
        for (device, knocking) in waiting {
            knocking.line.say(Notice::Refused {
                frame: refused.clone(),
            });
            self.tell(&ServerMessage::KnockWithdrawn { device }, |_, member| {
                member.wants_knocks
            });
        }
        Ok(())
    }

    /// A member wants to see who knocks, and then is shown who waits, or does not.
    ///
    /// # Errors
    /// [`ErrorCode::NotAMember`], or why the meeting is over.
    pub fn want_knocks(&mut self, from: DeviceId, wants: bool) -> Result<(), ErrorCode> {
        self.alive()?;
        let waiting = if wants { self.waiting() } else { Vec::new() };
        let member = self.members.get_mut(&from).ok_or(ErrorCode::NotAMember)?;
        member.wants_knocks = wants;
        if waiting.is_empty() {
            return Ok(());
        }
        // Behind what the line holds already: a withdrawal told earlier must not undo this.
        let dead = member
            .line
            .take_if(|line| !line.say(Notice::Frames(waiting)));
        if dead.is_some() {
            self.presence(from, false);
        }
        Ok(())
    }

    /// Those who knock, as the messages that show them.
    pub(super) fn waiting(&self) -> Vec<Bytes> {
        self.knocks
            .values()
            .map(|knocking| knocking.seen.clone())
            .collect()
    }

    /// Lets a device wait for a host's answer.
    ///
    /// # Errors
    /// [`ErrorCode::WrongKnockToken`]; [`ErrorCode::Full`]; [`ErrorCode::Malformed`] when the
    /// device's id is not that of its token, or is a member's.
    pub fn knock(&mut self, knock: Knock, line: Line) -> Result<(), ErrorCode> {
        self.look(&knock.knock_token)?;
        let device = knock.device;
        if device != DeviceId::of(&knock.device_hash) || self.members.contains_key(&device) {
            return Err(ErrorCode::Malformed);
        }
        if self.knocks.len() >= self.max_knocks && !self.knocks.contains_key(&device) {
            return Err(ErrorCode::Full);
        }
        let seen = frame(&ServerMessage::Knock {
            device,
            card: knock.card,
        })?;
        let knocking = Knocking {
            token: knock.device_hash,
            seen: seen.clone(),
            line,
        };
        if let Some(older) = self.knocks.insert(device, knocking) {
            older.line.say(Notice::Replaced);
        }
        self.tell_frame(&seen, |_, member| member.wants_knocks);
        Ok(())
    }

    /// The knocker's connection has gone.
    pub fn withdraw(&mut self, device: DeviceId, line: LineId) {
        if self
            .knocks
            .get(&device)
            .is_some_and(|knocking| knocking.line.id() == line)
        {
            self.knocks.remove(&device);
            self.tell(&ServerMessage::KnockWithdrawn { device }, |_, member| {
                member.wants_knocks
            });
        }
    }

    /// A member turns a knocker down. A knocker who is gone already is no error.
    ///
    /// # Errors
    /// [`ErrorCode::NotAMember`], or why the meeting is over.
    pub fn refuse(&mut self, from: DeviceId, device: DeviceId) -> Result<(), ErrorCode> {
        self.check_member(from)?;
        if let Some(knocking) = self.knocks.remove(&device) {
            knocking.line.say(Notice::Refused {
                frame: frame(&ServerMessage::Refused)?,
            });
            let withdrawn = ServerMessage::KnockWithdrawn { device };
            self.tell(&withdrawn, |other, member| {
                member.wants_knocks && other != from
            });
        }
        Ok(())
    }

    /// Makes members of those whom the commit at `seq` lets in.
    pub(super) fn admit(&mut self, from: DeviceId, admission: Admission, seq: u64) {
        let Admission {
            devices,
            welcome,
            tree,
        } = admission;
        let welcome = ServerMessage::Welcome {
            epoch: self.epochs.current(),
            next_seq: seq + 1,
            welcome,
            tree,
        };
        let Ok(welcome) = frame(&welcome) else {
            return; // within bounds, because it came in within bounds
        };
        for device in devices.as_slice() {
            // Who has stopped knocking meanwhile stays outside: a leaf without a device, which
            // the host sees as silent and removes.
            let Some(Knocking { token, line, .. }) = self.knocks.remove(device) else {
                continue;
            };
            // A presence always fits into a message.
            let here = self.others_here(*device).unwrap_or_default();
            let heard = line.say(Notice::Welcome {
                frame: welcome.clone(),
                cursor: seq + 1,
            }) && line.say(Notice::Frames(here));
            let line = heard.then_some(line);
            self.members.insert(
                *device,
                Member {
                    token,
                    line,
                    wants_knocks: false,
                },
            );
            self.presence(*device, heard);
            let gone = ServerMessage::KnockWithdrawn { device: *device };
            self.tell(&gone, |other, member| member.wants_knocks && other != from);
        }
    }
}
