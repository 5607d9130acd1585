//! One control connection, without its socket: frames in, frames out.
//!
//! ```text
//! Stranger ── Open, Attach ─▶ Member ── Leave, Removed, Ended ─▶ (closing)
//!     │  ▲                      ▲
//!   Knock└── Refused ──┐        │
//!     └─▶ Knocking ────┴─ Welcome
//! ```

mod obeying;
mod reading;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use conclave_wire::{ClientMessage, DecodeError, DeviceId, ErrorCode, MeetingId, ServerMessage};
use tokio::time::Instant;

use super::bucket::Bucket;
use super::log::{Log, ReadError};
use super::meeting::frame;
use super::memory_log::MemoryLog;
use super::notice::Notice;
use super::service::{DeliveryService, Place};
use crate::limits::{FIRST_MESSAGE, LOBBY, MAX_FRAME, READY_FRAMES};

use reading::Reading;

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
    signals: Bucket,
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
            signals: Bucket::new(limits.signal_burst, limits.signals_per_s, now),
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
        match ClientMessage::decode(frame) {
            Ok(message) if is_signal(&message) && !self.signals.take(1, now) => self.slow_down(),
            Ok(message) => {
                self.too_fast = 0;
                self.obey(message).await;
            }
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
                    let notice = place.line.notices.recv().await;
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
                        let read = self.service.read(*meeting, reading.cursor()).await;
                        self.take_entries(read);
                    } else if reading.is_ending() {
                        self.end_with(&ServerMessage::Removed);
                    } else {
                        // In this order, so that no signal overtakes what its sender published
                        // before it, or reaches a device after its removal.
                        tokio::select! {
                            biased;
                            () = reading.moved() => {}
                            notice = place.line.notices.recv() => self.take(notice),
                            Some(signal) = place.line.signals.recv() => {
                                self.ready.push_back(signal);
                            }
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
                let line = place.line.id;
                self.service.withdraw(&place.room, device, line).await;
                // Admitted in the very moment of going: a member without a connection.
                self.service.detach(&place.room, device, line).await;
            }
            Stage::Member { device, place, .. } => {
                let line = place.line.id;
                self.service.detach(&place.room, device, line).await;
            }
        }
    }

    fn take(&mut self, notice: Option<Notice>) {
        match notice {
            Some(Notice::Frame(frame)) => self.ready.push_back(frame),
            Some(Notice::Frames(frames)) => self.ready.extend(frames),
            Some(Notice::Welcome { frame, cursor }) => {
                self.ready.push_back(frame);
                match std::mem::replace(&mut self.stage, Stage::Stranger) {
                    Stage::Knocking {
                        meeting,
                        device,
                        place,
                    } => {
                        let reading = Reading::new(&place.room, cursor, None);
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
                    reading.end_at(through);
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
                reading.advance(records.len());
                self.ready.extend(records);
            }
            Err(ReadError::Gone { .. }) if reading.is_ending() => {
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

fn is_signal(message: &ClientMessage) -> bool {
    matches!(
        message,
        ClientMessage::Signal { .. } | ClientMessage::Direct { .. }
    )
}
