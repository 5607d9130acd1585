//! Our own changes (RFC 9420 §12.4): what is asked for, as one commit.

use openmls::prelude::{
    CreateCommitError, Extensions, GroupContext, KeyPackage, LeafNodeIndex, MlsMessageOut,
    OpenMlsProvider, PreSharedKeyProposal, Proposal, ProposalValidationError,
};
use tls_codec::Serialize;

use super::{DELIVERY_LABEL, Group, LINK_LABEL, link_secret, token};
use crate::suite::context_extensions;
use crate::{CryptoFailure, Leaf, LinkSecret, Token32, VerifiedKeyPackage};

/// What one commit shall do. Everything in it happens, or nothing.
#[derive(Debug, Default)]
pub struct Change<'a> {
    /// Who is added. The commit carries the link's PSK then.
    pub adds: &'a [VerifiedKeyPackage],
    /// Who is removed. The commit has a path then, so that they cannot follow
    /// into the coming epoch.
    pub removes: &'a [Leaf],
    /// The meeting's new policy, as a GroupContext extension (RFC 9420
    /// §12.1.7). The commit has a path then.
    pub policy: Option<&'a [u8]>,
    /// The generation of the invite link that the coming epoch brings, if the
    /// link is renewed: [`CommitBundle::next_link`] is filled. Members learn of
    /// it by the policy, and derive the same secret by [`Group::next_link`].
    pub renews_link: Option<u32>,
}

/// A commit that waits for the server's verdict.
///
/// Upload it, then call [`Group::merge_pending`] when the server took it, or
/// process the winner (or call [`Group::clear_pending`]) when it did not.
#[derive(Debug)]
pub struct CommitBundle {
    /// The commit, for all members of the current epoch.
    pub commit: Vec<u8>,
    /// The Welcome for all who are added by it, if any are.
    pub welcome: Option<Vec<u8>>,
    /// The ratchet tree of the coming epoch, which belongs to the Welcome.
    pub tree: Option<Vec<u8>>,
    /// The delivery token of the epoch that the commit creates, so that the
    /// server can learn its hash together with the commit.
    pub delivery_token: Token32,
    /// The secret of the next invite link, if [`Change::renews_link`] asked
    /// for it: what [`Group::next_link`] gives every member of that epoch.
    pub next_link: Option<LinkSecret>,
}

/// Why a commit could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Misuse: merge or clear the pending commit first.
    #[error("A change of the meeting is under way. Wait until the server has answered.")]
    AlreadyPending,
    /// Misuse: nobody to add or remove.
    #[error("There is nobody to admit or remove.")]
    Nothing,
    /// Misuse: no member at this leaf, or it is our own.
    #[error("This person is not in the meeting, or cannot be removed by this device.")]
    UnknownLeaf,
    /// Misuse: someone of this pseudonym or with this key is in already.
    #[error("This person is in the meeting already.")]
    AlreadyMember,
    /// We were removed.
    #[error("This device is no longer in the meeting.")]
    Removed,
    /// Local: the library failed.
    #[error(transparent)]
    Crypto(#[from] CryptoFailure),
}

/// A change in the words of openmls.
#[derive(Default)]
struct Plan {
    adds: Vec<KeyPackage>,
    removes: Vec<LeafNodeIndex>,
    extensions: Option<Extensions<GroupContext>>,
    path: bool,
    renews_link: Option<u32>,
}

impl Group {
    /// Makes one commit that does all of `change`.
    ///
    /// The commit has a path unless it only adds. It carries the PSK of the
    /// link in force, also when it renews the link: whoever is added by it
    /// holds the old one.
    ///
    /// # Errors
    /// See [`CommitError`]; the group is as before.
    pub fn change(&mut self, change: Change<'_>) -> Result<CommitBundle, CommitError> {
        let Change {
            adds,
            removes,
            policy,
            renews_link,
        } = change;
        if adds.is_empty() && removes.is_empty() && policy.is_none() && renews_link.is_none() {
            return Err(CommitError::Nothing);
        }
        self.check_change(removes, adds)?;
        let extensions = policy.map(context_extensions).transpose();
        self.commit(Plan {
            adds: adds
                .iter()
                .map(|package| package.key_package.clone())
                .collect(),
            removes: removes.iter().map(|leaf| (*leaf).into()).collect(),
            extensions: extensions.map_err(|_| CryptoFailure)?,
            path: adds.is_empty() || !removes.is_empty() || policy.is_some(),
            renews_link,
        })
    }

    /// Adds members: Adds and the link's PSK, without a path.
    ///
    /// # Errors
    /// See [`CommitError`]; the group is as before.
    pub fn add(&mut self, packages: &[VerifiedKeyPackage]) -> Result<CommitBundle, CommitError> {
        self.replace(&[], packages)
    }

    /// Removes members, with a path: they cannot follow into the coming epoch.
    ///
    /// # Errors
    /// See [`CommitError`]; the group is as before.
    pub fn remove(&mut self, leaves: &[Leaf]) -> Result<CommitBundle, CommitError> {
        self.replace(leaves, &[])
    }

    /// Removes and adds in one commit, for a device that comes back under a new leaf.
    ///
    /// # Errors
    /// See [`CommitError`]; the group is as before.
    pub fn replace(
        &mut self,
        leaves: &[Leaf],
        packages: &[VerifiedKeyPackage],
    ) -> Result<CommitBundle, CommitError> {
        self.change(Change {
            adds: packages,
            removes: leaves,
            ..Change::default()
        })
    }

