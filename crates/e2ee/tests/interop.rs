//! openmls, which we build on, meets mls-rs, which others wrote from the same
//! RFC 9420: each joins, follows, leads and comes back among the other's members.
//!
//! They meet in suite 1 (MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519). Nobody
//! but openmls has the suite of Conclave yet, so this does not test our `Group`.
//! It tests the messages, the tree and the key schedule beneath it; the part
//! that is peculiar to our suite, its KEM, is held against another one in
//! `xwing.rs`.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use mls_rs::client_builder::{MlsConfig, PaddingMode};
use mls_rs::group::ReceivedMessage;
use mls_rs::identity::SigningIdentity;
use mls_rs::identity::basic::{BasicCredential as TheirCredential, BasicIdentityProvider};
use mls_rs::mls_rules::{CommitOptions, DefaultMlsRules, EncryptionOptions};
use mls_rs::{CipherSuite, CipherSuiteProvider, Client, CryptoProvider, MlsMessage};
use mls_rs_crypto_rustcrypto::RustCryptoProvider;
use openmls::prelude::{
    BasicCredential, Ciphersuite, CredentialWithKey, KeyPackage, LeafNodeIndex,
    MIXED_CIPHERTEXT_WIRE_FORMAT_POLICY, MlsGroup, MlsGroupJoinConfig, MlsMessageBodyIn,
    MlsMessageIn, MlsMessageOut, ProcessedMessageContent, ProtocolVersion, StagedWelcome,
};
use openmls_rust_crypto::OpenMlsRustCrypto;
use openmls_traits::OpenMlsProvider;
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::types::SignatureScheme;
use tls_codec::{Deserialize, Serialize};

const SUITE: Ciphersuite = Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;
const THEIR_SUITE: CipherSuite = CipherSuite::CURVE25519_AES128;
/// The label that media keys are exported under.
const EXPORTER_LABEL: &str = "SFrame 1.0 Base Key";

/// A person who runs openmls.
struct Person {
    provider: OpenMlsRustCrypto,
    key: LeafKey,
    name: &'static str,
}

struct LeafKey(Ed25519KeyPair);

impl Signer for LeafKey {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.0.sign(payload).as_ref().to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

impl Person {
    fn new(name: &'static str) -> Self {
        Self {
            provider: OpenMlsRustCrypto::default(),
            key: LeafKey(Ed25519KeyPair::generate().unwrap()),
            name,
        }
    }

    fn credential(&self) -> CredentialWithKey {
        CredentialWithKey {
            credential: BasicCredential::new(self.name.as_bytes().to_vec()).into(),
            signature_key: self.key.0.public_key().as_ref().into(),
        }
    }

    fn config() -> MlsGroupJoinConfig {
        MlsGroupJoinConfig::builder()
            .wire_format_policy(MIXED_CIPHERTEXT_WIRE_FORMAT_POLICY)
            .use_ratchet_tree_extension(true)
            .build()
    }

    fn found(&self) -> MlsGroup {
        MlsGroup::builder()
            .ciphersuite(SUITE)
            .with_wire_format_policy(MIXED_CIPHERTEXT_WIRE_FORMAT_POLICY)
            .use_ratchet_tree_extension(true)
            .build(&self.provider, &self.key, self.credential())
            .unwrap()
    }

    fn key_package(&self) -> Vec<u8> {
        let bundle = KeyPackage::builder()
            .build(SUITE, &self.provider, &self.key, self.credential())
            .unwrap();
        bytes(&MlsMessageOut::from(bundle.key_package().clone()))
    }

    fn join(&self, welcome: &MlsMessage) -> MlsGroup {
        let MlsMessageBodyIn::Welcome(welcome) = parse(&theirs(welcome)).extract() else {
            panic!("not a Welcome");
        };
        StagedWelcome::new_from_welcome(&self.provider, &Self::config(), welcome, None)
            .unwrap()
            .into_group(&self.provider)
            .unwrap()
    }

    /// Makes a commit that adds, removes, or else renews our own keys, and moves on.
    fn commit(
        &self,
        group: &mut MlsGroup,
        add: Option<&[u8]>,
        remove: Option<u32>,
    ) -> (MlsMessage, Option<MlsMessage>) {
        let adds = add.map(|package| self.checked(package));
        let (commit, welcome, _) = group
            .commit_builder()
            .force_self_update(adds.is_none())
            .propose_adds(adds)
            .propose_removals(remove.map(LeafNodeIndex::new))
            .load_psks(self.provider.storage())
            .unwrap()
            .build(
                self.provider.rand(),
                self.provider.crypto(),
                &self.key,
                |_| true,
            )
            .unwrap()
            .stage_commit(&self.provider)
            .unwrap()
            .into_messages();
        group.merge_pending_commit(&self.provider).unwrap();
        (ours(&commit), welcome.as_ref().map(ours))
    }

    fn checked(&self, key_package: &[u8]) -> KeyPackage {
        let MlsMessageBodyIn::KeyPackage(package) = parse(key_package).extract() else {
            panic!("not a KeyPackage");
        };
        package
            .validate(self.provider.crypto(), ProtocolVersion::Mls10)
            .unwrap()
    }

