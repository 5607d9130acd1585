//! What a member can show of its epoch: to people, to other members, and to
//! the server.

use aws_lc_rs::digest;
use openmls::group::GroupContext;

use super::{DELIVERY_LABEL, Group, token};
use crate::{CryptoFailure, SecurityCode, Token32};

const AUTHENTICATOR_DOMAIN: &[u8] = b"Conclave authenticator v1";
const BATCH_DOMAIN: &[u8] = b"Conclave batch context v1";
const TRANSCRIPT_DOMAIN: &[u8] = b"Conclave transcript v1";

impl Group {
    /// The code to read aloud; equal for all members of this epoch.
    pub fn security_code(&self) -> SecurityCode {
        let code = || SecurityCode::from_authenticator(self.mls.epoch_authenticator().as_slice());
        self.code.get_or_init(code).clone()
    }

    /// A hash of the epoch authenticator (RFC 9420 §8.7), to compare with other
    /// members' in heartbeats.
    pub fn authenticator_hash(&self) -> [u8; 32] {
        hash(
            AUTHENTICATOR_DOMAIN,
            self.mls.epoch_authenticator().as_slice(),
        )
    }

    /// Proves membership of the current epoch to the server, which keeps its hash.
    ///
    /// # Errors
    /// [`CryptoFailure`] when this device was removed, or the library fails.
    pub fn delivery_token(&self) -> Result<Token32, CryptoFailure> {
        token(self.export(DELIVERY_LABEL, &[])?)
    }

    /// A hash of the confirmed transcript hash (RFC 9420 §8.2), which covers
    /// every commit so far, to compare with other members' in heartbeats.
    pub fn transcript_hash(&self) -> [u8; 32] {
        transcript_hash_of(self.mls.public_group().group_context())
    }

    /// What the sender batches of this epoch are bound to: the group and, since
    /// two states of it could have one number, the state of the epoch.
    pub(super) fn batch_context(&self) -> [u8; 32] {
        let state = [self.group_id(), self.authenticator_hash().to_vec()].concat();
        hash(BATCH_DOMAIN, &state)
    }

    /// Signs `msg` with this member's leaf key for the purpose named by
    /// `domain`. Others check it by [`crate::verify_leaf`] with
    /// [`crate::Member::leaf_key`]. A signature for one purpose is worthless
    /// for another, and never one of MLS.
    ///
    /// # Errors
    /// [`CryptoFailure`] when the library fails.
    pub fn sign(&self, domain: &str, msg: &[u8]) -> Result<[u8; 64], CryptoFailure> {
        self.signer.sign_for(domain, msg)
    }
}

pub(super) fn transcript_hash_of(context: &GroupContext) -> [u8; 32] {
    hash(TRANSCRIPT_DOMAIN, context.confirmed_transcript_hash())
}

fn hash(domain: &[u8], value: &[u8]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(domain);
    context.update(value);
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}
