//! Hands and places: who may be heard, as everybody sees it alike.

mod sim;

use std::time::Duration;

use conclave_meeting::{Command, Event, MediaState, MemberView, Role, Secrecy, Speaking, Warning};
use sim::people::World;

const ANA: usize = 0;
const BEN: usize = 1;
const CY: usize = 2;
const DORA: usize = 3;

/// So many people, the host first, all with open microphones.
fn meeting(people: usize) -> World {
    let mut world = World::new();
    let (_, link) = world.host("Ana", false);
    for name in ["Ben", "Cy", "Dora"].iter().take(people - 1) {
        world.join(name, &link);
        world.pass(Duration::from_millis(300));
    }
    world
}

/// The same with so many places, which come to those who were first.
fn crowded(people: usize, places: u16) -> World {
    let mut world = meeting(people);
    world.command(ANA, Command::SetOpenMicrophones(places));
    world
}

fn mute(world: &mut World, who: usize, muted: bool) {
    let media = MediaState {
        muted,
        camera: true,
        ..MediaState::default()
    };
    world.command(who, Command::SetMedia(media));
}

/// How `who` sees `whom`.
fn seen(world: &World, who: usize, whom: usize) -> MemberView {
    world.seen(who, world.device(whom))
}

/// Who is heard, as all see it.
#[track_caller]
fn heard(world: &World) -> Vec<usize> {
    let everybody = 0..world.people.len();
    let by = |who: usize| -> Vec<usize> {
        let is_heard = |whom: &usize| {
            let member = seen(world, who, *whom);
            member.place && !member.media.muted
        };
        everybody.clone().filter(is_heard).collect()
    };
    let first = by(ANA);
    for who in everybody.clone() {
        assert_eq!(by(who), first, "{who} hears others than the host");
    }
    first
}

/// Whose hands are up, in order, as all see it.
#[track_caller]
fn hands(world: &World) -> Vec<usize> {
    let by = |who: usize| -> Vec<usize> {
        let people = 0..world.people.len();
        let mut up: Vec<_> = people
            .filter_map(|whom| Some((seen(world, who, whom).hand?, whom)))
            .collect();
        up.sort_unstable();
        up.into_iter().map(|(_, whom)| whom).collect()
    };
    let first = by(ANA);
    for who in 0..world.people.len() {
        assert_eq!(by(who), first, "{who} sees other hands than the host");
    }
    first
}

fn was_told(world: &World, who: usize, speaking: Speaking) -> bool {
    let events = &world.people[who].events;
    events.contains(&Event::Speaking(speaking))
}

#[test]
fn a_small_meeting_notices_nothing() {
    let mut world = meeting(4);
    mute(&mut world, DORA, true);
    mute(&mut world, DORA, false);
    assert_eq!(heard(&world), [ANA, BEN, CY, DORA]);
    for person in &world.people {
        let told = |event: &Event| matches!(event, Event::Speaking(_));
        assert!(!person.events.iter().any(told), "{:?}", person.events);
        assert_eq!(person.snapshot().floor, Default::default());
        assert_eq!(person.snapshot().policy.unwrap().open_microphones, 25);
    }
}

#[test]
fn who_mutes_before_he_is_in_comes_in_muted() {
    let mut world = World::new();
    let (ana, link) = world.host("Ana", true);
    let ben = world.join("Ben", &link);
    mute(&mut world, ben, true);
    world.admit_all(ana);
    assert!(seen(&world, ana, ben).media.muted);
    mute(&mut world, ben, false);
    assert!(!seen(&world, ana, ben).media.muted);
}

#[test]
fn with_fewer_places_those_who_were_first_keep_theirs() {
    let world = crowded(4, 2);
    assert_eq!(heard(&world), [ANA, BEN]);
    for who in [CY, DORA] {
        assert!(was_told(&world, who, Speaking::Lost));
        assert!(world.people[who].meeting.media().muted);
        assert!(world.people[who].snapshot().floor.audience);
    }
}

