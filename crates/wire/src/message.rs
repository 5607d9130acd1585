//! What a client and the service say to each other.

use serde::{Deserialize, Serialize};

use crate::{Blob, DeviceId, List, MeetingId, Token, TokenHash};

/// Bytes of a sealed descriptor.
pub const MAX_DESCRIPTOR: usize = 16 * 1024;
/// Bytes of a sealed knock card with its KeyPackage.
pub const MAX_CARD: usize = 24 * 1024;
/// Bytes of a sealed commit: a path commit in a meeting of 1,000 is up to 1.2 MB.
pub const MAX_COMMIT: usize = 1536 * 1024;
/// Bytes of a sealed welcome for one batch.
pub const MAX_WELCOME: usize = 512 * 1024;
/// Bytes of a sealed ratchet tree.
pub const MAX_TREE: usize = 3 * 1024 * 1024;
/// Bytes of a sealed application message.
pub const MAX_PUBLISH: usize = 256 * 1024;
/// Bytes of a sealed signal to everybody.
pub const MAX_SIGNAL: usize = 8 * 1024;
/// Bytes of a sealed signal to one device: a group's public state in a meeting of some hundreds.
pub const MAX_DIRECT: usize = 1024 * 1024;
/// Devices in one commit.
pub const MAX_BATCH: usize = 1024;

/// A sealed commit.
pub type CommitBlob = Blob<MAX_COMMIT>;

/// From a client to the service. The first message of a connection is `Open`, `Look`, `Knock` or
/// `Attach`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientMessage {
    /// Creates a meeting, or restores one that the service has lost (it restarted: its memory is
    /// all it has). Whoever comes first opens it; the others are told [`ErrorCode::MeetingExists`]
    /// and attach. Answered by [`ServerMessage::Attached`].
    Open(OpenMeeting),
    /// Reads the sealed descriptor. Answered by [`ServerMessage::Descriptor`].
    Look {
        /// Which meeting.
        meeting: MeetingId,
        /// Derived from the invite link's secret.
        knock_token: Token,
    },
    /// Asks to be let in; the connection then waits for `Welcome` or `Refused`. Dropping the
    /// connection withdraws the knock.
    Knock(Knock),
    /// Takes up membership: the first time after a `Welcome` it is implied, later (a new
    /// connection, or after the service restarted) it is this message.
    Attach(Attach),
    /// Offers the commit that ends `expected_epoch`. All members, the sender included, get the
    /// [`Entry`]; if another commit was first, the sender gets [`ServerMessage::CommitConflict`].
    Commit(Commit),
    /// An MLS application message for all members, the sender included.
    Publish {
        /// The sealed message.
        message: Blob<MAX_PUBLISH>,
    },
    /// Something for those who are connected now: heartbeats and requests, which nobody misses who
    /// comes later. It is in no log; a receiver that is slow may lose it. The sender does not get
    /// it back.
    Signal {
        /// The sealed signal.
        message: Blob<MAX_SIGNAL>,
    },
    /// A signal for one device. Lost, if the device is not connected.
    Direct {
        /// For whom.
        to: DeviceId,
        /// The sealed signal.
        message: Blob<MAX_DIRECT>,
    },
    /// Replaces what the door shows: after this only the new token admits `Look` and `Knock`, and
    /// `Look` shows the new descriptor. Those who wait are shown it too, or refused if the token
    /// is another.
    Describe(Door),
    /// Whether this device wants to see who knocks from now on; if so, those that wait follow.
    WantKnocks(bool),
    /// Tells a knocking device that it will not be let in.
    Refuse {
        /// Who knocked.
        device: DeviceId,
    },
    /// Asks for a fresh right to connect to the media relay.
    RequestGrant,
    /// Gives up membership; the service forgets the device and ends its media.
    Leave,
}

/// What a meeting shows at its door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Door {
    /// Hash of the token that `Look` and `Knock` must show.
    pub knock_hash: TokenHash,
    /// Title and the like, sealed under the link's secret.
    pub descriptor: Blob<MAX_DESCRIPTOR>,
}

