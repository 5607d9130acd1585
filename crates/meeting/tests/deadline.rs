//! A machine that was woken sleeps again: what it waits for does not keep the processor busy.

mod sim;

use std::time::Duration;

use conclave_meeting::{Command, Input, Role};
use conclave_wire::ServerMessage;
use sim::people::World;

/// Wakes somebody whenever he wants it, for so long, and holds that he then sleeps.
#[track_caller]
fn sleeps(world: &mut World, who: usize, duration: Duration) {
    let end = world.now + duration;
    let mut ticks = 0;
    while let Some(at) = world.people[who].meeting.deadline() {
        if at > end {
            break;
        }
        assert!(at >= world.now, "he wants to be woken at once");
        world.now = at;
        world.people[who].meeting.handle(at, Input::Tick);
        while world.people[who].meeting.poll().is_some() {}
        let next = world.people[who].meeting.deadline();
        assert!(
            next.is_none_or(|next| next > at),
            "woken, he does not sleep"
        );
        ticks += 1;
    }
    assert!(ticks > 0, "he slept all the time");
    world.now = end;
}

/// A co-host may not remove a host, and does not try so again and again.
#[test]
fn a_co_host_sleeps_when_the_host_is_absent() {
    let mut world = World::new();
    let (ana, link) = world.host("Ana", true);
    let ben = world.join("Ben", &link);
    world.admit_all(ana);
    let (host, device) = (world.device(ana), world.device(ben));
    world.command(ana, Command::SetRole(device, Role::CoHost));
    world.hang_up(ana);
    let online = false;
    world.slip(
        ben,
        ServerMessage::Presence {
            device: host,
            online,
        },
    );
    sleeps(&mut world, ben, Duration::from_secs(200));
}

/// The service says that the log reaches further than it ever will: nothing can be offered.
#[test]
fn a_successor_sleeps_when_he_may_offer_nothing() {
    let mut world = World::new();
    let (ana, link) = world.host("Ana", true);
    let ben = world.join("Ben", &link);
    world.admit_all(ana);
    let device = world.device(ben);
    world.command(ana, Command::SetSuccessor(device, true));
    world.hang_up(ana);
    let seq = world.service.log_len();
    let attached = ServerMessage::Attached {
        known: true,
        epoch: world.service.epoch(),
        first_seq: seq,
        next_seq: seq + 1000,
    };
    world.slip(ben, attached);
    sleeps(&mut world, ben, Duration::from_secs(200));
}
