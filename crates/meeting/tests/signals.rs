//! What members tell each other outside the log.

mod sim;

use std::time::Duration;

use conclave_e2ee::Track;
use conclave_meeting::{Command, Event};
use sim::people::{three, two};

#[test]
fn heartbeats_say_how_much_sound_was_sent() {
    let (mut world, ana, ben) = two();
    world.command(ben, Command::SoundSent(250));
    world.pass(Duration::from_secs(6));
    let said = Event::SoundSent {
        device: world.device(ben),
        packets: 250,
    };
    assert!(world.people[ana].events.contains(&said));
}

#[test]
fn a_sender_learns_what_a_receiver_loses_and_nobody_else_does() {
    let (mut world, [ana, ben, cy]) = (three(), [0, 1, 2]);
    let (of_ana, of_ben) = (world.device(ana), world.device(ben));
    world.command(
        ana,
        Command::ReportLoss {
            device: of_ben,
            percent: 20,
            bursts: true,
        },
    );
    let said = Event::LossReported {
        device: of_ana,
        percent: 20,
        bursts: true,
    };
    assert!(world.people[ben].events.contains(&said));
    let told = |who: usize| {
        let mut events = world.people[who].events.iter();
        events.any(|event| matches!(event, Event::LossReported { .. }))
    };
    assert!(!told(ana) && !told(cy));
}

#[test]
fn a_picture_is_asked_for_from_its_sender_alone() {
    let (mut world, [ana, ben, cy]) = (three(), [0, 1, 2]);
    let of_ben = world.device(ben);
    let track = Track::PICTURES[0];
    world.command(ana, Command::RequestKeyFrame(of_ben, track));
    let wanted = Event::KeyFrameWanted { track };
    let asked = |who: usize| world.people[who].events.contains(&wanted);
    assert_eq!([ana, ben, cy].map(asked), [false, true, false]);
}

#[test]
fn a_missing_key_is_asked_for_from_its_sender_alone() {
    let (mut world, [ana, ben, cy]) = (three(), [0, 1, 2]);
    let of_ben = world.device(ben);
    world.command(ana, Command::KeyMissing(of_ben));
    let pictures = Track::PICTURES.map(|track| Event::KeyFrameWanted { track });
    let asked = |who: usize| {
        let events = &world.people[who].events;
        pictures
            .iter()
            .filter(|event| events.contains(event))
            .count()
    };
    assert_eq!([ana, ben, cy].map(asked), [0, pictures.len(), 0]);
}

/// Whose key is missing says at once where he is, to who is where he is and to who is behind.
#[test]
fn who_is_asked_for_his_key_says_where_he_stands() {
    let (mut world, [ana, ben, _]) = (three(), [0, 1, 2]);
    world.pass(Duration::from_secs(6));
    let of_ana = world.device(ana);
    for is_behind in [false, true] {
        if is_behind {
            world.deaf(ben);
            world.command(ana, Command::SetLocked(true));
            world.hears_again(ben);
        }
        let before = world.service.last_signal(of_ana);
        world.command(ben, Command::KeyMissing(of_ana));
        assert_ne!(world.service.last_signal(of_ana), before, "{is_behind}");
    }
}

/// The fault is not on this side where nobody is ahead of it: then the log says nothing new.
#[test]
fn who_misses_a_key_of_his_own_epoch_stays_on_his_connection() {
    let (mut world, [ana, ben, _]) = (three(), [0, 1, 2]);
    world.pass(Duration::from_secs(6));
    let (device, of_ben) = (world.device(ana), world.device(ben));
    world.people[ana].events.clear();
    world.people[ben].events.clear();
    world.command(ana, Command::KeyMissing(of_ben));
    world.pass(Duration::from_secs(1));
    let left = |event: &Event| matches!(event, Event::Roster);
    assert!(!world.people[ben].events.iter().any(left), "Ana was away");
    assert!(world.seen(ben, device).online);
}

#[test]
fn nobody_loses_more_than_all() {
    let (mut world, [ana, ben, _]) = (three(), [0, 1, 2]);
    let of_ben = world.device(ben);
    let worse_than_all = Command::ReportLoss {
        device: of_ben,
        percent: 255,
        bursts: false,
    };
    world.command(ana, worse_than_all);
    let mut events = world.people[ben].events.iter();
    let reported = events.find_map(|event| match event {
        Event::LossReported { percent, .. } => Some(*percent),
        _ => None,
    });
    assert_eq!(reported, Some(100));
}
