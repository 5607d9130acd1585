//! Attacks by whoever runs the server, by a thief of the link, and by a member with a changed
//! client. Each is refused by every honest client, and the meeting goes on: somebody new is let
//! in afterwards, and all agree.

mod sim;

use conclave_meeting::{
    Command, Event, InviteLink, LeftReason, Phase, Policy, Role, Violation, Warning, Who,
};
use conclave_wire::{Admission, Blob, CommitBlob, DeviceId, Entry, EntryBody, List, ServerMessage};
use sim::mallory::{
    Card, Descriptor, LeafKey, Mallory, Purpose, SignedCard, extensions, fresh, key_package,
    outer_seal, stale, unchecked, warrant,
};
use sim::people::{self, World};

const ANA: usize = 0;
const BEN: usize = 1;
const GHOST: DeviceId = DeviceId([0x66; 16]);

/// Ana, who hosts, and Ben.
fn two() -> (World, InviteLink) {
    let (world, ana, ben) = people::two();
    world.assert_agreement(&[ana, ben]);
    let link = world.people[ana].meeting.link().clone();
    (world, link)
}

/// Both, and an insider whose client does what she likes.
fn two_and_mallory() -> (World, InviteLink, Mallory) {
    let (mut world, link) = two();
    let mallory = Mallory::enters(&mut world, ANA, &link);
    world.assert_agreement(&[ANA, BEN]);
    (world, link, mallory)
}

/// The same, and she helps Ana to host.
fn two_and_a_co_host() -> (World, InviteLink, Mallory) {
    let (mut world, link, mut mallory) = two_and_mallory();
    world.command(ANA, Command::SetRole(mallory.device, Role::CoHost));
    mallory.reads(&mut world);
    (world, link, mallory)
}

/// Nobody was thrown out, a newcomer is let in, and all three agree about who is there.
#[track_caller]
fn goes_on(world: &mut World, link: &InviteLink, strangers: &[DeviceId]) {
    for who in [ANA, BEN] {
        assert_eq!(world.people[who].left(), None, "{who} has left");
        assert_eq!(world.people[who].snapshot().phase, Phase::Active, "{who}");
    }
    let cy = world.join("Cy", link);
    world.admit_all(ANA);
    world.assert_agreement(&[ANA, BEN, cy]);
    let there = world.people[ANA].snapshot().members;
    let mut devices: Vec<_> = there.iter().map(|member| member.device).collect();
    let mut expected: Vec<_> = [ANA, BEN, cy]
        .iter()
        .map(|who| world.device(*who))
        .collect();
    expected.extend(strangers);
    devices.sort();
    expected.sort();
    assert_eq!(devices, expected);
    let hosts = there.iter().filter(|member| member.role == Role::Host);
    assert_eq!(hosts.count(), 1);
}

#[track_caller]
fn both_refused(world: &World, violation: Violation) {
    for who in [ANA, BEN] {
        let heard = &world.people[who].events;
        let refused = |event: &Event| matches!(event, Event::Warning(Warning::Refused { violation: why, .. }) if *why == violation);
        assert!(
            heard.iter().any(refused),
            "{who} did not hear of {violation:?}: {heard:?}"
        );
    }
}

#[track_caller]
fn both_were_warned(world: &World, warning: Warning) {
    for who in [ANA, BEN] {
        let heard = &world.people[who].events;
        assert!(
            heard.contains(&Event::Warning(warning.clone())),
            "{who} was not warned of {warning:?}: {heard:?}"
        );
    }
}

fn entry(seq: u64, body: EntryBody) -> ServerMessage {
    let from = GHOST;
    ServerMessage::Entry(Entry { seq, from, body })
}

// ---- The server, without any key ----------------------------------------------------------------

#[test]
fn a_commit_of_random_bytes_admits_nobody() {
    let (mut world, link) = two();
    let epoch = world.service.epoch() + 1;
    let commit = CommitBlob::new(vec![0xaa; 2000]).unwrap();
    world.forge(GHOST, EntryBody::Commit { epoch, commit });
    both_were_warned(&world, Warning::Foreign);
    goes_on(&mut world, &link, &[]);
}

