//! What a program that drives a client gets to hear, in order.

use conclave_media::audio::Holes;
use conclave_media::video::Size;
use conclave_wire::DeviceId;
use serde::Serialize;

use crate::view::{DeviceView, PolicyView, ViewRole, ViewTrust, WarningLevel};

/// Events that wait for a slow reader. Figures are dropped when it is full, everything else waits.
pub(crate) const EVENT_QUEUE: usize = 256;

/// Something that happened.
#[derive(Debug, Clone)]
pub enum ClientEvent {
    /// The invite link: when the meeting is open, and whenever it is renewed (host, co-host).
    Link(String),
    /// The knock is with the host.
    Waiting {
        /// What the meeting is about.
        title: String,
        /// Who hosts it.
        host: String,
    },
    /// Somebody knocks (host).
    Knock {
        /// Who, as a pseudonym.
        device: DeviceId,
        /// Who, by the card.
        name: String,
        /// How well this computer knows who knocks.
        trust: ViewTrust,
        /// The name in the contact book, where that says more.
        known_as: Option<String>,
    },
    /// A knock is settled or was withdrawn (host).
    KnockGone {
        /// Who.
        device: DeviceId,
    },
    /// Somebody is in: the joiner himself, or for the others each newcomer.
    Admitted {
        /// Who, as a pseudonym.
        device: DeviceId,
        /// Who, by the card.
        name: String,
    },
    /// Who is here.
    Roster {
        /// MLS epoch.
        epoch: u64,
        /// In the order of leaves.
        members: Vec<MemberReport>,
    },
    /// The security code of an epoch.
    Code {
        /// MLS epoch.
        epoch: u64,
        /// Thirty digits in groups of five.
        digits: String,
        /// Why it is a new one, as a sentence.
        reason: String,
    },
    /// The rules in force.
    Rules(PolicyView),
    /// The raised hands, in the order in which they were raised.
    Hands(Vec<HandReport>),
    /// This person's turn to speak came or went.
    Speaking {
        /// How.
        turn: SpeakingTurn,
        /// The same as a sentence that says what to do.
        text: String,
        /// Whether the microphone is muted now because of it.
        muted: bool,
    },
    /// Somebody began or ceased to share a screen, perhaps this device itself.
    Share {
        /// Who, as a pseudonym.
        device: DeviceId,
        /// Who, by the card.
        name: String,
        /// Whether it is this device.
        is_me: bool,
        /// Began, or ceased.
        on: bool,
    },
    /// Once a second while in the meeting.
    Media {
        /// What came from each of the others.
        senders: Vec<SenderReport>,
        /// Holes in the sound that this computer itself has made, since it took part.
        holes: Holes,
    },
    /// Which devices are in use now, at the beginning and at each change.
    Devices {
        /// What sees this person. It has no name while it is closed.
        camera: DeviceView,
        /// What hears this person.
        microphone: DeviceView,
        /// What plays the others.
        speaker: DeviceView,
    },
    /// Something to know although the meeting goes on.
    Warning {
        /// A sentence.
        text: String,
        /// How much it matters.
        level: WarningLevel,
    },
    /// A broken link is whole again.
    Recovered {
        /// Milliseconds from the break to being attached again.
        ms: u64,
    },
    /// Over. Always the last one.
    Left {
        /// Why, as a sentence.
        reason: String,
        /// Whether it was a failure rather than somebody's wish.
        failed: bool,
    },
}

/// A member in a roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberReport {
    /// Pseudonym.
    pub device: DeviceId,
    /// Name by the card; empty until the card has come.
    pub name: String,
    /// What it may do.
    pub role: ViewRole,
    /// Whether it is this device.
    pub is_me: bool,
    /// How well this computer knows it.
    pub trust: ViewTrust,
    /// Whether it has given no sign of life for a while.
    pub silent: bool,
}

/// A raised hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandReport {
    /// Pseudonym.
    pub device: DeviceId,
    /// Name by the card; empty until the card has come.
    pub name: String,
    /// Whether it is this device's.
    pub is_me: bool,
}

/// What became of this person's turn to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SpeakingTurn {
    /// There are more people than open microphones may be: who comes in is muted.
    Audience,
    /// The microphone was to be opened, and no more may be open.
    Full,
    /// The place went to somebody else.
    Lost,
    /// A host ended it.
    Ended,
    /// A host asks to mute.
    AskedToMute,
    /// A host lets this person speak.
    LetSpeak,
    /// There is room, and this person's hand comes first.
    Room,
}

/// Figures of one remote sender.
#[derive(Debug, Clone)]
pub struct SenderReport {
    /// Pseudonym.
    pub device: DeviceId,
    /// Name by the card.
    pub name: String,
    /// The microphone.
    pub audio: TrackReport,
    /// Picture.
    pub video: TrackReport,
    /// The size of the picture that comes, if one does.
    pub picture: Option<Size>,
    /// The shared screen.
    pub screen: TrackReport,
    /// Width and height in pixels of the shared screen's picture, if one comes.
    pub screen_picture: Option<(u16, u16)>,
    /// The sound of the shared screen.
    pub screen_audio: TrackReport,
}

/// Figures of one track. Counts are totals; rates and latencies are of the last second.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrackReport {
    /// Frames that arrived.
    pub received: u64,
    /// Frames that opened.
    pub opened: u64,
    /// Frames that were forged or damaged.
    pub failed: u64,
    /// Frames of another time: of an epoch whose keys this device never had, or has dropped, or opened
    /// before. The relay sends what it keeps of the last second to whoever connects anew.
    pub missed: u64,
    /// Frames played, or decoded.
    pub played: u64,
    /// Opened frames that came while their sender was verified.
    pub verified: u64,
    /// Opened frames that came while nobody vouched for their sender.
    pub unverified: u64,
    /// Opened frames that came while somebody forged their sender's; they were muted.
    pub forged: u64,
    /// Sealed bytes that arrived.
    pub bytes: u64,
    /// Sound made up for what did not come, in milliseconds.
    pub concealed_ms: u64,
    /// Sealed bits each second.
    pub bitrate_bps: u64,
    /// From capture to play, or to the decoded picture: median in milliseconds, if anything was.
    pub latency_p50_ms: Option<f64>,
    /// The same, 95th percentile.
    pub latency_p95_ms: Option<f64>,
}