#[test]
fn the_audience_does_not_open_a_microphone_until_there_is_room() {
    let mut world = crowded(4, 2);
    mute(&mut world, CY, false);
    assert!(was_told(&world, CY, Speaking::Full));
    assert!(world.people[CY].meeting.media().muted);
    mute(&mut world, BEN, true);
    assert!(!world.people[CY].snapshot().floor.audience);
    mute(&mut world, CY, false);
    assert_eq!(heard(&world), [ANA, CY]);
    assert!(world.people[BEN].snapshot().floor.audience);
}

#[test]
fn the_audience_turns_its_cameras_on_and_off() {
    let mut world = crowded(4, 2);
    let mut turn = |muted, camera| {
        let media = MediaState {
            muted,
            camera,
            ..MediaState::default()
        };
        world.people[CY].events.clear();
        world.command(CY, Command::SetMedia(media));
        let shown = seen(&world, ANA, CY).media;
        assert!(shown.muted);
        assert_eq!(shown.camera, camera);
        was_told(&world, CY, Speaking::Full)
    };
    assert!(!turn(true, false), "nothing but the camera was asked for");
    assert!(turn(false, true), "the one is done and the other is not");
}

#[test]
fn with_room_nobody_needs_a_host() {
    let mut world = crowded(4, 2);
    mute(&mut world, BEN, true);
    world.hang_up(ANA);
    mute(&mut world, DORA, false);
    assert!(!world.people[DORA].meeting.media().muted);
    let dora = world.device(DORA);
    for who in [BEN, CY, DORA] {
        let hers = world.seen(who, dora);
        assert!(hers.place && !hers.media.muted, "{who}");
    }
}

#[test]
fn of_two_who_open_at_once_the_log_says_who_was_first() {
    let mut world = crowded(4, 2);
    mute(&mut world, BEN, true);
    // Cy's word is not delivered before Dora says hers.
    world.hang_up(DORA);
    mute(&mut world, CY, false);
    mute(&mut world, DORA, false);
    assert!(
        !world.people[DORA].meeting.media().muted,
        "as far as she knows"
    );
    world.back(DORA);
    assert_eq!(heard(&world), [ANA, CY]);
    assert!(was_told(&world, DORA, Speaking::Lost));
}

#[test]
fn a_host_lets_somebody_speak_at_once() {
    let mut world = crowded(4, 2);
    world.command(DORA, Command::RaiseHand(true));
    world.command(CY, Command::RaiseHand(true));
    assert_eq!(hands(&world), [DORA, CY]);
    world.command(ANA, Command::LetSpeak(world.device(CY)));
    assert_eq!(hands(&world), [DORA]);
    assert!(was_told(&world, CY, Speaking::LetSpeak));
    assert!(
        world.people[CY].meeting.media().muted,
        "nobody opens it for him"
    );
    assert!(world.people[CY].snapshot().floor.called);
    mute(&mut world, CY, false);
    assert_eq!(heard(&world), [ANA, CY], "Ben gives way");
    assert!(was_told(&world, BEN, Speaking::Lost));
}

#[test]
fn the_first_hand_is_called_when_a_place_is_free() {
    let mut world = crowded(4, 2);
    world.command(DORA, Command::RaiseHand(true));
    world.command(CY, Command::RaiseHand(true));
    assert!(!world.people[DORA].snapshot().floor.called);
    mute(&mut world, BEN, true);
    assert!(was_told(&world, DORA, Speaking::Room));
    assert!(!was_told(&world, CY, Speaking::Room));
    mute(&mut world, DORA, false);
    assert_eq!(hands(&world), [CY]);
    assert_eq!(heard(&world), [ANA, DORA]);
}

#[test]
fn hands_work_in_a_small_meeting_too() {
    let mut world = meeting(3);
    mute(&mut world, BEN, true);
    world.command(BEN, Command::RaiseHand(true));
    world.command(CY, Command::RaiseHand(true));
    assert_eq!(hands(&world), [BEN, CY]);
    world.command(ANA, Command::LowerHand(world.device(CY)));
    assert_eq!(hands(&world), [BEN]);
    world.command(ANA, Command::LetSpeak(world.device(BEN)));
    assert!(was_told(&world, BEN, Speaking::LetSpeak));
    assert!(world.people[BEN].meeting.media().muted);
    world.command(BEN, Command::RaiseHand(false));
    assert!(!world.people[BEN].snapshot().floor.called, "he declined");
    world.command(CY, Command::RaiseHand(true));
    world.command(CY, Command::RaiseHand(false));
    assert_eq!(hands(&world), [0; 0]);
}