#[test]
fn a_commit_of_another_group_under_the_same_link_admits_nobody() {
    let (mut world, link) = two();
    // The server has got hold of the link and founds a meeting of its own with it.
    let pseudonym = conclave_e2ee::Pseudonym(GHOST.0);
    let mut group = conclave_e2ee::Group::create(pseudonym, &link.secret, b"policy").unwrap();
    let candidate =
        conclave_e2ee::Candidate::new(conclave_e2ee::Pseudonym([0x67; 16]), &link.secret).unwrap();
    let package = conclave_e2ee::VerifiedKeyPackage::parse(candidate.key_package()).unwrap();
    let bundle = group.add(&[package]).unwrap();
    let epoch = world.service.epoch() + 1;
    let sealed = outer_seal(&link, Purpose::Commit, epoch, &bundle.commit);
    let commit = CommitBlob::new(sealed).unwrap();
    world.forge(GHOST, EntryBody::Commit { epoch, commit });
    goes_on(&mut world, &link, &[]);
}

#[test]
fn a_message_of_random_bytes_is_ignored() {
    let (mut world, link) = two();
    let message = Blob::new(vec![0xaa; 200]).unwrap();
    world.forge(GHOST, EntryBody::Application { message });
    both_were_warned(&world, Warning::Foreign);
    goes_on(&mut world, &link, &[]);
}

/// The entries of the log from `from` on, as a newcomer's connection would show them.
fn entries_after(world: &mut World, from: u64) -> Vec<Entry> {
    let entries = world.service.entries();
    entries
        .into_iter()
        .filter(|entry| entry.seq >= from)
        .collect()
}

/// Ben is away while Cy comes in, so that the server can show him that as it likes.
fn with_ben_behind() -> (World, InviteLink, usize, Vec<Entry>) {
    let (mut world, link) = two();
    let from = world.service.log_len();
    world.deaf(BEN);
    let cy = world.join("Cy", &link);
    world.admit_all(ANA);
    let entries = entries_after(&mut world, from);
    assert!(entries.len() >= 2, "nothing to tamper with");
    (world, link, cy, entries)
}

/// Ben gets back what was kept from him, from the honest log.
#[track_caller]
fn ben_catches_up(mut world: World, link: &InviteLink, cy: usize) {
    world.hears_again(BEN);
    world.hang_up(BEN);
    world.back(BEN);
    world.assert_agreement(&[ANA, BEN, cy]);
    let dora = world.join("Dora", link);
    world.admit_all(ANA);
    world.assert_agreement(&[ANA, BEN, cy, dora]);
}

#[test]
fn entries_said_twice_change_nothing() {
    let (mut world, link, cy, entries) = with_ben_behind();
    for entry in &entries {
        world.slip(BEN, ServerMessage::Entry(entry.clone()));
        world.slip(BEN, ServerMessage::Entry(entry.clone()));
    }
    for entry in &entries {
        world.slip(BEN, ServerMessage::Entry(entry.clone()));
    }
    world.assert_agreement(&[ANA, BEN, cy]);
    ben_catches_up(world, &link, cy);
}

#[test]
fn entries_in_another_order_are_asked_for_again() {
    let (mut world, link, cy, entries) = with_ben_behind();
    for entry in entries.iter().rev() {
        world.slip(BEN, ServerMessage::Entry(entry.clone()));
    }
    let warned = Event::Warning(Warning::Gap);
    assert!(world.people[BEN].events.contains(&warned));
    assert_eq!(world.people[BEN].snapshot().phase, Phase::Active);
    ben_catches_up(world, &link, cy);
}

#[test]
fn messages_that_are_cut_short_are_ignored() {
    let (mut world, link, cy, entries) = with_ben_behind();
    for Entry { seq, from, body } in &entries {
        let body = match body {
            EntryBody::Application { message } => {
                let half = message.as_slice()[..message.len() / 2].to_vec();
                let message = Blob::new(half).unwrap();
                EntryBody::Application { message }
            }
            commit => commit.clone(),
        };
        let (seq, from) = (*seq, *from);
        world.slip(BEN, ServerMessage::Entry(Entry { seq, from, body }));
    }
    let warned = Event::Warning(Warning::Foreign);
    assert!(world.people[BEN].events.contains(&warned));
    assert_eq!(world.people[BEN].snapshot().phase, Phase::Active);
    world.hears_again(BEN);
    world.hang_up(BEN);
    world.back(BEN);
    // Cy's card was among them; it comes again with the next newcomer's.
    let dora = world.join("Dora", &link);
    world.admit_all(ANA);
    world.assert_agreement(&[ANA, BEN, cy, dora]);
}

