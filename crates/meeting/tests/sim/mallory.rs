//! An insider with a changed client: she is let in like anybody else, and then does what the
//! honest machine never would. Her side of the protocol is written down here a second time, from
//! docs/protocol.md, on openmls directly.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use aws_lc_rs::{digest, hkdf, rand};
use conclave_e2ee::{DeviceKey, LinkSecret, seal_card};
use conclave_meeting::InviteLink;
use conclave_wire::{
    Admission, Blob, ClientMessage, Commit, DeviceId, EntryBody, Knock, List, MeetingId,
    ServerMessage, Token, TokenHash,
};
use openmls::messages::group_info::VerifiableGroupInfo;
use openmls::prelude::{
    BasicCredential, Capabilities, Ciphersuite, CommitBuilder, CredentialType, CredentialWithKey,
    Extension, ExtensionType, Extensions, GroupContext, Initial, KeyPackage, KeyPackageIn,
    LeafNodeIndex, LeafNodeParameters, Lifetime, MIXED_CIPHERTEXT_WIRE_FORMAT_POLICY, MlsGroup,
    MlsGroupJoinConfig, MlsMessageBodyIn, MlsMessageIn, OpenMlsProvider, PreSharedKeyProposal,
    ProcessedMessageContent, Proposal, ProtocolVersion, RatchetTreeIn,
    RequiredCapabilitiesExtension, SignaturePublicKey, StagedWelcome, UnknownExtension,
};
use openmls::schedule::{ExternalPsk, PreSharedKeyId, Psk};
use openmls_rust_crypto::OpenMlsRustCrypto;
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::types::SignatureScheme;
use serde::{Deserialize, Serialize};
use tls_codec::{Deserialize as _, Serialize as _};

use super::people::World;
use super::service::Line;

const SUITE: Ciphersuite = Ciphersuite::MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519;
const POLICY: u16 = 0xF101;
/// A message to all that carries warrants (section 6).
const WARRANTS: u8 = 6;
const KEY_PACKAGE_LIFETIME_S: u64 = 15 * 60;

/// What a sealed blob is for (docs/protocol.md, section 3).
#[derive(Debug, Clone, Copy)]
pub enum Purpose {
    Descriptor = 1,
    Commit = 2,
    Application = 3,
    Welcome = 4,
    Tree = 5,
    Knock = 6,
}

pub fn aad(purpose: Purpose, meeting: MeetingId, epoch: u64) -> Vec<u8> {
    let mut aad = vec![conclave_wire::VERSION, purpose as u8];
    aad.extend_from_slice(&meeting.0);
    aad.extend_from_slice(&epoch.to_be_bytes());
    aad
}

/// The outer seal (section 3) under a meeting's first link, whose generation is 0.
pub fn outer_seal(link: &InviteLink, purpose: Purpose, epoch: u64, plain: &[u8]) -> Vec<u8> {
    let generation = [0; 4];
    let aad = [aad(purpose, link.meeting, epoch), generation.to_vec()].concat();
    let sealed = link.secret.handshake_key().seal(&aad, plain).unwrap();
    [generation.to_vec(), sealed].concat()
}

pub fn outer_open(link: &InviteLink, purpose: Purpose, epoch: u64, blob: &[u8]) -> Option<Vec<u8>> {
    let (generation, sealed) = blob.split_first_chunk::<4>()?;
    let aad = [aad(purpose, link.meeting, epoch), generation.to_vec()].concat();
    link.secret.handshake_key().open(&aad, sealed).ok()
}

/// The descriptor (section 4), as it is encoded.
#[derive(Clone, Serialize, Deserialize)]
pub struct Descriptor {
    pub version: u8,
    pub meeting: MeetingId,
    pub group_id: Vec<u8>,
    pub generation: u32,
    pub title: String,
    pub host_name: String,
    pub host_device: DeviceId,
    pub host_key: [u8; 32],
    pub warrants: Vec<Warrant>,
    pub knock_keys: Vec<Vec<u8>>,
    pub waiting_room: bool,
    pub locked: bool,
}

