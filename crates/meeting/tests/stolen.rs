//! A thief has copied all that a member's device keeps of the meeting: its whole storage, with
//! every key. He gets everything that the service and the relay get besides.

mod sim;

use aws_lc_rs::digest;
use conclave_e2ee::sframe::{Header, Key, Suite};
use conclave_e2ee::{FrameMeta, MediaEpoch, Sealer, Track};
use conclave_meeting::{Command, InviteLink, Phase, Secrecy};
use conclave_wire::EntryBody;
use openmls::prelude::{GroupId, MlsGroup, MlsMessageIn, OpenMlsProvider, ProcessedMessageContent};
use openmls_rust_crypto::OpenMlsRustCrypto;
use sim::mallory::{Mallory, Purpose, outer_open};
use sim::people::World;
use tls_codec::Deserialize as _;

const ANA: usize = 0;
const BEN: usize = 1;
const NAME: &str = "audio";

/// A member's state, wherever it came from.
struct State {
    provider: OpenMlsRustCrypto,
    group: MlsGroup,
}

impl State {
    /// As the thief copies it: byte for byte, out of the storage.
    fn stolen_from(victim: &Mallory) -> Self {
        let provider = OpenMlsRustCrypto::default();
        let values = victim.provider.storage().values.read().unwrap().clone();
        *provider.storage().values.write().unwrap() = values;
        let id: &GroupId = victim.group.as_ref().unwrap().group_id();
        let group = MlsGroup::load(provider.storage(), id).unwrap().unwrap();
        Self { provider, group }
    }

    /// Reads a commit of the log as well as the state allows.
    fn follows(&mut self, link: &InviteLink, body: &EntryBody) -> bool {
        let EntryBody::Commit { epoch, commit } = body else {
            return false;
        };
        // The outer seal is no hindrance: he has the link too.
        let bytes = outer_open(link, Purpose::Commit, *epoch, commit.as_slice()).unwrap();
        let message = MlsMessageIn::tls_deserialize_exact(&bytes).unwrap();
        let message = message.try_into_protocol_message().unwrap();
        let Ok(processed) = self.group.process_message(&self.provider, message) else {
            return false;
        };
        let ProcessedMessageContent::StagedCommitMessage(staged) = processed.into_content() else {
            return false;
        };
        self.group
            .merge_staged_commit(&self.provider, *staged)
            .is_ok()
    }

    fn opens(&self, frame: &[u8]) -> bool {
        opens(&self.group, &self.provider, frame)
    }
}

/// Whether the keys that a group's present epoch gives open a frame, whatever epoch it says it is
/// of.
fn opens(group: &MlsGroup, provider: &OpenMlsRustCrypto, frame: &[u8]) -> bool {
    let base = group
        .export_secret(provider.crypto(), "SFrame 1.0 Base Key", &[], 32)
        .unwrap();
    let (header, _) = Header::read(frame).unwrap();
    let key = Key::derive(Suite::Aes256GcmSha512, header.kid, &base).unwrap();
    let metadata = [&[NAME.len() as u8], NAME.as_bytes(), &[0; 16]].concat();
    key.open(&metadata, frame, &mut Vec::new()).is_ok()
}

/// What people say in one epoch, sealed.
fn say(keys: &mut MediaEpoch) -> Vec<u8> {
    let mut sealer = Sealer::new(Track::AUDIO);
    let key = keys.sealing.take(Track::AUDIO).unwrap();
    sealer.install(key).unwrap();
    let meta = FrameMeta {
        track: NAME,
        group: 0,
        frame: 0,
    };
    let mut frame = Vec::new();
    sealer.seal(&meta, b"words", &mut frame).unwrap();
    frame
}

struct Story {
    world: World,
    link: InviteLink,
    /// Whose device is copied.
    victim: Mallory,
    /// How many entries of the log were read.
    read: usize,
}

impl Story {
    fn begin() -> Self {
        let mut world = World::new();
        let (_, link) = world.host("Ana", true);
        world.join("Ben", &link);
        world.admit_all(ANA);
        let victim = Mallory::enters(&mut world, ANA, &link);
        let mut story = Self {
            world,
            link,
            victim,
            read: 0,
        };
        story.new_entries();
        story
    }

    /// Both people say something under their newest keys.
    fn both_speak(&mut self) -> [Vec<u8>; 2] {
        [ANA, BEN].map(|who| say(self.world.people[who].keys.last_mut().unwrap()))
    }

    /// Ana makes a commit with a path.
    fn ana_commits(&mut self, secrecy: Secrecy) {
        let before = self.epoch();
        self.world.command(ANA, Command::SetSecrecy(secrecy));
        self.victim.reads(&mut self.world);
        assert_eq!(self.epoch(), before + 1);
    }

