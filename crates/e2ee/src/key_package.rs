//! From a fresh KeyPackage to a member: the joiner's side and the host's.

use aws_lc_rs::digest;
use openmls::prelude::{
    CredentialWithKey, KeyPackage, KeyPackageIn, Lifetime, OpenMlsProvider, ProtocolVersion,
};
use tls_codec::{Deserialize, Serialize};

use crate::link::Psk;
use crate::provider::Provider;
use crate::signer::LeafSigner;
use crate::suite::{CIPHERSUITE, KEY_PACKAGE_LIFETIME_S, KEY_PACKAGE_MARGIN_S, capabilities};
use crate::{CryptoFailure, LinkSecret, Pseudonym};

/// Someone who waits for a Welcome.
///
/// Consumed by [`Candidate::join`], because a Welcome that fails has used up
/// its KeyPackage (RFC 9420 §16.8): who failed knocks again with a fresh one.
#[derive(Debug)]
pub struct Candidate {
    pub(crate) provider: Provider,
    pub(crate) signer: LeafSigner,
    pub(crate) psk_id: [u8; 32],
    pub(crate) pseudonym: Pseudonym,
    key_package: Vec<u8>,
}

/// A KeyPackage that was checked and may be added.
#[derive(Debug, Clone)]
pub struct VerifiedKeyPackage {
    pub(crate) key_package: KeyPackage,
    pseudonym: Pseudonym,
    leaf_key: [u8; 32],
    hash: [u8; 32],
}

/// Why a KeyPackage was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyPackageError {
    /// Peer: not a KeyPackage.
    #[error("Someone knocked with a request that cannot be read. It was thrown away.")]
    Malformed,
    /// Peer: a signature is wrong, or the KeyPackage is too old or from the future.
    #[error(
        "Someone knocked with a request that is forged or out of date. If this happens again, \
         their computer's clock may be wrong."
    )]
    Invalid,
    /// Peer: another protocol version, suite, credential or lifetime than ours.
    #[error(
        "Someone knocked with another version of this program. They must install the same version."
    )]
    Unsupported,
}

impl Candidate {
    /// Makes a fresh leaf key and a KeyPackage that lives for 15 minutes.
    ///
    /// # Errors
    /// [`CryptoFailure`] when the library fails.
    pub fn new(pseudonym: Pseudonym, link: &LinkSecret) -> Result<Self, CryptoFailure> {
        let provider = Provider::default();
        let signer = LeafSigner::generate()?;
        let Psk { id, .. } = store_link(&provider, link)?;
        let bundle = KeyPackage::builder()
            .leaf_node_capabilities(capabilities())
            .key_package_lifetime(Lifetime::new(KEY_PACKAGE_LIFETIME_S))
            .build(
                CIPHERSUITE,
                &provider,
                &signer,
                credential(pseudonym, &signer),
            )
            .map_err(|_| CryptoFailure)?;
        let key_package = bundle
            .key_package()
            .tls_serialize_detached()
            .map_err(|_| CryptoFailure)?;
        Ok(Self {
            provider,
            signer,
            psk_id: id,
            pseudonym,
            key_package,
        })
    }

    /// The KeyPackage, to be shown to the host inside a sealed card.
    pub fn key_package(&self) -> &[u8] {
        &self.key_package
    }

    /// SHA-256 of the KeyPackage, for the signature in the card.
    pub fn key_package_hash(&self) -> [u8; 32] {
        sha256(&self.key_package)
    }

    /// Public part of the leaf's signature key.
    pub fn leaf_key(&self) -> [u8; 32] {
        self.signer.public()
    }

    /// Signs `msg` with the leaf's key for the purpose named by `domain`, as
    /// [`crate::Group::sign`] does for a member.
    ///
    /// # Errors
    /// [`CryptoFailure`] when the library fails.
    pub fn sign(&self, domain: &str, msg: &[u8]) -> Result<[u8; 64], CryptoFailure> {
        self.signer.sign_for(domain, msg)
    }
}

