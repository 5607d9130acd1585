//! The same meeting on mls-rs 0.57.
//!
//! It has no suite like ours. The nearest that can be linked beside ours is
//! suite 1, MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, on the same RustCrypto:
//! the same signatures, without the post-quantum half of the KEM, and with the
//! smaller hash and cipher. (Its provider on aws-lc-rs has X25519 with ML-KEM-768
//! under a private number, but is tied to one older version of aws-lc-rs.)
//!
//! It keeps nothing in a storage until it is told to, carries no PSK here, and
//! opens, stages and merges in one call.

use mls_rs::client_builder::{MlsConfig, PaddingMode};
use mls_rs::group::ExportedTree;
use mls_rs::identity::SigningIdentity;
use mls_rs::identity::basic::{BasicCredential, BasicIdentityProvider};
use mls_rs::mls_rules::{CommitOptions, DefaultMlsRules, EncryptionOptions};
use mls_rs::{CipherSuite, CipherSuiteProvider, Client, CryptoProvider, Group, MlsMessage};
use mls_rs_crypto_rustcrypto::RustCryptoProvider;

use crate::timer::Rounds;

const SUITE: CipherSuite = CipherSuite::CURVE25519_AES128;

/// Where the time of a change goes.
#[derive(Debug, Default)]
pub struct TheirTimes {
    pub lead: Rounds,
    pub follow: Rounds,
}

/// A commit, with what newcomers need, as bytes.
pub struct TheirBundle {
    pub commit: Vec<u8>,
    pub welcome: Option<Vec<u8>>,
    pub tree: Option<Vec<u8>>,
}

/// The host, the guest, and the tree around them.
pub struct TheirMeeting<C: MlsConfig> {
    host: Group<C>,
    guest: Group<C>,
    make: fn(u64) -> Client<C>,
    next: u64,
    members: usize,
}

/// Two people.
pub fn two() -> TheirMeeting<impl MlsConfig> {
    TheirMeeting::new(client)
}

/// A person.
fn client(number: u64) -> Client<impl MlsConfig> {
    let crypto = RustCryptoProvider::default();
    let (secret, public) = crypto
        .cipher_suite_provider(SUITE)
        .unwrap()
        .signature_key_generate()
        .unwrap();
    // As long as our pseudonyms.
    let name = u128::from(number).to_be_bytes().to_vec();
    let identity = SigningIdentity::new(BasicCredential::new(name).into_credential(), public);
    let rules = DefaultMlsRules::new()
        .with_commit_options(CommitOptions::new().with_ratchet_tree_extension(false))
        .with_encryption_options(EncryptionOptions::new(true, PaddingMode::StepFunction));
    Client::builder()
        .identity_provider(BasicIdentityProvider)
        .crypto_provider(crypto)
        .mls_rules(rules)
        .signing_identity(identity, secret, SUITE)
        .build()
}

impl<C: MlsConfig> TheirMeeting<C> {
    fn new(make: fn(u64) -> Client<C>) -> Self {
        let mut host = make(1)
            .create_group(Default::default(), Default::default(), None)
            .unwrap();
        let client = make(2);
        let bundle = add(&mut host, &[key_package(&client)]);
        host.apply_pending_commit().unwrap();
        let guest = join(&client, &bundle);
        Self {
            host,
            guest,
            make,
            next: 3,
            members: 2,
        }
    }

    /// Grows as [`crate::meeting::Meeting::grow`] does, healing as it goes.
    pub fn grow(&mut self, members: usize, batch: usize) {
        while self.members < members {
            let newcomers = batch.min(members - self.members);
            let clients: Vec<_> = (0..newcomers).map(|_| self.candidate()).collect();
            let packages: Vec<_> = clients.iter().map(|(_, package)| package.clone()).collect();
            let bundle = self.lead(&mut TheirTimes::default(), |host| add(host, &packages));
            let mut first = join(&clients[0].0, &bundle);
            let heal = bundle_of(first.commit(Vec::new()).unwrap());
            follow(&mut self.host, &heal.commit);
            follow(&mut self.guest, &heal.commit);
            self.members += newcomers;
        }
    }

    /// Someone new, and its KeyPackage.
    pub fn candidate(&mut self) -> (Client<C>, Vec<u8>) {
        let client = (self.make)(self.next);
        self.next += 1;
        let package = key_package(&client);
        (client, package)
    }

    /// The host commits, and the guest follows.
    pub fn lead(
        &mut self,
        times: &mut TheirTimes,
        change: impl FnOnce(&mut Group<C>) -> TheirBundle,
    ) -> TheirBundle {
        let bundle = times.lead.time(|| {
            let bundle = change(&mut self.host);
            self.host.apply_pending_commit().unwrap();
            bundle
        });
        times
            .follow
            .time(|| follow(&mut self.guest, &bundle.commit));
        bundle
    }
}

fn key_package(client: &Client<impl MlsConfig>) -> Vec<u8> {
    client
        .generate_key_package_message(Default::default(), Default::default(), None)
        .unwrap()
        .to_bytes()
        .unwrap()
}

/// A commit that adds.
pub fn add(host: &mut Group<impl MlsConfig>, packages: &[Vec<u8>]) -> TheirBundle {
    let mut builder = host.commit_builder();
    for package in packages {
        let package = MlsMessage::from_bytes(package).unwrap();
        builder = builder.add_member(package).unwrap();
    }
    bundle_of(builder.build().unwrap())
}

/// A commit that removes whoever is at `leaf`.
pub fn remove(host: &mut Group<impl MlsConfig>, leaf: u32) -> TheirBundle {
    let builder = host.commit_builder().remove_member(leaf).unwrap();
    bundle_of(builder.build().unwrap())
}

/// A commit that renews the host's path.
pub fn rekey(host: &mut Group<impl MlsConfig>) -> TheirBundle {
    bundle_of(host.commit(Vec::new()).unwrap())
}

/// Becomes a member.
pub fn join<C: MlsConfig>(client: &Client<C>, bundle: &TheirBundle) -> Group<C> {
    let welcome = MlsMessage::from_bytes(bundle.welcome.as_ref().unwrap()).unwrap();
    let tree = ExportedTree::from_bytes(bundle.tree.as_ref().unwrap()).unwrap();
    client.join_group(Some(tree), &welcome, None).unwrap().0
}

fn follow(member: &mut Group<impl MlsConfig>, commit: &[u8]) {
    let commit = MlsMessage::from_bytes(commit).unwrap();
    member.process_incoming_message(commit).unwrap();
}

fn bundle_of(output: mls_rs::group::CommitOutput) -> TheirBundle {
    let bytes = |message: &MlsMessage| message.to_bytes().unwrap();
    TheirBundle {
        commit: bytes(&output.commit_message),
        welcome: output.welcome_messages.first().map(bytes),
        tree: output.ratchet_tree.map(|tree| tree.to_bytes().unwrap()),
    }
}
