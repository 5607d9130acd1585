//! What goes into the machine and what comes out of it.

use std::time::{Duration, Instant};

use conclave_e2ee::{MediaEpoch, Track};
use conclave_wire::{ClientMessage, DeviceId, ErrorCode, ServerMessage};

use crate::content::MediaState;
use crate::name::{DisplayName, Title};
use crate::policy::Violation;

/// Something that happened outside the machine.
#[derive(Debug)]
pub enum Input {
    /// The control connection stands.
    LinkUp,
    /// The control connection broke.
    LinkDown,
    /// The service said something.
    Message(Box<ServerMessage>),
    /// The person, or the program for him, wants something.
    Command(Command),
    /// Time passed; due at [`crate::Meeting::deadline`].
    Tick,
}

/// What a person can want.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// From the lobby: knock.
    Join,
    /// Let somebody in (host).
    Admit(DeviceId),
    /// Do not let somebody in (host).
    Refuse(DeviceId),
    /// Remove a member (host).
    Remove(DeviceId),
    /// Microphone or camera went on or off.
    SetMedia(MediaState),
    /// The media relay asks for a right to connect.
    RequestGrant,
    /// Ask a member for a key frame of one of its video tracks.
    RequestKeyFrame(DeviceId, Track),
    /// Leave; a host ends the meeting for all.
    Leave,
}

/// What the driver must do.
#[derive(Debug)]
pub enum Output {
    /// Send over the control connection.
    Send(Box<ClientMessage>),
    /// Tell the person.
    Event(Event),
    /// A new epoch's media keys: install the opening half now, the sealing half at the instant.
    Keys {
        /// The keys.
        keys: Box<MediaEpoch>,
        /// When senders change over. Receivers are given a moment to learn the epoch, except
        /// after a removal, which must not wait.
        senders_move_at: Instant,
    },
    /// A right to connect to the media relay.
    Grant {
        /// Path to connect to.
        path: String,
        /// Bearer token.
        token: String,
        /// Time in which to connect.
        lifetime: Duration,
    },
    /// Drop the control connection and make a new one.
    Reconnect,
    /// Send what is queued, then close for good.
    Close,
}

/// Something worth telling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The lobby knows what the link leads to.
    Described {
        /// The meeting's title.
        title: Title,
        /// Who hosts it.
        host_name: DisplayName,
    },
    /// The knock is with the host.
    Waiting,
    /// Somebody knocks (host).
    Knock {
        /// Who, as a pseudonym.
        device: DeviceId,
        /// Who, by the card.
        name: DisplayName,
    },
    /// Somebody who knocked went away (host).
    KnockWithdrawn {
        /// Who.
        device: DeviceId,
    },
    /// We are in.
    Admitted,
    /// Who is here, or what is known of them, changed.
    Roster,
    /// A new epoch and with it a new security code.
    Code,
    /// The group lost us, or we it; getting back in.
    Recovering,
    /// A member needs a key frame of our track.
    KeyFrameWanted {
        /// Which.
        track: Track,
    },
    /// Something is wrong and goes on being looked after.
    Warning(Warning),
    /// It is over.
    Left(LeftReason),
}

/// What a person should know although the meeting goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// A commit broke the rules.
    #[error("Refused: {0}. This device does not follow that change.")]
    Refused(Violation),
    /// Something in the log was not sealed by anyone with the link.
    #[error("The server delivered something that is not of this meeting; it was ignored.")]
    Foreign,
    /// A member's message could not be opened.
    #[error("A message from a participant could not be opened; it was ignored.")]
    Unreadable,
    /// Somebody showed a card that is not his.
    #[error("Somebody showed a false identity card; it was ignored.")]
    FalseCard,
    /// The service left entries out.
    #[error("The server left out part of the meeting's log; asking again.")]
    Gap,
    /// A knock that cannot be answered with any sense.
    #[error("Somebody knocked with a damaged card and was refused.")]
    BadKnock,
    /// The service answered with an error.
    #[error("The server answered: {0}.")]
    Server(ErrorCode),
    /// Getting in failed; a fresh try is made.
    #[error("Entering the meeting failed; trying again with fresh keys.")]
    WelcomeFailed,
}

/// Why a meeting is over for us. Each message says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LeftReason {
    /// We left.
    #[error("You left the meeting.")]
    ByChoice,
    /// The host ended it.
    #[error("The host ended the meeting.")]
    Ended,
    /// The host did not let us in.
    #[error("The host did not let you in. Ask the host whether you may join.")]
    Refused,
    /// The host removed us.
    #[error("The host removed you from the meeting.")]
    Removed,
    /// The service says we were removed, which it cannot prove.
    #[error("The server says that you were removed from the meeting.")]
    RemovedByServer,
    /// The service never had this meeting.
    #[error(
        "The server does not know this meeting: it has not begun, is over, or the link is of another server. Ask the host for a new link."
    )]
    NoSuchMeeting,
    /// Its lifetime is over.
    #[error("This meeting is over. Ask the host for a new link.")]
    Over,
    /// The link's secret does not fit.
    #[error(
        "The invite link does not fit this meeting: it is damaged or was revoked. Ask the host for a new link."
    )]
    WrongLink,
    /// The descriptor is not signed by the host whom the link names.
    #[error(
        "The meeting's description is not signed by the host whom the link names. Do not trust this server; ask the host for a new link."
    )]
    NotByHost,
    /// The service is full.
    #[error("The server is full. Try again later.")]
    Full,
    /// One side is too old.
    #[error(
        "This version of Conclave and the server's do not fit together. Update the older of the two."
    )]
    Version,
    /// No way back in time.
    #[error(
        "The connection to the meeting was lost and could not be restored. Join again with the link."
    )]
    Lost,
    /// A bug of ours or a broken random source.
    #[error(
        "Conclave's encryption failed on this computer. Restart it and join again; if it happens again, report it."
    )]
    Fault,
}
