//! The rules of a meeting, as signed state that every client enforces for itself.
//!
//! They sit in a GroupContext extension, so they are agreed by MLS like the roster is; the server
//! neither knows nor enforces them. Every client judges every commit before it merges (`judge`).

mod judge;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::ops::RangeInclusive;

use conclave_e2ee::Pseudonym;
use serde::{Deserialize, Serialize};

pub use judge::Violation;
pub(crate) use judge::judge;

/// Hosts and co-hosts together: each of them can open knock cards, and a card is sealed to each.
pub const MAX_ROLES: usize = 8;
/// Members that may succeed the hosts.
pub const MAX_SUCCESSORS: usize = 8;
/// Microphones that a policy may allow to be open at the same time.
pub const OPEN_MICROPHONES: RangeInclusive<u16> = 1..=500;
/// Microphones that may be open at the same time in a new meeting.
pub const USUAL_OPEN_MICROPHONES: u16 = 25;
/// Relays that a policy may name.
const MAX_RELAYS: usize = 8;
/// Bytes of a relay's `host:port`.
const MAX_RELAY: usize = 262;

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Takes part.
    Participant,
    /// Admits, refuses, removes participants, opens and closes the door.
    CoHost,
    /// All of that, and gives roles, changes every rule, ends the meeting.
    Host,
}

impl Role {
    /// Whether it may remove who has another: a host anybody, a co-host participants.
    pub(crate) fn may_remove(self, whom: Self) -> bool {
        match self {
            Self::Host => true,
            Self::CoHost => whom == Self::Participant,
            Self::Participant => false,
        }
    }
}

/// Who may use a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Who {
    /// Every member.
    Everyone,
    /// Hosts and co-hosts.
    Hosts,
}

/// Who may do what with the meeting's content. Agreed and signed; no client records for all or chats
/// yet, so that nothing acts on those two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permissions {
    /// Share a screen.
    pub share: Who,
    /// Record.
    pub record: Who,
    /// Write to all.
    pub chat: Who,
}

impl Default for Permissions {
    fn default() -> Self {
        Self {
            share: Who::Everyone,
            record: Who::Hosts,
            chat: Who::Everyone,
        }
    }
}

/// What the traffic may tell to somebody who counts bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Secrecy {
    /// Muted people send nothing; pictures have the size they have.
    #[default]
    Standard,
    /// Muted people send silence of the same size and rate; pictures are padded to a few sizes.
    High,
}

/// How people may come in by the link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkRules {
    /// Counts the links of this meeting; each renewal raises it by one and ends the one before.
    pub generation: u32,
    /// Whether the link is renewed by the commit that lets in the first who used it.
    pub single_use: bool,
    /// Seconds after which the hosts' clients renew the link; `None` for as long as the meeting.
    pub valid_s: Option<u32>,
}

/// The rules of a meeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// See [`Role::Host`].
    pub hosts: Vec<[u8; 16]>,
    /// See [`Role::CoHost`].
    pub co_hosts: Vec<[u8; 16]>,
    /// Who may make himself a host when all hosts have gone, in this order.
    pub successors: Vec<[u8; 16]>,
    /// Whether a host is asked before somebody with the link comes in.
    pub waiting_room: bool,
    /// Whether nobody at all comes in.
    pub locked: bool,
    /// Who may do what.
    pub permissions: Permissions,
    /// Relays (`host:port`) that clients may send media to; none means the link's server only.
    pub relays: Vec<String>,
    /// What traffic may tell.
    pub secrecy: Secrecy,
    /// Whether what is not verified as its sender's own is muted, not only marked.
    pub strict: bool,
    /// How people may come in.
    pub link: LinkRules,
    /// How many microphones may be open at the same time, in [`OPEN_MICROPHONES`]. Who has a place
    /// is no part of the rules: it follows from the log.
    pub open_microphones: u16,
}

