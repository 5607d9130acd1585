//! Judges a commit that openmls found sound, by the rules in force before it.

use std::collections::HashSet;

use conclave_e2ee::{CommitSummary, Leaf, Member, Pseudonym};

use super::{Policy, Role};

/// Why a commit is refused although its cryptography is sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Not even a commit that can be read: damaged, forged, or made for another state.
    #[error("a change of the group could not be read")]
    Unreadable,
    /// Somebody outside the group commits himself into it, or a member comes back and does more.
    #[error("a stranger tried to enter without being admitted")]
    External,
    /// Somebody without the role adds.
    #[error("a participant who is not a host tried to let somebody in")]
    AddByNonHost,
    /// Somebody without the role removes.
    #[error("a participant who is not a host tried to remove somebody")]
    RemoveByNonHost,
    /// Somebody without the role changes the rules.
    #[error("a participant who is not a host tried to change the rules")]
    PolicyByNonHost,
    /// The link's pre-shared key is missing, doubled, or joined by another one.
    #[error("a change of the group was not bound to the invite link")]
    Psk,
    /// An added identity or key is there already.
    #[error("a change of the group would have doubled a participant")]
    Duplicate,
    /// Somebody is added under a pseudonym that has a role already: one who was removed would
    /// come back as what he was.
    #[error("a change of the group would have given somebody the role of another")]
    OldRole,
    /// A removal that the removed could still follow.
    #[error("a removal did not renew the keys")]
    RemovalWithoutPath,
    /// A proposal that this version does not know.
    #[error("a change of the group had a part that is not allowed")]
    UnknownProposal,
    /// The new rules cannot be read, or name no host who is there.
    #[error("a change of the rules could not be understood")]
    Policy,
    /// Somebody is let in although the meeting is locked.
    #[error("somebody was let into the meeting although it is locked")]
    Locked,
    /// More than one is let in by a link for one, or the link stays in force after that.
    #[error("a link for one person would have let in more")]
    SingleUse,
    /// The link's generation goes back or leaps.
    #[error("a change of the rules did not renew the invite link in order")]
    LinkGeneration,
}

/// Judges a commit by the policy in force before it.
///
/// The verdict depends on nothing but what all members share (the commit, the roster, the
/// policy), so that all honest clients come to the same one and a refused commit parts nobody.
pub(crate) fn judge(
    commit: &CommitSummary,
    members: &[Member],
    policy: &Policy,
) -> Result<(), Violation> {
    let Some(committer) = commit.committer else {
        // A member that stood apart comes back under the key of its leaf, and does nothing else.
        let returns = commit.resyncs(members).is_some();
        return returns.then_some(()).ok_or(Violation::External);
    };
    if commit.other_proposals > 0 {
        return Err(Violation::UnknownProposal);
    }
    let role = role_of(committer, members, policy);
    let new = commit
        .changes_policy
        .as_deref()
        .map(|bytes| Policy::decode(bytes).ok_or(Violation::Policy))
        .transpose()?;
    judge_adds(commit, role, policy, new.as_ref())?;
    judge_removes(commit, role, members, policy)?;
    // Each Add commit carries exactly the link's key, and no other commit carries any.
    let expected = usize::from(!commit.adds.is_empty());
    if commit.link_psks != expected || commit.foreign_psks != 0 {
        return Err(Violation::Psk);
    }
    if let Some(new) = &new {
        judge_rules(commit, committer, role, members, policy, new)?;
    }
    check_duplicates(commit, members)
}

fn role_of(leaf: Leaf, members: &[Member], policy: &Policy) -> Role {
    members
        .iter()
        .find(|member| member.leaf == leaf)
        .map_or(Role::Participant, |member| policy.role(member.pseudonym))
}

fn judge_adds(
    commit: &CommitSummary,
    role: Role,
    policy: &Policy,
    new: Option<&Policy>,
) -> Result<(), Violation> {
    if commit.adds.is_empty() {
        return Ok(());
    }
    if role < Role::CoHost {
        return Err(Violation::AddByNonHost);
    }
    let has_role = |pseudonym: &Pseudonym| {
        policy.role(*pseudonym) > Role::Participant || policy.successors.contains(&pseudonym.0)
    };
    if commit.adds.iter().any(|(pseudonym, _)| has_role(pseudonym)) {
        return Err(Violation::OldRole);
    }
    // Who comes back under a new leaf takes the place of his old one.
    let newcomers = commit.adds.len().saturating_sub(commit.removes.len());
    if newcomers == 0 {
        return Ok(());
    }
    if policy.locked {
        return Err(Violation::Locked);
    }
    let renews = new.is_some_and(|new| new.link.generation > policy.link.generation);
    if policy.link.single_use && (newcomers > 1 || !renews) {
        return Err(Violation::SingleUse);
    }
    Ok(())
}

fn judge_removes(
    commit: &CommitSummary,
    role: Role,
    members: &[Member],
    policy: &Policy,
) -> Result<(), Violation> {
    if commit.removes.is_empty() {
        return Ok(());
    }
    let may = |leaf: &Leaf| role.may_remove(role_of(*leaf, members, policy));
    if !commit.removes.iter().all(may) {
        return Err(Violation::RemoveByNonHost);
    }
    if !commit.has_path {
        return Err(Violation::RemovalWithoutPath);
    }
    Ok(())
}

fn judge_rules(
    commit: &CommitSummary,
    committer: Leaf,
    role: Role,
    members: &[Member],
    old: &Policy,
    new: &Policy,
) -> Result<(), Violation> {
    let step = new.link.generation.checked_sub(old.link.generation);
    if !matches!(step, Some(0 | 1)) {
        return Err(Violation::LinkGeneration);
    }
    let gone: HashSet<_> = members
        .iter()
        .filter(|member| commit.removes.contains(&member.leaf))
        .map(|member| member.pseudonym.0)
        .collect();
    let is_bare = commit.adds.is_empty() && commit.removes.is_empty();
    let me = members.iter().find(|member| member.leaf == committer);
    let succeeded = me.and_then(|me| old.succeeded_by(me.pseudonym.0));
    let succeeds = is_bare && succeeded.as_ref() == Some(new);
    let allowed = match role {
        Role::Host => true,
        Role::CoHost => {
            // The door is his, the rest stays as it is.
            let door = Policy {
                locked: new.locked,
                waiting_room: new.waiting_room,
                link: new.link,
                ..old.clone()
            };
            succeeds || *new == door || *new == door.without(&gone)
        }
        Role::Participant => succeeds,
    };
    if !allowed {
        return Err(Violation::PolicyByNonHost);
    }
    let stays = |member: &Member| !commit.removes.contains(&member.leaf);
    let has_host = members
        .iter()
        .any(|member| stays(member) && new.role(member.pseudonym) == Role::Host);
    has_host.then_some(()).ok_or(Violation::Policy)
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
