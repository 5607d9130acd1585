//! At the door: who sees what there, who knocks, and what becomes of him.

mod sim;

use std::time::Duration;

use conclave_meeting::{Command, Event, Identity, InviteLink, LeftReason, Phase, Role};
use sim::people::{NEW_LINK, World, identity, three, two};

#[test]
fn a_lobby_shows_title_and_host_before_anyone_knocks() {
    let mut world = World::new();
    let (_, link) = world.host("Ana", true);
    let ben = world.join("Ben", &link);
    let snapshot = world.people[ben].snapshot();
    assert_eq!(snapshot.phase, Phase::Joining);
    assert_eq!(snapshot.title.unwrap().as_str(), "Merger of the two");
    assert_eq!(snapshot.host_name.unwrap().as_str(), "Ana");
    assert!(world.people[ben].events.contains(&Event::Waiting));
}

#[test]
fn without_a_waiting_room_the_link_is_enough() {
    let mut world = World::new();
    let (ana, link) = world.host("Ana", false);
    let ben = world.join("Ben", &link);
    world.pass(Duration::from_millis(300));
    world.assert_agreement(&[ana, ben]);
}

#[test]
fn those_who_knock_together_come_in_by_one_commit() {
    let mut world = World::new();
    let (ana, link) = world.host("Ana", true);
    let guests: Vec<_> = ["Ben", "Cy", "Di", "Ed"]
        .iter()
        .map(|name| world.join(name, &link))
        .collect();
    world.admit_all(ana);
    assert_eq!(world.people[ana].snapshot().epoch, 1);
    let all: Vec<_> = [ana].into_iter().chain(guests).collect();
    world.assert_agreement(&all);
    assert_eq!(world.people[ana].names(), ["Ana", "Ben", "Cy", "Di", "Ed"]);
}

#[test]
fn who_is_let_in_while_another_one_enters_follows_him() {
    let mut world = World::new();
    let (ana, link) = world.host("Ana", true);
    let (ben, cy) = (world.join("Ben", &link), world.join("Cy", &link));
    world.deaf(ana);
    let of = |world: &World, who| Command::Admit(world.device(who));
    world.command(ana, of(&world, ben));
    world.pass(Duration::from_secs(1));
    world.command(ana, of(&world, cy));
    world.hears_again(ana);
    world.hang_up(ana);
    world.back(ana);
    world.pass(Duration::from_secs(1));
    world.assert_agreement(&[ana, ben, cy]);
}

#[test]
fn who_was_let_in_is_asked_for_no_more() {
    let (mut world, ana, _) = two();
    let link = world.people[ana].meeting.link().clone();
    let cy = world.join("Cy", &link);
    let knock = world.people[ana].snapshot().knocks[0].device;
    world.command(ana, Command::Admit(knock));
    // Before the batch goes out the line breaks, and the service tells of the knock anew.
    world.hang_up(ana);
    world.back(ana);
    assert!(world.people[ana].snapshot().knocks.is_empty());
    world.pass(Duration::from_secs(1));
    assert_eq!(world.people[cy].snapshot().phase, Phase::Active);
    assert!(world.people[ana].snapshot().knocks.is_empty());
}

#[test]
fn who_has_left_is_asked_for_again() {
    let mut world = World::new();
    let (ana, link) = world.host("Ana", true);
    let ben = identity("Ben");
    let first = world.join_as(ben.clone(), &link);
    world.admit_all(ana);
    world.command(first, Command::Leave);
    world.pass(Duration::from_secs(1));
    assert_eq!(world.people[ana].names(), ["Ana"]);
    let again = world.join_as(ben, &link);
    world.pass(Duration::from_secs(1));
    assert_eq!(world.people[again].snapshot().phase, Phase::Joining);
    assert_eq!(world.people[ana].snapshot().knocks.len(), 1);
}

#[test]
fn who_comes_back_twice_at_once_is_there_once() {
    let mut world = World::new();
    let (ana, link) = world.host("Ana", true);
    let ben = identity("Ben");
    world.join_as(ben.clone(), &link);
    world.admit_all(ana);
    // Ben's program was started anew, and again before the service missed its first connection.
    let first = world.join_as(ben.clone(), &link);
    let second = world.join_as(ben, &link);
    world.pass(Duration::from_secs(1));
    assert_eq!(world.people[first].left(), Some(LeftReason::Refused));
    assert_eq!(world.people[second].snapshot().phase, Phase::Active);
    assert_eq!(world.people[ana].names(), ["Ana", "Ben"]);
    world.assert_agreement(&[ana, second]);
}

