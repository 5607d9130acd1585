//! One control connection, without its socket: frames in, frames out.
//!
//! ```text
//! Stranger ── Open, Attach ─▶ Member ── Leave, Removed, Ended ─▶ (closing)
//!     │  ▲                      ▲
//!   Knock└── Refused ──┐        │
//!     └─▶ Knocking ────┴─ Welcome
//! ```

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use conclave_wire::{ClientMessage, DecodeError, DeviceId, ErrorCode, MeetingId, ServerMessage};
use tokio::sync::watch;
use tokio::time::Instant;

use super::bucket::Bucket;
use super::log::{Log, ReadError};
use super::meeting::{CommitRefused, Greeting, frame};
use super::memory_log::MemoryLog;
use super::notice::Notice;
use super::service::{DeliveryService, Place};
use crate::limits::{FIRST_MESSAGE, LOBBY, MAX_FRAME, READY_FRAMES};

/// See the module. Call [`Session::close`] at the end, or the meeting will believe that the
/// device is still connected.
#[derive(Debug)]
pub struct Session<L: Log = MemoryLog> {
    service: Arc<DeliveryService<L>>,
    stage: Stage,
    /// Whether it has shown a link that fits a meeting.
    has_looked: bool,
    /// Frames to send before anything else.
    ready: VecDeque<Bytes>,
    closing: bool,
    messages: Bucket,
    bytes: Bucket,
    too_fast: u32,
}

#[derive(Debug)]
enum Stage {
    Stranger,
    Knocking {
        meeting: MeetingId,
        device: DeviceId,
        place: Place,
    },
    Member {
        meeting: MeetingId,
        device: DeviceId,
        place: Place,
        reading: Reading,
    },
}

/// Where a member stands in the log.
#[derive(Debug)]
struct Reading {
    /// The next entry to send.
    cursor: u64,
    position: watch::Receiver<u64>,
    /// The last entry to send before the device is told that it was removed.
    last: Option<u64>,
    /// Frames to send once the cursor has got to a position.
    then: Option<(u64, Vec<Bytes>)>,
}

/// What the connection is to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Send this frame.
    Frame(Bytes),
    /// Close the connection.
    Close,
}

impl<L: Log> Session<L> {
    /// A connection that has said nothing yet.
    pub fn new(service: Arc<DeliveryService<L>>) -> Self {
        let now = Instant::now();
        let limits = service.limits();
        Self {
            messages: Bucket::new(limits.message_burst, limits.messages_per_s, now),
            bytes: Bucket::new(limits.byte_burst, limits.bytes_per_s, now),
            service,
            stage: Stage::Stranger,
            has_looked: false,
            ready: VecDeque::new(),
            closing: false,
            too_fast: 0,
        }
    }

    /// Whether the connection belongs to no meeting yet.
    pub fn is_stranger(&self) -> bool {
        matches!(self.stage, Stage::Stranger)
    }

    /// How long the connection may belong to no meeting.
    pub fn patience(&self) -> Duration {
        if self.has_looked {
            LOBBY
        } else {
            FIRST_MESSAGE
        }
    }

    /// Whether more input may come now. A client that sends and never reads is left to wait.
    pub fn wants_input(&self) -> bool {
        self.ready.len() < READY_FRAMES
    }

    /// Takes one binary frame from the client. What it leads to comes out of [`Session::next`].
    pub async fn handle(&mut self, frame: &[u8]) {
        if self.closing {
            return;
        }
        if frame.len() > MAX_FRAME {
            return self.fail(ErrorCode::TooLarge);
        }
        let now = Instant::now();
        let size = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        if !self.messages.take(1, now) || !self.bytes.take(size, now) {
            return self.slow_down();
        }
        self.too_fast = 0;
        match ClientMessage::decode(frame) {
            Ok(message) => self.obey(message).await,
            Err(DecodeError::Version(_)) => self.fail(ErrorCode::UnsupportedVersion),
            Err(DecodeError::TooLarge(_)) => self.fail(ErrorCode::TooLarge),
            Err(DecodeError::Malformed) => self.fail(ErrorCode::Malformed),
        }
    }