    /// Replaces the meeting's policy (RFC 9420 §12.1.7), with a path.
    ///
    /// # Errors
    /// See [`CommitError`]; the group is as before.
    pub fn set_policy(&mut self, policy: &[u8]) -> Result<CommitBundle, CommitError> {
        self.change(Change {
            policy: Some(policy),
            ..Change::default()
        })
    }

    /// Renews this leaf's keys and with them the group's (RFC 9420 §12.4 "path").
    ///
    /// # Errors
    /// See [`CommitError`]; the group is as before.
    pub fn rekey(&mut self) -> Result<CommitBundle, CommitError> {
        self.commit(Plan {
            path: true,
            ..Plan::default()
        })
    }

    fn check_change(
        &self,
        leaves: &[Leaf],
        packages: &[VerifiedKeyPackage],
    ) -> Result<(), CommitError> {
        let members = self.members();
        let own = self.own_leaf();
        let can_remove =
            |leaf: &Leaf| *leaf != own && members.iter().any(|member| member.leaf == *leaf);
        if !leaves.iter().all(can_remove) {
            return Err(CommitError::UnknownLeaf);
        }
        let stays = |package: &VerifiedKeyPackage| {
            members.iter().any(|member| {
                member.pseudonym == package.pseudonym() && !leaves.contains(&member.leaf)
            })
        };
        let twice = packages.iter().enumerate().any(|(position, package)| {
            packages[..position]
                .iter()
                .any(|other| other.pseudonym() == package.pseudonym())
        });
        if twice || packages.iter().any(stays) {
            return Err(CommitError::AlreadyMember);
        }
        Ok(())
    }

    fn commit(&mut self, plan: Plan) -> Result<CommitBundle, CommitError> {
        if !self.is_active() {
            return Err(CommitError::Removed);
        }
        if self.has_pending() {
            return Err(CommitError::AlreadyPending);
        }
        let renews_link = plan.renews_link;
        let (commit, welcome) = self.stage_own(plan)?;
        let bundle = self.bundle(&commit, welcome.as_ref(), renews_link);
        if bundle.is_err() {
            self.clear_pending().map_err(|_| CryptoFailure)?;
        }
        Ok(bundle?)
    }

    fn stage_own(
        &mut self,
        plan: Plan,
    ) -> Result<(MlsMessageOut, Option<MlsMessageOut>), CommitError> {
        let psk = if plan.adds.is_empty() {
            None
        } else {
            let id = self
                .provider
                .fresh_psk_id(&self.psk_id)
                .map_err(|_| CryptoFailure)?;
            Some(Proposal::PreSharedKey(Box::new(PreSharedKeyProposal::new(
                id,
            ))))
        };
        let mut builder = self
            .mls
            .commit_builder()
            .consume_proposal_store(false)
            .force_self_update(plan.path)
            .propose_removals(plan.removes)
            .propose_adds(plan.adds)
            .add_proposals(psk);
        if let Some(extensions) = plan.extensions {
            builder = builder
                .propose_group_context_extensions(extensions)
                .map_err(blame)?;
        }
        let messages = builder
            .load_psks(self.provider.storage())
            .map_err(blame)?
            .build(
                self.provider.rand(),
                self.provider.crypto(),
                &self.signer,
                |_| true,
            )
            .map_err(blame)?
            .stage_commit(&self.provider)
            .map_err(|_| CryptoFailure)?;
        let (commit, welcome, _) = messages.into_messages();
        Ok((commit, welcome))
    }

    fn bundle(
        &self,
        commit: &MlsMessageOut,
        welcome: Option<&MlsMessageOut>,
        renews_link: Option<u32>,
    ) -> Result<CommitBundle, CryptoFailure> {
        let staged = self.mls.pending_commit().ok_or(CryptoFailure)?;
        let crypto = self.provider.crypto();
        let export = |label: &str, context: &[u8]| {
            staged
                .export_secret(crypto, label, context, 32)
                .map_err(|_| CryptoFailure)
        };
        let tree = match welcome {
            Some(_) => staged
                .export_ratchet_tree(crypto, self.mls.export_ratchet_tree())
                .map_err(|_| CryptoFailure)?,
            None => None,
        };
        let next_link = renews_link
            .map(|generation| link_secret(export(LINK_LABEL, &generation.to_be_bytes())?))
            .transpose()?;
        Ok(CommitBundle {
            commit: serialize(commit)?,
            welcome: welcome.map(serialize).transpose()?,
            tree: tree.as_ref().map(serialize).transpose()?,
            delivery_token: token(export(DELIVERY_LABEL, &[])?)?,
            next_link,
        })
    }
}

pub(super) fn serialize(message: &impl Serialize) -> Result<Vec<u8>, CryptoFailure> {
    message.tls_serialize_detached().map_err(|_| CryptoFailure)
}

fn blame(error: CreateCommitError) -> CommitError {
    match error {
        CreateCommitError::CannotRemoveSelf => CommitError::UnknownLeaf,
        CreateCommitError::ProposalValidationError(
            ProposalValidationError::DuplicateSignatureKey
            | ProposalValidationError::DuplicateEncryptionKey
            | ProposalValidationError::DuplicateInitKey,
        ) => CommitError::AlreadyMember,
        _ => CommitError::Crypto(CryptoFailure),
    }
}
