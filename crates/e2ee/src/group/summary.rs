//! What a commit would do, in words that a policy can judge.

use std::collections::HashSet;

use openmls::prelude::{LeafNode, PreSharedKeyProposal, Proposal, Sender, StagedCommit};
use openmls::schedule::{PreSharedKeyId, Psk};
use tls_codec::{Deserialize, Serialize};

use super::Member;
use crate::key_package::acceptable;
use crate::suite::policy_in;
use crate::{Leaf, Pseudonym};

/// Everything in a staged commit that a policy may want to forbid.
///
/// openmls checks that a commit is well-formed and signed. Whether its author
/// may do this is the caller's question: a ghost's external commit is
/// well-formed too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitSummary {
    /// The member that made it; `None` for an external commit (RFC 9420
    /// §12.4.3.2), by which someone brings themselves in.
    pub committer: Option<Leaf>,
    /// Who enters by an external commit, with the key of its leaf.
    pub enters: Option<(Pseudonym, [u8; 32])>,
    /// Who is added, with the keys of their leaves.
    pub adds: Vec<(Pseudonym, [u8; 32])>,
    /// Who is removed.
    pub removes: Vec<Leaf>,
    /// How often it carries the PSK of this meeting's link.
    pub link_psks: usize,
    /// How many other PSKs it carries.
    pub foreign_psks: usize,
    /// The policy that it sets, if it touches the GroupContext extensions.
    pub changes_policy: Option<Vec<u8>>,
    /// Proposals of kinds that Conclave never makes: Update, ReInit,
    /// SelfRemove, custom ones, or GroupContext extensions of a foreign form
    /// (such as external senders). The ExternalInit of an external commit is
    /// not counted.
    pub other_proposals: usize,
    /// Whether it renews keys along a path.
    pub has_path: bool,
    /// Whether this device is removed by it.
    pub removes_me: bool,
    /// What its author put beside it (RFC 9420 §6, `authenticated_data`),
    /// signed with it but not sealed. Empty for all commits but those of
    /// [`super::Group::resync`].
    pub authenticated: Vec<u8>,
}

/// Why a commit cannot be summed up: it does what no policy may allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forbidden {
    /// A leaf or KeyPackage that is not of our form.
    ForeignMember,
    /// Two members of one pseudonym.
    DuplicatePseudonym,
    /// A member that takes another pseudonym or signature key.
    ChangedIdentity,
}

impl CommitSummary {
    /// The leaf of the member that comes back by this commit, if that is all it
    /// does: an external commit of somebody with the pseudonym and the leaf key
    /// of one of `members` that removes that leaf, bound once to the link.
    ///
    /// The leaf key is the proof: whoever holds the link only, or is another
    /// member, cannot sign such a commit.
    pub fn resyncs(&self, members: &[Member]) -> Option<Leaf> {
        let (pseudonym, leaf_key) = self.enters?;
        let [left] = *self.removes.as_slice() else {
            return None;
        };
        let returns = members.iter().any(|member| {
            member.leaf == left && member.pseudonym == pseudonym && member.leaf_key == leaf_key
        });
        let nothing_else = self.committer.is_none()
            && self.adds.is_empty()
            && self.changes_policy.is_none()
            && (self.link_psks, self.foreign_psks, self.other_proposals) == (1, 0, 0);
        (returns && nothing_else).then_some(left)
    }

    pub(super) fn of(
        staged: &StagedCommit,
        sender: &Sender,
        members: &[Member],
        link_psk_id: &[u8; 32],
        authenticated: Vec<u8>,
    ) -> Result<Self, Forbidden> {
        let committer = match sender {
            Sender::Member(index) => Some(Leaf::from(*index)),
            _ => None,
        };
        let mut summary = Self {
            committer,
            enters: None,
            adds: Vec::new(),
            removes: Vec::new(),
            link_psks: 0,
            foreign_psks: 0,
            changes_policy: None,
            other_proposals: 0,
            has_path: staged.update_path_leaf_node().is_some(),
            removes_me: staged.self_removed(),
            authenticated,
        };
        for queued in staged.queued_proposals() {
            summary.count(queued.proposal(), link_psk_id)?;
        }
        if let Some(leaf) = staged.update_path_leaf_node() {
            summary.check_path_leaf(leaf, members)?;
        }
        summary.check_names(members)?;
        Ok(summary)
    }

    fn count(&mut self, proposal: &Proposal, link_psk_id: &[u8; 32]) -> Result<(), Forbidden> {
        match proposal {
            Proposal::Add(add) => {
                self.adds
                    .push(acceptable(add.key_package()).ok_or(Forbidden::ForeignMember)?);
            }
            Proposal::Remove(remove) => self.removes.push(remove.removed().into()),
            Proposal::PreSharedKey(psk) if is_link_psk(psk, link_psk_id) => self.link_psks += 1,
            Proposal::PreSharedKey(_) => self.foreign_psks += 1,
            Proposal::GroupContextExtensions(change) => match policy_in(change.extensions()) {
                Some(policy) => self.changes_policy = Some(policy.to_vec()),
                None => self.other_proposals += 1,
            },
            Proposal::ExternalInit(_) if self.committer.is_none() => {}
            _ => self.other_proposals += 1,
        }
        Ok(())
    }

    /// A path carries a new leaf of its committer (RFC 9420 §7.5). It may bring
    /// new encryption keys, never a new identity.
    fn check_path_leaf(&mut self, leaf: &LeafNode, members: &[Member]) -> Result<(), Forbidden> {
        let pseudonym =
            Pseudonym::from_credential(leaf.credential()).ok_or(Forbidden::ForeignMember)?;
        let leaf_key = leaf
            .signature_key()
            .as_slice()
            .try_into()
            .map_err(|_| Forbidden::ForeignMember)?;
        let Some(committer) = self.committer else {
            self.enters = Some((pseudonym, leaf_key));
            return Ok(());
        };
        let same = members.iter().any(|member| {
            member.leaf == committer && member.pseudonym == pseudonym && member.leaf_key == leaf_key
        });
        if same {
            Ok(())
        } else {
            Err(Forbidden::ChangedIdentity)
        }
    }

    fn check_names(&self, members: &[Member]) -> Result<(), Forbidden> {
        let mut names: HashSet<_> = members
            .iter()
            .filter(|member| !self.removes.contains(&member.leaf))
            .map(|member| member.pseudonym)
            .collect();
        let unique = self
            .adds
            .iter()
            .chain(&self.enters)
            .all(|(pseudonym, _)| names.insert(*pseudonym));
        if unique {
            Ok(())
        } else {
            Err(Forbidden::DuplicatePseudonym)
        }
    }
}

/// openmls keeps the id inside the proposal to itself; its encoding (RFC 9420
/// §12.1.4) is the id's and nothing more.
fn is_link_psk(proposal: &PreSharedKeyProposal, link_psk_id: &[u8; 32]) -> bool {
    let id = proposal
        .tls_serialize_detached()
        .ok()
        .and_then(|bytes| PreSharedKeyId::tls_deserialize_exact(&bytes).ok());
    match id.as_ref().map(PreSharedKeyId::psk) {
        Some(Psk::External(external)) => external.psk_id() == link_psk_id,
        _ => false,
    }
}
