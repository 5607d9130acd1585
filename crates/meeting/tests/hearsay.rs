//! What the service says counts for no more than it can know.

mod sim;

use std::time::Duration;

use conclave_meeting::{Command, Event, LeftReason, Phase, Role, Warning};
use conclave_wire::{DeviceId, ErrorCode, ServerMessage};
use sim::people::{World, three};

const ANA: usize = 0;
const BEN: usize = 1;
const CY: usize = 2;

fn is_online(world: &World, seen_by: usize, device: DeviceId) -> bool {
    let members = world.people[seen_by].snapshot().members;
    let member = members.into_iter().find(|member| member.device == device);
    member.unwrap().online
}

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
    assert!(is_online(&world, ANA, ana));
    assert_eq!(world.people[ANA].events, []);

    world.slip(ANA, told(ben));
    assert!(!is_online(&world, ANA, ben));
    assert_eq!(world.people[ANA].events, [Event::Roster]);
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

/// Who keeps the door no more is sealed no knock any more.
#[test]
fn the_door_names_those_alone_who_keep_it() {
    let mut world = three();
    let ben = world.device(BEN);
    let size = |world: &World| world.service.door().unwrap().descriptor.len();
    let before = size(&world);
    world.command(ANA, Command::SetRole(ben, Role::CoHost));
    let with_ben = size(&world);
    assert!(with_ben > before + 1000, "{before} {with_ben}");
    world.command(ANA, Command::SetRole(ben, Role::Participant));
    assert!(size(&world) < before + 1000, "{before} {}", size(&world));
}

/// A door passes on when its keeper was silent for long: not before, and not again and again.
#[test]
fn a_door_passes_on_once_after_its_keeper_was_silent_for_long() {
    let mut world = three();
    let ben = world.device(BEN);
    world.command(ANA, Command::SetRole(ben, Role::CoHost));
    world.pass(Duration::from_secs(1));
    world.hang_up(ANA);
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