#[test]
fn asked_to_mute_one_is_asked_in_a_small_meeting_and_ended_in_a_large_one() {
    // There is a place for each of them.
    let mut world = crowded(3, 3);
    world.command(ANA, Command::AskToMute(world.device(BEN)));
    let told = [ANA, BEN, CY].map(|who| was_told(&world, who, Speaking::AskedToMute));
    assert_eq!(told, [false, true, false]);
    assert_eq!(heard(&world), [ANA, BEN, CY]);
    mute(&mut world, CY, true);
    world.command(ANA, Command::AskToMute(world.device(CY)));
    assert!(!was_told(&world, CY, Speaking::AskedToMute), "he is muted");
    mute(&mut world, CY, false);
    world.command(ANA, Command::SetOpenMicrophones(2));
    world.command(ANA, Command::AskToMute(world.device(BEN)));
    assert!(was_told(&world, BEN, Speaking::Ended));
    assert_eq!(heard(&world), [ANA]);
}

#[test]
fn only_who_keeps_the_door_governs_turns_and_no_co_host_a_hosts() {
    let mut world = meeting(4);
    let [ana, ben, cy] = [ANA, BEN, CY].map(|who| world.device(who));
    world.command(BEN, Command::RaiseHand(true));
    for command in [
        Command::LetSpeak(ben),
        Command::LowerHand(ben),
        Command::AskToMute(ben),
        Command::SetOpenMicrophones(2),
    ] {
        let before = world.people[CY].events.len();
        world.command(CY, command);
        let told = &world.people[CY].events[before..];
        assert_eq!(told, [Event::Warning(Warning::NotAllowed)], "{command:?}");
    }
    assert_eq!(hands(&world), [BEN]);
    world.command(ANA, Command::SetRole(cy, Role::CoHost));
    world.command(CY, Command::LowerHand(ben));
    assert_eq!(hands(&world), [0; 0]);
    let refused = |world: &World| {
        let events = world.people[CY].events.iter();
        events
            .filter(|event| **event == Event::Warning(Warning::NotAllowed))
            .count()
    };
    let before = refused(&world);
    world.command(CY, Command::AskToMute(ana));
    assert_eq!(refused(&world), before + 1);
    assert!(!was_told(&world, ANA, Speaking::AskedToMute));
}

#[test]
fn a_number_of_microphones_that_cannot_be_is_refused() {
    let mut world = meeting(2);
    for bound in [0, 501] {
        world.command(ANA, Command::SetOpenMicrophones(bound));
    }
    let events = &world.people[ANA].events;
    let refused = |event: &&Event| **event == Event::Warning(Warning::OpenMicrophones);
    assert_eq!(events.iter().filter(refused).count(), 2);
    let text = Warning::OpenMicrophones.to_string();
    assert_eq!(
        text,
        "Between 1 and 500 microphones can be open at the same time."
    );
}

#[test]
fn who_comes_into_a_large_meeting_is_muted_and_sees_what_the_others_see() {
    let mut world = crowded(3, 2);
    world.command(CY, Command::RaiseHand(true));
    let link = world.people[ANA].meeting.link().clone();
    let dora = world.join("Dora", &link);
    world.pass(Duration::from_millis(300));
    assert!(was_told(&world, dora, Speaking::Audience));
    assert!(world.people[dora].meeting.media().muted);
    assert_eq!(heard(&world), [ANA, BEN]);
    assert_eq!(hands(&world), [CY]);
}

#[test]
fn a_hand_that_was_lowered_stays_down_after_a_broken_link() {
    let mut world = meeting(3);
    world.command(BEN, Command::RaiseHand(true));
    world.command(ANA, Command::LowerHand(world.device(BEN)));
    world.hang_up(BEN);
    world.back(BEN);
    world.pass(Duration::from_secs(1));
    assert_eq!(hands(&world), [0; 0]);
}