impl VerifiedKeyPackage {
    /// Reads and checks a KeyPackage (RFC 9420 §10.1).
    ///
    /// # Errors
    /// Every [`KeyPackageError`] is the sender's fault.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeyPackageError> {
        let unverified =
            KeyPackageIn::tls_deserialize_exact(bytes).map_err(|_| KeyPackageError::Malformed)?;
        let provider = Provider::default();
        let key_package = unverified
            .validate(provider.crypto(), ProtocolVersion::Mls10)
            .map_err(|_| KeyPackageError::Invalid)?;
        let (pseudonym, leaf_key) = acceptable(&key_package).ok_or(KeyPackageError::Unsupported)?;
        Ok(Self {
            key_package,
            pseudonym,
            leaf_key,
            hash: sha256(bytes),
        })
    }

    /// Who wants to be added.
    pub fn pseudonym(&self) -> Pseudonym {
        self.pseudonym
    }

    /// Public part of the leaf's signature key.
    pub fn leaf_key(&self) -> [u8; 32] {
        self.leaf_key
    }

    /// SHA-256 of the KeyPackage, as the card's signature covers it.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }
}

/// Whether a KeyPackage is of the one form that [`Candidate::new`] makes, and
/// whose it is.
pub(crate) fn acceptable(key_package: &KeyPackage) -> Option<(Pseudonym, [u8; 32])> {
    let leaf = key_package.leaf_node();
    let lifetime = key_package.life_time();
    let length_s = lifetime.not_after().checked_sub(lifetime.not_before())?;
    let ours = key_package.ciphersuite() == CIPHERSUITE
        && *leaf.capabilities() == capabilities()
        && length_s <= KEY_PACKAGE_LIFETIME_S + KEY_PACKAGE_MARGIN_S
        && key_package.extensions().iter().next().is_none()
        && leaf.extensions().iter().next().is_none();
    if !ours {
        return None;
    }
    let pseudonym = Pseudonym::from_credential(leaf.credential())?;
    Some((pseudonym, leaf.signature_key().as_slice().try_into().ok()?))
}

pub(crate) fn credential(pseudonym: Pseudonym, signer: &LeafSigner) -> CredentialWithKey {
    CredentialWithKey {
        credential: pseudonym.credential(),
        signature_key: signer.public().as_slice().into(),
    }
}

/// Makes a provider ready to add and to be added through `link`.
pub(crate) fn store_link(provider: &Provider, link: &LinkSecret) -> Result<Psk, CryptoFailure> {
    let psk = link.group_psk();
    provider.store_psk(&psk).map_err(|_| CryptoFailure)?;
    Ok(psk)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;
    use crate::{LeafError, verify_leaf};

    #[test]
    fn a_knocker_may_wait_a_quarter_of_an_hour() {
        let now_s = || {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            now.unwrap().as_secs()
        };
        let earliest = now_s();
        let candidate = Candidate::new(Pseudonym([1; 16]), &LinkSecret::generate().unwrap());
        let package = VerifiedKeyPackage::parse(candidate.unwrap().key_package()).unwrap();
        let dead_at = package.key_package.life_time().not_after();
        assert!((earliest + 900..=now_s() + 900).contains(&dead_at));
    }

    #[test]
    fn what_a_card_signs_is_of_this_key_package_and_this_leaf() {
        let link = LinkSecret::generate().unwrap();
        let [one, other] = [1, 2].map(|n| Candidate::new(Pseudonym([n; 16]), &link).unwrap());
        let package = VerifiedKeyPackage::parse(one.key_package()).unwrap();
        assert_eq!(one.key_package_hash(), package.hash());
        assert_ne!(one.key_package_hash(), other.key_package_hash());
        let signature = one.sign("a card", b"Ada").unwrap();
        let is_by = |key, domain| verify_leaf(&key, domain, b"Ada", &signature);
        assert_eq!(is_by(package.leaf_key(), "a card"), Ok(()));
        for (key, domain) in [
            (other.leaf_key(), "a card"),
            (one.leaf_key(), "another purpose"),
        ] {
            assert_eq!(is_by(key, domain), Err(LeafError::BadSignature));
        }
    }

    #[test]
    fn a_hash_is_sha_256() {
        // FIPS 180-4, the example of NIST with three letters.
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex::encode(sha256(b"abc")), known);
    }
}