#[test]
fn a_commit_that_is_cut_short_is_ignored() {
    let (mut world, link, cy, entries) = with_ben_behind();
    let Some(Entry {
        seq,
        from,
        body: EntryBody::Commit { epoch, commit },
    }) = entries.first().cloned()
    else {
        panic!("the first entry is the admission");
    };
    let half = CommitBlob::new(commit.as_slice()[..commit.len() / 2].to_vec()).unwrap();
    let body = EntryBody::Commit {
        epoch,
        commit: half,
    };
    world.slip(BEN, ServerMessage::Entry(Entry { seq, from, body }));
    assert_eq!(world.people[BEN].snapshot().phase, Phase::Active);
    // He refuses it, as everybody would have; that the others went on he hears from them.
    world.hears_again(BEN);
    world.hang_up(BEN);
    world.dial(BEN);
    world.pass(std::time::Duration::from_secs(30));
    world.assert_agreement(&[ANA, BEN, cy]);
    let dora = world.join("Dora", &link);
    world.admit_all(ANA);
    world.assert_agreement(&[ANA, BEN, cy, dora]);
}

#[test]
fn an_old_commit_in_a_new_place_changes_nothing() {
    let (mut world, link) = two();
    let entries = entries_after(&mut world, 0);
    let old = entries.into_iter().find_map(|entry| match entry.body {
        body @ EntryBody::Commit { .. } => Some(body),
        EntryBody::Application { .. } => None,
    });
    world.forge(GHOST, old.expect("Ben's admission"));
    goes_on(&mut world, &link, &[]);
}

// ---- Welcomes and knocks said again -------------------------------------------------------------

#[test]
fn a_welcome_said_again_changes_nothing() {
    let mut world = World::new();
    let (_, link) = world.host("Ana", true);
    world.join("Ben", &link);
    world.admit_all(ANA);
    let welcome = world.service.last_welcome().expect("Ben's");
    let before = world.people[BEN].snapshot();
    world.slip(BEN, welcome.clone());
    world.slip(ANA, welcome);
    assert_eq!(world.people[BEN].snapshot(), before);
    goes_on(&mut world, &link, &[]);
}

#[test]
fn a_welcome_of_somebody_else_lets_nobody_in() {
    let (mut world, link) = two();
    let bens = world.service.last_welcome().expect("Ben's");
    let dora = world.join("Dora", &link);
    world.slip(dora, bens);
    let snapshot = world.people[dora].snapshot();
    assert_eq!(snapshot.phase, Phase::Joining, "knocks anew");
    assert_eq!(world.people[ANA].names(), ["Ana", "Ben"]);
    world.admit_all(ANA);
    world.assert_agreement(&[ANA, BEN, dora]);
}

#[test]
fn a_members_knock_said_again_does_not_remove_him() {
    let (mut world, link) = two();
    let (device, card) = world.service.last_knock().expect("Ben's");
    assert_eq!(device, world.device(BEN));
    world.slip(ANA, ServerMessage::Knock { device, card });
    world.pass(std::time::Duration::from_secs(2));
    goes_on(&mut world, &link, &[]);
}

#[test]
fn a_stale_key_package_does_not_even_reach_the_door() {
    let (mut world, link) = two();
    let mut mallory = Mallory::with_lifetime(&mut world, &link, stale());
    let answers = mallory.knocks(&mut world);
    assert!(answers.contains(&ServerMessage::Refused), "{answers:?}");
    assert!(world.people[ANA].snapshot().knocks.is_empty());
    goes_on(&mut world, &link, &[]);
}

#[test]
fn a_knock_under_a_members_pseudonym_is_refused() {
    let (mut world, link) = two();
    let mallory = Mallory::looks(&mut world, &link);
    // The server helps her: it says that Ben's device knocks, and shows her card for it.
    let device = world.device(BEN);
    let mut card = mallory.card();
    card.device = device;
    let card = mallory.signs(card);
    let card = Blob::new(mallory.sealed(card, device)).unwrap();
    world.slip(ANA, ServerMessage::Knock { device, card });
    let warned = Event::Warning(Warning::BadKnock);
    assert!(world.people[ANA].events.contains(&warned));
    assert!(world.people[ANA].snapshot().knocks.is_empty());
    goes_on(&mut world, &link, &[]);
}

