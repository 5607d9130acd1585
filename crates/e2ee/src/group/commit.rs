//! What becomes of our own commits: merged or given up.

use openmls::prelude::{LeafNodeIndex, OpenMlsProvider, Sender};
use tls_codec::Serialize;

use super::{CommitSummary, Group};
use crate::CryptoFailure;

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

impl Group {
    /// What our pending commit would do, for the judge that every member holds
    /// it against: whoever sends what the others refuse moves on alone. `None`
    /// when nothing is pending, after [`Group::resync`], or when no policy may
    /// allow it.
    pub fn pending_summary(&self) -> Option<CommitSummary> {
        let staged = self.mls.pending_commit()?;
        let sender = Sender::Member(LeafNodeIndex::from(self.own_leaf()));
        CommitSummary::of(staged, &sender, &self.members(), &self.psk_id, Vec::new()).ok()
    }

    /// Moves into the epoch of our pending commit, once the server took it.
    ///
    /// # Errors
    /// [`MergeError::NothingPending`] or [`MergeError::Failed`].
    pub fn merge_pending(&mut self) -> Result<(), MergeError> {
        if !self.has_pending() {
            return Err(MergeError::NothingPending);
        }
        if !std::mem::take(&mut self.resyncing) {
            self.mls
                .merge_pending_commit(&self.provider)
                .map_err(|_| MergeError::Failed)?;
        }
        self.epoch_changed();
        Ok(())
    }

    /// Gives the pending commit up. Only for a commit that the server certainly
    /// did not take.
    ///
    /// # Errors
    /// [`MergeError::NothingPending`] or [`MergeError::Failed`]. The latter
    /// always after [`Group::resync`]: there is no epoch to fall back to, so
    /// drop the group.
    pub fn clear_pending(&mut self) -> Result<(), MergeError> {
        if !self.has_pending() {
            return Err(MergeError::NothingPending);
        }
        if self.resyncing {
            return Err(MergeError::Failed);
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
}