#[derive(Serialize, Deserialize)]
struct SignedDescriptor {
    descriptor: Descriptor,
    signature: Vec<u8>,
}

impl Descriptor {
    pub fn open(sealed: &[u8], link: &InviteLink) -> Self {
        let aad = aad(Purpose::Descriptor, link.meeting, 0);
        let bytes = link.secret.descriptor_key().open(&aad, sealed).unwrap();
        let signed: SignedDescriptor = postcard::from_bytes(&bytes).unwrap();
        signed.descriptor
    }

    /// Signed by whatever key the forger has.
    pub fn seal(self, key: &DeviceKey, link: &InviteLink) -> Vec<u8> {
        let bytes = postcard::to_allocvec(&self).unwrap();
        let signature = key.sign("Conclave meeting descriptor v1", &bytes).to_vec();
        let signed = SignedDescriptor {
            descriptor: self,
            signature,
        };
        let aad = aad(Purpose::Descriptor, link.meeting, 0);
        let signed = postcard::to_allocvec(&signed).unwrap();
        link.secret.descriptor_key().seal(&aad, &signed).unwrap()
    }
}

/// What a warrant says, and its signature.
pub type Warrant = (Terms, Vec<u8>);

#[derive(Clone, Serialize, Deserialize)]
pub struct Terms {
    version: u8,
    meeting: MeetingId,
    group_id: Vec<u8>,
    generation: u32,
    key: [u8; 32],
    by: [u8; 32],
}

/// A warrant (section 4) for `key`, by whoever signs it.
pub fn warrant(by: &DeviceKey, descriptor: &Descriptor, key: [u8; 32]) -> Vec<u8> {
    let terms = Terms {
        version: descriptor.version,
        meeting: descriptor.meeting,
        group_id: descriptor.group_id.clone(),
        generation: descriptor.generation,
        key,
        by: by.public(),
    };
    let signed = by.sign(
        "Conclave door warrant v1",
        &postcard::to_allocvec(&terms).unwrap(),
    );
    postcard::to_allocvec(&(terms, signed.to_vec())).unwrap()
}

/// A card (section 5).
#[derive(Clone, Serialize, Deserialize)]
pub struct Card {
    pub name: String,
    pub device_key: [u8; 32],
    pub meeting: MeetingId,
    pub group_id: Vec<u8>,
    pub device: DeviceId,
    pub leaf_key: [u8; 32],
    pub key_package_hash: [u8; 32],
}

#[derive(Clone, Serialize, Deserialize)]
pub struct SignedCard {
    pub card: Card,
    pub by_device: Vec<u8>,
    pub by_leaf: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct KnockCard {
    card: SignedCard,
    key_package: Vec<u8>,
}

impl SignedCard {
    pub fn sign(card: Card, key: &DeviceKey, leaf: &LeafKey) -> Self {
        const DOMAIN: &str = "Conclave identity card v1";
        let bytes = postcard::to_allocvec(&card).unwrap();
        Self {
            card,
            by_device: key.sign(DOMAIN, &bytes).to_vec(),
            by_leaf: leaf.signs(DOMAIN, &bytes),
        }
    }
}

/// A leaf's signature key.
pub struct LeafKey(Ed25519KeyPair);

impl LeafKey {
    pub fn generate() -> Self {
        let mut seed = [0; 32];
        rand::fill(&mut seed).unwrap();
        Self(Ed25519KeyPair::from_seed_unchecked(&seed).unwrap())
    }

    pub fn public(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().unwrap()
    }