#[test]
fn another_ones_card_is_refused_at_the_door() {
    let (mut world, link) = two();
    let mut mallory = Mallory::looks(&mut world, &link);
    // She has somebody's signed card, but not the key that signed it: it fits no leaf of hers.
    let somebody = Mallory::looks(&mut world, &link);
    let card = somebody.signs(somebody.card());
    let answers = mallory.knocks_with(&mut world, card);
    assert!(answers.contains(&ServerMessage::Refused), "{answers:?}");
    goes_on(&mut world, &link, &[]);
}

// ---- A stolen link ------------------------------------------------------------------------------

#[test]
fn whoever_has_only_the_link_waits_for_the_hosts_yes() {
    let (mut world, link) = two();
    let mut mallory = Mallory::looks(&mut world, &link);
    let answers = mallory.knocks(&mut world);
    assert_eq!(answers, [ServerMessage::Waiting]);
    world.pass(std::time::Duration::from_secs(300));
    assert_eq!(world.people[ANA].snapshot().members.len(), 2);
    let device = mallory.device;
    world.command(ANA, Command::Refuse(device));
    goes_on(&mut world, &link, &[]);
}

#[test]
fn whoever_has_only_the_link_cannot_pose_as_the_host() {
    let (mut world, link) = two();
    let mallory = Mallory::looks(&mut world, &link);
    let mut descriptor = mallory.descriptor.clone();
    descriptor.title = "Come in here".into();
    descriptor.host_key = mallory.device_key.public();
    descriptor.knock_keys = vec![conclave_e2ee::KnockKey::generate().unwrap().public()];
    let mut posing = vec![descriptor.clone().seal(&mallory.device_key, &link)];
    // Or under the true host's key, which she cannot sign with.
    descriptor.host_key = mallory.descriptor.host_key;
    posing.push(descriptor.seal(&mallory.device_key, &link));
    let honest = world.service.door().expect("a door").descriptor;
    for sealed in posing {
        let descriptor = Blob::new(sealed).unwrap();
        world
            .service
            .forge_door(|door| door.descriptor = descriptor);
        let dora = world.join("Dora", &link);
        assert_eq!(world.people[dora].left(), Some(LeftReason::NotByHost));
    }
    world.service.forge_door(|door| door.descriptor = honest);
    goes_on(&mut world, &link, &[]);
}

// ---- An insider ---------------------------------------------------------------------------------

#[test]
fn a_participant_cannot_let_anybody_in() {
    let (mut world, link, mut mallory) = two_and_mallory();
    let key = LeafKey::generate();
    let package = key_package(&mallory.provider, GHOST, &key, fresh());
    let psk = mallory.psk();
    let (commit, _) =
        mallory.forges(|builder| builder.propose_adds([package]).add_proposals([psk]));
    mallory.offers(&mut world, &commit, &[]);
    both_refused(&world, Violation::AddByNonHost);
    goes_on(&mut world, &link, &[mallory.device]);
}

#[test]
fn a_participant_cannot_let_her_friend_in_by_a_welcome() {
    let (mut world, link, mut mallory) = two_and_mallory();
    // A second client of hers knocks, and she answers in the host's place.
    let mut friend = Mallory::looks(&mut world, &link);
    friend.knocks(&mut world);
    let package = friend_package(&friend);
    let psk = mallory.psk();
    let (commit, welcome) =
        mallory.forges(|builder| builder.propose_adds([package]).add_proposals([psk]));
    let epoch = world.service.epoch() + 1;
    let seal = |purpose, bytes: &[u8]| outer_seal(&link, purpose, epoch, bytes);
    let admission = Admission {
        devices: List::new(vec![friend.device]).unwrap(),
        welcome: Blob::new(seal(Purpose::Welcome, &welcome.unwrap())).unwrap(),
        tree: Blob::new(seal(Purpose::Tree, b"none")).unwrap(),
    };
    mallory.offers_with(&mut world, &commit, &[], Some(admission));
    both_refused(&world, Violation::AddByNonHost);
    // She is at the door still, and the host says no.
    world.command(ANA, Command::Refuse(friend.device));
    goes_on(&mut world, &link, &[mallory.device]);
}

fn friend_package(friend: &Mallory) -> openmls::prelude::KeyPackage {
    unchecked(&friend.key_package_bytes())
}

