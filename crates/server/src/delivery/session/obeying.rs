//! What the client says, and what is done about it.

use conclave_wire::{Blob, ClientMessage, DeviceId, ErrorCode, MeetingId, ServerMessage};

use super::reading::Reading;
use super::{Session, Stage};
use crate::delivery::log::Log;
use crate::delivery::meeting::{CommitRefused, Greeting};
use crate::delivery::service::Place;

impl<L: Log> Session<L> {
    pub(super) async fn obey(&mut self, message: ClientMessage) {
        let outcome = match self.stage {
            Stage::Stranger => self.obey_stranger(message).await,
            Stage::Knocking { .. } => match message {
                ClientMessage::Leave => {
                    self.step_out().await;
                    self.closing = true;
                    Ok(())
                }
                _ => Err(ErrorCode::Malformed),
            },
            Stage::Member { .. } => self.obey_member(message).await,
        };
        match outcome {
            Ok(()) => {}
            Err(ErrorCode::Malformed) => self.fail(ErrorCode::Malformed),
            Err(code) => self.reply(&ServerMessage::Error { code }),
        }
    }

    async fn obey_stranger(&mut self, message: ClientMessage) -> Result<(), ErrorCode> {
        match message {
            ClientMessage::Look {
                meeting,
                knock_token,
            } => {
                let descriptor = self.service.look(meeting, &knock_token).await?;
                self.has_looked = true;
                self.ready.push_back(descriptor);
            }
            ClientMessage::Open(open) => {
                let (meeting, device) = (open.meeting, open.device);
                let (place, greeting) = self.service.open(open).await?;
                self.greet(meeting, device, place, greeting);
            }
            ClientMessage::Attach(attach) => {
                let (place, greeting) = self.service.attach(&attach).await?;
                self.greet(attach.meeting, attach.device, place, greeting);
            }
            ClientMessage::Knock(knock) => {
                let (meeting, device) = (knock.meeting, knock.device);
                let place = self.service.knock(knock).await?;
                self.stage = Stage::Knocking {
                    meeting,
                    device,
                    place,
                };
                self.reply(&ServerMessage::Waiting);
            }
            _ => return Err(ErrorCode::Malformed),
        }
        Ok(())
    }

    async fn obey_member(&mut self, message: ClientMessage) -> Result<(), ErrorCode> {
        let Stage::Member { device, place, .. } = &self.stage else {
            return Err(ErrorCode::Malformed);
        };
        let (device, room) = (*device, &place.room);
        match message {
            ClientMessage::Publish { message } => {
                self.service.publish(room, device, message).await?
            }
            ClientMessage::Commit(commit) => {
                match self.service.commit(room, device, commit).await {
                    Ok(()) => {}
                    Err(CommitRefused::Error(code)) => return Err(code),
                    Err(CommitRefused::Conflict(epoch)) => {
                        self.reply(&ServerMessage::CommitConflict { epoch })
                    }
                }
            }
            ClientMessage::Signal { message } => {
                let message = Blob::new(message.into_vec()).map_err(|_| ErrorCode::TooLarge)?;
                self.service.signal(room, device, None, message).await?
            }
            ClientMessage::Direct { to, message } => {
                self.service.signal(room, device, Some(to), message).await?
            }
            ClientMessage::Describe(door) => self.service.describe(room, device, door).await?,
            ClientMessage::WantKnocks(wants) => {
                self.service.want_knocks(room, device, wants).await?
            }
            ClientMessage::Refuse { device: knocker } => {
                self.service.refuse(room, device, knocker).await?
            }
            ClientMessage::RequestGrant => {
                let grant = self.service.grant(room, device).await?;
                self.reply(&grant);
            }
            ClientMessage::Leave => {
                self.service.leave(room, device).await;
                self.stage = Stage::Stranger;
                self.closing = true;
            }
            _ => return Err(ErrorCode::Malformed),
        }
        Ok(())
    }

    fn greet(&mut self, meeting: MeetingId, device: DeviceId, place: Place, greeting: Greeting) {
        let Greeting {
            attached,
            cursor,
            next_seq,
            after,
        } = greeting;
        self.ready.push_back(attached);
        let reading = Reading::new(&place.room, cursor, Some((next_seq, after)));
        self.stage = Stage::Member {
            meeting,
            device,
            place,
            reading,
        };
    }
}
