//! People meet, leave, are refused and removed, and come back, around an honest service.

mod sim;

use std::time::{Duration, Instant};

use conclave_e2ee::{FrameMeta, OpenError, Opener, Sealer, Track};
use conclave_meeting::{
    Change, Command, Event, HostParams, LeftReason, MediaState, Meeting, Phase, Role, Secrecy,
    Warning, Who,
};
use conclave_wire::{Blob, DeviceId, Entry, EntryBody, ServerMessage};
use sim::people::{World, entropy, host_params, identity, three, two};

#[test]
fn two_people_meet_and_read_the_same_code() {
    let (world, ana, ben) = two();
    world.assert_agreement(&[ana, ben]);
    assert_eq!(world.people[ben].names(), ["Ana", "Ben"]);
    assert_eq!(
        world.people[ana].snapshot().code.unwrap().digits().len(),
        30
    );
    assert!(world.people[ben].events.contains(&Event::Admitted));
    let roles: Vec<_> = world.people[ben]
        .snapshot()
        .members
        .into_iter()
        .map(|m| (m.is_me, m.role))
        .collect();
    assert_eq!(roles, [(false, Role::Host), (true, Role::Participant)]);
}

#[test]
fn everybody_is_told_why_the_code_changed() {
    let mut world = three();
    let all = [0, 1, 2];
    let why = |world: &World, who: usize| world.people[who].snapshot().change;
    let names = |name: &str| vec![name.parse().unwrap()];
    let link = world.people[0].meeting.link().clone();
    let di = world.join("Di", &link);
    world.admit_all(0);
    for who in all {
        assert_eq!(why(&world, who), Change::Joined(names("Di")), "{who}");
    }
    world.command(0, Command::SetLocked(true));
    for who in all {
        assert_eq!(why(&world, who), Change::Rules, "{who}");
    }
    let of_di = world.device(di);
    world.command(0, Command::Remove(of_di));
    for who in all {
        assert_eq!(why(&world, who), Change::Gone(names("Di")), "{who}");
    }
    world.pass(Duration::from_secs(6 * 60));
    for who in all {
        assert_eq!(why(&world, who), Change::Renewed, "{who}");
    }
}

#[test]
fn what_was_said_while_one_was_away_is_no_sign_of_life() {
    let mut world = three();
    world.hang_up(1);
    world.command(2, Command::SetMedia(MediaState::default()));
    world.hang_up(2);
    world.back(1);
    assert!(!world.seen(1, world.device(2)).online);
}

#[test]
fn a_meeting_begins_under_the_rules_that_it_was_given() {
    for (secrecy, strict) in [(Secrecy::High, false), (Secrecy::Standard, true)] {
        let params = HostParams {
            secrecy,
            strict,
            ..host_params(true)
        };
        let media = MediaState::default();
        let meeting = Meeting::host(params, identity("Ana"), media, entropy(1)).unwrap();
        let policy = meeting.snapshot().policy.unwrap();
        assert_eq!((policy.secrecy, policy.strict), (secrecy, strict));
        assert!(policy.waiting_room);
    }
}

#[test]
fn a_snapshot_says_whether_the_connection_stands() {
    let (mut world, _, ben) = two();
    assert!(world.people[ben].snapshot().link_up);
    world.hang_up(ben);
    assert!(!world.people[ben].snapshot().link_up);
}

#[test]
fn the_service_sees_no_name_title_or_secret() {
    let (world, ana, _) = two();
    let secret = *world.people[ana].meeting.link().secret.expose();
    for needle in ["Ana".as_bytes(), b"Ben", b"Merger", &secret] {
        let found = world
            .service
            .seen
            .windows(needle.len())
            .any(|window| window == needle);
        assert!(!found, "{needle:?}");
    }
    assert!(
        world.service.seen.len() > 10_000,
        "nothing went through the service"
    );
}

#[test]
fn frames_go_from_one_to_the_other() {
    let (mut world, ana, ben) = two();
    let mut keys = world.people[ana].keys.pop().unwrap();
    let mut sealer = Sealer::new(Track::AUDIO);
    sealer
        .install(keys.sealing.take(Track::AUDIO).unwrap())
        .unwrap();
    let meta = FrameMeta {
        track: "audio",
        group: 0,
        frame: 0,
    };
    let mut sealed = Vec::new();
    sealer.seal(&meta, b"good morning", &mut sealed).unwrap();
    let mut opener = Opener::new(Track::AUDIO, keys.sealing.leaf());
    opener
        .install(
            &world.people[ben].keys.pop().unwrap().opening,
            Instant::now(),
        )
        .unwrap();
    let mut plain = Vec::new();
    opener
        .open(Instant::now(), &meta, &sealed, &mut plain)
        .unwrap();
    assert_eq!(plain, b"good morning");
}