    /// A signature for a purpose of ours (section 1).
    pub fn signs(&self, domain: &str, msg: &[u8]) -> Vec<u8> {
        let length = (domain.len() as u64).to_be_bytes();
        let kind = b"Conclave leaf signature v1";
        let signed = [kind.as_slice(), &length, domain.as_bytes(), msg].concat();
        self.0.sign(&signed).as_ref().to_vec()
    }
}

impl Signer for LeafKey {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.0.sign(payload).as_ref().to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

pub fn capabilities() -> Capabilities {
    Capabilities::builder()
        .versions(vec![ProtocolVersion::Mls10])
        .ciphersuites(vec![SUITE])
        .extensions(vec![ExtensionType::Unknown(POLICY)])
        .proposals(vec![])
        .credentials(vec![CredentialType::Basic])
        .build()
}

pub fn credential(device: DeviceId, key: &LeafKey) -> CredentialWithKey {
    CredentialWithKey {
        credential: BasicCredential::new(device.0.to_vec()).into(),
        signature_key: SignaturePublicKey::from(key.public().as_slice()),
    }
}

/// A KeyPackage of the right form for anybody.
pub fn key_package(
    provider: &OpenMlsRustCrypto,
    device: DeviceId,
    key: &LeafKey,
    lifetime: Lifetime,
) -> KeyPackage {
    KeyPackage::builder()
        .leaf_node_capabilities(capabilities())
        .key_package_lifetime(lifetime)
        .build(SUITE, provider, key, credential(device, key))
        .unwrap()
        .key_package()
        .clone()
}

pub fn fresh() -> Lifetime {
    Lifetime::new(KEY_PACKAGE_LIFETIME_S)
}

/// One that was good for a quarter of an hour, yesterday.
pub fn stale() -> Lifetime {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let then = now - 24 * 3600;
    Lifetime::init(then, then + KEY_PACKAGE_LIFETIME_S)
}

/// The external PSK of the link: its name and its bytes (section 2).
fn link_psk(link: &LinkSecret) -> ([u8; 32], [u8; 32]) {
    let derive = |label: &[u8]| {
        let mut out = [0; 32];
        hkdf::Salt::new(hkdf::HKDF_SHA256, b"Conclave link v1")
            .extract(link.expose())
            .expand(&[label], hkdf::HKDF_SHA256)
            .unwrap()
            .fill(&mut out)
            .unwrap();
        out
    };
    (derive(b"group psk id"), derive(b"group psk"))
}

/// Makes the link's PSK known to a provider, and gives a fresh reference to it.
pub fn know_psk(provider: &OpenMlsRustCrypto, link: &LinkSecret) -> PreSharedKeyId {
    let (name, secret) = link_psk(link);
    let psk = Psk::External(ExternalPsk::new(name.to_vec()));
    let id = PreSharedKeyId::new(SUITE, provider.rand(), psk).unwrap();
    id.store(provider, &secret).unwrap();
    id
}

/// What a GroupContext of ours holds, around any policy.
pub fn extensions(policy: &[u8]) -> Extensions<GroupContext> {
    Extensions::from_vec(vec![
        Extension::RequiredCapabilities(RequiredCapabilitiesExtension::new(
            &[ExtensionType::Unknown(POLICY)],
            &[],
            &[CredentialType::Basic],
        )),
        Extension::Unknown(POLICY, UnknownExtension(policy.to_vec())),
    ])
    .unwrap()
}

type Forge<'a> = CommitBuilder<'a, Initial, &'a mut MlsGroup>;

pub struct Mallory {
    pub link: InviteLink,
    pub device: DeviceId,
    pub device_key: DeviceKey,
    pub leaf_key: LeafKey,
    pub provider: OpenMlsRustCrypto,
    pub descriptor: Descriptor,
    pub group: Option<MlsGroup>,
    /// With which she may speak at the door.
    pub warrants: Vec<Warrant>,
    token: Token,
    line: Line,
    key_package: KeyPackage,
}

impl Mallory {
    /// Looks at the door with the link.
    pub fn looks(world: &mut World, link: &InviteLink) -> Self {
        Self::with_lifetime(world, link, fresh())
    }