/// The public part of a meeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenMeeting {
    /// Which meeting.
    pub meeting: MeetingId,
    /// What it shows at its door.
    pub door: Door,
    /// After this many seconds the service forgets the meeting; it may set a lower bound of its own.
    pub lifetime_s: u32,
    /// The opener's device: [`DeviceId::of`] the hash of its token.
    pub device: DeviceId,
    /// The opener's device token, whose hash the service keeps.
    pub device_token: Token,
    /// The MLS epoch that the opener is in.
    pub epoch: u64,
    /// Hash of the delivery token of that epoch, which every member can derive.
    pub member_hash: TokenHash,
    /// Whether this device wants to see who knocks.
    pub wants_knocks: bool,
}

/// A wish to be let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Knock {
    /// Which meeting.
    pub meeting: MeetingId,
    /// Derived from the invite link's secret.
    pub knock_token: Token,
    /// The knocker's pseudonymous device: [`DeviceId::of`] `device_hash`.
    pub device: DeviceId,
    /// Hash of the token that the device will attach with.
    pub device_hash: TokenHash,
    /// Name, KeyPackage and signatures, sealed to the host.
    pub card: Blob<MAX_CARD>,
}

/// A member's return.
///
/// A service that restarted knows no devices. To a device that it does not know, that shows a
/// proof for an epoch in the log (from the one the meeting was opened at to the current one) and
/// that no commit since has removed, it gives membership and sends the log from its beginning,
/// whatever `from_seq` says: the sequence numbers of the lost log mean nothing.
///
/// A known device that attaches again takes the place of its older connection, which is closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attach {
    /// Which meeting.
    pub meeting: MeetingId,
    /// Which device: [`DeviceId::of`] the hash of its token.
    pub device: DeviceId,
    /// The device's token. A known device must show the token that the service has the hash of.
    pub device_token: Token,
    /// For a device that the service does not know (it restarted): proof of membership. The
    /// service then keeps the hash of `device_token`.
    pub proof: MemberProof,
    /// The first log entry that the device has not seen.
    pub from_seq: u64,
    /// Whether this device wants to see who knocks.
    pub wants_knocks: bool,
}

/// Proof of membership in an epoch: the token is exported from the MLS key schedule, so only
/// those in the epoch can make it, and it says nothing about any other key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberProof {
    /// The MLS epoch.
    pub epoch: u64,
    /// The epoch's delivery token.
    pub token: Token,
}

/// One step of the group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// The epoch that this commit ends. The service accepts one commit for each (compare and set).
    pub expected_epoch: u64,
    /// The sealed commit.
    pub commit: CommitBlob,
    /// Hash of the delivery token of the epoch that begins.
    pub member_hash: TokenHash,
    /// Knocking devices that this commit lets in.
    pub admission: Option<Admission>,
    /// Members that this commit removes; the service drops them and ends their media.
    pub removed: List<DeviceId, MAX_BATCH>,
    /// A new door, when the commit renews the invite link: it changes with the epoch or not at all.
    pub door: Option<Door>,
}

/// What newcomers need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    /// Who is let in.
    pub devices: List<DeviceId, MAX_BATCH>,
    /// The sealed MLS Welcome for all of them.
    pub welcome: Blob<MAX_WELCOME>,
    /// The sealed ratchet tree.
    pub tree: Blob<MAX_TREE>,
}

