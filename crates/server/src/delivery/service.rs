//! All meetings of this server: finds the meeting, holds its lock, writes its log.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use conclave_wire::{
    Attach, Blob, Commit, DeviceId, Door, Entry, EntryBody, ErrorCode, Knock, MAX_DIRECT,
    MAX_PUBLISH, MeetingId, OpenMeeting, ServerMessage, Token,
};
use tokio::sync::watch;
use tokio::time::Instant;

use super::grants::Grants;
use super::log::{AppendError, Log, ReadError};
use super::meeting::{CommitRefused, Greeting, Meeting, Start, epoch_begun, frame};
use super::memory_log::MemoryLog;
use super::notice::{Line, LineEnd, LineId};
use super::registry::Registry;
use super::signals::SignalMemory;
use crate::limits::{Limits, READ_BATCH};

/// The delivery service over a log.
#[derive(Debug)]
pub struct DeliveryService<L = MemoryLog> {
    log: L,
    limits: Limits,
    grants: Arc<Grants>,
    signals: SignalMemory,
    registry: Mutex<Registry>,
    lines: AtomicU64,
}

/// A meeting with its lock, and with the position that its log has reached for all who read it.
#[derive(Debug)]
pub(super) struct Room {
    meeting: tokio::sync::Mutex<Meeting>,
    position: watch::Sender<u64>,
}

/// A connection's new place in a meeting.
#[derive(Debug)]
pub(super) struct Place {
    pub room: Arc<Room>,
    pub line: LineEnd,
}

impl Room {
    pub(super) fn position(&self) -> watch::Receiver<u64> {
        self.position.subscribe()
    }
}

impl DeliveryService<MemoryLog> {
    /// A service that keeps everything in this process's memory.
    pub fn in_memory(limits: Limits) -> Arc<Self> {
        Self::new(MemoryLog::new(&limits), limits)
    }
}

