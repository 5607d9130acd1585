//! Our own commits (RFC 9420 §12.4): made, pending, merged or given up.

use openmls::prelude::{
    CreateCommitError, Extensions, GroupContext, KeyPackage, LeafNodeIndex, MlsMessageOut,
    OpenMlsProvider, PreSharedKeyProposal, Proposal, ProposalValidationError,
};
use tls_codec::Serialize;

use super::{DELIVERY_LABEL, Group, token};
use crate::suite::context_extensions;
use crate::{CryptoFailure, Leaf, Token32, VerifiedKeyPackage};

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

/// Why a commit could not be merged or cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// Misuse: nothing is pending.
    #[error("There is no change of the meeting under way.")]
    NothingPending,
    /// Misuse: the commit was staged in another epoch.
    #[error("The change belongs to another moment of the meeting.")]
    OtherEpoch,
    /// Local: the library failed. The group must not be used any more.
    #[error("The meeting's keys could not be renewed. Leave and join again.")]
    Failed,
}

/// Why a message could not be protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtectError {
    /// We were removed.
    #[error("This device is no longer in the meeting.")]
    Removed,
    /// Local: the library failed.
    #[error(transparent)]
    Crypto(#[from] CryptoFailure),
}

/// What a commit shall do.
#[derive(Default)]
struct Plan {
    adds: Vec<KeyPackage>,
    removes: Vec<LeafNodeIndex>,
    extensions: Option<Extensions<GroupContext>>,
    path: bool,
}

impl Group {
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
        if leaves.is_empty() && packages.is_empty() {
            return Err(CommitError::Nothing);
        }
        self.check_change(leaves, packages)?;
        self.commit(Plan {
            adds: packages
                .iter()
                .map(|package| package.key_package.clone())
                .collect(),
            removes: leaves.iter().map(|leaf| (*leaf).into()).collect(),
            path: !leaves.is_empty(),
            ..Plan::default()
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

    /// Replaces the meeting's policy (RFC 9420 §12.1.7), with a path.
    ///
    /// # Errors
    /// See [`CommitError`]; the group is as before.
    pub fn set_policy(&mut self, policy: &[u8]) -> Result<CommitBundle, CommitError> {
        let extensions = context_extensions(policy).map_err(|_| CryptoFailure)?;
        self.commit(Plan {
            extensions: Some(extensions),
            path: true,
            ..Plan::default()
        })
    }

    /// Moves into the epoch of our pending commit, once the server took it.
    ///
    /// # Errors
    /// [`MergeError::NothingPending`] or [`MergeError::Failed`].
    pub fn merge_pending(&mut self) -> Result<(), MergeError> {
        if !self.has_pending() {
            return Err(MergeError::NothingPending);
        }
        self.mls
            .merge_pending_commit(&self.provider)
            .map_err(|_| MergeError::Failed)?;
        self.epoch_changed();
        Ok(())
    }

    /// Gives the pending commit up. Only for a commit that the server certainly
    /// did not take.
    ///
    /// # Errors
    /// [`MergeError::NothingPending`] or [`MergeError::Failed`].
    pub fn clear_pending(&mut self) -> Result<(), MergeError> {
        if !self.has_pending() {
            return Err(MergeError::NothingPending);
        }
        self.mls
            .clear_pending_commit(self.provider.storage())
            .map_err(|_| MergeError::Failed)
    }

    /// Protects an application message (RFC 9420 §15) for all members of the
    /// current epoch.
    ///
    /// # Errors
    /// [`ProtectError::Removed`] or [`ProtectError::Crypto`].
    pub fn protect(&mut self, bytes: &[u8]) -> Result<Vec<u8>, ProtectError> {
        if !self.is_active() {
            return Err(ProtectError::Removed);
        }
        let message = self
            .mls
            .create_message(&self.provider, &self.signer, bytes)
            .map_err(|_| CryptoFailure)?;
        Ok(message
            .tls_serialize_detached()
            .map_err(|_| CryptoFailure)?)
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
        let (commit, welcome) = self.stage_own(plan)?;
        let bundle = self.bundle(&commit, welcome.as_ref());
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
    ) -> Result<CommitBundle, CryptoFailure> {
        let staged = self.mls.pending_commit().ok_or(CryptoFailure)?;
        let crypto = self.provider.crypto();
        let secret = staged
            .export_secret(crypto, DELIVERY_LABEL, &[], 32)
            .map_err(|_| CryptoFailure)?;
        let tree = match welcome {
            Some(_) => staged
                .export_ratchet_tree(crypto, self.mls.export_ratchet_tree())
                .map_err(|_| CryptoFailure)?,
            None => None,
        };
        Ok(CommitBundle {
            commit: serialize(commit)?,
            welcome: welcome.map(serialize).transpose()?,
            tree: tree.as_ref().map(serialize).transpose()?,
            delivery_token: token(secret)?,
        })
    }
}

fn serialize(message: &impl Serialize) -> Result<Vec<u8>, CryptoFailure> {
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