    fn receive(&self, group: &mut MlsGroup, message: &MlsMessage) -> ProcessedMessageContent {
        let message = parse(&theirs(message)).try_into_protocol_message().unwrap();
        group
            .process_message(&self.provider, message)
            .unwrap()
            .into_content()
    }

    fn follow(&self, group: &mut MlsGroup, commit: &MlsMessage) {
        let ProcessedMessageContent::StagedCommitMessage(staged) = self.receive(group, commit)
        else {
            panic!("not a commit");
        };
        group.merge_staged_commit(&self.provider, *staged).unwrap();
    }

    /// Comes back by an external commit that removes the old leaf
    /// (RFC 9420 §12.4.3.2).
    fn resync(&self, group_info: &MlsMessage) -> (MlsGroup, MlsMessage) {
        let MlsMessageBodyIn::GroupInfo(info) = parse(&theirs(group_info)).extract() else {
            panic!("not a GroupInfo");
        };
        let (group, bundle) = MlsGroup::external_commit_builder()
            .with_config(Self::config())
            .build_group(&self.provider, info, self.credential())
            .unwrap()
            .load_psks(self.provider.storage())
            .unwrap()
            .build(
                self.provider.rand(),
                self.provider.crypto(),
                &self.key,
                |_| true,
            )
            .unwrap()
            .finalize(&self.provider)
            .unwrap();
        (group, ours(bundle.commit()))
    }
}

/// A person who runs mls-rs.
fn stranger(name: &str) -> Client<impl MlsConfig> {
    let crypto = RustCryptoProvider::default();
    let (secret, public) = crypto
        .cipher_suite_provider(THEIR_SUITE)
        .unwrap()
        .signature_key_generate()
        .unwrap();
    let credential = TheirCredential::new(name.as_bytes().to_vec()).into_credential();
    let rules = DefaultMlsRules::new()
        .with_commit_options(CommitOptions::new().with_ratchet_tree_extension(true))
        .with_encryption_options(EncryptionOptions::new(true, PaddingMode::StepFunction));
    Client::builder()
        .identity_provider(BasicIdentityProvider)
        .crypto_provider(crypto)
        .mls_rules(rules)
        .signing_identity(
            SigningIdentity::new(credential, public),
            secret,
            THEIR_SUITE,
        )
        .build()
}

fn their_key_package(client: &Client<impl MlsConfig>) -> MlsMessage {
    client
        .generate_key_package_message(Default::default(), Default::default(), None)
        .unwrap()
}

fn bytes(message: &impl Serialize) -> Vec<u8> {
    message.tls_serialize_detached().unwrap()
}

fn parse(bytes: &[u8]) -> MlsMessageIn {
    MlsMessageIn::tls_deserialize_exact(bytes).unwrap()
}

fn ours(message: &impl Serialize) -> MlsMessage {
    MlsMessage::from_bytes(&bytes(message)).unwrap()
}

fn theirs(message: &MlsMessage) -> Vec<u8> {
    message.to_bytes().unwrap()
}

/// Both are in one epoch with the same secrets, and see the same roster.
fn assert_agree(person: &Person, one: &MlsGroup, other: &mls_rs::Group<impl MlsConfig>) {
    assert_eq!(one.epoch().as_u64(), other.context().epoch());
    let exported = one
        .export_secret(person.provider.crypto(), EXPORTER_LABEL, b"context", 32)
        .unwrap();
    let their_export = other
        .export_secret(EXPORTER_LABEL.as_bytes(), b"context", 32)
        .unwrap();
    assert_eq!(exported, their_export.as_bytes());
    let authenticator = other.epoch_authenticator().unwrap();
    assert_eq!(
        one.epoch_authenticator().as_slice(),
        authenticator.as_bytes()
    );
    let roster: Vec<_> = one
        .members()
        .map(|member| (member.index.u32(), member.signature_key))
        .collect();
    let their_roster: Vec<_> = other
        .roster()
        .members_iter()
        .map(|member| (member.index, member.signing_identity.signature_key.to_vec()))
        .collect();
    assert_eq!(roster, their_roster);
}

/// An openmls host and an mls-rs guest whom it let in, in one epoch.
fn meet<C: MlsConfig>(host: &Person, guest: &Client<C>) -> (MlsGroup, mls_rs::Group<C>) {
    let mut group = host.found();
    let package = theirs(&their_key_package(guest));
    let (_, welcome) = host.commit(&mut group, Some(&package), None);
    let (their_group, _) = guest.join_group(None, &welcome.unwrap(), None).unwrap();
    (group, their_group)
}

#[test]
fn mls_rs_joins_a_group_of_openmls_by_welcome() {
    let host = Person::new("host");
    let (group, their_group) = meet(&host, &stranger("guest"));
    assert_eq!(group.members().count(), 2);
    assert_agree(&host, &group, &their_group);
}

#[test]
fn openmls_joins_a_group_of_mls_rs_by_welcome() {
    let guest = Person::new("guest");
    let mut their_group = stranger("host")
        .create_group(Default::default(), Default::default(), None)
        .unwrap();
    let package = MlsMessage::from_bytes(&guest.key_package()).unwrap();
    let output = their_group
        .commit_builder()
        .add_member(package)
        .unwrap()
        .build()
        .unwrap();
    their_group.apply_pending_commit().unwrap();
    let group = guest.join(&output.welcome_messages[0]);
    assert_eq!(group.members().count(), 2);
    assert_agree(&guest, &group, &their_group);
}

#[test]
fn each_follows_the_commits_of_the_other() {
    let host = Person::new("host");
    let (mut group, mut their_group) = meet(&host, &stranger("guest"));

    let (rekey, _) = host.commit(&mut group, None, None);
    their_group.process_incoming_message(rekey).unwrap();
    assert_agree(&host, &group, &their_group);

    let rekey = their_group.commit(Vec::new()).unwrap();
    assert!(rekey.contains_update_path);
    their_group.apply_pending_commit().unwrap();
    host.follow(&mut group, &rekey.commit_message);
    assert_agree(&host, &group, &their_group);
}

#[test]
fn each_adds_and_removes_members_for_the_other() {
    let host = Person::new("host");
    let (mut group, mut their_group) = meet(&host, &stranger("guest"));

    let third = stranger("third");
    let package = theirs(&their_key_package(&third));
    let (add, welcome) = host.commit(&mut group, Some(&package), None);
    their_group.process_incoming_message(add).unwrap();
    let (third_group, _) = third.join_group(None, &welcome.unwrap(), None).unwrap();
    assert_agree(&host, &group, &their_group);
    assert_agree(&host, &group, &third_group);

    let remove = their_group
        .commit_builder()
        .remove_member(third_group.current_member_index())
        .unwrap()
        .build()
        .unwrap();
    their_group.apply_pending_commit().unwrap();
    host.follow(&mut group, &remove.commit_message);
    assert_eq!(group.members().count(), 2);
    assert_agree(&host, &group, &their_group);

    let fourth = Person::new("fourth");
    let package = MlsMessage::from_bytes(&fourth.key_package()).unwrap();
    let add = their_group
        .commit_builder()
        .add_member(package)
        .unwrap()
        .build()
        .unwrap();
    their_group.apply_pending_commit().unwrap();
    host.follow(&mut group, &add.commit_message);
    let fourth_group = fourth.join(&add.welcome_messages[0]);
    assert_agree(&host, &group, &their_group);
    assert_agree(&fourth, &fourth_group, &their_group);

    let leaf = fourth_group.own_leaf_index().u32();
    let (remove, _) = host.commit(&mut group, None, Some(leaf));
    their_group.process_incoming_message(remove).unwrap();
    assert_eq!(group.members().count(), 2);
    assert_agree(&host, &group, &their_group);
}

#[test]
fn mls_rs_comes_back_by_an_external_commit() {
    let host = Person::new("host");
    let guest = stranger("guest");
    let (mut group, lost) = meet(&host, &guest);
    let info = group
        .export_group_info(host.provider.crypto(), &host.key, true)
        .unwrap();
    let (their_group, commit) = guest
        .external_commit_builder()
        .unwrap()
        .with_removal(lost.current_member_index())
        .build(ours(&info))
        .unwrap();
    host.follow(&mut group, &commit);
    assert_eq!(group.members().count(), 2, "the old leaf is gone");
    assert_agree(&host, &group, &their_group);
}

#[test]
fn openmls_comes_back_by_an_external_commit() {
    let host = Person::new("host");
    let (lost, mut their_group) = meet(&host, &stranger("guest"));
    drop(lost);
    let info = their_group
        .group_info_message_allowing_ext_commit(true)
        .unwrap();
    let (group, commit) = host.resync(&info);
    their_group.process_incoming_message(commit).unwrap();
    assert_eq!(group.members().count(), 2, "the old leaf is gone");
    assert_agree(&host, &group, &their_group);
}

#[test]
fn each_reads_the_messages_of_the_other() {
    let host = Person::new("host");
    let (mut group, mut their_group) = meet(&host, &stranger("guest"));

    let message = group
        .create_message(&host.provider, &host.key, b"hello")
        .unwrap();
    let received = their_group
        .process_incoming_message(ours(&message))
        .unwrap();
    let ReceivedMessage::ApplicationMessage(received) = received else {
        panic!("not an application message");
    };
    assert_eq!(received.data(), b"hello");

    let message = their_group
        .encrypt_application_message(b"good day", Vec::new())
        .unwrap();
    let ProcessedMessageContent::ApplicationMessage(received) = host.receive(&mut group, &message)
    else {
        panic!("not an application message");
    };
    assert_eq!(received.into_bytes(), b"good day");
}

#[test]
fn a_forged_commit_of_the_other_is_refused() {
    let host = Person::new("host");
    let (mut group, mut their_group) = meet(&host, &stranger("guest"));
    let mut forged = theirs(&their_group.commit(Vec::new()).unwrap().commit_message);
    *forged.last_mut().unwrap() ^= 1;
    let message = parse(&forged).try_into_protocol_message().unwrap();
    assert!(group.process_message(&host.provider, message).is_err());
    assert_eq!(group.epoch().as_u64(), 1);
}
