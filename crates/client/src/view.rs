//! The meeting as a window draws it: one snapshot, made new on every change.

mod sharing;

use conclave_media::DeviceInUse;
use conclave_media::audio::Cleaning;
use conclave_meeting::{
    Change, DisplayName, LeftReason, Phase, Policy, Role, Secrecy, Snapshot,
    USUAL_OPEN_MICROPHONES, Warning, Who,
};
use serde::Serialize;

use crate::media::Voice;

pub use sharing::{ScreenView, SharingView};

/// Everything that a window shows. Field names are camelCase in JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MeetingView {
    /// Which screen.
    pub phase: ViewPhase,
    /// What the meeting is about; empty until known.
    pub title: String,
    /// Who hosts it; empty until known.
    pub host_name: String,
    /// The invite link, for those who may hand it on: hosts and co-hosts.
    pub invite: Option<InviteView>,
    /// The rules in force; before the meeting, those that most meetings have.
    pub policy: PolicyView,
    /// Whether this person opens the meeting, and does not join one.
    pub is_host: bool,
    /// Whether the meeting runs on a server of this program, and so ends with it.
    pub own_server: bool,
    /// MLS epoch.
    pub epoch: u64,
    /// Thirty digits in groups of five, the same for everybody.
    pub code: Option<String>,
    /// Why the code is a new one, as a sentence.
    pub code_reason: Option<String>,
    /// This person.
    pub me: MeView,
    /// Everybody, this person included.
    pub members: Vec<MemberView>,
    /// Who asks to be let in (host).
    pub knocks: Vec<KnockView>,
    /// Whether the server is connected.
    pub link_up: bool,
    /// What should be known although the meeting goes on.
    pub warnings: Vec<WarningView>,
    /// Why it is over.
    pub left: Option<LeftView>,
}

/// Which screen a window shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ViewPhase {
    /// Before the door.
    Lobby,
    /// At the door.
    Waiting,
    /// In the meeting.
    Active,
    /// Getting back in.
    Recovering,
    /// Over.
    Left,
}

/// The link in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InviteView {
    /// The link. It is made to be handed on.
    pub link: String,
    /// Whether it lets in one person only.
    pub single_use: bool,
    /// When it ends, in milliseconds since 1970; never, if `None`.
    pub expires_at_ms: Option<u64>,
}

/// The rules, as far as a window shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyView {
    /// Nobody comes in.
    pub locked: bool,
    /// Newcomers wait to be let in.
    pub waiting_room: bool,
    /// Traffic has one size and rate.
    pub high_secrecy: bool,
    /// What is not verified is muted.
    pub strict: bool,
    /// So many microphones may be open at the same time.
    pub open_microphones: u16,
    /// Only hosts and co-hosts share a screen.
    pub hosts_share: bool,
}

impl Default for PolicyView {
    fn default() -> Self {
        Self {
            locked: false,
            waiting_room: true,
            high_secrecy: false,
            strict: false,
            open_microphones: USUAL_OPEN_MICROPHONES,
            hosts_share: false,
        }
    }
}

/// How well this computer knows somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ViewTrust {
    /// The person at this computer.
    Me,
    /// Never met.
    New,
    /// Met before, with the same key.
    Known,
    /// Met before, and the safety number was compared.
    Verified,
    /// Another key than the one known by this name.
    Changed,
}

/// Whether what comes under somebody's name is signed by him.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ViewVoice {
    /// Nothing to judge yet.
    #[default]
    Pending,
    /// Signed by its sender.
    Verified,
    /// No signature came for it.
    Unverified,
    /// Somebody else sent it; it is muted.
    Forged,
}

/// What two people compare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SafetyView {
    /// Whom it is with.
    pub name: String,
    /// Sixty digits in groups of five.
    pub digits: String,
    /// The same as a QR code, for a window.
    pub qr_svg: String,
    /// The same as a QR code, for a terminal.
    #[serde(skip)]
    pub qr_text: String,
    /// How well he is known now.
    pub trust: ViewTrust,
}

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ViewRole {
    /// Admits, removes, gives roles, changes the rules, ends the meeting.
    Host,
    /// Admits, and removes participants.
    CoHost,
    /// Takes part.
    Participant,
}

