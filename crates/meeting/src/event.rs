//! What goes into the machine and what comes out of it.

use std::fmt;
use std::time::{Duration, Instant};

use conclave_e2ee::{MediaEpoch, Track};
use conclave_wire::{ClientMessage, DeviceId, ErrorCode, ServerMessage};

use crate::content::MediaState;
use crate::name::{DisplayName, Title};
use crate::policy::{OPEN_MICROPHONES, Role, Secrecy, Violation, Who};

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
    /// Remove a member (host; a co-host only participants).
    Remove(DeviceId),
    /// Let nobody in, or let people in again (host, co-host).
    SetLocked(bool),
    /// Ask before letting people in, or let in everybody with the link (host, co-host).
    SetWaitingRoom(bool),
    /// Give a member another role (host).
    SetRole(DeviceId, Role),
    /// Name a member who may become host when all hosts have gone, or not any more (host).
    SetSuccessor(DeviceId, bool),
    /// What the traffic may tell (host).
    SetSecrecy(Secrecy),
    /// Whether what is not verified is muted (host).
    SetStrict(bool),
    /// Who may share a screen (host).
    SetSharing(Who),
    /// End the link in force and make a new one (host, co-host).
    RenewLink {
        /// Whether it lets in one person only.
        single_use: bool,
        /// After how many seconds it ends; never, if `None`.
        valid_s: Option<u32>,
    },
    /// Frames of a member came for which this device has no key.
    KeyMissing(DeviceId),
    /// So many packets of sound were sealed and sent so far. Heartbeats say it, so that the others
    /// can tell somebody who sends nothing from somebody whose sound is held back.
    SoundSent(u64),
    /// Microphone, camera or shared screen went on or off. A microphone for which there is no place
    /// stays muted.
    SetMedia(MediaState),
    /// Raise a hand, or lower it and do not speak.
    RaiseHand(bool),
    /// Let somebody speak: he is asked to open his microphone (host, co-host).
    LetSpeak(DeviceId),
    /// Lower somebody's hand (host, co-host).
    LowerHand(DeviceId),
    /// Ask somebody to mute; where there are more people than places, end his turn (host; a co-host
    /// only participants).
    AskToMute(DeviceId),
    /// How many microphones may be open at the same time (host).
    SetOpenMicrophones(u16),
    /// The media relay asks for a right to connect.
    RequestGrant,
    /// Ask a member for a key frame of one of its video tracks.
    RequestKeyFrame(DeviceId, Track),
    /// Tell a member what is lost of its sound on the way here.
    ReportLoss {
        /// Who.
        device: DeviceId,
        /// The share of its packets in percent.
        percent: u8,
        /// Whether most are lost in bursts.
        bursts: bool,
    },
    /// Leave. The last host hands over to a successor or co-host, if there is one, and ends the
    /// meeting for all if not.
    Leave,
    /// End the meeting for all (host).
    End,
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
        /// The key that signed the card.
        device_key: [u8; 32],
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
    /// The rules of the meeting changed.
    Rules,
    /// There is a new invite link; the one before is void.
    Link,
    /// The group lost us, or we it; getting back in.
    Recovering,
    /// A member needs a key frame of our track.
    KeyFrameWanted {
        /// Which.
        track: Track,
    },
    /// A member says how many packets of sound it has sent so far. It signed this.
    SoundSent {
        /// Who.
        device: DeviceId,
        /// How many.
        packets: u64,
    },
    /// A member says what it loses of our sound. It signed this.
    LossReported {
        /// Who.
        device: DeviceId,
        /// The share of our packets in percent, 0 to 100.
        percent: u8,
        /// Whether most are lost in bursts.
        bursts: bool,
    },
    /// This person's turn to speak came or went.
    Speaking(Speaking),
    /// Something is wrong and goes on being looked after.
    Warning(Warning),
    /// It is over.
    Left(LeftReason),
}