/// From the service to a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerMessage {
    /// The meeting is open, or membership is taken up. Then follow the entries from the asked one
    /// on, a `Presence` for each other member that is connected, and to a device that wants
    /// knocks, those that wait.
    Attached {
        /// Whether the service knew the device; if not, the entries begin with the log's first.
        known: bool,
        /// The epoch that the log has reached.
        epoch: u64,
        /// The sequence number of the first entry that follows, now or later.
        first_seq: u64,
        /// The sequence number that the next new entry will have; `first_seq` up to this one
        /// (exclusive) follow at once.
        next_seq: u64,
    },
    /// The sealed descriptor: the answer to `Look`, and told to those who wait when it changes.
    Descriptor {
        /// As last given.
        descriptor: Blob<MAX_DESCRIPTOR>,
    },
    /// The knock was handed on, or waits for a host to come.
    Waiting,
    /// To devices that want knocks: somebody asks to be let in.
    Knock {
        /// Who.
        device: DeviceId,
        /// The sealed card.
        card: Blob<MAX_CARD>,
    },
    /// The knocker went away.
    KnockWithdrawn {
        /// Who.
        device: DeviceId,
    },
    /// To a knocker: not let in.
    Refused,
    /// To a knocker: let in, and from now on a member on this connection. Then follows a `Presence`
    /// for each other member that is connected.
    Welcome {
        /// The epoch that begins.
        epoch: u64,
        /// The first log entry that is the newcomer's to read.
        next_seq: u64,
        /// The sealed MLS Welcome.
        welcome: Blob<MAX_WELCOME>,
        /// The sealed ratchet tree.
        tree: Blob<MAX_TREE>,
    },
    /// The next entry of the log.
    Entry(Entry),
    /// A signal from another device; never the receiver's own.
    Signal {
        /// Who sent it, as the service claims.
        from: DeviceId,
        /// The sealed signal.
        message: Blob<MAX_DIRECT>,
    },
    /// The commit lost a race: the log is at `epoch`, and the winner's entry is on its way.
    CommitConflict {
        /// The epoch that the log has reached.
        epoch: u64,
    },
    /// A right to connect to the media relay, soon.
    Grant {
        /// The relay path to connect to.
        path: String,
        /// Shown to the relay when connecting.
        token: String,
        /// Seconds in which to connect.
        lifetime_s: u32,
    },
    /// A hint, not a truth: a member's control connection came or went.
    Presence {
        /// Who.
        device: DeviceId,
        /// Whether it is connected.
        online: bool,
    },
    /// A commit removed this device; the connection closes.
    Removed,
    /// The last message could not be obeyed. After `Malformed`, `UnsupportedVersion` and
    /// `TooLarge` the connection closes.
    Error {
        /// Why.
        code: ErrorCode,
    },
}

/// An entry of the meeting's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Position in the log, rising by one.
    pub seq: u64,
    /// Which device offered it, as the service claims; MLS says who really did.
    pub from: DeviceId,
    /// What it is.
    pub body: EntryBody,
}

/// The two kinds of entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EntryBody {
    /// A commit that begins `epoch`.
    Commit {
        /// The epoch that begins.
        epoch: u64,
        /// The sealed commit.
        commit: CommitBlob,
    },
    /// An application message.
    Application {
        /// The sealed message.
        message: Blob<MAX_PUBLISH>,
    },
}

/// Why the service did not obey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum ErrorCode {
    /// The first byte names a version that the service does not speak.
    #[error("the server speaks another protocol version")]
    UnsupportedVersion,
    /// Not a message, or not one that may come at this point.
    #[error("the server could not read a message")]
    Malformed,
    /// Over a bound.
    #[error("the server refused a message over its size limit")]
    TooLarge,
    /// The service never had this meeting, or restarted and lost it.
    #[error("the server does not know this meeting")]
    NoSuchMeeting,
    /// The meeting's lifetime is over.
    #[error("this meeting is over")]
    MeetingOver,
    /// `Open` for a meeting that is open.
    #[error("this meeting is open already")]
    MeetingExists,
    /// The link's secret does not fit the meeting.
    #[error("the invite link does not fit the meeting")]
    WrongKnockToken,
    /// The device is not (any more) a member, its id is not that of its token, or its proof is of
    /// no epoch in the log.
    #[error("this device is not a member of the meeting")]
    NotAMember,
    /// The log no longer reaches back to `from_seq`.
    #[error("this device has been away for too long")]
    TooFarBehind,
    /// A table of the service is full: meetings, members, knocks.
    #[error("the server is full")]
    Full,
    /// Too many messages in too short a time.
    #[error("too many messages in too short a time")]
    TooFast,
}
