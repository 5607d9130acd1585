//! The meeting as it stands, for whoever draws it.

use std::time::Instant;

use conclave_e2ee::{Leaf, SecurityCode};
use conclave_wire::DeviceId;

use crate::content::MediaState;
use crate::event::LeftReason;
use crate::name::{DisplayName, Title};
use crate::policy::{Policy, Role};

/// Which state the machine is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Before knocking.
    Lobby,
    /// Knocked.
    Joining,
    /// In the meeting.
    Active,
    /// Getting back in.
    Recovering,
    /// Over, and why.
    Left(LeftReason),
}

/// Why the security code is another one than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The meeting was created or joined.
    Begun,
    /// These came in.
    Joined(Vec<DisplayName>),
    /// These went or were removed.
    Gone(Vec<DisplayName>),
    /// The rules were changed: roles, the door, the link.
    Rules,
    /// Keys were renewed, as they are every few minutes.
    Renewed,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberView {
    /// Pseudonym.
    pub device: DeviceId,
    /// Place in the MLS tree, which names the sender of media frames.
    pub leaf: Leaf,
    /// By its card; `None` until the card has come.
    pub name: Option<DisplayName>,
    /// The long-term key by which the device is known across meetings, by its card.
    pub device_key: Option<[u8; 32]>,
    /// What it may do.
    pub role: Role,
    /// Whether it may make itself a host when all hosts have gone.
    pub successor: bool,
    /// Whether it has given no sign of life for three heartbeats.
    pub silent: bool,
    /// Whether it is this device.
    pub is_me: bool,
    /// What it sends of itself.
    pub media: MediaState,
    /// Whether the service sees it connected (a hint).
    pub online: bool,
    /// Whether there is a place for its sound. Nobody reads the sound of who has none.
    pub place: bool,
    /// The place of its raised hand in the order of hands, from 1.
    pub hand: Option<usize>,
}

/// What this person may do about speaking.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FloorView {
    /// There are more people than places, and this person's microphone could not be opened now.
    pub audience: bool,
    /// A host lets this person speak, or a place is free and his hand comes first.
    pub called: bool,
}

/// One who knocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnockView {
    /// Pseudonym.
    pub device: DeviceId,
    /// By its card.
    pub name: DisplayName,
    /// By its card, which this key has signed.
    pub device_key: [u8; 32],
}

/// The meeting as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// State.
    pub phase: Phase,
    /// Our own pseudonym.
    pub device: DeviceId,
    /// Title, once known.
    pub title: Option<Title>,
    /// Host's name, once known.
    pub host_name: Option<DisplayName>,
    /// MLS epoch; 0 before the group is known.
    pub epoch: u64,
    /// What to compare with the others, once in the group.
    pub code: Option<SecurityCode>,
    /// Why the code is what it is.
    pub change: Change,
    /// The rules in force, once in the group.
    pub policy: Option<Policy>,
    /// When the link in force ends, if it does (hosts and co-hosts only).
    pub link_ends_at: Option<Instant>,
    /// In the order of leaves.
    pub members: Vec<MemberView>,
    /// What this person may do about speaking.
    pub floor: FloorView,
    /// In the order of arrival (host only).
    pub knocks: Vec<KnockView>,
    /// Whether the control connection stands.
    pub link_up: bool,
}
