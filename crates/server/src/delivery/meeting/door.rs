//! The meeting's door: who knocks, who is let in, who is turned down.

use conclave_wire::{Admission, DeviceId, ErrorCode, Knock, ServerMessage};

use super::{Knocking, Meeting, Member, frame};
use crate::delivery::notice::{Line, LineId, Notice};

impl Meeting {
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
        let seen = ServerMessage::Knock {
            device: knock.device,
            card: knock.card.clone(),
        };
        let knocking = Knocking {
            token: knock.device_hash,
            card: knock.card,
            line,
        };
        if let Some(older) = self.knocks.insert(knock.device, knocking) {
            older.line.say(Notice::Replaced);
        }
        self.tell(&seen, |_, member| member.wants_knocks);
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
            let heard = line.say(Notice::Welcome {
                frame: welcome.clone(),
                cursor: seq + 1,
            });
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