#[test]
fn refused_means_refused() {
    let mut world = World::new();
    let (ana, link) = world.host("Ana", true);
    let ben = world.join("Ben", &link);
    let device = world.device(ben);
    world.command(ana, Command::Refuse(device));
    assert_eq!(world.people[ben].left(), Some(LeftReason::Refused));
    assert!(world.people[ana].snapshot().knocks.is_empty());
}

#[test]
fn a_wrong_secret_does_not_even_knock() {
    let mut world = World::new();
    let (_, link) = world.host("Ana", true);
    let mut wrong = link.clone();
    wrong.secret = conclave_e2ee::LinkSecret::from_bytes([9; 32]);
    let mal = world.join("Mal", &wrong);
    assert_eq!(world.people[mal].left(), Some(LeftReason::WrongLink));
}

#[test]
fn another_host_key_in_the_link_unmasks_the_description() {
    let mut world = World::new();
    let (_, mut link) = world.host("Ana", true);
    link.host_key = [1; 16];
    let ben = world.join("Ben", &link);
    assert_eq!(world.people[ben].left(), Some(LeftReason::NotByHost));
}

#[test]
fn who_is_removed_waits_at_every_door_and_who_left_at_none() {
    let mut world = World::new();
    let (ana, link) = world.host("Ana", false);
    let (ben, cy) = (world.join("Ben", &link), identity("Cy"));
    let dan = identity("Dan");
    let (first, second) = (
        world.join_as(cy.clone(), &link),
        world.join_as(dan.clone(), &link),
    );
    world.pass(Duration::from_secs(1));
    let device = world.device(ben);
    world.command(ana, Command::SetRole(device, Role::CoHost));
    let gone = world.device(first);
    world.command(ana, Command::Remove(gone));
    world.command(second, Command::Leave);
    world.pass(Duration::from_secs(1));
    // Ana, who removed Cy, does not see who knocks; Ben, who removed nobody, keeps the door.
    world.hang_up(ana);
    let again = world.join_as(cy, &link);
    let back = world.join_as(dan, &link);
    world.pass(Duration::from_secs(2));
    assert_eq!(world.people[back].snapshot().phase, Phase::Active);
    assert_eq!(world.people[again].snapshot().phase, Phase::Joining);
    assert_eq!(world.people[ben].snapshot().knocks.len(), 1);
}

#[test]
fn a_guest_at_the_door_outlives_a_restart() {
    let (mut world, ana, ben) = two();
    let link = world.people[ana].meeting.link().clone();
    let cy = world.join("Cy", &link);
    (0..3).for_each(|who| world.hang_up(who));
    world.service.restart();
    world.back(cy);
    world.pass(Duration::from_secs(2));
    world.dial(ana);
    world.back(ben);
    world.pass(Duration::from_secs(1));
    world.admit_all(ana);
    world.assert_agreement(&[ana, ben, cy]);
}

#[test]
fn who_went_from_the_door_while_the_host_was_away_is_not_shown_there() {
    let (mut world, ana, _) = two();
    let link = world.people[ana].meeting.link().clone();
    let cy = world.join("Cy", &link);
    let di = world.join("Di", &link);
    world.hang_up(ana);
    world.hang_up(cy);
    world.back(ana);
    let knocks = world.people[ana].snapshot().knocks;
    let devices: Vec<_> = knocks.iter().map(|knock| knock.device).collect();
    assert_eq!(devices, [world.device(di)]);
}

/// Who keeps the door no more is sealed no knock any more.
#[test]
fn the_door_names_those_alone_who_keep_it() {
    let mut world = three();
    let ben = world.device(1);
    let size = |world: &World| world.service.door().unwrap().descriptor.len();
    let before = size(&world);
    world.command(0, Command::SetRole(ben, Role::CoHost));
    let with_ben = size(&world);
    assert!(with_ben > before + 1000, "{before} {with_ben}");
    world.command(0, Command::SetRole(ben, Role::Participant));
    assert!(size(&world) < before + 1000, "{before} {}", size(&world));
}

#[test]
fn who_keeps_the_door_no_more_hears_of_no_knock() {
    let (mut world, _, ben) = two();
    let device = world.device(ben);
    for (role, hears) in [(Role::CoHost, true), (Role::Participant, false)] {
        world.command(0, Command::SetRole(device, role));
        world.pass(Duration::from_secs(1));
        assert_eq!(world.service.wants_knocks(device), hears, "{role:?}");
    }
}

#[test]
fn a_link_that_is_renewed_once_is_renewed_once() {
    let mut world = three();
    let generation = |world: &World| world.people[1].snapshot().policy.unwrap().link.generation;
    let before = generation(&world);
    world.command(0, NEW_LINK);
    world.pass(Duration::from_secs(10));
    assert_eq!(generation(&world), before + 1);
}

