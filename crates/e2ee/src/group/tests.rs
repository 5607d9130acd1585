//! Attacks that only a changed client could mount. They are forged here with
//! openmls directly, since the public API cannot make them.

use openmls::messages::group_info::VerifiableGroupInfo;
use openmls::prelude::{
    BasicCredential, Capabilities, Ciphersuite, CommitBuilder, CredentialWithKey, Extension,
    ExtensionType, Extensions, ExternalSender, GroupContext, Initial, KeyPackage, KeyPackageBundle,
    KeyPackageIn, LeafNodeParameters, Lifetime, MlsGroup, MlsMessageBodyIn, MlsMessageIn,
    OpenMlsProvider, PreSharedKeyProposal, ProtocolVersion, RatchetTreeIn, SignaturePublicKey,
};
use openmls_traits::storage::StorageProvider;
use tls_codec::{Deserialize, Serialize};

mod resync;

use super::{CommitSummary, Group, JoinError, ProcessError, Processed};
use crate::key_package::credential;
use crate::link::Psk;
use crate::provider::Provider;
use crate::signer::LeafSigner;
use crate::suite::{self, CIPHERSUITE, KEY_PACKAGE_LIFETIME_S, capabilities};
use crate::{Candidate, KeyPackageError, LinkSecret, Pseudonym, VerifiedKeyPackage};

const HOST: Pseudonym = Pseudonym([1; 16]);
const GUEST: Pseudonym = Pseudonym([2; 16]);
const GHOST: Pseudonym = Pseudonym([9; 16]);

fn meet(link: &LinkSecret) -> (Group, Group) {
    let mut host = Group::create(HOST, link, b"policy").unwrap();
    let candidate = Candidate::new(GUEST, link).unwrap();
    let package = VerifiedKeyPackage::parse(candidate.key_package()).unwrap();
    let bundle = host.add(&[package]).unwrap();
    host.merge_pending().unwrap();
    let guest = candidate
        .join(&bundle.welcome.unwrap(), &bundle.tree.unwrap())
        .unwrap();
    (host, guest)
}

fn group_info(group: &Group) -> VerifiableGroupInfo {
    let info = group
        .mls
        .export_group_info(group.provider.crypto(), &group.signer, false)
        .unwrap()
        .tls_serialize_detached()
        .unwrap();
    match MlsMessageIn::tls_deserialize_exact(&info)
        .unwrap()
        .extract()
    {
        MlsMessageBodyIn::GroupInfo(info) => info,
        _ => unreachable!(),
    }
}

fn tree(group: &Group) -> RatchetTreeIn {
    let bytes = group
        .mls
        .export_ratchet_tree()
        .tls_serialize_detached()
        .unwrap();
    RatchetTreeIn::tls_deserialize_exact(&bytes).unwrap()
}

/// The external commit of someone who got hold of GroupInfo and tree, and of
/// a PSK too if one is given.
fn external_commit(group: &Group, pseudonym: Pseudonym, psk: Option<&Psk>) -> Vec<u8> {
    let provider = Provider::default();
    let signer = LeafSigner::generate().unwrap();
    let leaf = LeafNodeParameters::builder()
        .with_capabilities(capabilities())
        .build();
    let mut builder = MlsGroup::external_commit_builder()
        .with_config(suite::join_config())
        .with_ratchet_tree(tree(group))
        .build_group(&provider, group_info(group), credential(pseudonym, &signer))
        .unwrap()
        .leaf_node_parameters(leaf);
    if let Some(psk) = psk {
        provider.store_psk(psk).unwrap();
        let id = provider.fresh_psk_id(&psk.id).unwrap();
        builder = builder.add_psk_proposal(PreSharedKeyProposal::new(id));
    }
    let (_, bundle) = builder
        .load_psks(provider.storage())
        .unwrap()
        .build(provider.rand(), provider.crypto(), &signer, |_| true)
        .unwrap()
        .finalize(&provider)
        .unwrap();
    bundle.into_messages().0.tls_serialize_detached().unwrap()
}

