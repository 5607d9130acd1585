//! The MLS group of a meeting: who is in it, and what its epoch proves.
//!
//! ```text
//!  create / join ──► Group ── change, … ────► pending ── merge_pending ──► next epoch
//!                      │                            │
//!                      │                            └─ clear_pending (lost the race)
//!                      ├─ process ──► Staged ── summary() ── merge ────────► next epoch
//!                      └─ resync ───► another Group ── merge_pending ──────► later epoch
//! ```

mod change;
mod commit;
mod create;
mod join;
mod link;
mod process;
mod prove;
mod resync;
mod summary;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::OnceLock;

use openmls::prelude::{MlsGroup, OpenMlsProvider};
use zeroize::Zeroizing;

pub use change::{Change, CommitBundle, CommitError};
pub use commit::{MergeError, ProtectError};
pub use create::CreateError;
pub use join::JoinError;
pub use process::{ProcessError, Processed, Staged};
pub use resync::ResyncError;
pub use summary::CommitSummary;

use crate::media::{EpochSource, MediaEpoch, MediaError};
use crate::provider::Provider;
use crate::signer::LeafSigner;
use crate::{CryptoFailure, Leaf, LinkSecret, Pseudonym, SecurityCode, Token32, suite};

/// Exporter label of the token that proves membership of an epoch to the server.
const DELIVERY_LABEL: &str = "Conclave delivery";
/// Exporter label of the next invite link's secret.
const LINK_LABEL: &str = "Conclave invite link";
/// Exporter label of RFC 9605 §5.2.
const SFRAME_LABEL: &str = "SFrame 1.0 Base Key";

/// One device's membership in a meeting.
pub struct Group {
    mls: MlsGroup,
    provider: Provider,
    signer: LeafSigner,
    psk_id: [u8; 32],
    /// The epoch in which we became a member; there is nothing for us before it.
    first_epoch: u64,
    /// Whether the external commit that made this group waits for the server.
    resyncing: bool,
    /// The last epoch whose media keys were handed out.
    media_taken: Option<u64>,
    /// Slow on purpose, so computed once for each epoch.
    code: OnceLock<SecurityCode>,
    /// Asked for with every message, and read from the tree once for each epoch.
    members: OnceLock<Vec<Member>>,
}

/// A member at the current epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Its place in the tree.
    pub leaf: Leaf,
    /// Its name in the group.
    pub pseudonym: Pseudonym,
    /// Public part of its leaf's signature key.
    pub leaf_key: [u8; 32],
}

impl Group {
    fn new(mls: MlsGroup, provider: Provider, signer: LeafSigner, psk_id: [u8; 32]) -> Self {
        let first_epoch = mls.epoch().as_u64();
        Self {
            mls,
            provider,
            signer,
            psk_id,
            first_epoch,
            resyncing: false,
            media_taken: None,
            code: OnceLock::new(),
            members: OnceLock::new(),
        }
    }

    /// The random name of the group.
    pub fn group_id(&self) -> Vec<u8> {
        self.mls.group_id().as_slice().to_vec()
    }

    /// Number of the current epoch, from 0.
    pub fn epoch(&self) -> u64 {
        self.mls.epoch().as_u64()
    }

    /// This device's place in the tree.
    pub fn own_leaf(&self) -> Leaf {
        self.mls.own_leaf_index().into()
    }

    /// Whether this device is a member still: `false` once a commit that
    /// removes it was merged.
    pub fn is_active(&self) -> bool {
        self.mls.is_active()
    }

    /// Whether a commit of ours waits for [`Group::merge_pending`] or
    /// [`Group::clear_pending`].
    pub fn has_pending(&self) -> bool {
        self.resyncing || self.mls.pending_commit().is_some()
    }

    /// All members, in the order of their leaves.
    pub fn members(&self) -> Vec<Member> {
        let read = || {
            let members = self.mls.members();
            members.filter_map(|member| read_member(&member)).collect()
        };
        self.members.get_or_init(read).clone()
    }

    /// The meeting's policy, as the host's client encoded it.
    pub fn policy(&self) -> Option<Vec<u8>> {
        suite::policy_in(self.mls.extensions()).map(<[u8]>::to_vec)
    }

    /// The media keys of the current epoch, once.
    ///
    /// # Errors
    /// [`MediaError::AlreadyTaken`] on the second call in one epoch: two sets
    /// of sealing keys could repeat a (key, counter) pair.
    pub fn media_epoch(&mut self) -> Result<MediaEpoch, MediaError> {
        let epoch = self.epoch();
        if !self.is_active() {
            return Err(MediaError::Removed);
        }
        if self.media_taken == Some(epoch) {
            return Err(MediaError::AlreadyTaken);
        }
        let base_key = exported(self.export(SFRAME_LABEL, &[])?)?;
        let members = self
            .members()
            .iter()
            .map(|member| (member.leaf, member.leaf_key))
            .collect();
        let media = MediaEpoch::new(EpochSource {
            epoch,
            own_leaf: self.own_leaf(),
            base_key,
            members,
            signer: self.signer.clone(),
            context: self.batch_context(),
        })?;
        self.media_taken = Some(epoch);
        Ok(media)
    }

    /// MLS-Exporter (RFC 9420 §8.5) of the current epoch. Fails when this device
    /// was removed.
    fn export(&self, label: &str, context: &[u8]) -> Result<Vec<u8>, CryptoFailure> {
        self.mls
            .export_secret(self.provider.crypto(), label, context, 32)
            .map_err(|_| CryptoFailure)
    }

    fn epoch_changed(&mut self) {
        self.code = OnceLock::new();
        self.members = OnceLock::new();
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Group(epoch {}, leaf {}, redacted)",
            self.epoch(),
            self.own_leaf().0
        )
    }
}

fn read_member(member: &openmls::prelude::Member) -> Option<Member> {
    Some(Member {
        leaf: member.index.into(),
        pseudonym: Pseudonym::from_credential(&member.credential)?,
        leaf_key: member.signature_key.as_slice().try_into().ok()?,
    })
}

/// openmls exports into a plain vector, which is wiped here.
fn exported(secret: Vec<u8>) -> Result<Zeroizing<[u8; 32]>, CryptoFailure> {
    let secret = Zeroizing::new(secret);
    let mut array = Zeroizing::new([0; 32]);
    if secret.len() != array.len() {
        return Err(CryptoFailure);
    }
    array.copy_from_slice(&secret);
    Ok(array)
}

fn token(secret: Vec<u8>) -> Result<Token32, CryptoFailure> {
    Ok(Token32::new(*exported(secret)?))
}

fn link_secret(secret: Vec<u8>) -> Result<LinkSecret, CryptoFailure> {
    Ok(LinkSecret::from_bytes(*exported(secret)?))
}