    /// What to do next, when there is something. Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Next {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Next::Frame(frame);
            }
            if self.closing {
                return Next::Close;
            }
            match &mut self.stage {
                Stage::Stranger => std::future::pending().await,
                Stage::Knocking { place, .. } => {
                    let notice = place.notices.recv().await;
                    self.take(notice);
                }
                Stage::Member {
                    meeting,
                    place,
                    reading,
                    ..
                } => {
                    if let Some(frames) = reading.take_then() {
                        self.ready.extend(frames);
                    } else if reading.is_behind() {
                        let read = self.service.read(*meeting, reading.cursor).await;
                        self.take_entries(read);
                    } else if reading.last.is_some() {
                        self.end_with(&ServerMessage::Removed);
                    } else {
                        tokio::select! {
                            notice = place.notices.recv() => self.take(notice),
                            _ = reading.position.changed() => {}
                        }
                    }
                }
            }
        }
    }

    /// Refuses what the socket could not even read, and closes.
    pub fn fail(&mut self, code: ErrorCode) {
        self.end_with(&ServerMessage::Error { code });
    }

    /// The connection has gone: withdraws a knock, marks a member as away.
    pub async fn close(mut self) {
        self.step_out().await;
    }

    async fn step_out(&mut self) {
        match std::mem::replace(&mut self.stage, Stage::Stranger) {
            Stage::Stranger => {}
            Stage::Knocking { device, place, .. } => {
                self.service.withdraw(&place.room, device, place.line).await;
                // Admitted in the very moment of going: a member without a connection.
                self.service.detach(&place.room, device, place.line).await;
            }
            Stage::Member { device, place, .. } => {
                self.service.detach(&place.room, device, place.line).await;
            }
        }
    }

    async fn obey(&mut self, message: ClientMessage) {
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
        let position = place.room.position();
        let reading = Reading {
            cursor,
            position,
            last: None,
            then: Some((next_seq, after)),
        };
        self.stage = Stage::Member {
            meeting,
            device,
            place,
            reading,
        };
    }

    fn take(&mut self, notice: Option<Notice>) {
        match notice {
            Some(Notice::Frame(frame)) => self.ready.push_back(frame),
            Some(Notice::Welcome { frame, cursor }) => {
                self.ready.push_back(frame);
                match std::mem::replace(&mut self.stage, Stage::Stranger) {
                    Stage::Knocking {
                        meeting,
                        device,
                        place,
                    } => {
                        let position = place.room.position();
                        let reading = Reading {
                            cursor,
                            position,
                            last: None,
                            then: None,
                        };
                        self.stage = Stage::Member {
                            meeting,
                            device,
                            place,
                            reading,
                        };
                    }
                    other => self.stage = other,
                }
            }
            Some(Notice::Refused { frame }) => {
                self.ready.push_back(frame);
                self.stage = Stage::Stranger;
            }
            Some(Notice::Removed { through }) => {
                if let Stage::Member { reading, .. } = &mut self.stage {
                    reading.last = Some(through);
                }
            }
            Some(Notice::Ended(why)) => self.fail(why),
            // Replaced, or too slow to be told anything more.
            Some(Notice::Replaced) | None => self.closing = true,
        }
    }

    fn take_entries(&mut self, read: Result<Vec<Bytes>, ReadError>) {
        let Stage::Member { reading, .. } = &mut self.stage else {
            return;
        };
        match read {
            Ok(records) => {
                reading.cursor += records.len() as u64;
                self.ready.extend(records);
            }
            Err(ReadError::Gone { .. }) if reading.last.is_some() => {
                self.end_with(&ServerMessage::Removed)
            }
            Err(ReadError::Gone { .. }) => self.fail(ErrorCode::TooFarBehind),
            Err(ReadError::NoLog) => self.fail(ErrorCode::NoSuchMeeting),
        }
    }

    fn slow_down(&mut self) {
        self.too_fast += 1;
        if self.too_fast > self.service.limits().too_fast_in_a_row {
            self.fail(ErrorCode::TooFast);
        } else {
            self.reply(&ServerMessage::Error {
                code: ErrorCode::TooFast,
            });
        }
    }

    fn reply(&mut self, message: &ServerMessage) {
        match frame(message) {
            Ok(frame) => self.ready.push_back(frame),
            Err(_) => self.closing = true,
        }
    }

    fn end_with(&mut self, message: &ServerMessage) {
        self.reply(message);
        self.closing = true;
    }
}

impl Reading {
    fn take_then(&mut self) -> Option<Vec<Bytes>> {
        self.then
            .take_if(|(at, _)| self.cursor >= *at)
            .map(|(_, frames)| frames)
    }

    /// Whether the log holds something that is still to be sent.
    fn is_behind(&mut self) -> bool {
        let position = *self.position.borrow_and_update();
        let goal = self.last.map_or(position, |last| last + 1);
        self.cursor < goal
    }
}