/// This person.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MeView {
    /// Pseudonym.
    pub device: String,
    /// Name that the others see.
    pub name: String,
    /// What this person may do.
    pub role: ViewRole,
    /// Whether the microphone is muted.
    pub muted: bool,
    /// Whether the camera is on.
    pub camera: bool,
    /// Whether this person is in the audience: the microphone could not be opened now.
    pub audience: bool,
    /// Whether this person may unmute now and waited for it, or a host asks for it.
    pub called: bool,
    /// Loudness of the microphone, 0 to 1; 0 while it is muted.
    pub level: f32,
    /// Whether this person talks although the microphone is muted. Only this computer knows.
    pub talks_while_muted: bool,
    /// The camera in use. It has no name while it is closed.
    pub camera_in_use: DeviceView,
    /// The microphone in use.
    pub microphone: DeviceView,
    /// The loudspeaker in use.
    pub speaker: DeviceView,
    /// What is done to the microphone's sound.
    pub cleaning: CleaningView,
    /// The screen that is shared, if one is.
    pub sharing: Option<SharingView>,
}

/// A camera, microphone or loudspeaker as it is now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceView {
    /// The name of the device that is truly in use, or of the one that is looked for.
    pub name: String,
    /// Why that is not the chosen one, or none: a sentence.
    pub problem: Option<String>,
}

/// What is done to the microphone's sound before it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CleaningView {
    /// What the loudspeaker plays is taken out.
    pub echo: bool,
    /// Steady noise is taken out.
    pub noise: bool,
    /// Speech is brought to an even loudness.
    pub gain: bool,
}

/// Somebody in the meeting.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberView {
    /// Pseudonym.
    pub device: String,
    /// Name by the card; empty until the card has come.
    pub name: String,
    /// What it may do.
    pub role: ViewRole,
    /// Whether it may become host when all hosts have gone.
    pub successor: bool,
    /// Whether it is this person.
    pub is_me: bool,
    /// How well this computer knows it.
    pub trust: ViewTrust,
    /// The name in the contact book, where that says more.
    pub known_as: Option<String>,
    /// Whether it has given no sign of life for a while.
    pub silent: bool,
    /// Whether what comes under its name is its own.
    pub voice: ViewVoice,
    /// Whether its key is missing here and was asked for.
    pub missing_key: bool,
    /// Whether its microphone is muted.
    pub muted: bool,
    /// Whether its camera is on.
    pub camera: bool,
    /// The place of its raised hand in the order of hands, from 1.
    pub hand: Option<usize>,
    /// The screen that it shares, if it does and may. Own ones have no pictures here.
    pub screen: Option<ScreenView>,
    /// Whether it speaks now.
    pub speaking: bool,
    /// Under which number its pictures come from the frame hub.
    pub tile: u32,
    /// A sentence to show instead of a picture.
    pub problem: Option<String>,
}

/// Somebody at the door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KnockView {
    /// Pseudonym.
    pub device: String,
    /// Name by the card.
    pub name: String,
    /// How well this computer knows it.
    pub trust: ViewTrust,
    /// The name in the contact book, where that says more.
    pub known_as: Option<String>,
}

/// How much a warning matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum WarningLevel {
    /// Good to know.
    Notice,
    /// Somebody may be attacking.
    Danger,
}

/// A sentence to read and dismiss.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WarningView {
    /// For dismissing it.
    pub id: u64,
    /// The sentence.
    pub text: String,
    /// How much it matters.
    pub level: WarningLevel,
}

/// The end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeftView {
    /// Why, as a sentence.
    pub reason: String,
}

pub(crate) fn phase(snapshot: &Snapshot) -> ViewPhase {
    match snapshot.phase {
        Phase::Lobby => ViewPhase::Lobby,
        Phase::Joining => ViewPhase::Waiting,
        Phase::Active => ViewPhase::Active,
        Phase::Recovering => ViewPhase::Recovering,
        Phase::Left(_) => ViewPhase::Left,
    }
}

