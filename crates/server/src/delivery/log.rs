//! The log of a meeting, as the service needs it.

use std::future::Future;

use bytes::Bytes;
use conclave_wire::MeetingId;

/// An append-only, bounded, expiring log for each meeting. Records are opaque to it.
///
/// `append` is a compare-and-set on the position, which every serious log offers, in one process
/// or in a cluster; the service builds the once-for-each-epoch rule for commits on top of it.
/// Positions rise by one and are never given twice in a meeting's life.
pub trait Log: Send + Sync + 'static {
    /// Begins the log of a meeting at position `first`, dropping what an earlier one held.
    fn begin(&self, meeting: MeetingId, first: u64) -> impl Future<Output = ()> + Send;

    /// Appends `record` if the next position is still `expected`, and returns its position.
    ///
    /// # Errors
    /// [`AppendError::Conflict`] when somebody else was first; read on from `expected`, think
    /// again and retry.
    fn append(
        &self,
        meeting: MeetingId,
        expected: u64,
        record: Bytes,
    ) -> impl Future<Output = Result<u64, AppendError>> + Send;

    /// Up to `limit` records from position `from` on; none when `from` is the next position.
    ///
    /// # Errors
    /// [`ReadError::Gone`] when the log no longer reaches back to `from`.
    fn read(
        &self,
        meeting: MeetingId,
        from: u64,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Bytes>, ReadError>> + Send;

    /// Drops the log of a meeting that is over.
    fn forget(&self, meeting: MeetingId) -> impl Future<Output = ()> + Send;

    /// Drops records that are too old.
    fn expire(&self) -> impl Future<Output = ()> + Send;
}

/// Why a record was not appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Somebody else was first (peer's blame, and an everyday event).
    #[error("another record was first; the log is at {next}")]
    Conflict {
        /// The position that the next record will have.
        next: u64,
    },
    /// There is no log for this meeting.
    #[error("the meeting has no log")]
    NoLog,
    /// No room is left, even after dropping this meeting's older records.
    #[error("the log is full")]
    Full,
}

/// Why records cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The log no longer reaches back that far, or not yet forward that far.
    #[error("the log begins at {first} now")]
    Gone {
        /// The oldest position that can still be read.
        first: u64,
    },
    /// There is no log for this meeting.
    #[error("the meeting has no log")]
    NoLog,
}
