//! Other members' messages: opened, staged, inspected, merged.

use openmls::prelude::{
    ContentType, MlsGroupStateError, MlsMessageIn, ProcessMessageError, ProcessedMessageContent,
    ProtocolMessage, Sender, StageCommitError, StagedCommit, ValidationError,
};
use openmls::schedule::errors::PskError;
use tls_codec::Deserialize;

use super::summary::Forbidden;
use super::{CommitSummary, Group, MergeError};
use crate::suite::PAST_EPOCHS;
use crate::{Leaf, Pseudonym};

/// What a message turned out to be.
#[derive(Debug)]
pub enum Processed {
    /// An application message of a member.
    Application {
        /// Its place in the tree, at the epoch of the message.
        sender: Leaf,
        /// Its name in the group.
        pseudonym: Pseudonym,
        /// What [`Group::protect`] was given.
        bytes: Vec<u8>,
    },
    /// A commit that nothing was done about yet.
    Commit(Staged),
}

/// A commit that is well-formed and signed, and waits for the policy's verdict:
/// merge it with [`Group::merge`], or drop it.
#[derive(Debug)]
pub struct Staged {
    commit: Box<StagedCommit>,
    summary: CommitSummary,
}

impl Staged {
    /// What the commit would do.
    pub fn summary(&self) -> &CommitSummary {
        &self.summary
    }
}

/// Why a message was not accepted. The group is as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProcessError {
    /// Peer or server: not an MLS message.
    #[error("A message cannot be read. It was thrown away.")]
    Malformed,
    /// Peer or server: not for this group.
    #[error("A message belongs to another meeting. It was thrown away.")]
    OtherGroup,
    /// Server: a commit of an epoch that is over, or an application message
    /// older than we keep keys for. Usually a repetition.
    #[error("A message is out of date. It was thrown away.")]
    OldEpoch,
    /// Server: of an epoch that we have not reached. Fetch the commits between.
    #[error("A message is ahead of this device. The changes in between must be fetched first.")]
    ComingEpoch,
    /// Not a fault: our own message came back. Nothing is proved by it; merge a
    /// pending commit only on the server's word.
    #[error("A message of this device came back. It was ignored.")]
    Own,
    /// Peer or server: a signature, tag or key is wrong, or it was seen before.
    #[error("A message is forged or repeated. It was thrown away.")]
    Forged,
    /// Peer: a commit that carries a PSK we do not have, such as one of another link.
    #[error("A change of the meeting is bound to another link. It was thrown away.")]
    UnknownPsk,
    /// Peer: a proposal outside a commit, which Conclave never sends.
    #[error("A member proposed a change in a way that is not allowed. It was thrown away.")]
    LoneProposal,
    /// Peer: would bring in a member of foreign form.
    #[error("A change would bring in a member of another program version. It was thrown away.")]
    ForeignMember,
    /// Peer: would make two members of one pseudonym.
    #[error("A change would let someone in under a member's name. It was thrown away.")]
    DuplicatePseudonym,
    /// Peer: a member would take another pseudonym or signature key.
    #[error("A member tried to change its identity. The change was thrown away.")]
    ChangedIdentity,
    /// We were removed.
    #[error("This device is no longer in the meeting.")]
    Removed,
    /// Bug: openmls failed on its own account.
    #[error("The meeting's state is damaged. Leave and join again.")]
    Internal,
}

impl Group {
    /// Opens a message. A commit is staged only, also while one of our own is
    /// pending: the loser of a race processes the winner.
    ///
    /// # Errors
    /// See [`ProcessError`]; the group is as before.
    pub fn process(&mut self, msg: &[u8]) -> Result<Processed, ProcessError> {
        if !self.is_active() {
            return Err(ProcessError::Removed);
        }
        let message = self.parse(msg)?;
        let members = self.members();
        let processed = self
            .mls
            .process_message(&self.provider, message)
            .map_err(|error| blame(&error))?;
        let sender = processed.sender().clone();
        let pseudonym = Pseudonym::from_credential(processed.credential());
        let authenticated = processed.aad().to_vec();
        match processed.into_content() {
            ProcessedMessageContent::ApplicationMessage(message) => match (sender, pseudonym) {
                (Sender::Member(index), Some(pseudonym)) => Ok(Processed::Application {
                    sender: index.into(),
                    pseudonym,
                    bytes: message.into_bytes(),
                }),
                _ => Err(ProcessError::Forged),
            },
            ProcessedMessageContent::StagedCommitMessage(commit) => {
                let summary =
                    CommitSummary::of(&commit, &sender, &members, &self.psk_id, authenticated)?;
                Ok(Processed::Commit(Staged { commit, summary }))
            }
            ProcessedMessageContent::OwnPrivateMessage
            | ProcessedMessageContent::OwnPendingCommit => Err(ProcessError::Own),
            _ => Err(ProcessError::LoneProposal),
        }
    }

    /// Moves into the epoch of a staged commit, and gives up our own pending
    /// one if there is any.
    ///
    /// # Errors
    /// [`MergeError::OtherEpoch`] when the group moved on since it was staged,
    /// or [`MergeError::Failed`].
    pub fn merge(&mut self, staged: Staged) -> Result<(), MergeError> {
        if staged.commit.epoch().as_u64() != self.epoch() + 1 || !self.is_active() {
            return Err(MergeError::OtherEpoch);
        }
        self.mls
            .merge_staged_commit(&self.provider, *staged.commit)
            .map_err(|_| MergeError::Failed)?;
        self.epoch_changed();
        Ok(())
    }

    fn parse(&self, bytes: &[u8]) -> Result<ProtocolMessage, ProcessError> {
        let message = MlsMessageIn::tls_deserialize_exact(bytes)
            .map_err(|_| ProcessError::Malformed)?
            .try_into_protocol_message()
            .map_err(|_| ProcessError::Malformed)?;
        if message.group_id() != self.mls.group_id() {
            return Err(ProcessError::OtherGroup);
        }
        let (ours, theirs) = (self.epoch(), message.epoch().as_u64());
        let kept = match message.content_type() {
            ContentType::Application => ours.saturating_sub(PAST_EPOCHS as u64),
            _ => ours,
        };
        if theirs > ours {
            Err(ProcessError::ComingEpoch)
        } else if theirs < kept.max(self.first_epoch) {
            Err(ProcessError::OldEpoch)
        } else {
            Ok(message)
        }
    }
}

impl From<Forbidden> for ProcessError {
    fn from(forbidden: Forbidden) -> Self {
        match forbidden {
            Forbidden::ForeignMember => Self::ForeignMember,
            Forbidden::DuplicatePseudonym => Self::DuplicatePseudonym,
            Forbidden::ChangedIdentity => Self::ChangedIdentity,
        }
    }
}

fn blame<E>(error: &ProcessMessageError<E>) -> ProcessError {
    match error {
        ProcessMessageError::ValidationError(
            ValidationError::NoPastEpochData | ValidationError::WrongEpoch,
        ) => ProcessError::OldEpoch,
        ProcessMessageError::ValidationError(ValidationError::WrongGroupId) => {
            ProcessError::OtherGroup
        }
        ProcessMessageError::GroupStateError(MlsGroupStateError::UseAfterEviction) => {
            ProcessError::Removed
        }
        ProcessMessageError::InvalidCommit(StageCommitError::PskError(PskError::KeyNotFound)) => {
            ProcessError::UnknownPsk
        }
        ProcessMessageError::LibraryError(_) | ProcessMessageError::StorageError(_) => {
            ProcessError::Internal
        }
        _ => ProcessError::Forged,
    }
}
