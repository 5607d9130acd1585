//! What the service says counts for no more than it can know.

mod sim;

use std::time::Duration;

use conclave_meeting::{Command, Event, LeftReason, Phase, Warning};
use conclave_wire::{DeviceId, ErrorCode, ServerMessage};
use sim::people::{World, three};

const ANA: usize = 0;
const BEN: usize = 1;
const CY: usize = 2;

#[test]
fn of_strangers_and_of_oneself_it_may_say_what_it_likes() {
    let mut world = three();
    let (ana, ben) = (world.device(ANA), world.device(BEN));
    let told = |device| ServerMessage::Presence {
        device,
        online: false,
    };
    world.people[ANA].events.clear();
    world.slip(ANA, told(ana));
    world.slip(ANA, told(DeviceId([77; 16])));
    assert!(world.seen(ANA, ana).online);
    assert_eq!(world.people[ANA].events, []);

    world.slip(ANA, told(ben));
    assert!(!world.seen(ANA, ben).online);
    assert_eq!(world.people[ANA].events, [Event::Roster]);
}

#[test]
fn who_is_heard_is_there_whatever_it_says_of_him() {
    let mut world = three();
    let device = world.device(BEN);
    world.slip(
        ANA,
        ServerMessage::Presence {
            device,
            online: false,
        },
    );
    world.people[ANA].events.clear();
    world.pass(Duration::from_secs(6));
    assert!(world.seen(ANA, device).online);
    assert!(world.people[ANA].events.contains(&Event::Roster));
    // Said once: he was there already when he was heard again.
    world.people[ANA].events.clear();
    world.pass(Duration::from_secs(6));
    assert!(!world.people[ANA].events.contains(&Event::Roster));
}

#[test]
fn what_somebody_said_is_no_sign_of_life_when_it_says_it_again() {
    let mut world = three();
    world.pass(Duration::from_secs(6));
    let ben = world.device(BEN);
    let said = world.service.last_signal(ben).expect("a heartbeat");
    world.hang_up(BEN);
    for _ in 0..20 {
        world.slip(ANA, said.clone());
        world.pass(Duration::from_secs(1));
    }
    let seen = world.seen(ANA, ben);
    assert!(seen.silent && !seen.online);
}

#[test]
fn who_cannot_be_admitted_since_it_is_too_much_for_it_is_refused() {
    let mut world = World::new();
    let (ana, link) = world.host("Ana", true);
    let ben = world.join("Ben", &link);
    world.service.refuses_commits = Some(ErrorCode::TooLarge);
    world.admit_all(ana);
    assert_eq!(world.people[ben].left(), Some(LeftReason::Refused));
    let warnings = world.people[ana].warnings();
    let told = [Warning::BadKnock, Warning::Server(ErrorCode::TooLarge)];
    assert_eq!(warnings, told);
    // It stands in nobody's way.
    world.service.refuses_commits = None;
    let cy = world.join("Cy", &link);
    world.admit_all(ana);
    world.pass(Duration::from_secs(3));
    world.assert_agreement(&[ana, cy]);
}

#[test]
fn what_it_does_not_take_is_offered_again() {
    for code in [ErrorCode::TooLarge, ErrorCode::Full, ErrorCode::TooFast] {
        let mut world = three();
        world.service.refuses_commits = Some(code);
        world.command(ANA, Command::SetLocked(true));
        let locked = |world: &World| world.people[BEN].snapshot().policy.unwrap().locked;
        assert!(!locked(&world));
        world.service.refuses_commits = None;
        world.pass(Duration::from_secs(10));
        assert!(locked(&world), "{code:?}");
        world.assert_agreement(&[ANA, BEN, CY]);
    }
}

#[test]
fn who_alone_is_host_and_is_called_removed_has_nobody_to_ask() {
    let mut world = World::new();
    let (ana, _) = world.host("Ana", true);
    world.slip(ana, ServerMessage::Removed);
    assert_eq!(world.people[ana].left(), Some(LeftReason::Lost));
}

#[test]
fn who_is_called_removed_asks_to_be_let_in_again() {
    let mut world = three();
    world.slip(BEN, ServerMessage::Removed);
    assert_eq!(world.people[BEN].left(), None);
    world.pass(Duration::from_secs(30));
    world.assert_agreement(&[ANA, BEN, CY]);
}

/// Ben is told so by the service, and asks to be let in again.
#[track_caller]
fn ben_comes_back_after(world: &mut World, code: ErrorCode) {
    world.slip(BEN, ServerMessage::Error { code });
    assert!(world.people[BEN].events.contains(&Event::Recovering));
    world.pass(Duration::from_secs(30));
    world.assert_agreement(&[ANA, BEN, CY]);
}

#[test]
fn who_is_told_that_it_knows_him_no_more_comes_back() {
    for code in [ErrorCode::NotAMember, ErrorCode::TooFarBehind] {
        ben_comes_back_after(&mut three(), code);
    }
}

#[test]
fn who_was_away_for_longer_than_it_remembers_comes_back() {
    let mut world = three();
    world.hang_up(BEN);
    world.dial(BEN);
    ben_comes_back_after(&mut world, ErrorCode::TooFarBehind);
}

#[test]
fn all_who_come_back_at_once_to_one_that_forgot_go_on_where_they_were() {
    let mut world = three();
    world.pass(Duration::from_secs(1));
    let epoch = world.people[ANA].snapshot().epoch;
    (0..3).for_each(|who| world.hang_up(who));
    world.service.restart();
    for who in 0..3 {
        world.people[who].events.clear();
        world.dial(who);
    }
    world.settle();
    world.pass(Duration::from_secs(2));
    world.assert_agreement(&[ANA, BEN, CY]);
    assert_eq!(world.people[ANA].snapshot().epoch, epoch);
    for person in &world.people {
        let news = [Event::Recovering, Event::Admitted];
        assert!(!person.events.iter().any(|event| news.contains(event)));
        assert!(person.snapshot().members.iter().all(|member| member.online));
    }
}

#[test]
fn a_service_that_is_full_ends_it_for_whom_it_does_not_know_yet() {
    let full = ServerMessage::Error {
        code: ErrorCode::Full,
    };
    let mut world = three();
    world.slip(BEN, full.clone());
    assert_eq!(world.people[BEN].snapshot().phase, Phase::Active);
    let warning = Event::Warning(Warning::Server(ErrorCode::Full));
    assert!(world.people[BEN].events.contains(&warning));

    world.hang_up(BEN);
    world.deaf(BEN);
    world.dial(BEN);
    world.slip(BEN, full);
    assert_eq!(world.people[BEN].left(), Some(LeftReason::Full));
}
