//! On the way in: what happens at the door when connections, services and people fail.

mod sim;

use std::time::Duration;

use conclave_meeting::{Command, Event, Input, InviteLink, LeftReason, Phase, Warning};
use conclave_wire::{ErrorCode, ServerMessage};
use sim::people::World;

const ANA: usize = 0;
const BEN: usize = 1;

/// A host, and somebody who waits at the door.
fn at_the_door() -> (World, InviteLink) {
    let mut world = World::new();
    let (_, link) = world.host("Ana", true);
    world.join("Ben", &link);
    assert_eq!(world.people[BEN].snapshot().phase, Phase::Joining);
    (world, link)
}

fn error(world: &mut World, code: ErrorCode) {
    world.slip(BEN, ServerMessage::Error { code });
}

#[test]
fn who_waits_may_go() {
    let (mut world, _) = at_the_door();
    world.command(BEN, Command::Leave);
    assert_eq!(world.people[BEN].left(), Some(LeftReason::ByChoice));
    assert!(world.people[ANA].snapshot().knocks.is_empty());
}

#[test]
fn who_looks_may_go() {
    let mut world = World::new();
    let (_, link) = world.host("Ana", true);
    let ben = world.look("Ben", &link);
    assert_eq!(world.people[ben].snapshot().phase, Phase::Lobby);
    world.command(ben, Command::Leave);
    assert_eq!(world.people[ben].left(), Some(LeftReason::ByChoice));
}

#[test]
fn who_loses_the_connection_at_the_door_knocks_again_as_another_device() {
    let (mut world, _) = at_the_door();
    let before = world.device(BEN);
    world.hang_up(BEN);
    world.settle();
    assert!(world.people[ANA].snapshot().knocks.is_empty());
    world.back(BEN);
    let knocks = world.people[ANA].snapshot().knocks;
    assert_eq!(knocks.len(), 1);
    assert_ne!(knocks[0].device, before, "its Welcome may have been lost");
    world.admit_all(ANA);
    world.assert_agreement(&[ANA, BEN]);
    let told = |event: &&Event| **event == Event::Waiting;
    assert_eq!(world.people[BEN].events.iter().filter(told).count(), 1);
}

#[test]
fn a_door_under_other_rules_is_the_same_door() {
    let (mut world, _) = at_the_door();
    let device = world.device(BEN);
    world.command(ANA, Command::SetLocked(true));
    assert_eq!(world.device(BEN), device, "knocks no second time");
    world.command(ANA, Command::Refuse(device));
    assert_eq!(world.people[BEN].left(), Some(LeftReason::Locked));
}

#[test]
fn who_is_refused_while_the_host_is_away_is_told_when_she_is_back() {
    let (mut world, _) = at_the_door();
    let device = world.device(BEN);
    world.hang_up(ANA);
    world.command(ANA, Command::Refuse(device));
    assert_eq!(world.people[BEN].left(), None);
    world.back(ANA);
    assert_eq!(world.people[BEN].left(), Some(LeftReason::Refused));
    assert!(world.people[ANA].snapshot().knocks.is_empty());
}

/// A service that has just restarted knows nobody: to whatever is said before it does, it answers
/// as to a proof that it does not believe.
#[test]
fn a_host_who_refuses_somebody_while_she_comes_back_keeps_her_meeting() {
    let (mut world, link) = at_the_door();
    let device = world.device(BEN);
    world.hang_up(ANA);
    world.service.restart();
    world.dial(ANA);
    world.command(ANA, Command::Refuse(device));
    assert_eq!(world.people[ANA].left(), None);
    let cy = world.join("Cy", &link);
    world.admit_all(ANA);
    world.assert_agreement(&[ANA, cy]);
}

#[test]
fn a_meeting_that_the_service_lost_is_waited_for_and_then_no_more() {
    let (mut world, link) = at_the_door();
    let lobby = world.look("Cy", &link);
    // Nobody is there who could restore it.
    world.hang_up(ANA);
    world.service.restart();
    for who in [BEN, lobby] {
        world.hang_up(who);
        world.dial(who);
    }
    world.command(lobby, Command::Join);
    world.pass(Duration::from_secs(5));
    assert_eq!(world.people[lobby].snapshot().phase, Phase::Lobby);
    for who in [BEN, lobby] {
        let looks_again = |world: &World| world.people[who].meeting.deadline().is_some();
        assert!(looks_again(&world));
        world.hang_up(who);
        assert!(!looks_again(&world), "there is no connection");
        world.back(who);
    }
    world.pass(Duration::from_secs(2));
    let unknown = Some(LeftReason::NoSuchMeeting);
    assert_eq!(world.people[lobby].left(), unknown);
    assert_eq!(world.people[BEN].left(), None);
    world.pass(Duration::from_secs(14));
    assert_eq!(world.people[BEN].left(), unknown);
}

#[test]
fn a_lost_meeting_that_is_found_again_may_be_lost_again_for_as_long() {
    let (mut world, _) = at_the_door();
    for _ in 0..2 {
        for _ in 0..19 {
            error(&mut world, ErrorCode::NoSuchMeeting);
            world.hang_up(BEN);
            world.pass(Duration::from_secs(1));
        }
        assert_eq!(world.people[BEN].left(), None);
        world.back(BEN);
    }
}