pub(crate) fn role(role: Role) -> ViewRole {
    match role {
        Role::Host => ViewRole::Host,
        Role::CoHost => ViewRole::CoHost,
        Role::Participant => ViewRole::Participant,
    }
}

/// Why the code changed, as a sentence.
pub(crate) fn reason(change: &Change) -> String {
    match change {
        Change::Begun => "The code of this meeting.".into(),
        Change::Joined(names) => format!("New because {} joined.", listed(names)),
        Change::Gone(names) => format!("New because {} left.", listed(names)),
        Change::Rules => "New because the rules of the meeting changed.".into(),
        Change::Renewed => "New because the keys were renewed.".into(),
    }
}

fn listed(names: &[DisplayName]) -> String {
    match names {
        [] => "somebody".into(),
        [one] => one.as_str().into(),
        [all @ .., last] => {
            let all: Vec<_> = all.iter().map(DisplayName::as_str).collect();
            format!("{} and {}", all.join(", "), last.as_str())
        }
    }
}

/// How much a warning of the machine matters.
pub(crate) fn level(warning: &Warning) -> WarningLevel {
    match warning {
        Warning::Refused { .. }
        | Warning::Silent(_)
        | Warning::AllSilent
        | Warning::Forked(_)
        | Warning::Withheld
        | Warning::FalseCard
        | Warning::Foreign => WarningLevel::Danger,
        _ => WarningLevel::Notice,
    }
}

/// Whether what comes under somebody's name is his own.
pub(crate) fn voice(voice: Voice) -> ViewVoice {
    match voice {
        Voice::Pending => ViewVoice::Pending,
        Voice::Verified => ViewVoice::Verified,
        Voice::Unverified => ViewVoice::Unverified,
        Voice::Forged => ViewVoice::Forged,
    }
}

pub(crate) fn device(device: DeviceInUse) -> DeviceView {
    DeviceView {
        name: device.name,
        problem: device.problem,
    }
}

pub(crate) fn cleaning(cleaning: Cleaning) -> CleaningView {
    let Cleaning { echo, noise, gain } = cleaning;
    CleaningView { echo, noise, gain }
}

/// A member's name by the card; empty until the card has come.
pub(crate) fn name(member: &conclave_meeting::MemberView) -> String {
    member.name.clone().map(String::from).unwrap_or_default()
}

/// The rules, as far as a window shows them.
pub(crate) fn policy(policy: &Policy) -> PolicyView {
    PolicyView {
        locked: policy.locked,
        waiting_room: policy.waiting_room,
        high_secrecy: policy.secrecy == Secrecy::High,
        strict: policy.strict,
        open_microphones: policy.open_microphones,
        hosts_share: policy.permissions.share == Who::Hosts,
    }
}

/// Whether somebody leaves by a wish, his own or the host's, rather than by a failure.
pub(crate) fn is_wish(reason: LeftReason) -> bool {
    matches!(reason, LeftReason::ByChoice | LeftReason::Ended)
}

/// Why it is over, with the host's name where he is the cause and known.
pub(crate) fn farewell(reason: LeftReason, host: &str) -> String {
    match (reason, host) {
        (LeftReason::Refused, host) if !host.is_empty() => {
            format!(
                "You were not let in. Ask {host} whether you may join, and whether the link still holds."
            )
        }
        (LeftReason::Ended, host) if !host.is_empty() => format!("{host} ended the meeting."),
        (LeftReason::Locked, host) if !host.is_empty() => {
            format!(
                "The meeting is locked: nobody is let in now. Ask {host} to unlock it, then join again."
            )
        }
        (reason, _) => reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_as_people_do() {
        let name = |text: &str| text.parse::<DisplayName>().unwrap();
        assert_eq!(listed(&[]), "somebody");
        assert_eq!(listed(&[name("Ana")]), "Ana");
        assert_eq!(
            listed(&[name("Ana"), name("Ben"), name("Cy")]),
            "Ana, Ben and Cy"
        );
    }
}
