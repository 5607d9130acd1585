//! Sealing the frames of one of our own tracks.

use std::fmt;

use super::epoch::SealKey;
use super::{FrameMeta, MAX_TRACK_NAME_LEN, Track};
use crate::CryptoFailure;

/// Frames under one key before it must not be used any more. AES-GCM allows
/// 2^32 messages by NIST SP 800-38D §8.3; a rekey comes every few minutes.
const MAX_FRAMES: u64 = 1 << 32;

/// Seals one track, under the newest key it was given.
#[derive(Debug)]
pub struct Sealer {
    track: Track,
    current: Option<Current>,
}

struct Current {
    key: SealKey,
    next: u64,
}

/// Why a frame was not sealed, or a key not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Misuse: no key was installed yet. There is no way to send without one.
    #[error("The meeting's keys are not ready. Wait until the meeting has begun.")]
    NotReady,
    /// Misuse: a key of another track.
    #[error("A key was given to another track than its own.")]
    OtherTrack,
    /// Misuse: a key of an epoch that is over.
    #[error("A key is out of date.")]
    OldEpoch,
    /// Misuse: a track name of more than [`MAX_TRACK_NAME_LEN`] bytes.
    #[error("The name of a track is longer than {MAX_TRACK_NAME_LEN} bytes.")]
    TrackNameTooLong,
    /// The key sealed as many frames as is safe. The next epoch brings another.
    #[error("A key is used up. The meeting must renew its keys.")]
    UsedUp,
    /// Local: the library failed.
    #[error(transparent)]
    Crypto(#[from] CryptoFailure),
}

impl Sealer {
    /// A sealer that waits for its first key.
    pub fn new(track: Track) -> Self {
        Self {
            track,
            current: None,
        }
    }

    /// Moves to a newer key; the old one is wiped.
    ///
    /// # Errors
    /// [`SealError::OtherTrack`] or [`SealError::OldEpoch`]; the sealer is as before.
    pub fn install(&mut self, key: SealKey) -> Result<(), SealError> {
        if key.track() != self.track {
            return Err(SealError::OtherTrack);
        }
        if self.epoch().is_some_and(|epoch| key.epoch() <= epoch) {
            return Err(SealError::OldEpoch);
        }
        self.current = Some(Current { key, next: 0 });
        Ok(())
    }

    /// Whether it has a key.
    pub fn is_ready(&self) -> bool {
        self.current.is_some()
    }

    /// The epoch of its key.
    pub fn epoch(&self) -> Option<u64> {
        self.current.as_ref().map(|current| current.key.epoch())
    }

    /// Seals a frame into `out`, which is emptied first.
    ///
    /// # Errors
    /// See [`SealError`]; `out` is empty then.
    pub fn seal(
        &mut self,
        meta: &FrameMeta<'_>,
        plaintext: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), SealError> {
        out.clear();
        let metadata = meta.encode().ok_or(SealError::TrackNameTooLong)?;
        let current = self.current.as_mut().ok_or(SealError::NotReady)?;
        if current.next >= MAX_FRAMES {
            return Err(SealError::UsedUp);
        }
        // Counted before it is used: no failure can make it repeat.
        let ctr = current.next;
        current.next += 1;
        Ok(current
            .key
            .key
            .dangerous_seal(ctr, &metadata, plaintext, out)?)
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at counter {}", self.key, self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Leaf;
    use crate::media::{EpochSource, MediaEpoch};
    use crate::signer::LeafSigner;

    #[test]
    fn a_used_up_key_seals_nothing() {
        let mut media = MediaEpoch::new(EpochSource {
            epoch: 1,
            own_leaf: Leaf(0),
            base_key: [1; 32].into(),
            members: [(Leaf(0), [2; 32])].into(),
            signer: LeafSigner::generate().unwrap(),
            context: [3; 32],
        })
        .unwrap();
        let mut sealer = Sealer::new(Track::AUDIO);
        sealer
            .install(media.sealing.take(Track::AUDIO).unwrap())
            .unwrap();
        sealer.current.as_mut().unwrap().next = MAX_FRAMES;
        let meta = FrameMeta {
            track: "audio",
            group: 0,
            frame: 0,
        };
        let mut out = vec![1];
        assert_eq!(sealer.seal(&meta, b"x", &mut out), Err(SealError::UsedUp));
        assert!(out.is_empty());
    }
}