    /// The victim's own device renews its path, and all others follow.
    fn victim_heals(&mut self) {
        let before = self.epoch();
        let (commit, _) = self
            .victim
            .forges(|builder| builder.force_self_update(true));
        self.victim.offers(&mut self.world, &commit, &[]);
        let group = self.victim.group.as_mut().unwrap();
        group.merge_pending_commit(&self.victim.provider).unwrap();
        assert_eq!(group.epoch().as_u64(), before + 1);
        assert_eq!(self.epoch(), before + 1);
    }

    fn epoch(&self) -> u64 {
        let both = [ANA, BEN].map(|who| self.world.people[who].snapshot());
        assert_eq!(
            (both[0].phase, both[1].phase),
            (Phase::Active, Phase::Active)
        );
        assert_eq!(both[0].epoch, both[1].epoch);
        both[0].epoch
    }

    fn new_entries(&mut self) -> Vec<EntryBody> {
        let log = self.world.service.entries();
        let new = log[self.read..].iter().map(|entry| entry.body.clone());
        let new = new.collect();
        self.read = log.len();
        new
    }

    fn victim_opens(&self, frame: &[u8]) -> bool {
        let group = self.victim.group.as_ref().unwrap();
        opens(group, &self.victim.provider, frame)
    }
}

#[test]
fn a_stolen_state_opens_nothing_of_the_epochs_before() {
    let mut story = Story::begin();
    let mut recorded = Vec::new();
    for secrecy in [Secrecy::High, Secrecy::Standard, Secrecy::High] {
        recorded.extend(story.both_speak());
        assert!(
            recorded
                .iter()
                .rev()
                .take(2)
                .all(|frame| story.victim_opens(frame))
        );
        story.ana_commits(secrecy);
    }
    let thief = State::stolen_from(&story.victim);
    for frame in &recorded {
        assert!(!thief.opens(frame));
    }
    // He is no fool: what is said now is open to him.
    for frame in story.both_speak() {
        assert!(thief.opens(&frame));
    }
}

#[test]
fn a_thief_follows_until_the_victims_device_renews_its_path_and_no_further() {
    let mut story = Story::begin();
    let mut thief = State::stolen_from(&story.victim);
    // Another member's path does not shut him out: it is sealed to the victim's leaf too.
    story.ana_commits(Secrecy::High);
    let entries = story.new_entries();
    assert!(
        entries
            .iter()
            .any(|entry| thief.follows(&story.link, entry))
    );
    for frame in story.both_speak() {
        assert!(thief.opens(&frame) && story.victim_opens(&frame));
    }

    story.victim_heals();
    let mut healed = story.new_entries();
    let mut frames = story.both_speak().to_vec();
    for secrecy in [Secrecy::Standard, Secrecy::High] {
        story.ana_commits(secrecy);
        healed.extend(story.new_entries());
        frames.extend(story.both_speak());
    }
    let commits = |entry: &&EntryBody| matches!(entry, EntryBody::Commit { .. });
    assert_eq!(healed.iter().filter(commits).count(), 3);
    let before = thief.group.epoch();
    for entry in &healed {
        assert!(!thief.follows(&story.link, entry));
    }
    assert_eq!(thief.group.epoch(), before);
    for frame in &frames {
        assert!(!thief.opens(frame));
    }
    assert!(story.victim_opens(frames.last().unwrap()));
    // Each was another frame: the test hears what it believes to hear.
    let mut digests: Vec<_> = frames
        .iter()
        .map(|frame| digest::digest(&digest::SHA256, frame).as_ref().to_vec())
        .collect();
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), frames.len());
}

/// A removed member has the same as such a thief: his own state, and a record of all that follows.
#[test]
fn a_removed_members_own_state_opens_nothing_sent_after_the_removal() {
    let mut story = Story::begin();
    let mut own = State::stolen_from(&story.victim);
    for frame in story.both_speak() {
        assert!(own.opens(&frame));
    }
    let device = story.victim.device;
    story.world.command(ANA, Command::Remove(device));
    let mut frames = story.both_speak().to_vec();
    story.world.command(ANA, Command::SetSecrecy(Secrecy::High));
    frames.extend(story.both_speak());
    let entries = story.new_entries();
    // Neither as he was, nor after his own removal, which is all that he can read.
    for frame in &frames {
        assert!(!own.opens(frame));
    }
    let read: Vec<_> = entries
        .iter()
        .filter(|entry| own.follows(&story.link, entry))
        .collect();
    assert_eq!(read.len(), 1);
    assert!(!own.group.is_active());
    assert_eq!(frames.len(), 4);
}