    /// The same, with a KeyPackage of any age.
    pub fn with_lifetime(world: &mut World, link: &InviteLink, lifetime: Lifetime) -> Self {
        let line = world.stranger();
        let look = ClientMessage::Look {
            meeting: link.meeting,
            knock_token: Token(*link.secret.knock_token().expose()),
        };
        let answers = world.stranger_says(line, look);
        let [ServerMessage::Descriptor { descriptor }] = answers.as_slice() else {
            panic!("the door shows {answers:?}");
        };
        let mut token = [0; 32];
        rand::fill(&mut token).unwrap();
        let token = Token(token);
        let device = DeviceId::of(&token.hash());
        let provider = OpenMlsRustCrypto::default();
        know_psk(&provider, &link.secret);
        let leaf_key = LeafKey::generate();
        let key_package = key_package(&provider, device, &leaf_key, lifetime);
        Self {
            link: link.clone(),
            device,
            device_key: DeviceKey::generate().unwrap(),
            leaf_key,
            provider,
            descriptor: Descriptor::open(descriptor.as_slice(), link),
            group: None,
            warrants: Vec::new(),
            token,
            line,
            key_package,
        }
    }

    pub fn card(&self) -> Card {
        let package = self.key_package.tls_serialize_detached().unwrap();
        let hash = digest::digest(&digest::SHA256, &package);
        Card {
            name: "Mallory".into(),
            device_key: self.device_key.public(),
            meeting: self.link.meeting,
            group_id: self.descriptor.group_id.clone(),
            device: self.device,
            leaf_key: self.leaf_key.public(),
            key_package_hash: hash.as_ref().try_into().unwrap(),
        }
    }

    /// Knocks with a proper card, and is told what the service says to it.
    pub fn knocks(&mut self, world: &mut World) -> Vec<ServerMessage> {
        let card = self.signs(self.card());
        self.knocks_with(world, card)
    }

    /// A card under her own keys, whatever it says.
    pub fn signs(&self, card: Card) -> SignedCard {
        SignedCard::sign(card, &self.device_key, &self.leaf_key)
    }

    pub fn knocks_with(&mut self, world: &mut World, card: SignedCard) -> Vec<ServerMessage> {
        let knock = Knock {
            meeting: self.link.meeting,
            knock_token: Token(*self.link.secret.knock_token().expose()),
            device: self.device,
            device_hash: self.token.hash(),
            card: Blob::new(self.sealed(card, self.device)).unwrap(),
        };
        world.stranger_says(self.line, ClientMessage::Knock(knock))
    }

    /// A card with her KeyPackage, sealed for the host as if `device` knocked.
    pub fn sealed(&self, card: SignedCard, device: DeviceId) -> Vec<u8> {
        let knock = KnockCard {
            card,
            key_package: self.key_package.tls_serialize_detached().unwrap(),
        };
        let mut aad = aad(Purpose::Knock, self.link.meeting, 0);
        aad.extend_from_slice(&device.0);
        seal_card(
            &self.descriptor.knock_keys[0],
            &self.link.secret,
            &aad,
            &postcard::to_allocvec(&knock).unwrap(),
        )
        .unwrap()
    }

    /// Knocks, is let in by the host, and is a member.
    pub fn enters(world: &mut World, host: usize, link: &InviteLink) -> Self {
        let mut mallory = Self::looks(world, link);
        mallory.knocks(world);
        world.admit_all(host);
        mallory.reads(world);
        assert!(mallory.group.is_some(), "Mallory was not let in");
        mallory
    }

    /// Takes what the service has for her.
    pub fn reads(&mut self, world: &mut World) {
        for message in world.stranger_hears(self.line) {
            match message {
                ServerMessage::Welcome {
                    epoch,
                    welcome,
                    tree,
                    ..
                } => self.joins(epoch, welcome.as_slice(), tree.as_slice()),
                ServerMessage::Entry(entry) => self.follows(entry.body),
                _ => {}
            }
        }
    }

    fn joins(&mut self, epoch: u64, welcome: &[u8], tree: &[u8]) {
        let welcome = outer_open(&self.link, Purpose::Welcome, epoch, welcome).unwrap();
        let tree = outer_open(&self.link, Purpose::Tree, epoch, tree).unwrap();
        let message = MlsMessageIn::tls_deserialize_exact(&welcome).unwrap();
        let MlsMessageBodyIn::Welcome(welcome) = message.extract() else {
            panic!("not a Welcome");
        };
        let staged = StagedWelcome::new_from_welcome(
            &self.provider,
            &join_config(),
            welcome,
            Some(RatchetTreeIn::tls_deserialize_exact(&tree).unwrap()),
        )
        .unwrap();
        self.group = Some(staged.into_group(&self.provider).unwrap());
    }

