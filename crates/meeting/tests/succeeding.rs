//! A host who has gone is followed by whom he named.

mod sim;

use std::time::Duration;

use conclave_meeting::{Command, Event, LeftReason, Phase, Role, Warning};
use conclave_wire::EntryBody;
use sim::people::{NEW_LINK, World, three};

const ANA: usize = 0;
const BEN: usize = 1;
const CY: usize = 2;

/// Ana has named Ben, to whom she gave `role`, and is cut off.
fn ana_is_cut_off(role: Role) -> World {
    let mut world = three();
    let ben = world.device(BEN);
    if role > Role::Participant {
        world.command(ANA, Command::SetRole(ben, role));
    }
    world.command(ANA, Command::SetSuccessor(ben, true));
    world.assert_agreement(&[ANA, BEN, CY]);
    world.hang_up(ANA);
    world
}

/// What Cy, who has to let it pass, sees of Ben.
#[track_caller]
fn ben_is_host(world: &World) {
    world.assert_agreement(&[BEN, CY]);
    assert_eq!(world.seen(CY, world.device(BEN)).role, Role::Host);
    let refused = |event: &Event| matches!(event, Event::Warning(Warning::Refused { .. }));
    assert!(!world.people[CY].events.iter().any(refused));
}

#[test]
fn who_was_named_is_a_host_once_the_host_is_silent() {
    for role in [Role::Participant, Role::CoHost] {
        let mut world = ana_is_cut_off(role);
        world.pass(Duration::from_secs(60));
        ben_is_host(&world);
        let link = world.people[BEN].meeting.link().clone();
        let di = world.join("Di", &link);
        world.admit_all(BEN);
        world.assert_agreement(&[BEN, CY, di]);
    }
}

#[test]
fn the_second_who_was_named_lets_the_first_go_before() {
    let mut world = three();
    for who in [BEN, CY] {
        let device = world.device(who);
        world.command(ANA, Command::SetSuccessor(device, true));
    }
    world.hang_up(ANA);
    world.hang_up(BEN);
    let role = |world: &World| world.seen(CY, world.device(CY)).role;
    world.pass(Duration::from_secs(40));
    assert_eq!(role(&world), Role::Participant, "Ben's time");
    world.pass(Duration::from_secs(10));
    assert_eq!(role(&world), Role::Host);
}

#[test]
fn a_link_whose_time_is_over_is_renewed_by_who_keeps_the_door() {
    let mut world = three();
    let ben = world.device(BEN);
    world.command(ANA, Command::SetRole(ben, Role::CoHost));
    let for_a_while = Command::RenewLink {
        single_use: false,
        valid_s: Some(30),
    };
    world.command(ANA, for_a_while);
    world.pass(Duration::from_secs(40));
    let link = world.people[BEN].meeting.link().clone();
    let di = world.join("Di", &link);
    let host = world.people[di].snapshot().host_name.unwrap();
    assert_eq!(host.as_str(), "Ana");
}

#[test]
fn a_successor_who_wants_more_at_the_same_time_gets_both() {
    let mut world = ana_is_cut_off(Role::CoHost);
    world.pass(Duration::from_secs(40));
    // Nothing that Ben offers is taken until his time has come.
    world.deaf(BEN);
    world.command(BEN, Command::SetWaitingRoom(false));
    world.command(BEN, NEW_LINK);
    world.pass(Duration::from_secs(10));
    world.hears_again(BEN);
    world.hang_up(BEN);
    world.dial(BEN);
    world.pass(Duration::from_secs(60));
    ben_is_host(&world);
    let policy = world.people[CY].snapshot().policy.unwrap();
    assert!(!policy.waiting_room);
    assert_eq!(policy.link.generation, 1);
}

/// Ana leaves; nothing but messages passes.
#[track_caller]
fn ana_leaves(world: &mut World) {
    world.command(ANA, Command::Leave);
    assert_eq!(world.people[ANA].left(), Some(LeftReason::ByChoice));
}

#[test]
fn a_host_who_leaves_hands_over_to_a_co_host_and_is_gone_at_once() {
    let mut world = three();
    let ben = world.device(BEN);
    world.command(ANA, Command::SetRole(ben, Role::CoHost));
    ana_leaves(&mut world);
    world.pass(Duration::from_secs(1));
    ben_is_host(&world);
    assert_eq!(world.people[BEN].names(), ["Ben", "Cy"]);
}

#[test]
fn a_host_who_leaves_another_host_ends_nothing() {
    let mut world = three();
    let ben = world.device(BEN);
    world.command(ANA, Command::SetRole(ben, Role::Host));
    ana_leaves(&mut world);
    world.pass(Duration::from_secs(1));
    ben_is_host(&world);
}

#[test]
fn nobody_is_followed_by_somebody_who_is_away() {
    let mut world = three();
    let (ben, cy) = (world.device(BEN), world.device(CY));
    world.command(ANA, Command::SetSuccessor(ben, true));
    world.command(ANA, Command::SetRole(cy, Role::CoHost));
    world.hang_up(BEN);
    world.settle();
    ana_leaves(&mut world);
    let snapshot = world.people[CY].snapshot();
    let me = snapshot.members.iter().find(|member| member.is_me);
    assert_eq!(me.unwrap().role, Role::Host);
}

#[test]
fn a_host_who_cannot_hand_over_leaves_after_a_moment_or_when_asked_again() {
    for again in [false, true] {
        let mut world = three();
        let ben = world.device(BEN);
        world.command(ANA, Command::SetRole(ben, Role::CoHost));
        world.deaf(ANA);
        world.command(ANA, Command::Leave);
        assert_eq!(world.people[ANA].snapshot().phase, Phase::Active);
        match again {
            true => world.command(ANA, Command::Leave),
            false => world.pass(Duration::from_secs(3)),
        }
        assert_eq!(world.people[ANA].left(), Some(LeftReason::ByChoice));
    }
}

#[test]
fn a_co_host_speaks_at_the_door_of_a_host_who_is_away() {
    for renewed in [false, true] {
        let mut world = three();
        let ben = world.device(BEN);
        world.command(ANA, Command::SetRole(ben, Role::CoHost));
        if renewed {
            world.command(ANA, NEW_LINK);
        }
        ben_speaks_at_the_door(&mut world);
    }
}

#[test]
fn only_who_is_to_speak_at_the_door_is_given_a_warrant() {
    let mut world = three();
    let begins = world.service.log_len() as usize;
    world.command(ANA, Command::SetStrict(true));
    let entries = world.service.entries();
    let messages = entries[begins..].iter();
    let said = messages.filter(|entry| matches!(entry.body, EntryBody::Application { .. }));
    assert_eq!(said.count(), 1, "the key of the door, and no warrant");
}

#[track_caller]
fn ben_speaks_at_the_door(world: &mut World) {
    let link = world.people[ANA].meeting.link().clone();
    world.hang_up(ANA);
    world.pass(Duration::from_secs(30));
    world.command(BEN, Command::SetLocked(true));
    let di = world.join("Di", &link);
    assert_eq!(world.people[di].left(), Some(LeftReason::Locked));
    world.command(BEN, Command::SetLocked(false));
    let eve = world.look("Eve", &link);
    let keeper = world.people[eve].snapshot().host_name.unwrap();
    assert_eq!(keeper.as_str(), "Ben");
    world.command(eve, Command::Join);
    world.admit_all(BEN);
    world.assert_agreement(&[BEN, CY, eve]);
}
