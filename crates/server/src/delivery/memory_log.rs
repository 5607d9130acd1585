//! The embedded log: in memory, for one process.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use conclave_wire::MeetingId;
use tokio::time::Instant;

use super::log::{AppendError, Log, ReadError};
use crate::limits::Limits;

/// A [`Log`] in this process's memory, bounded by entries, bytes and age for each meeting, and by
/// bytes over all of them.
#[derive(Debug)]
pub struct MemoryLog {
    entries: usize,
    bytes: usize,
    all_bytes: usize,
    age: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    logs: HashMap<MeetingId, MeetingLog>,
    /// Sum of `bytes` over all logs.
    bytes: usize,
}

#[derive(Debug)]
struct MeetingLog {
    first: u64,
    records: VecDeque<(Instant, Bytes)>,
    bytes: usize,
}

impl MeetingLog {
    fn next(&self) -> u64 {
        self.first + self.records.len() as u64
    }

    /// Drops the oldest record and returns its size.
    fn drop_oldest(&mut self) -> usize {
        let Some((_, record)) = self.records.pop_front() else {
            return 0;
        };
        self.first += 1;
        self.bytes -= record.len();
        record.len()
    }
}

impl MemoryLog {
    /// An empty log with these bounds.
    pub fn new(limits: &Limits) -> Self {
        Self {
            entries: limits.log_entries,
            bytes: limits.log_bytes,
            all_bytes: limits.all_log_bytes,
            age: limits.log_age,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change below is complete before anything can unwind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append_now(
        &self,
        meeting: MeetingId,
        expected: u64,
        record: Bytes,
    ) -> Result<u64, AppendError> {
        let mut state = self.state();
        let State { logs, bytes: all } = &mut *state;
        let log = logs.get_mut(&meeting).ok_or(AppendError::NoLog)?;
        let next = log.next();
        if next != expected {
            return Err(AppendError::Conflict { next });
        }
        let size = record.len();
        if size > self.bytes {
            return Err(AppendError::Full);
        }
        while log.records.len() >= self.entries || log.bytes + size > self.bytes {
            *all -= log.drop_oldest();
        }
        // Under pressure a meeting makes room out of its own past, never out of another's.
        while *all + size > self.all_bytes {
            if log.records.is_empty() {
                return Err(AppendError::Full);
            }
            *all -= log.drop_oldest();
        }
        log.records.push_back((Instant::now(), record));
        log.bytes += size;
        *all += size;
        Ok(next)
    }

    fn read_now(
        &self,
        meeting: MeetingId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Bytes>, ReadError> {
        let state = self.state();
        let log = state.logs.get(&meeting).ok_or(ReadError::NoLog)?;
        let gone = ReadError::Gone { first: log.first };
        let skip = from.checked_sub(log.first).ok_or(gone)?;
        let skip = usize::try_from(skip).map_err(|_| gone)?;
        if skip > log.records.len() {
            return Err(gone);
        }
        Ok(log
            .records
            .range(skip..)
            .take(limit)
            .map(|(_, record)| record.clone())
            .collect())
    }
}

impl Log for MemoryLog {
    async fn begin(&self, meeting: MeetingId, first: u64) {
        let mut state = self.state();
        let fresh = MeetingLog {
            first,
            records: VecDeque::new(),
            bytes: 0,
        };
        if let Some(old) = state.logs.insert(meeting, fresh) {
            state.bytes -= old.bytes;
        }
    }

    async fn append(
        &self,
        meeting: MeetingId,
        expected: u64,
        record: Bytes,
    ) -> Result<u64, AppendError> {
        self.append_now(meeting, expected, record)
    }

    async fn read(
        &self,
        meeting: MeetingId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Bytes>, ReadError> {
        self.read_now(meeting, from, limit)
    }

    async fn forget(&self, meeting: MeetingId) {
        let mut state = self.state();
        if let Some(old) = state.logs.remove(&meeting) {
            state.bytes -= old.bytes;
        }
    }

    async fn expire(&self) {
        let now = Instant::now();
        let mut state = self.state();
        let State { logs, bytes: all } = &mut *state;
        for log in logs.values_mut() {
            while log
                .records
                .front()
                .is_some_and(|(at, _)| now.duration_since(*at) > self.age)
            {
                *all -= log.drop_oldest();
            }
        }
    }
}