    /// Merges what the others commit, and keeps the warrants that she is given.
    fn follows(&mut self, body: EntryBody) {
        let opened = match &body {
            EntryBody::Commit { epoch, commit } => {
                outer_open(&self.link, Purpose::Commit, *epoch, commit.as_slice())
            }
            EntryBody::Application { message } => {
                outer_open(&self.link, Purpose::Application, 0, message.as_slice())
            }
        };
        let Some(bytes) = opened else {
            return;
        };
        let group = self.group.as_mut().unwrap();
        let message = MlsMessageIn::tls_deserialize_exact(&bytes).unwrap();
        let message = message.try_into_protocol_message().unwrap();
        // Her own, and what is from before she came, she cannot open.
        let Ok(processed) = group.process_message(&self.provider, message) else {
            return;
        };
        match processed.into_content() {
            ProcessedMessageContent::StagedCommitMessage(staged) => {
                group.merge_staged_commit(&self.provider, *staged).unwrap();
            }
            ProcessedMessageContent::ApplicationMessage(message) => {
                if let [WARRANTS, chain @ ..] = message.into_bytes().as_slice() {
                    self.warrants = postcard::from_bytes(chain).unwrap();
                }
            }
            _ => {}
        }
    }

    /// A reference to the link's PSK, as a proposal.
    pub fn psk(&self) -> Proposal {
        let id = know_psk(&self.provider, &self.link.secret);
        Proposal::PreSharedKey(Box::new(PreSharedKeyProposal::new(id)))
    }

    /// A commit as `change` says, with its Welcome. It is not merged: she does not believe in it
    /// either.
    pub fn forges(
        &mut self,
        change: impl for<'a> FnOnce(Forge<'a>) -> Forge<'a>,
    ) -> (Vec<u8>, Option<Vec<u8>>) {
        let group = self.group.as_mut().unwrap();
        if group.pending_commit().is_some() {
            group.clear_pending_commit(self.provider.storage()).unwrap();
        }
        let bundle = change(group.commit_builder())
            .load_psks(self.provider.storage())
            .unwrap()
            .build(
                self.provider.rand(),
                self.provider.crypto(),
                &self.leaf_key,
                |_| true,
            )
            .unwrap()
            .stage_commit(&self.provider)
            .unwrap();
        let (commit, welcome, _) = bundle.into_messages();
        let bytes =
            |message: openmls::prelude::MlsMessageOut| message.tls_serialize_detached().unwrap();
        (bytes(commit), welcome.map(bytes))
    }

    /// The external commit of a stranger to whom she gave GroupInfo and tree, with the link's PSK
    /// if he has it.
    pub fn lets_a_stranger_in(&mut self, stranger: DeviceId, with_psk: bool) -> Vec<u8> {
        let group = self.group.as_ref().unwrap();
        let info = group
            .export_group_info(self.provider.crypto(), &self.leaf_key, false)
            .unwrap()
            .tls_serialize_detached()
            .unwrap();
        let message = MlsMessageIn::tls_deserialize_exact(&info).unwrap();
        let MlsMessageBodyIn::GroupInfo(info) = message.extract() else {
            panic!("not a GroupInfo");
        };
        let tree = group
            .export_ratchet_tree()
            .tls_serialize_detached()
            .unwrap();
        let tree = RatchetTreeIn::tls_deserialize_exact(&tree).unwrap();
        external_commit(info, tree, stranger, with_psk.then_some(&self.link.secret))
    }

    /// The outer seal around a commit that would begin the next epoch.
    pub fn seals(&self, commit: &[u8]) -> EntryBody {
        let epoch = self.group.as_ref().unwrap().epoch().as_u64() + 1;
        let sealed = outer_seal(&self.link, Purpose::Commit, epoch, commit);
        let commit = Blob::new(sealed).unwrap();
        EntryBody::Commit { epoch, commit }
    }