#[test]
fn a_participant_cannot_remove_anybody() {
    let (mut world, link, mut mallory) = two_and_mallory();
    let ben = world.device(BEN);
    let leaf = mallory.leaf_of(ben);
    let (commit, _) = mallory.forges(|builder| builder.propose_removals([leaf]));
    // The server is told of no removal: it would hang up on Ben, which is in its power anyway.
    mallory.offers(&mut world, &commit, &[]);
    both_refused(&world, Violation::RemoveByNonHost);
    goes_on(&mut world, &link, &[mallory.device]);
}

/// A participant commits these rules, and nobody takes them.
fn her_rules_are_refused(
    mut world: World,
    link: &InviteLink,
    mut mallory: Mallory,
    policy: &Policy,
) {
    let policy = postcard::to_allocvec(policy).unwrap();
    let (commit, _) = mallory.forges(|builder| {
        builder
            .propose_group_context_extensions(extensions(&policy))
            .unwrap()
            .force_self_update(true)
    });
    mallory.offers(&mut world, &commit, &[]);
    both_refused(&world, Violation::PolicyByNonHost);
    goes_on(&mut world, link, &[mallory.device]);
}

#[test]
fn a_participant_cannot_make_herself_a_host() {
    let (world, link, mallory) = two_and_mallory();
    let policy = Policy {
        hosts: vec![world.device(ANA).0, mallory.device.0],
        ..Policy::founded_by(world.device(ANA).0)
    };
    her_rules_are_refused(world, &link, mallory, &policy);
}

#[test]
fn a_participant_cannot_make_room_for_more_microphones() {
    let (world, link, mallory) = two_and_mallory();
    let policy = Policy {
        waiting_room: false,
        open_microphones: 500,
        ..Policy::founded_by(world.device(ANA).0)
    };
    her_rules_are_refused(world, &link, mallory, &policy);
}

/// Content variants by their number (docs/protocol.md, section 6).
fn speaking(device: DeviceId, say: u8) -> Vec<u8> {
    let mut content = vec![9];
    content.extend_from_slice(&device.0);
    content.push(say);
    content
}

#[test]
fn a_participant_governs_nobodys_turn_to_speak() {
    let (mut world, _, mut mallory) = two_and_mallory();
    world.command(ANA, Command::SetOpenMicrophones(1));
    world.command(BEN, Command::RaiseHand(true));
    let (ana, ben) = (world.device(ANA), world.device(BEN));
    mallory.reads(&mut world);
    // Lets Ben speak, lowers his hand, ends Ana's turn, and tells a floor of her own making: she
    // speaks, nobody else, and nobody has a hand up.
    mallory.publishes(&mut world, &speaking(ben, 0));
    mallory.publishes(&mut world, &speaking(ben, 1));
    mallory.publishes(&mut world, &speaking(ana, 2));
    mallory.publishes(&mut world, &her_floor(&mallory));
    for who in [ANA, BEN] {
        let of = |device| world.seen(who, device);
        assert_eq!(of(ben).hand, Some(1), "{who}");
        assert!(of(ana).place && !of(ana).media.muted, "{who}");
        assert!(!of(mallory.device).place, "{who}");
    }
    assert!(!world.people[BEN].snapshot().floor.called);
}

/// Floor: she speaks, and nobody else.
fn her_floor(mallory: &Mallory) -> Vec<u8> {
    [&[10, 1][..], &mallory.device.0, &[1, 0, 0]].concat()
}

#[test]
fn a_participant_tells_no_newcomer_who_speaks() {
    let (mut world, link, mut mallory) = two_and_mallory();
    world.command(ANA, Command::SetOpenMicrophones(1));
    let cy = world.join("Cy", &link);
    // Ana, whose word it is, does not hear yet that he is in.
    world.deaf(ANA);
    world.command(ANA, Command::Admit(world.device(cy)));
    world.pass(std::time::Duration::from_secs(1));
    assert_eq!(world.people[cy].snapshot().phase, Phase::Active);
    mallory.reads(&mut world);
    mallory.publishes(&mut world, &her_floor(&mallory));
    assert!(!world.seen(cy, mallory.device).place);
}

#[test]
fn who_opens_the_microphone_without_a_place_is_heard_by_nobody() {
    let (mut world, _, mut mallory) = two_and_mallory();
    world.command(ANA, Command::SetOpenMicrophones(1));
    mallory.reads(&mut world);
    // Media: not muted, no camera.
    mallory.publishes(&mut world, &[1, 0, 0]);
    for who in [ANA, BEN] {
        assert!(!world.seen(who, mallory.device).place, "{who}");
    }
}

