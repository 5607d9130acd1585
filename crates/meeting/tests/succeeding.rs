//! A host who has gone is followed by whom he named.

mod sim;

use std::time::Duration;

use conclave_meeting::{Command, Event, Role, Warning};
use sim::people::World;

const ANA: usize = 0;
const BEN: usize = 1;
const CY: usize = 2;

/// Ana, the host, has named Ben, to whom she gave `role`, and is cut off.
fn ana_is_cut_off(role: Role) -> World {
    let mut world = World::new();
    let (_, link) = world.host("Ana", true);
    world.join("Ben", &link);
    world.join("Cy", &link);
    world.admit_all(ANA);
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
    let members = world.people[CY].snapshot().members;
    let ben = members.iter().find(|m| m.device == world.device(BEN));
    assert_eq!(ben.unwrap().role, Role::Host);
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
fn a_successor_who_wants_more_at_the_same_time_gets_both() {
    let mut world = ana_is_cut_off(Role::CoHost);
    world.pass(Duration::from_secs(40));
    // Nothing that Ben offers is taken until his time has come.
    world.deaf(BEN);
    world.command(BEN, Command::SetWaitingRoom(false));
    world.command(
        BEN,
        Command::RenewLink {
            single_use: false,
            valid_s: None,
        },
    );
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
