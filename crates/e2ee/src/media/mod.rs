//! From an epoch of the group to sealed and opened frames.
//!
//! Each (epoch, leaf, track) has a key of its own (RFC 9605 §5.2) and each key
//! one counter. That no (key, counter) pair repeats is held by types: an epoch
//! gives its [`SealingEpoch`] once, that gives the [`SealKey`] of a track once,
//! and a [`Sealer`] consumes it.
//!
//! Since every member can compute all of these keys, a frame's sender signs for
//! it besides: an [`Attestor`] behind its sealers, a [`Verifier`] behind the
//! openers of everybody else.

mod attest;
mod batch;
mod covered;
mod epoch;
mod kid;
mod opener;
mod replay;
mod sealer;
#[cfg(test)]
mod tests;
mod verify;
mod waiting;

pub use attest::{AttestKey, Attestor};
pub use batch::MAX_BATCH_LEN;
pub(crate) use epoch::EpochSource;
pub use epoch::{MediaEpoch, MediaError, OpeningEpoch, SealKey, SealingEpoch};
pub use kid::Track;
pub use opener::{EPOCH_GRACE, OpenError, Opener};
pub use sealer::{SealError, Sealer};
pub use verify::{BATCH_DEADLINE, BatchError, UNVERIFIED_HOLD, Verdict, Verifier};
pub use waiting::{MAX_WAIT, MAX_WAITING_BYTES, MAX_WAITING_FRAMES, Released};

/// Longest name of a track in bytes.
pub const MAX_TRACK_NAME_LEN: usize = 64;

/// Where a frame belongs. It is authenticated, not sent: a frame that the relay
/// moves to another track or position does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameMeta<'a> {
    /// Name of the track, at most [`MAX_TRACK_NAME_LEN`] bytes.
    pub track: &'a str,
    /// Sequence number of the group in the track; 0 on datagram tracks.
    pub group: u64,
    /// Position of the frame in the group; 0 on datagram tracks.
    pub frame: u64,
}

impl FrameMeta<'_> {
    /// The one encoding; `None` when the name is too long.
    fn encode(&self) -> Option<Vec<u8>> {
        let name = self.track.as_bytes();
        if name.len() > MAX_TRACK_NAME_LEN {
            return None;
        }
        let mut bytes = Vec::with_capacity(1 + name.len() + 16);
        bytes.push(name.len() as u8);
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(&self.group.to_be_bytes());
        bytes.extend_from_slice(&self.frame.to_be_bytes());
        Some(bytes)
    }
}