impl<L: Log> DeliveryService<L> {
    /// A service over this log.
    pub fn new(log: L, limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            log,
            grants: Arc::new(Grants::new(&limits)),
            signals: SignalMemory::new(&limits),
            limits,
            registry: Mutex::default(),
            lines: AtomicU64::new(0),
        })
    }

    /// The rights to the media relay, for the relay to check.
    pub fn grants(&self) -> Arc<Grants> {
        self.grants.clone()
    }

    /// How many meetings are open.
    pub fn open_meetings(&self) -> usize {
        self.registry().len()
    }

    /// Ends what is over and drops what is too old. To be called every
    /// [`SWEEP_EVERY`](crate::limits::SWEEP_EVERY).
    pub async fn sweep(&self) {
        let now = Instant::now();
        let rooms = self.registry().rooms();
        for room in rooms {
            let mut meeting = room.meeting.lock().await;
            if let Some(why) = meeting.overdue(now, &self.limits) {
                self.end(&mut meeting, why).await;
            }
        }
        self.grants.expire(now);
        self.log.expire().await;
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) async fn open(&self, open: OpenMeeting) -> Result<(Place, Greeting), ErrorCode> {
        let (id, device) = (open.meeting, open.device);
        let (line, end) = self.line();
        let first_seq = first_position();
        let meeting = Meeting::open(open, first_seq, line, Instant::now(), &self.limits)?;
        let greeting = meeting.greeting(
            device,
            Start {
                known: true,
                cursor: first_seq,
            },
        )?;
        let room = Arc::new(Room {
            meeting: tokio::sync::Mutex::new(meeting),
            position: watch::Sender::new(first_seq),
        });
        // Held until the log is there, so that nobody writes to a log that has not begun.
        let held = room.meeting.lock().await;
        self.registry().insert(id, room.clone(), &self.limits)?;
        self.log.begin(id, first_seq).await;
        drop(held);
        tracing::debug!(open = self.open_meetings(), "a meeting was opened");
        Ok((Place { room, line: end }, greeting))
    }

    pub(super) async fn look(
        &self,
        meeting: MeetingId,
        knock_token: &Token,
    ) -> Result<Bytes, ErrorCode> {
        self.room(meeting)?.meeting.lock().await.look(knock_token)
    }

    pub(super) async fn knock(&self, knock: Knock) -> Result<Place, ErrorCode> {
        let room = self.room(knock.meeting)?;
        let (line, end) = self.line();
        room.meeting.lock().await.knock(knock, line)?;
        Ok(Place { room, line: end })
    }

    pub(super) async fn attach(&self, attach: &Attach) -> Result<(Place, Greeting), ErrorCode> {
        let room = self.room(attach.meeting)?;
        let (line, end) = self.line();
        let mut meeting = room.meeting.lock().await;
        let start = meeting.may_attach(attach)?;
        match self.log.read(attach.meeting, start.cursor, 1).await {
            Ok(_) => {}
            Err(ReadError::Gone { .. }) => return Err(ErrorCode::TooFarBehind),
            Err(ReadError::NoLog) => return Err(ErrorCode::NoSuchMeeting),
        }
        let greeting = meeting.attach(attach, line)?;
        drop(meeting);
        Ok((Place { room, line: end }, greeting))
    }

    pub(super) async fn commit(
        &self,
        room: &Room,
        from: DeviceId,
        commit: Commit,
    ) -> Result<(), CommitRefused> {
        let mut meeting = room.meeting.lock().await;
        let seq = loop {
            let epoch = meeting.may_commit(from, &commit)?;
            let body = EntryBody::Commit {
                epoch,
                commit: commit.commit.clone(),
            };
            match self.append(&mut meeting, room, from, body).await {
                Ok(Some(seq)) => break seq,
                Ok(None) => {} // another server was first: look at the epoch again
                Err(why) => return Err(CommitRefused::Error(why)),
            }
        };
        for device in meeting.committed(from, commit, seq, Instant::now()) {
            self.grants.revoke(meeting.id(), device);
        }
        room.position.send_replace(meeting.next_seq());
        Ok(())
    }

    pub(super) async fn publish(
        &self,
        room: &Room,
        from: DeviceId,
        message: Blob<MAX_PUBLISH>,
    ) -> Result<(), ErrorCode> {
        let mut meeting = room.meeting.lock().await;
        loop {
            meeting.check_member(from)?;
            let body = EntryBody::Application {
                message: message.clone(),
            };
            if let Some(seq) = self.append(&mut meeting, room, from, body).await? {
                meeting.absorb(seq, None);
                room.position.send_replace(meeting.next_seq());
                return Ok(());
            }
        }
    }

    /// A signal for the other members, or for one of them; who cannot take it now loses it.
    pub(super) async fn signal(
        &self,
        room: &Room,
        from: DeviceId,
        to: Option<DeviceId>,
        message: Blob<MAX_DIRECT>,
    ) -> Result<(), ErrorCode> {
        let frame = frame(&ServerMessage::Signal { from, message })?;
        let meeting = room.meeting.lock().await;
        meeting.check_member(from)?;
        if let Some(signal) = self.signals.hold(frame) {
            match to {
                None => meeting.signal(from, &signal),
                Some(device) => meeting.direct(from, device, &signal),
            }
        }
        Ok(())
    }

    pub(super) async fn describe(
        &self,
        room: &Room,
        from: DeviceId,
        door: Door,
    ) -> Result<(), ErrorCode> {
        room.meeting.lock().await.describe(from, door)
    }

    pub(super) async fn want_knocks(
        &self,
        room: &Room,
        from: DeviceId,
        wants: bool,
    ) -> Result<(), ErrorCode> {
        room.meeting.lock().await.want_knocks(from, wants)
    }

    pub(super) async fn refuse(
        &self,
        room: &Room,
        from: DeviceId,
        device: DeviceId,
    ) -> Result<(), ErrorCode> {
        room.meeting.lock().await.refuse(from, device)
    }

    /// A grant for a member: path and token.
    pub(super) async fn grant(
        &self,
        room: &Room,
        device: DeviceId,
    ) -> Result<ServerMessage, ErrorCode> {
        // Under the meeting's lock, so that a removal comes wholly before or wholly after.
        let meeting = room.meeting.lock().await;
        meeting.check_member(device)?;
        let token = self
            .grants
            .issue(meeting.id(), device, Instant::now())
            .map_err(|_| ErrorCode::Full)?;
        let lifetime_s = u32::try_from(self.grants.lifetime().as_secs()).unwrap_or(u32::MAX);
        Ok(ServerMessage::Grant {
            path: Grants::path(meeting.id()),
            token,
            lifetime_s,
        })
    }

    pub(super) async fn leave(&self, room: &Room, device: DeviceId) {
        let mut meeting = room.meeting.lock().await;
        let last = meeting.leave(device, Instant::now());
        self.grants.revoke(meeting.id(), device);
        if last {
            // Nobody is left who could let anybody in.
            self.end(&mut meeting, ErrorCode::NoSuchMeeting).await;
        }
    }

    pub(super) async fn withdraw(&self, room: &Room, device: DeviceId, line: LineId) {
        room.meeting.lock().await.withdraw(device, line);
    }

    pub(super) async fn detach(&self, room: &Room, device: DeviceId, line: LineId) {
        room.meeting
            .lock()
            .await
            .detach(device, line, Instant::now());
    }

    pub(super) async fn read(
        &self,
        meeting: MeetingId,
        from: u64,
    ) -> Result<Vec<Bytes>, ReadError> {
        self.log.read(meeting, from, READ_BATCH).await
    }

    /// Appends an entry at the position that this server knows; None when another server was
    /// first, whose entries are then known.
    async fn append(
        &self,
        meeting: &mut Meeting,
        room: &Room,
        from: DeviceId,
        body: EntryBody,
    ) -> Result<Option<u64>, ErrorCode> {
        let expected = meeting.next_seq();
        let record = frame(&ServerMessage::Entry(Entry {
            seq: expected,
            from,
            body,
        }))?;
        match self.log.append(meeting.id(), expected, record).await {
            Ok(seq) => Ok(Some(seq)),
            Err(AppendError::Conflict { .. }) => self.catch_up(meeting, room).await.map(|()| None),
            Err(AppendError::NoLog) => Err(ErrorCode::NoSuchMeeting),
            Err(AppendError::Full) => Err(ErrorCode::Full),
        }
    }

    async fn catch_up(&self, meeting: &mut Meeting, room: &Room) -> Result<(), ErrorCode> {
        let records = self
            .log
            .read(meeting.id(), meeting.next_seq(), READ_BATCH)
            .await;
        for record in records.map_err(|_| ErrorCode::TooFarBehind)? {
            if let Ok(ServerMessage::Entry(entry)) = ServerMessage::decode(&record) {
                meeting.absorb(entry.seq, epoch_begun(&entry.body));
            }
        }
        room.position.send_replace(meeting.next_seq());
        Ok(())
    }

    async fn end(&self, meeting: &mut Meeting, why: ErrorCode) {
        meeting.end(why);
        self.registry()
            .remove(meeting.id(), why, self.limits.ended_meetings);
        self.grants.revoke_meeting(meeting.id());
        self.log.forget(meeting.id()).await;
        tracing::debug!(open = self.open_meetings(), "a meeting ended");
    }

    fn line(&self) -> (Line, LineEnd) {
        let id = LineId(self.lines.fetch_add(1, Ordering::Relaxed));
        Line::new(id, &self.limits)
    }

    fn room(&self, meeting: MeetingId) -> Result<Arc<Room>, ErrorCode> {
        self.registry().find(meeting)
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        // Every change is complete before anything can unwind.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a log begins: microseconds of wall-clock time, so that positions of an earlier life of
/// the same meeting, before a restart, are never mistaken for positions of this one.
fn first_position() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX / 2)
}