fn summary(group: &mut Group, commit: &[u8]) -> CommitSummary {
    match group.process(commit).unwrap() {
        Processed::Commit(staged) => staged.summary().clone(),
        Processed::Application { .. } => panic!("not a commit"),
    }
}

type Forge<'a> = CommitBuilder<'a, Initial, &'a mut MlsGroup>;

/// What `host` commits when its client is changed to do as `change` says.
fn forged_commit(host: &mut Group, change: impl for<'a> FnOnce(Forge<'a>) -> Forge<'a>) -> Vec<u8> {
    let bundle = change(host.mls.commit_builder())
        .load_psks(host.provider.storage())
        .unwrap()
        .build(
            host.provider.rand(),
            host.provider.crypto(),
            &host.signer,
            |_| true,
        )
        .unwrap()
        .stage_commit(&host.provider)
        .unwrap();
    bundle.into_messages().0.tls_serialize_detached().unwrap()
}

fn key_package(pseudonym: &[u8], suite: Ciphersuite, capable: bool) -> Vec<u8> {
    lasting(60, pseudonym, suite, capable)
}

/// One that may be used for so many seconds.
fn lasting(lifetime_s: u64, pseudonym: &[u8], suite: Ciphersuite, capable: bool) -> Vec<u8> {
    let provider = Provider::default();
    let signer = LeafSigner::generate().unwrap();
    let capabilities = if capable {
        capabilities()
    } else {
        Capabilities::for_provider(provider.crypto())
    };
    let identity = CredentialWithKey {
        credential: BasicCredential::new(pseudonym.to_vec()).into(),
        signature_key: SignaturePublicKey::from(signer.public().as_slice()),
    };
    KeyPackage::builder()
        .leaf_node_capabilities(capabilities)
        .key_package_lifetime(Lifetime::new(lifetime_s))
        .build(suite, &provider, &signer, identity)
        .unwrap()
        .key_package()
        .tls_serialize_detached()
        .unwrap()
}

fn unchecked(key_package: &[u8]) -> KeyPackage {
    KeyPackageIn::tls_deserialize_exact(key_package)
        .unwrap()
        .validate(Provider::default().crypto(), ProtocolVersion::Mls10)
        .unwrap()
}

#[test]
fn a_ghost_without_the_link_shows_in_the_summary() {
    let link = LinkSecret::generate().unwrap();
    let (host, mut guest) = meet(&link);
    let commit = external_commit(&host, GHOST, None);
    let summary = summary(&mut guest, &commit);
    assert_eq!(summary.committer, None);
    assert_eq!(summary.link_psks, 0);
    assert_eq!(summary.foreign_psks, 0);
    assert_eq!(summary.enters.unwrap().0, GHOST);
    assert!(summary.has_path && !summary.removes_me);
    assert_eq!(guest.members().len(), 2, "staging admits nobody");
}

#[test]
fn a_member_that_resyncs_with_the_link_shows_as_such() {
    let link = LinkSecret::generate().unwrap();
    let (host, mut guest) = meet(&link);
    let commit = external_commit(&host, GHOST, Some(&link.group_psk()));
    let summary = summary(&mut guest, &commit);
    assert_eq!((summary.committer, summary.link_psks), (None, 1));
    assert_eq!(summary.other_proposals, 0);
}

#[test]
fn a_ghost_with_a_wrong_link_is_refused_unstaged() {
    let link = LinkSecret::generate().unwrap();
    let (host, mut guest) = meet(&link);
    let wrong = LinkSecret::generate().unwrap().group_psk();
    let commit = external_commit(&host, GHOST, Some(&wrong));
    assert_eq!(
        guest.process(&commit).unwrap_err(),
        ProcessError::UnknownPsk
    );
    // It has seen the name of the PSK, but not the PSK.
    let guessed = Psk {
        id: link.group_psk().id,
        secret: wrong.secret,
    };
    let commit = external_commit(&host, GHOST, Some(&guessed));
    assert_eq!(guest.process(&commit).unwrap_err(), ProcessError::Forged);
}

