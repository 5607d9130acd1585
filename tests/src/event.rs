//! What `conclave … --json` says, one object a line.

use serde::Deserialize;

/// One line.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    /// The host's meeting is open.
    Link {
        /// The whole invite link.
        link: String,
    },
    /// The knock is delivered; a host decides.
    Waiting {
        /// The meeting's title, from the sealed descriptor.
        title: String,
        /// The host's name.
        host: String,
    },
    /// Somebody knocks at the host's.
    Knock {
        /// The device that knocks.
        device: String,
        /// The name on its card.
        name: String,
        /// How well the host's computer knows it.
        trust: String,
        /// The name in the contact book, where that says more.
        known_as: Option<String>,
    },
    /// Somebody was let in.
    Admitted {
        /// The device.
        device: String,
        /// Its person's name.
        name: String,
    },
    /// Who is in the room.
    Roster {
        /// MLS epoch.
        epoch: u64,
        /// Everybody, oneself included.
        members: Vec<Member>,
    },
    /// The security code of an epoch.
    Code {
        /// MLS epoch.
        epoch: u64,
        /// 30 digits, perhaps in groups.
        digits: String,
    },
    /// The rules in force.
    Rules {
        /// As much of them as a window shows.
        rules: Rules,
    },
    /// The raised hands in their order.
    Hands {
        /// The first first.
        hands: Vec<Hand>,
    },
    /// The own turn to speak came or went.
    Speaking {
        /// `audience`, `full`, `lost`, `ended`, `askedToMute`, `letSpeak` or `room`.
        turn: String,
        /// Whether the microphone is muted because of it.
        muted: bool,
    },
    /// The number to compare with somebody.
    #[serde(rename = "safety_number")]
    SafetyNumber {
        /// With whom.
        name: String,
        /// 60 digits in groups.
        digits: String,
        /// The QR code as lines of half blocks.
        qr: String,
    },
    /// How a look for somebody's code ended.
    Scan {
        /// Whose.
        name: String,
        /// `matches`, `differs`, `ownCode`, `otherVersion`, `otherCode`, `nothingSeen` or
        /// `stopped`.
        outcome: String,
    },
    /// An order was not obeyed.
    #[serde(rename = "order_refused")]
    OrderRefused {
        /// A sentence.
        reason: String,
    },
    /// Somebody began or ceased to share a screen.
    Share {
        /// Display name.
        name: String,
        /// Whether it is oneself.
        me: bool,
        /// Began, or ceased.
        on: bool,
    },
    /// The devices in use.
    Devices {
        /// What sees this person.
        camera: Device,
    },
    /// Each second: what arrived, by sender.
    Media {
        /// One entry a remote person.
        senders: Vec<Sender>,
    },
    /// Something the person should know.
    Warning {
        /// A sentence.
        text: String,
        /// `notice` or `danger`.
        level: String,
    },
    /// A broken link is whole again.
    Recovered {
        /// Milliseconds from the break to being attached again.
        ms: u64,
    },
    /// The end.
    Left {
        /// Why.
        reason: String,
    },
    /// A kind that no test reads.
    #[serde(other)]
    Other,
}

/// One person in the room.
#[derive(Debug, Clone, Deserialize)]
pub struct Member {
    /// Display name.
    pub name: String,
    /// Device id.
    pub device: String,
    /// `host`, `coHost` or `participant`.
    pub role: String,
    /// Whether it is oneself.
    pub me: bool,
    /// How well this computer knows it: `me`, `new`, `known`, `verified` or `changed`.
    pub trust: String,
}

/// A device in use.
#[derive(Debug, Clone, Deserialize)]
pub struct Device {
    /// Empty while there is none.
    pub name: String,
}

/// A raised hand.
#[derive(Debug, Clone, Deserialize)]
pub struct Hand {
    /// Whose.
    pub name: String,
}

/// The rules of a meeting.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rules {
    /// Whether nobody is let in.
    pub locked: bool,
    /// Whether a host is asked before somebody comes in.
    pub waiting_room: bool,
    /// Whether traffic has one size and rate.
    pub high_secrecy: bool,
    /// Whether what is not verified is muted.
    pub strict: bool,
    /// How many microphones may be open at the same time.
    pub open_microphones: u16,
    /// Whether only hosts and co-hosts share a screen.
    pub hosts_share: bool,
}

/// Width and height of a picture in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Shape {
    /// Width.
    pub width: u16,
    /// Height.
    pub height: u16,
}

/// What arrived of one person.
#[derive(Debug, Clone, Deserialize)]
pub struct Sender {
    /// Display name.
    pub name: String,
    /// Sound.
    pub audio: Flow,
    /// Pictures.
    pub video: Flow,
    /// The size of the picture that comes: `low`, `medium` or `high`.
    #[serde(default)]
    pub picture: Option<String>,
    /// The shared screen.
    pub screen: Flow,
    /// The size of the shared screen's picture, if one comes.
    #[serde(default)]
    pub screen_picture: Option<Shape>,
    /// The sound of the shared screen.
    pub screen_audio: Flow,
}

/// One track; counts are totals since the start.
#[derive(Debug, Clone, Deserialize)]
pub struct Flow {
    /// Sealed frames that came in.
    pub received: u64,
    /// Of them opened.
    pub opened: u64,
    /// Of them not openable.
    pub failed: u64,
    /// Of the opened ones played or shown.
    pub played: u64,
    /// Of the opened ones those that came while their sender was verified.
    pub verified: u64,
    /// Of the opened ones those that came while somebody forged their sender's.
    pub forged: u64,
    /// Sealed bytes that came in.
    pub bytes: u64,
    /// Audio only: sound made up for what was missing, ms.
    #[serde(default)]
    pub concealed_ms: u64,
    /// Capture to play over the last second; none where nothing played.
    pub latency_ms: Option<Latency>,
}

/// Milliseconds from capture to play.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Latency {
    /// Median.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
}
