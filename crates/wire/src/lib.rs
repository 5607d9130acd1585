//! Messages between a client and the delivery service, and nothing else.
//!
//! The service is untrusted: everything here is either public to it (pseudonymous ids, epoch
//! numbers, sizes, times) or an opaque [`Blob`] that it stores and forwards. One WebSocket
//! carries one meeting of one device. A message is one binary frame: a version byte, then the
//! [`postcard`] encoding of [`ClientMessage`] or [`ServerMessage`]. Every length has a bound that
//! is checked while decoding, before memory is spent.
//!
//! ```text
//! host    Open ─────────────▶ Attached (and from then on a member)
//! joiner  Look ─────────────▶ Descriptor
//!         Knock ────────────▶ (host sees Knock) … Welcome | Refused
//! member  Attach ───────────▶ Attached, then every Entry from `from_seq`
//!         Commit ───────────▶ Entry to all, sender included | CommitConflict to the loser
//!         Publish ──────────▶ Entry to all, sender included
//!         Signal, Direct ───▶ Signal to those who are connected
//!         Describe, WantKnocks
//!         RequestGrant ─────▶ Grant
//!         Leave ────────────▶ (closed)
//! ```

mod blob;
mod codec;
mod id;
mod message;
mod token;

pub use blob::{Blob, List, TooLong};
pub use codec::{DecodeError, EncodeError, MAX_MESSAGE, VERSION};
pub use id::{DeviceId, MeetingId};
pub use message::{
    Admission, Attach, ClientMessage, Commit, CommitBlob, Door, Entry, EntryBody, ErrorCode, Knock,
    MAX_BATCH, MAX_CARD, MAX_COMMIT, MAX_DESCRIPTOR, MAX_DIRECT, MAX_PUBLISH, MAX_SIGNAL, MAX_TREE,
    MAX_WELCOME, MemberProof, OpenMeeting, ServerMessage,
};
pub use token::{Token, TokenHash};