#[test]
fn a_ghost_under_a_members_name_is_refused_unstaged() {
    let link = LinkSecret::generate().unwrap();
    let (host, mut guest) = meet(&link);
    let commit = external_commit(&host, HOST, Some(&link.group_psk()));
    assert_eq!(
        guest.process(&commit).unwrap_err(),
        ProcessError::DuplicatePseudonym
    );
}

#[test]
fn an_add_without_the_link_shows_in_the_summary() {
    let link = LinkSecret::generate().unwrap();
    let (mut host, mut guest) = meet(&link);
    let package = unchecked(&key_package(&GHOST.0, CIPHERSUITE, true));
    let commit = forged_commit(&mut host, |builder| builder.propose_adds([package]));
    let summary = summary(&mut guest, &commit);
    assert_eq!(summary.link_psks, 0);
    assert_eq!(summary.adds[0].0, GHOST);
    assert_eq!(summary.committer, Some(host.own_leaf()));
}

#[test]
fn an_add_under_a_members_name_is_refused_unstaged() {
    let link = LinkSecret::generate().unwrap();
    let (mut host, mut guest) = meet(&link);
    let package = unchecked(&key_package(&GUEST.0, CIPHERSUITE, true));
    let commit = forged_commit(&mut host, |builder| builder.propose_adds([package]));
    assert_eq!(
        guest.process(&commit).unwrap_err(),
        ProcessError::DuplicatePseudonym
    );
}

#[test]
fn an_add_of_a_foreign_client_is_refused_unstaged() {
    let link = LinkSecret::generate().unwrap();
    let (mut host, mut guest) = meet(&link);
    let package = unchecked(&key_package(b"a name of another length", CIPHERSUITE, true));
    let commit = forged_commit(&mut host, |builder| builder.propose_adds([package]));
    assert_eq!(
        guest.process(&commit).unwrap_err(),
        ProcessError::ForeignMember
    );
}

#[test]
fn a_member_that_takes_another_name_is_refused_unstaged() {
    let link = LinkSecret::generate().unwrap();
    let (mut host, mut guest) = meet(&link);
    let identity = credential(GHOST, &host.signer);
    let leaf = LeafNodeParameters::builder()
        .with_credential_with_key(identity)
        .build();
    let commit = forged_commit(&mut host, |builder| builder.leaf_node_parameters(leaf));
    assert_eq!(
        guest.process(&commit).unwrap_err(),
        ProcessError::ChangedIdentity
    );
}

/// A policy that would let a server propose Adds by itself.
fn extensions_with_external_sender() -> Extensions<GroupContext> {
    let server = LeafSigner::generate().unwrap();
    let sender = ExternalSender::new(
        SignaturePublicKey::from(server.public().as_slice()),
        GHOST.credential(),
    );
    let mut extensions = suite::context_extensions(b"policy").unwrap();
    extensions
        .add(Extension::ExternalSenders(vec![sender]))
        .unwrap();
    extensions
}

#[test]
fn external_senders_show_as_a_foreign_proposal() {
    let link = LinkSecret::generate().unwrap();
    let (mut host, mut guest) = meet(&link);
    let extensions = extensions_with_external_sender();
    let commit = forged_commit(&mut host, |builder| {
        builder
            .propose_group_context_extensions(extensions)
            .unwrap()
    });
    let summary = summary(&mut guest, &commit);
    assert_eq!(summary.other_proposals, 1);
    assert_eq!(summary.changes_policy, None);
}

#[test]
fn a_welcome_without_the_links_psk_admits_nobody() {
    let link = LinkSecret::generate().unwrap();
    let mut host = Group::create(HOST, &link, b"policy").unwrap();
    let candidate = Candidate::new(GUEST, &link).unwrap();
    let package = unchecked(candidate.key_package());
    let bundle = host
        .mls
        .commit_builder()
        .propose_adds([package])
        .load_psks(host.provider.storage())
        .unwrap()
        .build(
            host.provider.rand(),
            host.provider.crypto(),
            &host.signer,
            |_| true,
        )
        .unwrap()
        .stage_commit(&host.provider)
        .unwrap();
    let welcome = bundle
        .into_messages()
        .1
        .unwrap()
        .tls_serialize_detached()
        .unwrap();
    host.merge_pending().unwrap();
    let tree = host
        .mls
        .export_ratchet_tree()
        .tls_serialize_detached()
        .unwrap();
    assert_eq!(
        candidate.join(&welcome, &tree).unwrap_err(),
        JoinError::WrongLink
    );
}