/// A door passes on when its keeper was silent for long: not before, and not again and again.
#[test]
fn a_door_passes_on_once_after_its_keeper_was_silent_for_long() {
    let mut world = three();
    let ben = world.device(1);
    world.command(0, Command::SetRole(ben, Role::CoHost));
    world.pass(Duration::from_secs(1));
    world.hang_up(0);
    let mut changes = Vec::new();
    let mut last = world.service.door().unwrap();
    for second in 0..58 {
        let door = world.service.door().unwrap();
        if door != last {
            changes.push(second);
            last = door;
        }
        world.pass(Duration::from_secs(1));
    }
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert!((25..=31).contains(&changes[0]), "{changes:?}");
}

/// The one whose turn it was has gone himself before his time came: the next takes over all the
/// same, and nobody before him.
#[test]
fn a_door_passes_over_an_heir_who_went_before_his_time() {
    let mut world = three();
    for who in [1, 2] {
        let device = world.device(who);
        world.command(0, Command::SetRole(device, Role::CoHost));
    }
    world.pass(Duration::from_secs(1));
    let door = |world: &World| world.service.door().unwrap();
    let first = door(&world);
    world.hang_up(0);
    world.pass(Duration::from_secs(20));
    world.hang_up(1);
    world.pass(Duration::from_secs(13));
    assert_eq!(door(&world), first, "Ben is not silent yet");
    world.pass(Duration::from_secs(5));
    assert_ne!(door(&world), first, "Cy keeps the door");
}

/// Its keeper has left, and the one who was to take it at once has gone without a word.
#[test]
fn a_door_passes_over_an_heir_who_vanished_when_his_time_came() {
    let mut world = three();
    let link = world.people[0].meeting.link().clone();
    for who in [1, 2] {
        let device = world.device(who);
        world.command(0, Command::SetRole(device, Role::Host));
    }
    world.pass(Duration::from_secs(1));
    world.deaf(1);
    world.command(0, Command::Leave);
    world.hang_up(1);
    assert_eq!(world.people[2].names(), ["Ben", "Cy"], "Ana left in order");
    world.pass(Duration::from_secs(20));
    let di = world.join("Di", &link);
    world.admit_all(2);
    world.assert_agreement(&[2, di]);
}

/// Ben keeps the door from now on, alone, and whoever it is enters without being asked for.
#[track_caller]
fn comes_in_at_bens_door(world: &mut World, who: Identity, link: &InviteLink) {
    let ben = world.device(1);
    world.command(0, Command::SetRole(ben, Role::CoHost));
    world.pass(Duration::from_secs(1));
    world.hang_up(0);
    let back = world.join_as(who, link);
    world.pass(Duration::from_secs(2));
    assert_eq!(world.people[back].snapshot().phase, Phase::Active);
}

/// Who left may come back, though the one who let him go is not the one who keeps the door.
#[test]
fn who_left_is_not_taken_for_sent_away_by_those_who_heard_him() {
    let mut world = World::new();
    let (_, link) = world.host("Ana", false);
    world.join("Ben", &link);
    let cy = identity("Cy");
    let first = world.join_as(cy.clone(), &link);
    world.pass(Duration::from_secs(1));
    world.command(first, Command::Leave);
    world.pass(Duration::from_secs(1));
    comes_in_at_bens_door(&mut world, cy, &link);
}

/// Nor is who came back in the place that he had: one commit adds and removes him.
#[test]
fn who_came_back_is_not_taken_for_sent_away_by_those_who_saw_it() {
    let mut world = World::new();
    let (ana, link) = world.host("Ana", false);
    let (ben, cy) = (world.join("Ben", &link), identity("Cy"));
    world.join_as(cy.clone(), &link);
    world.pass(Duration::from_secs(1));
    let second = world.join_as(cy.clone(), &link);
    world.pass(Duration::from_secs(1));
    world.assert_agreement(&[ana, ben, second]);
    world.command(second, Command::Leave);
    comes_in_at_bens_door(&mut world, cy, &link);
}

/// A warrant is for one: who has his does not take the next one's for it.
#[test]
fn the_first_of_two_co_hosts_speaks_for_the_link() {
    let mut world = three();
    for who in [1, 2] {
        let device = world.device(who);
        world.command(0, Command::SetRole(device, Role::CoHost));
        world.pass(Duration::from_secs(1));
    }
    let link = world.people[0].meeting.link().clone();
    world.hang_up(0);
    world.pass(Duration::from_secs(40));
    let di = world.join("Di", &link);
    let snapshot = world.people[di].snapshot();
    assert_eq!(snapshot.phase, Phase::Joining);
    assert_eq!(snapshot.host_name.unwrap().as_str(), "Ben");
}
