//! Back into the group by an external commit (RFC 9420 §12.4.3.2).
//!
//! For a member that still has its leaf but cannot follow the log any more. It
//! needs a GroupInfo of the epoch that the others are in, and the link. A
//! device that lost its leaf key (after a restart) knocks again instead.
//!
//! openmls removes the old leaf from an external commit only if the new leaf has
//! the same signature key. So the key stays, and with it the proof of who comes
//! back: the commit is signed with a key that the others know already. What a
//! path renews, the encryption keys, is renewed.

use std::cell::Cell;
use std::collections::HashSet;

use openmls::group::ExternalCommitBuilderError;
use openmls::messages::group_info::VerifiableGroupInfo;
use openmls::prelude::{
    LeafNodeParameters, MlsGroup, MlsMessageBodyIn, MlsMessageIn, OpenMlsProvider,
    PreSharedKeyProposal, Proposal, QueuedProposal,
};
use tls_codec::Deserialize;

use super::change::serialize;
use super::prove::transcript_hash_of;
use super::{CommitBundle, Group};
use crate::key_package::{credential, store_link};
use crate::provider::Provider;
use crate::suite::{CIPHERSUITE, capabilities, join_config, policy_in};
use crate::{CryptoFailure, Leaf, LinkSecret, Pseudonym};

/// Length prefix of an Ed25519 signature (RFC 9420 §2.1.2).
const SIGNATURE_PREFIX: [u8; 2] = [0x40, 64];
const SIGNATURE_LEN: usize = 64;
const SIGNER_LEN: usize = 4;

/// Why a member could not come back by itself. The group is as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResyncError {
    /// Peer or server: not a GroupInfo with external key and ratchet tree.
    #[error("The state of the meeting cannot be read. Ask for it again.")]
    Malformed,
    /// Peer or server: not of this group.
    #[error("The state of another meeting came back. Ask for it again.")]
    OtherGroup,
    /// Server: of an epoch that this device has left behind.
    #[error("The state of the meeting is out of date. Ask for it again.")]
    OldEpoch,
    /// Peer or server: GroupInfo, tree and signature do not belong together, or
    /// the roster has a name twice.
    #[error("The state of the meeting is forged. Ask for it again.")]
    Forged,
    /// Peer or server: signed by nobody whom this device knows as a member.
    /// Anyone can make a group that looks like ours.
    #[error("The state of the meeting comes from somebody unknown. Ask for it again, or knock.")]
    UnknownSigner,
    /// Peer: not of the form that Conclave makes.
    #[error("The meeting goes on in another version of this program. Install the same version.")]
    Unsupported,
    /// This device has no leaf in it any more.
    #[error("This device is no longer in the meeting. Knock again.")]
    NotMember,
    /// Misuse: `certify` gave nothing.
    #[error("This device did not confirm that it wants to come back.")]
    NotCertified,
    /// Local: the library failed.
    #[error(transparent)]
    Crypto(#[from] CryptoFailure),
}

impl Group {
    /// The GroupInfo of the current epoch with external key and ratchet tree,
    /// for a member that must come back by [`Group::resync`]. It shows the
    /// roster: seal it like a commit.
    ///
    /// # Errors
    /// [`CryptoFailure`] when the library fails.
    pub fn group_info(&self) -> Result<Vec<u8>, CryptoFailure> {
        let info = self
            .mls
            .export_group_info(self.provider.crypto(), &self.signer, true)
            .map_err(|_| CryptoFailure)?;
        serialize(&info)
    }

    /// The epoch that a GroupInfo is of, and the hash of its transcript as
    /// [`Group::transcript_hash`] gives it. To hold against other members'
    /// heartbeats before anything is built on it; whether the rest of it holds
    /// is for [`Group::resync`] to say.
    ///
    /// # Errors
    /// See [`ResyncError`].
    pub fn place_of(&self, group_info: &[u8]) -> Result<(u64, [u8; 32]), ResyncError> {
        let info = self.read_group_info(group_info)?;
        let context = info.group_context();
        Ok((context.epoch().as_u64(), transcript_hash_of(context)))
    }

    /// Makes the external commit by which this member comes back: it removes
    /// the old leaf, carries the PSK of `link` (the link in force in the epoch
    /// of `group_info`), and beside it, signed but not sealed, whatever
    /// `certify` says about the leaf key.
    ///
    /// The group that comes with it waits for [`Group::merge_pending`] like
    /// after any own commit. When the server did not take the commit, drop it
    /// and begin again from this one with a newer GroupInfo: an external commit
    /// cannot be cleared. Its leaf index may differ from the old one.
    ///
    /// The GroupInfo must be signed by somebody who was a member when this
    /// device last knew, since the rest of it can be made up by anyone who
    /// holds the link. A member who was removed in between could still sign
    /// for a group of its own: judge the roster before anything is sent.
    ///
    /// # Errors
    /// See [`ResyncError`].
    pub fn resync(
        &self,
        link: &LinkSecret,
        group_info: &[u8],
        certify: impl FnOnce([u8; 32]) -> Option<Vec<u8>>,
    ) -> Result<(Self, CommitBundle), ResyncError> {
        let pseudonym = self.own_pseudonym().ok_or(ResyncError::NotMember)?;
        let signed_by = signer_of(group_info)?;
        let info = self.read_group_info(group_info)?;
        let certificate = certify(self.signer.public()).ok_or(ResyncError::NotCertified)?;
        let provider = Provider::default();
        let psk_id = store_link(&provider, link)?.id;
        let (mls, commit, left) =
            self.external_commit(&provider, info, pseudonym, certificate, &psk_id)?;
        let mut group = Self::new(mls, provider, self.signer.clone(), psk_id);
        group.resyncing = true;
        if signed_by != left {
            self.check_signer(&group, signed_by)?;
        }
        check_roster(&group)?;
        let bundle = CommitBundle {
            commit,
            welcome: None,
            tree: None,
            delivery_token: group.delivery_token()?,
            next_link: None,
        };
        Ok((group, bundle))
    }

