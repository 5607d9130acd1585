//! Who may change the group, as signed state that every client enforces for itself.
//!
//! The policy sits in a GroupContext extension, so it is agreed by MLS like the roster is; the
//! server neither knows nor enforces it. Every client judges every commit before it merges.

use std::collections::HashSet;

use conclave_e2ee::{CommitSummary, Leaf, Member, Pseudonym};
use serde::{Deserialize, Serialize};

/// The rules of a meeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Who may add, remove and change the policy.
    pub hosts: Vec<[u8; 16]>,
    /// Whether a host is asked before somebody with the link comes in.
    pub waiting_room: bool,
}

impl Policy {
    /// The bytes that go into the extension.
    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        postcard::to_allocvec(self).ok()
    }

    /// Reads an extension's bytes; whatever follows the policy is refused.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        match postcard::take_from_bytes(bytes) {
            Ok((policy, [])) => Some(policy),
            _ => None,
        }
    }

    /// Whether this pseudonym is a host.
    pub fn is_host(&self, pseudonym: Pseudonym) -> bool {
        self.hosts.contains(&pseudonym.0)
    }
}

/// Why a commit is refused although its cryptography is sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Somebody outside the group commits himself into it.
    #[error("a stranger tried to enter without being admitted")]
    External,
    /// Somebody who is not a host adds.
    #[error("a participant who is not a host tried to let somebody in")]
    AddByNonHost,
    /// Somebody who is not a host removes.
    #[error("a participant who is not a host tried to remove somebody")]
    RemoveByNonHost,
    /// Somebody who is not a host changes the policy.
    #[error("a participant who is not a host tried to change the rules")]
    PolicyByNonHost,
    /// The link's pre-shared key is missing, doubled, or joined by another one.
    #[error("a change of the group was not bound to the invite link")]
    Psk,
    /// An added identity or key is there already.
    #[error("a change of the group would have doubled a participant")]
    Duplicate,
    /// A removal that the removed could still follow.
    #[error("a removal did not renew the keys")]
    RemovalWithoutPath,
    /// A proposal that this version does not know.
    #[error("a change of the group had a part that is not allowed")]
    UnknownProposal,
    /// The new policy cannot be read, or names no host who is there.
    #[error("a change of the rules could not be understood")]
    Policy,
}

/// Judges a commit that openmls found sound, by the policy in force before it.
pub(crate) fn judge(
    commit: &CommitSummary,
    members: &[Member],
    policy: &Policy,
) -> Result<(), Violation> {
    let committer = commit.committer.ok_or(Violation::External)?;
    if commit.other_proposals > 0 {
        return Err(Violation::UnknownProposal);
    }
    let by_host = is_host_leaf(committer, members, policy);
    if !commit.adds.is_empty() && !by_host {
        return Err(Violation::AddByNonHost);
    }
    if !commit.removes.is_empty() {
        if !by_host {
            return Err(Violation::RemoveByNonHost);
        }
        if !commit.has_path {
            return Err(Violation::RemovalWithoutPath);
        }
    }
    // Each Add commit carries exactly the link's key, and no other commit carries any.
    let expected = usize::from(!commit.adds.is_empty());
    if commit.link_psks != expected || commit.foreign_psks != 0 {
        return Err(Violation::Psk);
    }
    if let Some(bytes) = &commit.changes_policy {
        if !by_host {
            return Err(Violation::PolicyByNonHost);
        }
        check_new_policy(bytes, members)?;
    }
    check_duplicates(commit, members)
}

fn is_host_leaf(leaf: Leaf, members: &[Member], policy: &Policy) -> bool {
    members
        .iter()
        .any(|member| member.leaf == leaf && policy.is_host(member.pseudonym))
}

fn check_new_policy(bytes: &[u8], members: &[Member]) -> Result<(), Violation> {
    let policy = Policy::decode(bytes).ok_or(Violation::Policy)?;
    match members
        .iter()
        .any(|member| policy.is_host(member.pseudonym))
    {
        true => Ok(()),
        false => Err(Violation::Policy),
    }
}

/// openmls compares signature keys; that nobody takes another's pseudonym is ours to check.
fn check_duplicates(commit: &CommitSummary, members: &[Member]) -> Result<(), Violation> {
    let staying = members
        .iter()
        .filter(|member| !commit.removes.contains(&member.leaf));
    let mut pseudonyms = HashSet::new();
    let mut keys = HashSet::new();
    for member in staying {
        pseudonyms.insert(member.pseudonym);
        keys.insert(member.leaf_key);
    }
    for (pseudonym, key) in &commit.adds {
        if !pseudonyms.insert(*pseudonym) || !keys.insert(*key) {
            return Err(Violation::Duplicate);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