#[test]
fn a_raised_hand_outlives_a_broken_link_and_goes_with_its_owner() {
    let mut world = meeting(3);
    world.hang_up(BEN);
    world.command(BEN, Command::RaiseHand(true));
    world.back(BEN);
    assert_eq!(hands(&world), [BEN]);
    world.hang_up(CY);
    world.command(BEN, Command::RaiseHand(false));
    world.command(BEN, Command::RaiseHand(true));
    world.back(CY);
    assert_eq!(hands(&world), [BEN]);
    world.command(BEN, Command::Leave);
    world.pass(Duration::from_secs(1));
    let members = world.people[ANA].snapshot().members;
    assert!(members.iter().all(|member| member.hand.is_none()));
}

/// Cy's words were under way when Dora came, who has no key for them.
#[test]
fn who_comes_while_a_hand_goes_up_sees_it_too() {
    let mut world = crowded(3, 2);
    let link = world.people[ANA].meeting.link().clone();
    world.deaf(CY);
    world.join("Dora", &link);
    world.pass(Duration::from_millis(300));
    world.command(CY, Command::RaiseHand(true));
    mute(&mut world, CY, true);
    world.hears_again(CY);
    world.hang_up(CY);
    world.back(CY);
    assert_eq!(hands(&world), [CY]);
    assert!(seen(&world, DORA, CY).media.camera, "it is on");
}

#[test]
fn what_some_alone_read_in_a_log_that_is_lost_is_forgotten_by_all() {
    let mut world = crowded(4, 2);
    // Ana does not hear that Cy speaks and mutes again, and raises a hand.
    world.hang_up(ANA);
    mute(&mut world, BEN, true);
    mute(&mut world, CY, false);
    mute(&mut world, CY, true);
    world.command(CY, Command::RaiseHand(true));
    assert!(seen(&world, DORA, CY).place);
    for who in [BEN, CY, DORA] {
        world.hang_up(who);
    }
    world.service.restart();
    for who in [DORA, CY, ANA, BEN] {
        world.back(who);
    }
    world.pass(Duration::from_secs(1));
    let places = |who: usize| [ANA, BEN, CY, DORA].map(|whom| seen(&world, who, whom).place);
    for who in [BEN, CY, DORA] {
        assert_eq!(places(who), places(ANA), "{who}");
    }
    assert_eq!(heard(&world), [ANA]);
    assert_eq!(hands(&world), [0; 0]);
}

#[test]
fn who_mutes_keeps_the_place_until_somebody_needs_it() {
    let mut world = crowded(4, 2);
    world.command(ANA, Command::SetSecrecy(Secrecy::High));
    mute(&mut world, BEN, true);
    assert!(seen(&world, CY, BEN).place, "the relay sees no difference");
    mute(&mut world, CY, false);
    assert!(!seen(&world, ANA, BEN).place);
    assert_eq!(heard(&world), [ANA, CY]);
}

#[test]
fn a_host_who_is_cut_off_is_told_that_nobody_heard_him() {
    let mut world = meeting(2);
    world.command(BEN, Command::RaiseHand(true));
    world.hang_up(ANA);
    world.command(ANA, Command::LetSpeak(world.device(BEN)));
    let events = &world.people[ANA].events;
    assert!(events.contains(&Event::Warning(Warning::NotSaid)));
}

#[test]
fn who_takes_the_door_over_tells_those_whom_its_keeper_told_nothing() {
    let mut world = meeting(3);
    let ben = world.device(BEN);
    world.command(ANA, Command::SetRole(ben, Role::CoHost));
    world.command(ANA, Command::SetWaitingRoom(true));
    world.command(CY, Command::RaiseHand(true));
    // Ana lets Dora in, and her computer dies before it shows her that it did.
    let link = world.people[ANA].meeting.link().clone();
    world.join("Dora", &link);
    world.deaf(ANA);
    world.admit_all(ANA);
    world.hang_up(ANA);
    let hand = |world: &World, who| seen(world, who, CY).hand;
    assert_eq!((hand(&world, BEN), hand(&world, DORA)), (Some(1), None));
    world.pass(Duration::from_secs(60));
    assert_eq!(hand(&world, DORA), Some(1));
}