    fn own_pseudonym(&self) -> Option<Pseudonym> {
        let own = self.own_leaf();
        self.members()
            .iter()
            .find(|member| member.leaf == own && member.leaf_key == self.signer.public())
            .map(|member| member.pseudonym)
    }

    fn read_group_info(&self, bytes: &[u8]) -> Result<VerifiableGroupInfo, ResyncError> {
        let message =
            MlsMessageIn::tls_deserialize_exact(bytes).map_err(|_| ResyncError::Malformed)?;
        let MlsMessageBodyIn::GroupInfo(info) = message.extract() else {
            return Err(ResyncError::Malformed);
        };
        let context = info.group_context();
        if context.group_id() != self.mls.group_id() {
            return Err(ResyncError::OtherGroup);
        }
        if context.epoch().as_u64() < self.epoch() {
            return Err(ResyncError::OldEpoch);
        }
        if context.ciphersuite() != CIPHERSUITE || policy_in(context.extensions()).is_none() {
            return Err(ResyncError::Unsupported);
        }
        Ok(info)
    }

    /// The group of the coming epoch, the commit into it, and the leaf that it
    /// removes.
    fn external_commit(
        &self,
        provider: &Provider,
        info: VerifiableGroupInfo,
        pseudonym: Pseudonym,
        certificate: Vec<u8>,
        psk_id: &[u8; 32],
    ) -> Result<(MlsGroup, Vec<u8>, Leaf), ResyncError> {
        let leaf = LeafNodeParameters::builder()
            .with_capabilities(capabilities())
            .build();
        let psk = provider.fresh_psk_id(psk_id).map_err(|_| CryptoFailure)?;
        // Members stay longer than the lifetime in their leaves.
        let builder = MlsGroup::external_commit_builder()
            .with_config(join_config())
            .with_aad(certificate)
            .skip_lifetime_validation()
            .build_group(provider, info, credential(pseudonym, &self.signer))
            .map_err(|error| blame(&error))?
            .leaf_node_parameters(leaf)
            .add_psk_proposal(PreSharedKeyProposal::new(psk))
            .load_psks(provider.storage())
            .map_err(|_| CryptoFailure)?;
        let left = Cell::new(None);
        let watch = |queued: &QueuedProposal| {
            if let Proposal::Remove(remove) = queued.proposal() {
                left.set(Some(Leaf::from(remove.removed())));
            }
            true
        };
        let (mls, messages) = builder
            .build(provider.rand(), provider.crypto(), &self.signer, watch)
            .map_err(|_| ResyncError::Forged)?
            .finalize(provider)
            .map_err(|_| CryptoFailure)?;
        // Without a leaf of ours in the tree we would enter as a stranger.
        let left = left.get().ok_or(ResyncError::NotMember)?;
        let (commit, _, _) = messages.into_messages();
        Ok((mls, serialize(&commit)?, left))
    }

    fn check_signer(&self, group: &Self, signed_by: Leaf) -> Result<(), ResyncError> {
        let signer = group
            .members()
            .into_iter()
            .find(|member| member.leaf == signed_by)
            .ok_or(ResyncError::UnknownSigner)?;
        let known = self.members().iter().any(|member| {
            member.leaf_key == signer.leaf_key && member.pseudonym == signer.pseudonym
        });
        if known {
            Ok(())
        } else {
            Err(ResyncError::UnknownSigner)
        }
    }
}

/// Every member must be of our form and have a name of its own.
fn check_roster(group: &Group) -> Result<(), ResyncError> {
    let members = group.members();
    if members.len() != group.mls.members().count() {
        return Err(ResyncError::Unsupported);
    }
    let names: HashSet<_> = members.iter().map(|member| member.pseudonym).collect();
    if names.len() == members.len() {
        Ok(())
    } else {
        Err(ResyncError::Forged)
    }
}

/// Who signed a GroupInfo, by its leaf. openmls keeps that to itself; it stands
/// in front of the signature at the end (RFC 9420 §12.4.3), and our one suite's
/// signatures have one length.
fn signer_of(group_info: &[u8]) -> Result<Leaf, ResyncError> {
    let tail = group_info
        .last_chunk::<{ SIGNER_LEN + SIGNATURE_PREFIX.len() + SIGNATURE_LEN }>()
        .ok_or(ResyncError::Malformed)?;
    let (signer, signature) = tail
        .split_first_chunk::<SIGNER_LEN>()
        .ok_or(ResyncError::Malformed)?;
    if signature.starts_with(&SIGNATURE_PREFIX) {
        Ok(Leaf(u32::from_be_bytes(*signer)))
    } else {
        Err(ResyncError::Malformed)
    }
}

fn blame<E>(error: &ExternalCommitBuilderError<E>) -> ResyncError {
    match error {
        ExternalCommitBuilderError::MissingRatchetTree
        | ExternalCommitBuilderError::MissingExternalPub => ResyncError::Malformed,
        ExternalCommitBuilderError::UnsupportedCiphersuite(_) => ResyncError::Unsupported,
        ExternalCommitBuilderError::LibraryError(_)
        | ExternalCommitBuilderError::StorageError(_) => ResyncError::Crypto(CryptoFailure),
        _ => ResyncError::Forged,
    }
}