#[test]
fn who_leaves_is_gone_for_all_and_cannot_open_what_follows() {
    let (mut world, ana, ben) = two();
    world.command(ben, Command::Leave);
    assert_eq!(world.people[ben].left(), Some(LeftReason::ByChoice));
    assert_eq!(world.people[ana].names(), ["Ana"]);
    assert_eq!(world.people[ana].snapshot().epoch, 2);
}

#[test]
fn who_is_removed_opens_nothing_sent_after() {
    let (mut world, ana, ben) = two();
    let device = world.device(ben);
    world.command(ana, Command::Remove(device));
    assert_eq!(world.people[ben].left(), Some(LeftReason::Removed));
    let mut keys = world.people[ana].keys.pop().unwrap();
    let mut sealer = Sealer::new(Track::AUDIO);
    sealer
        .install(keys.sealing.take(Track::AUDIO).unwrap())
        .unwrap();
    let meta = FrameMeta {
        track: "audio",
        group: 0,
        frame: 0,
    };
    let mut sealed = Vec::new();
    sealer
        .seal(&meta, b"now that he is gone", &mut sealed)
        .unwrap();
    let mut opener = Opener::new(Track::AUDIO, keys.sealing.leaf());
    opener
        .install(
            &world.people[ben].keys.pop().unwrap().opening,
            Instant::now(),
        )
        .unwrap();
    let outcome = opener.open(Instant::now(), &meta, &sealed, &mut Vec::new());
    assert!(
        matches!(
            outcome,
            Err(OpenError::NotYet | OpenError::UnknownKey | OpenError::Forged)
        ),
        "{outcome:?}"
    );
}

/// Who comes needs the keys before they are used; who goes must not have what follows.
#[test]
fn senders_wait_for_who_comes_and_not_for_who_goes() {
    let mut world = World::new();
    let (ana, link) = world.host("Ana", false);
    let ben = world.join("Ben", &link);
    let cy = world.join("Cy", &link);
    world.pass(Duration::from_millis(250));
    let di = world.join("Di", &link);
    world.pass(Duration::from_millis(250));
    let of_di = world.device(di);
    // Who commits, and who hears of it.
    let senders = [ana, ben, cy];
    let move_at = |world: &World| senders.map(|who| *world.people[who].moves_at.last().unwrap());
    assert_eq!(move_at(&world), [world.now + Duration::from_millis(100); 3]);
    world.command(ana, Command::Remove(of_di));
    assert_eq!(world.people[ben].names(), ["Ana", "Ben", "Cy"]);
    assert_eq!(move_at(&world), [world.now; 3]);
}

#[test]
fn when_the_host_leaves_the_meeting_ends_for_all() {
    let (mut world, ana, ben) = two();
    world.command(ana, Command::Leave);
    assert_eq!(world.people[ben].left(), Some(LeftReason::Ended));
}

#[test]
fn mute_and_camera_are_seen_also_by_those_who_come_later() {
    let mut world = World::new();
    let (ana, link) = world.host("Ana", false);
    let quiet = MediaState {
        muted: true,
        camera: false,
        screen: true,
    };
    world.command(ana, Command::SetMedia(quiet));
    let ben = world.join("Ben", &link);
    world.pass(Duration::from_millis(300));
    assert_eq!(world.seen(ben, world.device(ana)).media, quiet);
}

#[test]
fn only_who_may_share_is_seen_to_share() {
    let (mut world, ana, ben) = two();
    let sharing = MediaState {
        screen: true,
        ..MediaState::default()
    };
    let shares = |world: &World, seen_by: usize, who: usize| {
        world.seen(seen_by, world.device(who)).media.screen
    };
    world.command(ben, Command::SetMedia(sharing));
    assert!(shares(&world, ana, ben) && shares(&world, ben, ben));

    // The rules change while he shares: his program goes on saying so, and nobody believes it.
    world.command(ana, Command::SetSharing(Who::Hosts));
    world.pass(Duration::from_secs(1));
    assert!(!shares(&world, ana, ben) && !shares(&world, ben, ben));
    world.command(ana, Command::SetMedia(sharing));
    assert!(shares(&world, ben, ana), "a host may");

    // Who may not is told, and nothing of it goes out: nothing is there to be believed later.
    world.command(ben, Command::SetMedia(MediaState::default()));
    world.command(ben, Command::SetMedia(sharing));
    assert!(
        world.people[ben]
            .events
            .contains(&Event::Warning(Warning::NotAllowed))
    );
    world.command(ana, Command::SetSharing(Who::Everyone));
    world.pass(Duration::from_secs(1));
    assert!(!shares(&world, ana, ben));

    // Nor may he change the rule.
    world.command(ben, Command::SetSharing(Who::Hosts));
    world.pass(Duration::from_secs(1));
    let policy = world.people[ana].snapshot().policy.unwrap();
    assert_eq!(policy.permissions.share, Who::Everyone);
}