    /// Offers a commit to the service like an honest client; the service cannot look inside.
    pub fn offers(&mut self, world: &mut World, commit: &[u8], removed: &[DeviceId]) {
        self.offers_with(world, commit, removed, None);
    }

    pub fn offers_with(
        &mut self,
        world: &mut World,
        commit: &[u8],
        removed: &[DeviceId],
        admission: Option<Admission>,
    ) {
        let EntryBody::Commit { commit, epoch } = self.seals(commit) else {
            unreachable!("a commit");
        };
        let offer = Commit {
            expected_epoch: epoch - 1,
            commit,
            member_hash: TokenHash([7; 32]),
            admission,
            removed: List::new(removed.to_vec()).unwrap(),
            door: None,
        };
        world.stranger_says(self.line, ClientMessage::Commit(offer));
    }

    /// Says something to all members.
    pub fn publishes(&mut self, world: &mut World, content: &[u8]) {
        let group = self.group.as_mut().unwrap();
        let message = group
            .create_message(&self.provider, &self.leaf_key, content)
            .unwrap()
            .tls_serialize_detached()
            .unwrap();
        let sealed = outer_seal(&self.link, Purpose::Application, 0, &message);
        let message = Blob::new(sealed).unwrap();
        world.stranger_says(self.line, ClientMessage::Publish { message });
    }

    pub fn key_package_bytes(&self) -> Vec<u8> {
        self.key_package.tls_serialize_detached().unwrap()
    }

    /// The signature key of another member's leaf, as every member sees it.
    pub fn leaf_key_at(&self, leaf: LeafNodeIndex) -> [u8; 32] {
        let members = self.group.as_ref().unwrap().members();
        let member = members.into_iter().find(|member| member.index == leaf);
        member.unwrap().signature_key.try_into().unwrap()
    }

    pub fn leaf_of(&self, device: DeviceId) -> LeafNodeIndex {
        let members = self.group.as_ref().unwrap().members();
        members
            .into_iter()
            .find(|member| member.credential.serialized_content() == device.0)
            .expect("a member")
            .index
    }
}

/// The form in which openmls adds it, unchecked.
pub fn unchecked(key_package: &[u8]) -> KeyPackage {
    KeyPackageIn::tls_deserialize_exact(key_package)
        .unwrap()
        .validate(
            OpenMlsRustCrypto::default().crypto(),
            ProtocolVersion::Mls10,
        )
        .unwrap()
}

/// Somebody from outside brings himself in (RFC 9420 §12.4.3.2).
fn external_commit(
    info: VerifiableGroupInfo,
    tree: RatchetTreeIn,
    device: DeviceId,
    link: Option<&LinkSecret>,
) -> Vec<u8> {
    let provider = OpenMlsRustCrypto::default();
    let key = LeafKey::generate();
    let leaf = LeafNodeParameters::builder()
        .with_capabilities(capabilities())
        .build();
    let mut builder = MlsGroup::external_commit_builder()
        .with_config(join_config())
        .with_ratchet_tree(tree)
        .build_group(&provider, info, credential(device, &key))
        .unwrap()
        .leaf_node_parameters(leaf);
    if let Some(link) = link {
        let id = know_psk(&provider, link);
        builder = builder.add_psk_proposal(PreSharedKeyProposal::new(id));
    }
    let (_, bundle) = builder
        .load_psks(provider.storage())
        .unwrap()
        .build(provider.rand(), provider.crypto(), &key, |_| true)
        .unwrap()
        .finalize(&provider)
        .unwrap();
    bundle.into_messages().0.tls_serialize_detached().unwrap()
}

fn join_config() -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(MIXED_CIPHERTEXT_WIRE_FORMAT_POLICY)
        .padding_size(256)
        .max_past_epochs(2)
        .use_ratchet_tree_extension(false)
        .build()
}
