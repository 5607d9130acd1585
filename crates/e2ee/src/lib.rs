//! Who may open a meeting, and how its frames are sealed.
//!
//! Membership is an MLS group (RFC 9420) in one hybrid post-quantum suite;
//! media is SFrame (RFC 9605) under keys exported from each epoch of that
//! group. The crate has no socket, no thread and no async: bytes come in,
//! bytes go out, and time comes in as [`std::time::Instant`]. The one clock it
//! reads is the wall clock that bounds the lifetime of a KeyPackage.
//!
//! ```text
//! LinkSecret ─┬─ knock token, descriptor key, handshake key   (link, blob)
//!             ├─ PSK of the sealed card                       (card)
//!             └─ PSK of every commit that adds                (group)
//! Candidate ── Welcome ──► Group ── media_epoch() ──► MediaEpoch
//!                                       SealingEpoch ──► SealKey ──► Sealer
//!                                                    └─► AttestKey ► Attestor
//!                                       OpeningEpoch ─────────────► Opener, Verifier
//! ```
//!
//! No policy lives here. A commit is staged, described by a [`CommitSummary`],
//! and merged only when the caller says so. What no policy could ever allow (a
//! member that changes its identity, two members of one name) is refused
//! before that.

mod blob;
mod card;
mod code;
mod device;
mod failure;
mod group;
mod identity;
mod key_package;
mod link;
mod media;
mod provider;
pub mod sframe;
mod signature;
mod signer;
mod storage;
mod suite;
mod token;

pub use blob::{BlobError, BlobKey, MAX_BLOB_LEN};
pub use card::{
    CARD_SEALED_LEN, CardError, KnockKey, MAX_CARD_LEN, MAX_HOSTS, card_sealed_len, seal_card,
    seal_card_for,
};
pub use code::SecurityCode;
pub use device::{DeviceError, DeviceKey, fingerprint16, verify_device};
pub use failure::CryptoFailure;
pub use group::{
    Change, CommitBundle, CommitError, CommitSummary, CreateError, Group, JoinError, Member,
    MergeError, ProcessError, Processed, ProtectError, ResyncError, Staged,
};
pub use identity::{Leaf, Pseudonym};
pub use key_package::{Candidate, KeyPackageError, VerifiedKeyPackage};
pub use link::LinkSecret;
pub use media::{
    AttestKey, Attestor, BATCH_DEADLINE, BatchError, EPOCH_GRACE, FrameMeta, MAX_BATCH_LEN,
    MAX_TRACK_NAME_LEN, MAX_WAIT, MAX_WAITING_BYTES, MAX_WAITING_FRAMES, MediaEpoch, MediaError,
    OpenError, Opener, OpeningEpoch, Released, SealError, SealKey, Sealer, SealingEpoch, Track,
    UNVERIFIED_HOLD, Verdict, Verifier,
};
pub use signer::{LeafError, verify_leaf};
pub use token::Token32;
