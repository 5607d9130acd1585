//! What the service says counts for no more than it can know.

mod sim;

use std::time::Duration;

use conclave_meeting::{Event, LeftReason, Phase, Warning};
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