#[test]
fn nobody_is_let_in_without_the_link() {
    let (mut world, link, mut mallory) = two_and_mallory();
    let key = LeafKey::generate();
    let package = key_package(&mallory.provider, GHOST, &key, fresh());
    let (commit, _) = mallory.forges(|builder| builder.propose_adds([package]));
    mallory.offers(&mut world, &commit, &[]);
    goes_on(&mut world, &link, &[mallory.device]);
}

#[test]
fn nobody_is_let_in_under_a_members_pseudonym() {
    let (mut world, link, mut mallory) = two_and_mallory();
    let key = LeafKey::generate();
    let ben = world.device(BEN);
    let package = key_package(&mallory.provider, ben, &key, fresh());
    let psk = mallory.psk();
    let (commit, _) =
        mallory.forges(|builder| builder.propose_adds([package]).add_proposals([psk]));
    mallory.offers(&mut world, &commit, &[]);
    goes_on(&mut world, &link, &[mallory.device]);
}

#[test]
fn a_stranger_with_group_info_does_not_enter_without_the_link() {
    let (mut world, link, mut mallory) = two_and_mallory();
    let commit = mallory.lets_a_stranger_in(GHOST, false);
    let body = mallory.seals(&commit);
    world.forge(GHOST, body);
    both_refused(&world, Violation::External);
    goes_on(&mut world, &link, &[mallory.device]);
}

#[test]
fn a_stranger_with_group_info_does_not_enter_with_the_link_either() {
    let (mut world, link, mut mallory) = two_and_mallory();
    let commit = mallory.lets_a_stranger_in(GHOST, true);
    let body = mallory.seals(&commit);
    world.forge(GHOST, body);
    both_refused(&world, Violation::External);
    goes_on(&mut world, &link, &[mallory.device]);
}

#[test]
fn a_participant_has_no_say_at_the_door() {
    let (mut world, link, mut mallory) = two_and_mallory();
    let ben = world.device(BEN);
    world.command(ANA, Command::SetRole(ben, Role::CoHost));
    mallory.reads(&mut world);
    // Ben, who is to keep the door, holds Ana's warrant. Mallory gives him one of her own, which
    // no newcomer would believe, and the others a door, a knock key and an end of the link.
    let his = world.seen(BEN, ben).device_key.unwrap();
    let warrant = warrant(&mallory.device_key, &mallory.descriptor, his);
    mallory.publishes(&mut world, &[&[6, 1][..], &warrant].concat());
    for content in [&[4, 2, 0, 0][..], &[5, 2, 0, 0], &[7, 0, 1]] {
        mallory.publishes(&mut world, content);
    }
    for who in [ANA, BEN] {
        let warned = world.people[who].warnings();
        assert_eq!(warned, [], "{who}: it says nothing");
    }
    world.hang_up(ANA);
    world.pass(std::time::Duration::from_secs(40));
    let cy = world.join("Cy", &link);
    let host = world.people[cy].snapshot().host_name.unwrap();
    assert_eq!(host.as_str(), "Ben");
    world.admit_all(BEN);
    world.assert_agreement(&[BEN, cy]);
}

/// Ana's warrant lets her speak at the door, for herself and for this meeting.
#[test]
fn a_co_host_speaks_at_the_door_for_nobody_else() {
    let (mut world, link, mut mallory) = two_and_a_co_host();
    let own = Descriptor {
        host_name: "Mallory".into(),
        host_device: mallory.device,
        host_key: mallory.device_key.public(),
        warrants: mallory.warrants.clone(),
        ..mallory.descriptor.clone()
    };
    let bens = Descriptor {
        host_device: world.device(BEN),
        ..own.clone()
    };
    let of_another_group = Descriptor {
        group_id: vec![9; 16],
        ..own.clone()
    };
    for (descriptor, is_heard) in [(bens, false), (of_another_group, false), (own, true)] {
        (0..2).for_each(|who| world.people[who].events.clear());
        let sealed = descriptor.seal(&mallory.device_key, &link);
        let content = (4u8, sealed);
        mallory.publishes(&mut world, &postcard::to_allocvec(&content).unwrap());
        for who in [ANA, BEN] {
            let is_warned = world.people[who].warnings() == [Warning::Unreadable];
            assert_eq!(is_warned, !is_heard, "{who}");
        }
        // Told once on a connection.
        (0..2).for_each(|who| world.hang_up(who));
        (0..2).for_each(|who| world.dial(who));
        world.settle();
    }
    goes_on(&mut world, &link, &[mallory.device]);
}

