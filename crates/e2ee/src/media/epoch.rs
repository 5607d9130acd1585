//! What an epoch hands out for media: keys to seal with and to open with.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::attest::AttestKey;
use super::kid::{Kid, Track};
use crate::sframe::{Key, Suite};
use crate::signer::LeafSigner;
use crate::{CryptoFailure, Leaf};

/// AES-256-GCM with a full tag: the only suite of this protocol version.
const SUITE: Suite = Suite::Aes256GcmSha512;

/// The media keys of one epoch.
#[derive(Debug)]
pub struct MediaEpoch {
    /// For this device's own tracks. There is one only.
    pub sealing: SealingEpoch,
    /// For everyone's tracks. Clone it for each [`super::Opener`].
    pub opening: OpeningEpoch,
}

/// Why an epoch hands out no media keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// Misuse: the keys of this epoch were taken before.
    #[error("The media keys of this moment of the meeting are in use already.")]
    AlreadyTaken,
    /// We were removed.
    #[error("This device is no longer in the meeting.")]
    Removed,
    /// Peer: our leaf index needs more than 16 bits.
    #[error("The meeting has too many members for this device to speak in.")]
    TooManyMembers,
    /// Local: the library failed.
    #[error(transparent)]
    Crypto(#[from] CryptoFailure),
}

/// What the media keys of an epoch are made from.
pub(crate) struct EpochSource {
    pub(crate) epoch: u64,
    pub(crate) own_leaf: Leaf,
    pub(crate) base_key: Zeroizing<[u8; 32]>,
    /// Who is in, with the keys of their leaves.
    pub(crate) members: BTreeMap<Leaf, [u8; 32]>,
    /// Signs for our own leaf.
    pub(crate) signer: LeafSigner,
    /// Names the group and its one state in this epoch, for signatures.
    pub(crate) context: [u8; 32],
}

impl MediaEpoch {
    pub(crate) fn new(source: EpochSource) -> Result<Self, MediaError> {
        let EpochSource {
            epoch,
            own_leaf,
            base_key,
            members,
            signer,
            context,
        } = source;
        if u16::try_from(own_leaf.0).is_err() {
            return Err(MediaError::TooManyMembers);
        }
        let sealing = SealingEpoch {
            epoch,
            leaf: own_leaf,
            base_key: base_key.clone(),
            taken: HashSet::new(),
            attest_key: Some(AttestKey {
                epoch,
                leaf: own_leaf,
                signer,
                context,
            }),
        };
        let opening = OpeningEpoch(Arc::new(Opening {
            epoch,
            base_key,
            members,
            context,
        }));
        Ok(Self { sealing, opening })
    }
}

/// Gives this device the key of each of its tracks, once.
pub struct SealingEpoch {
    epoch: u64,
    leaf: Leaf,
    base_key: Zeroizing<[u8; 32]>,
    taken: HashSet<Track>,
    attest_key: Option<AttestKey>,
}

impl SealingEpoch {
    /// The key of a track; `None` when it was taken before.
    ///
    /// A key whose derivation fails counts as taken: the failure of a primitive
    /// must not open a way to a second key.
    pub fn take(&mut self, track: Track) -> Option<SealKey> {
        if !self.taken.insert(track) {
            return None;
        }
        let kid = Kid::new(track, self.leaf, self.epoch)?;
        let key = Key::derive(SUITE, kid.to_u64(), self.base_key.as_slice()).ok()?;
        Some(SealKey {
            track,
            epoch: self.epoch,
            key,
        })
    }

    /// The key that signs for this device's frames; `None` when it was taken
    /// before. Two attestors in one epoch would number their batches alike.
    pub fn attest_key(&mut self) -> Option<AttestKey> {
        self.attest_key.take()
    }

    /// Number of the epoch.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// This device's leaf.
    pub fn leaf(&self) -> Leaf {
        self.leaf
    }
}

impl fmt::Debug for SealingEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingEpoch(epoch {}, redacted)", self.epoch)
    }
}

/// The key of one track of this device in one epoch. It exists once and is used
/// up by [`super::Sealer::install`].
pub struct SealKey {
    pub(super) track: Track,
    pub(super) epoch: u64,
    pub(super) key: Key,
}

impl SealKey {
    /// The track that it seals.
    pub fn track(&self) -> Track {
        self.track
    }

    /// Number of its epoch.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SealKey(epoch {}, track {}, redacted)",
            self.epoch,
            self.track.number()
        )
    }
}

/// Opens the frames of every member of one epoch.
#[derive(Clone)]
pub struct OpeningEpoch(Arc<Opening>);

struct Opening {
    epoch: u64,
    base_key: Zeroizing<[u8; 32]>,
    members: BTreeMap<Leaf, [u8; 32]>,
    context: [u8; 32],
}

impl OpeningEpoch {
    /// Number of the epoch.
    pub fn epoch(&self) -> u64 {
        self.0.epoch
    }

    /// The key of the member at a leaf, which signs its batches; `None` when
    /// nobody was there.
    pub(super) fn leaf_key(&self, leaf: Leaf) -> Option<[u8; 32]> {
        self.0.members.get(&leaf).copied()
    }

    /// What every batch of the epoch is bound to.
    pub(super) fn batch_context(&self) -> [u8; 32] {
        self.0.context
    }

    /// The key of a member's track; `None` when nobody was at this leaf.
    pub(super) fn key(&self, track: Track, leaf: Leaf) -> Result<Option<Key>, CryptoFailure> {
        let Some(kid) = Kid::new(track, leaf, self.0.epoch) else {
            return Ok(None);
        };
        if !self.0.members.contains_key(&leaf) {
            return Ok(None);
        }
        Key::derive(SUITE, kid.to_u64(), self.0.base_key.as_slice()).map(Some)
    }
}

impl fmt::Debug for OpeningEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpeningEpoch(epoch {}, redacted)", self.0.epoch)
    }
}