impl Policy {
    /// The rules of a new meeting.
    pub fn founded_by(host: [u8; 16]) -> Self {
        Self {
            hosts: vec![host],
            co_hosts: Vec::new(),
            successors: Vec::new(),
            waiting_room: true,
            locked: false,
            permissions: Permissions::default(),
            relays: Vec::new(),
            secrecy: Secrecy::Standard,
            strict: false,
            link: LinkRules::default(),
            open_microphones: USUAL_OPEN_MICROPHONES,
        }
    }

    /// The bytes that go into the extension.
    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        postcard::to_allocvec(self).ok()
    }

    /// Reads an extension's bytes; whatever follows the policy is refused, and so is a policy
    /// over its bounds.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        match postcard::take_from_bytes::<Self>(bytes) {
            Ok((policy, [])) if policy.is_sound() => Some(policy),
            _ => None,
        }
    }

    /// What this pseudonym may do.
    pub fn role(&self, pseudonym: Pseudonym) -> Role {
        if self.hosts.contains(&pseudonym.0) {
            Role::Host
        } else if self.co_hosts.contains(&pseudonym.0) {
            Role::CoHost
        } else {
            Role::Participant
        }
    }

    /// Whether this pseudonym may share a screen.
    pub fn may_share(&self, pseudonym: Pseudonym) -> bool {
        match self.permissions.share {
            Who::Everyone => true,
            Who::Hosts => self.role(pseudonym) >= Role::CoHost,
        }
    }

    /// The same rules with another role for one member; `None` if they would not be sound (no
    /// host, or too many roles).
    pub(crate) fn with_role(&self, member: [u8; 16], role: Role) -> Option<Self> {
        let mut policy = self.clone();
        policy.hosts.retain(|host| *host != member);
        policy.co_hosts.retain(|host| *host != member);
        match role {
            Role::Host => policy.hosts.push(member),
            Role::CoHost => policy.co_hosts.push(member),
            Role::Participant => {}
        }
        policy.is_sound().then_some(policy)
    }

    /// The same rules with one successor more or less.
    pub(crate) fn with_successor(&self, member: [u8; 16], named: bool) -> Option<Self> {
        let mut policy = self.clone();
        policy.successors.retain(|other| *other != member);
        if named {
            policy.successors.push(member);
        }
        policy.is_sound().then_some(policy)
    }

    /// The same rules with another bound of open microphones.
    pub(crate) fn with_open_microphones(&self, bound: u16) -> Option<Self> {
        let policy = Self {
            open_microphones: bound,
            ..self.clone()
        };
        policy.is_sound().then_some(policy)
    }

    /// The same rules after this successor has made himself a host.
    pub(crate) fn succeeded_by(&self, successor: [u8; 16]) -> Option<Self> {
        if !self.successors.contains(&successor) {
            return None;
        }
        self.with_successor(successor, false)?
            .with_role(successor, Role::Host)
    }

    /// The same rules without those who are gone; hosts that are gone stay as long as they are
    /// the last.
    pub(crate) fn without(&self, gone: &HashSet<[u8; 16]>) -> Self {
        let mut policy = self.clone();
        policy.co_hosts.retain(|member| !gone.contains(member));
        policy.successors.retain(|member| !gone.contains(member));
        if policy.hosts.iter().any(|member| !gone.contains(member)) {
            policy.hosts.retain(|member| !gone.contains(member));
        }
        policy
    }

    fn is_sound(&self) -> bool {
        let roles = || self.hosts.iter().chain(&self.co_hosts);
        let distinct: HashSet<_> = roles().collect();
        let successors: HashSet<_> = self.successors.iter().collect();
        !self.hosts.is_empty()
            && distinct.len() == roles().count()
            && distinct.len() <= MAX_ROLES
            && successors.len() == self.successors.len()
            && successors.len() <= MAX_SUCCESSORS
            && OPEN_MICROPHONES.contains(&self.open_microphones)
            && self.relays.len() <= MAX_RELAYS
            && self.relays.iter().all(|relay| relay.len() <= MAX_RELAY)
    }
}