#[test]
fn a_group_of_another_form_is_not_joined() {
    let link = LinkSecret::generate().unwrap();
    let mut host = Group::create(HOST, &link, b"policy").unwrap();
    let extensions = extensions_with_external_sender();
    forged_commit(&mut host, |builder| {
        builder
            .propose_group_context_extensions(extensions)
            .unwrap()
    });
    host.merge_pending().unwrap();
    let candidate = Candidate::new(GUEST, &link).unwrap();
    let package = VerifiedKeyPackage::parse(candidate.key_package()).unwrap();
    let bundle = host.add(&[package]).unwrap();
    let joined = candidate.join(&bundle.welcome.unwrap(), &bundle.tree.unwrap());
    assert_eq!(joined.unwrap_err(), JoinError::Unsupported);
}

#[test]
fn key_packages_of_foreign_clients_are_refused() {
    let other_suite = Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;
    let foreign = [
        key_package(&GHOST.0, other_suite, true),
        key_package(&GHOST.0, CIPHERSUITE, false),
        key_package(b"short", CIPHERSUITE, true),
        lasting(KEY_PACKAGE_LIFETIME_S + 1, &GHOST.0, CIPHERSUITE, true),
    ];
    for package in foreign {
        let error = VerifiedKeyPackage::parse(&package).unwrap_err();
        assert_eq!(error, KeyPackageError::Unsupported);
    }
    assert!(VerifiedKeyPackage::parse(&key_package(&GHOST.0, CIPHERSUITE, true)).is_ok());
}

#[test]
fn the_group_forgets_the_keys_of_its_key_package() {
    let link = LinkSecret::generate().unwrap();
    let candidate = Candidate::new(GUEST, &link).unwrap();
    let package = unchecked(candidate.key_package());
    let reference = package.hash_ref(candidate.provider.crypto()).unwrap();
    let stored = |provider: &Provider| {
        provider
            .storage()
            .key_package::<_, KeyPackageBundle>(&reference)
            .unwrap()
            .is_some()
    };
    assert!(stored(&candidate.provider));
    let mut host = Group::create(HOST, &link, b"policy").unwrap();
    let package = VerifiedKeyPackage::parse(candidate.key_package()).unwrap();
    let bundle = host.add(&[package]).unwrap();
    let guest = candidate
        .join(&bundle.welcome.unwrap(), &bundle.tree.unwrap())
        .unwrap();
    assert!(!stored(&guest.provider), "forward secrecy: RFC 9420 §16.8");
}

#[test]
fn the_keys_of_an_epoch_that_is_over_are_not_kept() {
    let link = LinkSecret::generate().unwrap();
    let (mut host, mut guest) = meet(&link);
    let mut kept = Vec::new();
    for _ in 0..4 {
        let bundle = host.rekey().unwrap();
        host.merge_pending().unwrap();
        let Ok(Processed::Commit(staged)) = guest.process(&bundle.commit) else {
            panic!("the commit of a member");
        };
        guest.merge(staged).unwrap();
        kept.push([&host, &guest].map(|group| group.provider.storage().count()));
    }
    assert!(kept.windows(2).all(|two| two[0] == two[1]), "{kept:?}");
}

#[test]
fn extension_type_is_required_of_members() {
    let link = LinkSecret::generate().unwrap();
    let host = Group::create(HOST, &link, b"policy").unwrap();
    let required = host.mls.extensions().required_capabilities().unwrap();
    assert_eq!(
        required.extension_types(),
        [ExtensionType::Unknown(suite::POLICY_EXTENSION)]
    );
}