/// What became of this person's turn to speak. Each message says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Speaking {
    /// There are more people than places: who comes in is muted.
    #[error(
        "You are in the audience of a large meeting and muted. Unmute to speak while there is room, or raise your hand."
    )]
    Audience,
    /// The microphone was to be opened, and all places are taken.
    #[error(
        "All open microphones of this meeting are taken, so you stay muted. Raise your hand to speak."
    )]
    Full,
    /// The place went to somebody else, who came first or was let speak.
    #[error(
        "All open microphones of this meeting are taken now, so you were muted. Raise your hand to speak."
    )]
    Lost,
    /// A host ended the turn.
    #[error("A host has ended your turn to speak; you are muted.")]
    Ended,
    /// A host asks to mute; nothing was done.
    #[error("A host asks you to mute yourself.")]
    AskedToMute,
    /// A host lets this person speak; nothing was opened.
    #[error("A host lets you speak. Unmute when you are ready.")]
    LetSpeak,
    /// The hand comes first and a place is free; nothing was opened.
    #[error("There is room for you to speak. Unmute when you are ready.")]
    Room,
}

impl Speaking {
    /// Whether the microphone is to be muted.
    pub fn mutes(self) -> bool {
        matches!(self, Self::Audience | Self::Full | Self::Lost | Self::Ended)
    }
}

/// What a person should know although the meeting goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// A commit broke the rules.
    #[error("Refused: {violation}{}. Nothing has changed.", by(.who.as_ref()))]
    Refused {
        /// Who made it, if that could be verified.
        who: Option<DisplayName>,
        /// What is wrong with it.
        violation: Violation,
    },
    /// Members give no sign of life although they seem to be connected.
    #[error("No sign of life from {0}. The server may be holding messages back.")]
    Silent(Names),
    /// Nobody at all gives a sign of life.
    #[error(
        "No sign of life from anybody here. The server may be holding messages back; what you see may be old."
    )]
    AllSilent,
    /// Somebody is in the same epoch with other keys.
    #[error(
        "This meeting was split: {0} is in another version of it than you. Do not trust what you see; compare the security code, or meet again with a new link."
    )]
    Forked(Names),
    /// What this device sent to all does not appear.
    #[error("The server does not deliver what this device sends; trying a new connection.")]
    Withheld,
    /// The role does not allow it.
    #[error("Your role in this meeting does not allow that.")]
    NotAllowed,
    /// It cannot be done as things stand.
    #[error(
        "That is not possible now: a meeting needs a host, and at most eight people can be hosts or co-hosts."
    )]
    NotPossible,
    /// More or fewer open microphones than there can be.
    #[error(
        "Between {} and {} microphones can be open at the same time.",
        OPEN_MICROPHONES.start(),
        OPEN_MICROPHONES.end()
    )]
    OpenMicrophones,
    /// It has to be said to all, and nobody can be reached.
    #[error("The connection is broken, so nobody was told. Try again when it is back.")]
    NotSaid,
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

fn by(who: Option<&DisplayName>) -> String {
    who.map_or_else(String::new, |who| format!(" ({})", who.as_str()))
}

/// A few people, for a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names(pub Vec<Option<DisplayName>>);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |name: &Option<DisplayName>| match name {
            Some(name) => name.as_str().to_owned(),
            None => "somebody without a name".to_owned(),
        };
        match self.0.as_slice() {
            [] => f.write_str("somebody"),
            [one] => f.write_str(&name(one)),
            [one, two] => write!(f, "{} and {}", name(one), name(two)),
            [one, two, rest @ ..] => {
                write!(f, "{}, {} and {} more", name(one), name(two), rest.len())
            }
        }
    }
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
    /// A host did not let us in, or renewed the link while we waited.
    #[error(
        "You were not let in. Ask the host whether you may join, and whether the link still holds."
    )]
    Refused,
    /// The meeting lets nobody in.
    #[error(
        "The meeting is locked: nobody is let in now. Ask the host to unlock it, then join again."
    )]
    Locked,
    /// A host or co-host removed us.
    #[error("A host removed you from the meeting.")]
    Removed,
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
        "The invite link does not open this meeting: it was revoked, is used up or over its time, or is damaged. Ask the host for a new link."
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