#[test]
fn nothing_is_looked_for_before_it_is_time() {
    let (mut world, link) = at_the_door();
    let lobby = world.look("Cy", &link);
    let now = world.now;
    for who in [BEN, lobby] {
        world.people[who].meeting.handle(now, Input::Tick);
        assert!(world.people[who].meeting.poll().is_none());
    }
}

#[test]
fn who_has_seen_the_door_and_waits_for_nothing_looks_no_second_time() {
    let (mut world, link) = at_the_door();
    let lobby = world.look("Cy", &link);
    world.hang_up(lobby);
    world.dial(lobby);
    assert!(world.people[lobby].meeting.poll().is_none());
}

#[test]
fn what_ends_it_at_the_door_is_told_with_its_reason() {
    let reasons = [
        (ErrorCode::MeetingOver, LeftReason::Over),
        (ErrorCode::WrongKnockToken, LeftReason::WrongLink),
        (ErrorCode::Full, LeftReason::Full),
        (ErrorCode::UnsupportedVersion, LeftReason::Version),
        (ErrorCode::Malformed, LeftReason::Version),
    ];
    for (code, reason) in reasons {
        let (mut world, link) = at_the_door();
        error(&mut world, code);
        assert_eq!(world.people[BEN].left(), Some(reason));
        let lobby = world.look("Cy", &link);
        world.slip(lobby, ServerMessage::Error { code });
        assert_eq!(world.people[lobby].left(), Some(reason));
    }
    let (mut world, _) = at_the_door();
    error(&mut world, ErrorCode::TooFast);
    let warning = Event::Warning(Warning::Server(ErrorCode::TooFast));
    assert!(world.people[BEN].events.contains(&warning));
    world.admit_all(ANA);
    world.assert_agreement(&[ANA, BEN]);
}

#[test]
fn who_is_let_in_by_what_cannot_be_opened_tries_again_and_not_for_ever() {
    let (mut world, _) = at_the_door();
    let welcome = ServerMessage::Welcome {
        epoch: 1,
        next_seq: 0,
        welcome: conclave_wire::Blob::new(vec![1; 99]).unwrap(),
        tree: conclave_wire::Blob::new(vec![1; 99]).unwrap(),
    };
    for failed in 1..=4 {
        let device = world.device(BEN);
        world.slip(BEN, welcome.clone());
        let left = (failed == 4).then_some(LeftReason::Lost);
        assert_eq!(world.people[BEN].left(), left, "after {failed}");
        if left.is_none() {
            assert_ne!(world.device(BEN), device);
            world.hang_up(BEN);
            world.back(BEN);
        }
    }
}

#[test]
fn a_welcome_for_nobody_who_knocked_is_nothing() {
    let mut world = World::new();
    let (_, link) = world.host("Ana", false);
    world.join("Ben", &link);
    world.pass(Duration::from_secs(1));
    world.assert_agreement(&[ANA, BEN]);
    let welcome = world.service.last_welcome().unwrap();
    let cy = world.join("Cy", &link);
    world.hang_up(cy);
    world.slip(cy, welcome);
    assert_eq!(world.people[cy].snapshot().phase, Phase::Joining);
}

#[test]
fn who_is_out_of_step_and_finds_nobody_stops_after_a_minute() {
    let (mut world, _) = at_the_door();
    world.admit_all(ANA);
    world.slip(BEN, ServerMessage::Removed);
    assert_eq!(world.people[BEN].snapshot().phase, Phase::Recovering);
    world.hang_up(ANA);
    world.hang_up(BEN);
    world.pass(Duration::from_secs(59));
    assert_eq!(world.people[BEN].snapshot().phase, Phase::Recovering);
    world.pass(Duration::from_secs(1));
    assert_eq!(world.people[BEN].left(), Some(LeftReason::Lost));
}

#[test]
fn a_name_is_changed_in_the_lobby_only() {
    let mut world = World::new();
    let (_, link) = world.host("Ana", true);
    let ben = world.look("Ben", &link);
    world.people[ben]
        .meeting
        .set_name("Benjamin".parse().unwrap());
    world.command(ben, Command::Join);
    world.people[ben]
        .meeting
        .set_name("Somebody".parse().unwrap());
    world.hang_up(ben);
    world.back(ben);
    world.admit_all(ANA);
    assert_eq!(world.people[ANA].names(), ["Ana", "Benjamin"]);
}

#[test]
fn a_link_for_one_lets_one_in_and_no_other() {
    let (mut world, ana) = (World::new(), 0);
    let (_, link) = world.host("Ana", true);
    let for_one = Command::RenewLink {
        single_use: true,
        valid_s: None,
    };
    world.command(ana, for_one);
    let for_one = world.people[ana].meeting.link().clone();
    assert_ne!(for_one.expose(), link.expose());
    let ben = world.join("Ben", &for_one);
    world.admit_all(ana);
    world.assert_agreement(&[ana, ben]);
    // He came in at once, and holds the link that came with him.
    let welcomed = |event: &&Event| matches!(event, Event::Code);
    assert_eq!(world.people[ben].events.iter().filter(welcomed).count(), 1);
    let next = world.people[ana].meeting.link().clone();
    assert_eq!(world.people[ben].meeting.link().expose(), next.expose());
    assert_ne!(next.expose(), for_one.expose());
    let cy = world.join("Cy", &for_one);
    assert_eq!(world.people[cy].left(), Some(LeftReason::WrongLink));
    let di = world.join("Di", &next);
    world.admit_all(ana);
    world.assert_agreement(&[ana, ben, di]);
}
