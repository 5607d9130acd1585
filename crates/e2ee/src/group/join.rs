//! From Welcome to member (RFC 9420 §12.4.3.1).

use std::collections::HashSet;

use openmls::prelude::{
    MlsMessageBodyIn, MlsMessageIn, RatchetTreeIn, StagedWelcome, Welcome, WelcomeError,
};
use openmls::schedule::errors::PskError;
use openmls::schedule::{PreSharedKeyId, Psk};
use tls_codec::Deserialize;

use super::{Group, read_member};
use crate::Candidate;
use crate::suite::{CIPHERSUITE, join_config, policy_in};

/// Why a Welcome did not make us a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// Peer or server: not a Welcome, or not a ratchet tree.
    #[error("The invitation into the meeting cannot be read. Knock again.")]
    Malformed,
    /// Peer or server: made for another KeyPackage.
    #[error("The invitation into the meeting is for someone else. Knock again.")]
    NotForUs,
    /// Peer: does not carry the PSK of our link, and nothing else besides.
    #[error("The invitation does not belong to this link. Ask the host for a new link.")]
    WrongLink,
    /// Peer or server: Welcome and ratchet tree do not prove one group.
    #[error("The invitation into the meeting was altered on its way. Knock again.")]
    Forged,
    /// Peer: a group that is not of the form that Conclave makes.
    #[error("The meeting was made with another version of this program. Install the same version.")]
    Unsupported,
}

impl Candidate {
    /// Becomes a member of the group that a host added us to.
    ///
    /// # Errors
    /// See [`JoinError`]. The KeyPackage is used up in any case: make a fresh
    /// [`Candidate`] and knock again.
    pub fn join(self, welcome: &[u8], tree: &[u8]) -> Result<Group, JoinError> {
        let Self {
            provider,
            signer,
            psk_id,
            pseudonym,
            ..
        } = self;
        let welcome = parse_welcome(welcome)?;
        let tree = RatchetTreeIn::tls_deserialize_exact(tree).map_err(|_| JoinError::Malformed)?;
        let builder = StagedWelcome::build_from_welcome(&provider, &join_config(), welcome)
            .map_err(|error| blame(&error))?;
        if !only_link_psk(builder.processed_welcome().psks(), &psk_id) {
            return Err(JoinError::WrongLink);
        }
        // The lifetime in a leaf bounds the time until its KeyPackage is used,
        // which the host checked. Members stay longer than that.
        let staged = builder
            .with_ratchet_tree(tree)
            .skip_lifetime_validation()
            .build()
            .map_err(|error| blame(&error))?;
        check_shape(&staged)?;
        let mls = staged
            .into_group(&provider)
            .map_err(|error| blame(&error))?;
        let group = Group::new(mls, provider, signer, psk_id);
        let own_leaf = group.own_leaf();
        let is_us = group
            .members()
            .iter()
            .any(|member| member.leaf == own_leaf && member.pseudonym == pseudonym);
        if is_us {
            Ok(group)
        } else {
            Err(JoinError::Forged)
        }
    }
}

fn parse_welcome(bytes: &[u8]) -> Result<Welcome, JoinError> {
    let message = MlsMessageIn::tls_deserialize_exact(bytes).map_err(|_| JoinError::Malformed)?;
    match message.extract() {
        MlsMessageBodyIn::Welcome(welcome) => Ok(welcome),
        _ => Err(JoinError::Malformed),
    }
}

/// Without the link's PSK a Welcome proves nothing: whoever saw our KeyPackage
/// could have made it.
fn only_link_psk(psks: &[PreSharedKeyId], link: &[u8; 32]) -> bool {
    match psks {
        [id] => matches!(id.psk(), Psk::External(external) if external.psk_id() == link),
        _ => false,
    }
}

/// The group must be of the form that [`Group::create`] makes, and every member
/// must have a name of its own.
fn check_shape(staged: &StagedWelcome) -> Result<(), JoinError> {
    let context = staged.group_context();
    if context.ciphersuite() != CIPHERSUITE || policy_in(context.extensions()).is_none() {
        return Err(JoinError::Unsupported);
    }
    let mut names = HashSet::new();
    for member in staged.members() {
        let member = read_member(&member).ok_or(JoinError::Unsupported)?;
        if !names.insert(member.pseudonym) {
            return Err(JoinError::Forged);
        }
    }
    Ok(())
}

fn blame<E>(error: &WelcomeError<E>) -> JoinError {
    match error {
        WelcomeError::Psk(PskError::KeyNotFound) => JoinError::WrongLink,
        WelcomeError::NoMatchingKeyPackage | WelcomeError::JoinerSecretNotFound => {
            JoinError::NotForUs
        }
        WelcomeError::CiphersuiteMismatch
        | WelcomeError::UnsupportedCiphersuite(_)
        | WelcomeError::UnsupportedMlsVersion
        | WelcomeError::UnsupportedCapability
        | WelcomeError::UnsupportedExtensions => JoinError::Unsupported,
        _ => JoinError::Forged,
    }
}