#[test]
fn a_broken_link_loses_nothing() {
    let (mut world, ana, ben) = two();
    world.hang_up(ben);
    let link = world.people[ana].meeting.link().clone();
    let cy = world.join("Cy", &link);
    world.admit_all(ana);
    world.back(ben);
    world.assert_agreement(&[ana, ben, cy]);
    assert_eq!(world.people[ben].names(), ["Ana", "Ben", "Cy"]);
}

#[test]
fn a_newcomer_sees_at_once_who_is_here_and_who_is_away() {
    let (mut world, ana, ben) = two();
    let link = world.people[ana].meeting.link().clone();
    world.hang_up(ben);
    let cy = world.join("Cy", &link);
    world.admit_all(ana);
    let online = |who: usize| {
        let members = world.people[who].snapshot().members;
        let online = members.into_iter().filter(|member| member.online);
        let names = online.map(|member| member.name.unwrap().as_str().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(online(cy), ["Ana", "Cy"]);
    assert_eq!(online(ana), ["Ana", "Cy"]);
}

#[test]
fn a_member_away_for_a_minute_is_removed() {
    let (mut world, ana, ben) = two();
    let device = world.device(ben);
    world.hang_up(ben);
    world.slip(
        ana,
        ServerMessage::Presence {
            device,
            online: false,
        },
    );
    world.pass(Duration::from_secs(59));
    assert_eq!(world.people[ana].names(), ["Ana", "Ben"]);
    world.pass(Duration::from_secs(2));
    assert_eq!(world.people[ana].names(), ["Ana"]);
}

#[test]
fn a_service_that_lost_everything_is_restored_by_whoever_comes_first() {
    for first_is_host in [true, false] {
        let (mut world, ana, ben) = two();
        let code = world.people[ana].snapshot().code;
        let (first, second) = if first_is_host {
            (ana, ben)
        } else {
            (ben, ana)
        };
        world.hang_up(ana);
        world.hang_up(ben);
        world.service.restart();
        world.back(first);
        world.back(second);
        world.assert_agreement(&[ana, ben]);
        assert_eq!(
            world.people[ana].snapshot().code,
            code,
            "nobody came or went: the code stays"
        );
        // How long the host wanted it to live is his to know.
        let lifetime_s = if first_is_host { 3_600 } else { 12 * 3_600 };
        assert_eq!(world.service.lifetime_s(), Some(lifetime_s));
        let link = world.people[ana].meeting.link().clone();
        let cy = world.join("Cy", &link);
        world.admit_all(ana);
        world.assert_agreement(&[ana, ben, cy]);
    }
}

#[test]
fn a_commit_that_the_service_lost_is_offered_again() {
    let (mut world, ana, ben) = two();
    let link = world.people[ana].meeting.link().clone();
    // The service takes Cy's admission, tells only Ana, and dies; Ben restores the epoch before.
    world.hang_up(ben);
    let cy = world.join("Cy", &link);
    world.admit_all(ana);
    world.hang_up(ana);
    world.hang_up(cy);
    world.service.restart();
    world.back(ben);
    world.back(ana);
    world.back(cy);
    world.assert_agreement(&[ana, ben, cy]);
}

#[test]
fn who_keeps_the_door_shows_it_again_to_a_service_that_lost_it() {
    let mut world = three();
    let (ana, ben, cy) = (0, 1, 2);
    let device = world.device(ben);
    world.command(ana, Command::SetRole(device, Role::CoHost));
    world.hang_up(cy);
    world.command(ana, Command::Leave);
    world.pass(Duration::from_secs(1));
    world.hang_up(ben);
    world.service.restart();
    // Cy restores the meeting with the door that he knows: Ana's, who has gone.
    for who in [cy, ben] {
        world.back(who);
    }
    let link = world.people[ben].meeting.link().clone();
    let dora = world.join("Dora", &link);
    world.admit_all(ben);
    world.assert_agreement(&[ben, cy, dora]);
}

#[test]
fn what_the_door_shows_is_not_lost_with_the_connection() {
    let mut world = three();
    let (ana, ben, cy) = (0, 1, 2);
    let device = world.device(ben);
    world.command(ana, Command::SetRole(device, Role::CoHost));
    let anas = world.service.door().unwrap();
    world.command(ana, Command::Leave);
    world.pass(Duration::from_secs(1));
    // What Ben then said of the door never came to the service.
    world.service.forge_door(|door| *door = anas);
    world.hang_up(ben);
    world.back(ben);
    let link = world.people[ben].meeting.link().clone();
    let dora = world.join("Dora", &link);
    world.admit_all(ben);
    world.assert_agreement(&[ben, cy, dora]);
}

#[test]
fn what_is_not_of_the_meeting_is_refused_without_harm() {
    let (mut world, ana, ben) = two();
    // A forged application message at the place of the next one.
    let entry = Entry {
        seq: world.service.log_len(),
        from: DeviceId([5; 16]),
        body: EntryBody::Application {
            message: Blob::new(vec![0xaa; 200]).unwrap(),
        },
    };
    world.slip(ben, ServerMessage::Entry(entry));
    assert!(
        world.people[ben]
            .events
            .contains(&Event::Warning(Warning::Foreign))
    );
    assert_eq!(world.people[ben].snapshot().phase, Phase::Active);
    world.assert_agreement(&[ana, ben]);
}

#[test]
fn whoever_comes_later_knows_when_the_link_ends() {
    let (mut world, ana, _) = two();
    let renewal = Command::RenewLink {
        single_use: false,
        valid_s: Some(600),
    };
    world.command(ana, renewal);
    world.pass(Duration::from_secs(60));
    let link = world.people[ana].meeting.link().clone();
    let cy = world.join("Cy", &link);
    world.admit_all(ana);
    let ends_at = |who: usize| world.people[who].snapshot().link_ends_at.unwrap();
    let apart = ends_at(ana).saturating_duration_since(ends_at(cy));
    assert!(apart <= Duration::from_secs(1), "{apart:?}");
    // The host loses the connection, and the one who came later keeps the door and the time.
    let device = world.device(cy);
    world.command(ana, Command::SetRole(device, Role::CoHost));
    world.hang_up(ana);
    world.pass(Duration::from_secs(545));
    assert_ne!(
        world.people[cy].meeting.link().secret.expose(),
        link.secret.expose()
    );
    assert_eq!(world.people[cy].snapshot().link_ends_at, None);
}

#[test]
fn a_link_that_ends_with_whom_it_names_is_renewed_once() {
    let (mut world, ana, ben) = two();
    let device = world.device(ben);
    world.command(ana, Command::SetRole(device, Role::CoHost));
    let renewal = Command::RenewLink {
        single_use: false,
        valid_s: None,
    };
    world.command(ben, renewal);
    let generation = |world: &World| world.people[ana].snapshot().policy.unwrap().link.generation;
    assert_eq!(generation(&world), 1);
    // From now on the link names Ben, also for whom it leads here; and he goes.
    let link = world.people[ben].meeting.link().clone();
    assert_eq!(world.people[ana].meeting.link().expose(), link.expose());
    let dora = world.join("Dora", &link);
    world.admit_all(ana);
    world.assert_agreement(&[ana, ben, dora]);
    world.command(ben, Command::Leave);
    world.pass(Duration::from_secs(5));
    assert_eq!(generation(&world), 2);
    let link = world.people[ana].meeting.link().clone();
    let cy = world.join("Cy", &link);
    world.admit_all(ana);
    world.assert_agreement(&[ana, dora, cy]);
}

#[test]
fn around_an_honest_service_nobody_is_warned() {
    let (mut world, [ana, ben, cy]) = (three(), [0, 1, 2]);
    let (of_ben, of_cy) = (world.device(ben), world.device(cy));
    world.command(ana, Command::SetRole(of_ben, Role::CoHost));
    world.command(ben, Command::SetLocked(true));
    world.hang_up(cy);
    world.pass(Duration::from_secs(3));
    world.back(cy);
    // Keys are renewed meanwhile.
    world.pass(Duration::from_secs(12 * 60));
    world.assert_agreement(&[ana, ben, cy]);
    world.command(ben, Command::Remove(of_cy));
    world.pass(Duration::from_secs(60));
    world.assert_agreement(&[ana, ben]);
    world.assert_nobody_is_warned();
}

#[test]
fn who_may_not_remove_somebody_is_told_so() {
    let (mut world, [ana, ben, cy]) = (three(), [0, 1, 2]);
    let (of_ana, of_ben) = (world.device(ana), world.device(ben));
    world.command(ana, Command::SetRole(of_ben, Role::CoHost));
    for (who, whom) in [(ben, of_ana), (cy, of_ana), (cy, of_ben)] {
        let warned = |world: &World| {
            let denied = |event: &&Event| **event == Event::Warning(Warning::NotAllowed);
            world.people[who].events.iter().filter(denied).count()
        };
        let before = warned(&world);
        world.command(who, Command::Remove(whom));
        assert_eq!(warned(&world), before + 1);
    }
    world.pass(Duration::from_secs(1));
    assert_eq!(world.people[cy].names(), ["Ana", "Ben", "Cy"]);
}