#[test]
fn a_co_host_cannot_say_that_a_link_without_an_end_ends() {
    let (mut world, link, mut mallory) = two_and_a_co_host();
    // The link in force and one that is not, in one second.
    for content in [[7, 0, 1], [7, 1, 1]] {
        mallory.publishes(&mut world, &content);
    }
    for who in [ANA, BEN] {
        assert_eq!(world.people[who].snapshot().link_ends_at, None, "{who}");
    }
    world.pass(std::time::Duration::from_secs(60));
    let now = &world.people[ANA].meeting.link().secret;
    assert_eq!(now.expose(), link.secret.expose(), "the same link");
}

#[test]
fn a_participant_cannot_end_the_meeting() {
    let (mut world, link, mut mallory) = two_and_mallory();
    const END: u8 = 3;
    mallory.publishes(&mut world, &[END]);
    both_were_warned(&world, Warning::Unreadable);
    goes_on(&mut world, &link, &[mallory.device]);
}

#[test]
fn who_may_not_share_is_not_seen_to_by_saying_so() {
    let (mut world, link, mut mallory) = two_and_mallory();
    // Media: not muted, camera on, a screen shared.
    const SHARES: [u8; 4] = [1, 0, 1, 1];
    let seen = |world: &World, device: DeviceId| {
        [ANA, BEN].map(|who| {
            let members = world.people[who].snapshot().members.into_iter();
            members
                .filter(|member| member.device == device)
                .any(|member| member.media.screen)
        })
    };
    mallory.publishes(&mut world, &SHARES);
    assert_eq!(seen(&world, mallory.device), [true, true]);
    world.command(ANA, Command::SetSharing(Who::Hosts));
    world.pass(std::time::Duration::from_secs(1));
    mallory.reads(&mut world);
    mallory.publishes(&mut world, &SHARES);
    assert_eq!(seen(&world, mallory.device), [false, false]);
    goes_on(&mut world, &link, &[mallory.device]);
}

#[test]
fn nobody_shows_a_card_for_a_leaf_that_is_not_his() {
    let (mut world, link, mut mallory) = two_and_mallory();
    // All is hers and signed as it should be, but the group knows her leaf by another key.
    let other = LeafKey::generate();
    let card = Card {
        leaf_key: other.public(),
        ..mallory.card()
    };
    let signed = SignedCard::sign(card, &mallory.device_key, &other);
    let mut content = vec![0, 1];
    content.extend(postcard::to_allocvec(&signed).unwrap());
    content.extend([0, 0, 0]);
    mallory.publishes(&mut world, &content);
    both_were_warned(&world, Warning::FalseCard);
    goes_on(&mut world, &link, &[mallory.device]);
}

#[test]
fn a_participant_cannot_give_another_a_name() {
    let (mut world, link, mut mallory) = two_and_mallory();
    // Ben's leaf and device, but a card that Mallory's key signed.
    let ben = world.device(BEN);
    let leaf = mallory.leaf_of(ben);
    let mut card = mallory.card();
    card.name = "Director".into();
    card.device = ben;
    card.leaf_key = mallory.leaf_key_at(leaf);
    let card = mallory.signs(card);
    const CARDS: u8 = 0;
    let media = (false, true, false);
    let mut message = vec![CARDS];
    message.extend(postcard::to_allocvec(&vec![(card, media)]).unwrap());
    mallory.publishes(&mut world, &message);
    both_were_warned(&world, Warning::FalseCard);
    assert_eq!(world.people[ANA].names(), ["Ana", "Ben", "Mallory"]);
    goes_on(&mut world, &link, &[mallory.device]);
}

#[test]
fn what_a_member_said_before_is_not_heard_twice() {
    let (mut world, link) = two();
    let entries = entries_after(&mut world, 0);
    let said = entries
        .into_iter()
        .rev()
        .find_map(|entry| match entry.body {
            body @ EntryBody::Application { .. } => Some(body),
            EntryBody::Commit { .. } => None,
        });
    let next = world.service.log_len();
    world.slip(BEN, entry(next, said.expect("somebody spoke")));
    let warned = Event::Warning(Warning::Unreadable);
    assert!(world.people[BEN].events.contains(&warned));
    world.hang_up(BEN);
    world.back(BEN);
    goes_on(&mut world, &link, &[]);
}
