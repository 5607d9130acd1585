//! The meeting as a window draws it: one snapshot, made new on every change.

use conclave_meeting::{Change, Command, DisplayName, LeftReason, Phase, Role, Snapshot};
use serde::Serialize;

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
    /// The invite link, once the meeting is open. It is made to be handed on.
    pub link: Option<String>,
    /// Whether this person hosts.
    pub is_host: bool,
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

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ViewRole {
    /// Admits and removes.
    Host,
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
    /// Whether the microphone is muted.
    pub muted: bool,
    /// Whether the camera is on.
    pub camera: bool,
    /// Loudness of the microphone, 0 to 1.
    pub level: f32,
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
    /// Whether it is this person.
    pub is_me: bool,
    /// Whether its microphone is muted.
    pub muted: bool,
    /// Whether its camera is on.
    pub camera: bool,
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
}

/// A sentence to read and dismiss.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WarningView {
    /// For dismissing it.
    pub id: u64,
    /// The sentence.
    pub text: String,
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
        Role::Participant => ViewRole::Participant,
    }
}

/// Thirty digits as six groups of five, to be read aloud.
pub(crate) fn grouped(digits: &str) -> String {
    let plain: Vec<char> = digits.chars().filter(char::is_ascii_digit).collect();
    plain
        .chunks(5)
        .map(String::from_iter)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Why the code changed, as a sentence.
pub(crate) fn reason(change: &Change) -> String {
    match change {
        Change::Begun => "The code of this meeting.".into(),
        Change::Joined(names) => format!("New because {} joined.", listed(names)),
        Change::Gone(names) => format!("New because {} left.", listed(names)),
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

/// Whether somebody leaves by a wish, his own or the host's, rather than by a failure.
pub(crate) fn is_wish(reason: LeftReason) -> bool {
    matches!(reason, LeftReason::ByChoice | LeftReason::Ended)
}

/// Why it is over, with the host's name where he is the cause and known.
pub(crate) fn farewell(reason: LeftReason, host: &str) -> String {
    match (reason, host) {
        (LeftReason::Refused, host) if !host.is_empty() => {
            format!("{host} did not let you in. Ask {host} whether you may join.")
        }
        (LeftReason::Ended, host) if !host.is_empty() => format!("{host} ended the meeting."),
        (LeftReason::Removed, host) if !host.is_empty() => {
            format!("{host} removed you from the meeting.")
        }
        (reason, _) => reason.to_string(),
    }
}

/// The command that a changed microphone or camera means.
pub(crate) fn media_command(muted: bool, camera: bool) -> Command {
    Command::SetMedia(conclave_meeting::MediaState { muted, camera })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_in_groups() {
        assert_eq!(
            grouped("123456789012345678901234567890"),
            "12345 67890 12345 67890 12345 67890"
        );
    }

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
