//! A member that the service led astray comes back by itself, and only to where the others are.

mod sim;

use std::time::Duration;

use conclave_meeting::{Command, Event, LeftReason, Phase, Role, Warning};
use conclave_wire::{CommitBlob, DeviceId, Entry, EntryBody, ErrorCode, ServerMessage};
use sim::mallory::Mallory;
use sim::people::{NEW_LINK, World, three, two};

const ANA: usize = 0;
const BEN: usize = 1;
const CY: usize = 2;
const ALL: [usize; 3] = [ANA, BEN, CY];

/// Shows somebody another commit in place of the one that all others are about to get.
fn lead_astray(world: &mut World, who: usize) {
    let commit = CommitBlob::new(vec![0xaa; 2000]).unwrap();
    let epoch = world.service.epoch() + 1;
    let entry = Entry {
        seq: world.service.log_len(),
        from: DeviceId([0x66; 16]),
        body: EntryBody::Commit { epoch, commit },
    };
    world.slip(who, ServerMessage::Entry(entry));
}

#[track_caller]
fn came_back_by_itself(world: &World, who: usize, device: DeviceId) {
    let person = &world.people[who];
    assert_eq!(person.snapshot().phase, Phase::Active);
    assert_eq!(person.snapshot().device, device, "the same leaf's owner");
    assert!(!person.events.contains(&Event::Recovering), "it knocked");
    world.assert_agreement(&ALL);
}

#[test]
fn a_member_led_astray_comes_back_without_a_knock() {
    let mut world = three();
    let device = world.device(BEN);
    lead_astray(&mut world, BEN);
    world.command(ANA, Command::SetLocked(true));
    let (ana, ben) = (
        world.people[ANA].snapshot().epoch,
        world.people[BEN].snapshot().epoch,
    );
    assert_eq!(ben + 1, ana, "Ben is out of step");
    // A locked meeting: somebody new could not be let in at all.
    world.pass(Duration::from_secs(20));
    came_back_by_itself(&world, BEN, device);
    assert!(world.people[BEN].snapshot().policy.unwrap().locked);
    // And takes part: Ben's own word is heard, and a later removal reaches him.
    let gone = world.device(CY);
    world.command(ANA, Command::Remove(gone));
    world.assert_agreement(&[ANA, BEN]);
}

#[test]
fn a_host_led_astray_comes_back_as_a_host() {
    let mut world = three();
    let (ana, ben) = (world.device(ANA), world.device(BEN));
    world.command(ANA, Command::SetRole(ben, Role::Host));
    lead_astray(&mut world, ANA);
    world.command(BEN, Command::SetLocked(true));
    world.pass(Duration::from_secs(20));
    came_back_by_itself(&world, ANA, ana);
    let members = world.people[CY].snapshot().members;
    let role = |device| {
        let of = |member: &&conclave_meeting::MemberView| member.device == device;
        members.iter().find(of).unwrap().role
    };
    assert_eq!((role(ana), role(ben)), (Role::Host, Role::Host));
}

#[test]
fn the_only_host_comes_back_although_nobody_could_let_him_in() {
    let mut world = three();
    let ana = world.device(ANA);
    lead_astray(&mut world, ANA);
    // Nobody but a host changes anything; the members renew their keys by themselves.
    world.pass(Duration::from_secs(6 * 60));
    assert!(world.people[BEN].snapshot().epoch > 1, "nobody rekeyed");
    came_back_by_itself(&world, ANA, ana);
}

#[test]
fn frames_without_a_key_do_not_keep_a_member_from_coming_back() {
    let mut world = three();
    let (ana, ben) = (world.device(ANA), world.device(BEN));
    lead_astray(&mut world, BEN);
    world.command(ANA, Command::SetLocked(true));
    // Both sides go on sending, and neither opens what the other sends.
    for _ in 0..12 {
        if world.people[BEN].snapshot().epoch < world.people[ANA].snapshot().epoch {
            world.command(BEN, Command::KeyMissing(ana));
            world.command(ANA, Command::KeyMissing(ben));
        }
        world.pass(Duration::from_secs(2));
    }
    came_back_by_itself(&world, BEN, ben);
}

#[test]
fn those_who_stay_see_neither_a_newcomer_nor_a_fault() {
    let mut world = three();
    lead_astray(&mut world, BEN);
    world.command(ANA, Command::SetLocked(true));
    let before = world.people[CY].events.len();
    world.pass(Duration::from_secs(20));
    let heard = &world.people[CY].events[before..];
    let refused = |event: &Event| matches!(event, Event::Warning(Warning::Refused { .. }));
    assert!(!heard.iter().any(refused), "{heard:?}");
    assert!(heard.contains(&Event::Code), "nobody came back");
    assert_eq!(world.people[CY].names(), ["Ana", "Ben", "Cy"]);
}

#[test]
fn a_member_that_cannot_be_shown_the_state_knocks() {
    let mut world = three();
    let device = world.device(BEN);
    world.service.swallow_direct = true;
    lead_astray(&mut world, BEN);
    let gone = world.device(CY);
    world.command(ANA, Command::Remove(gone));
    world.pass(Duration::from_secs(30));
    assert!(world.people[BEN].events.contains(&Event::Recovering));
    assert_ne!(world.device(BEN), device);
    world.assert_agreement(&[ANA, BEN]);
}

fn link_of(world: &World, who: usize) -> String {
    world.people[who].meeting.link().expose()
}

#[test]
fn who_misses_the_renewal_of_the_link_is_shown_it_again() {
    let mut world = three();
    let device = world.device(BEN);
    lead_astray(&mut world, BEN);
    world.command(ANA, NEW_LINK);
    // What comes after it he cannot read either.
    world.command(ANA, Command::SetLocked(true));
    assert_ne!(link_of(&world, BEN), link_of(&world, ANA));
    world.pass(Duration::from_secs(30));
    came_back_by_itself(&world, BEN, device);
    assert_eq!(link_of(&world, BEN), link_of(&world, ANA));
}

#[test]
fn who_misses_two_renewals_and_what_lies_between_is_shown_all_of_it() {
    let mut world = three();
    let device = world.device(BEN);
    for command in [NEW_LINK, Command::SetStrict(true), NEW_LINK] {
        lead_astray(&mut world, BEN);
        world.command(ANA, command);
    }
    world.pass(Duration::from_secs(30));
    came_back_by_itself(&world, BEN, device);
    assert_eq!(link_of(&world, BEN), link_of(&world, ANA));
}

#[test]
fn a_commit_that_was_taken_although_the_service_denied_it_counts() {
    let mut world = three();
    // The service's answer comes before the entry, and is a lie.
    world.deaf(ANA);
    world.command(ANA, Command::SetLocked(true));
    world.hears_again(ANA);
    let epoch = u64::MAX;
    world.slip(ANA, ServerMessage::CommitConflict { epoch });
    world.hang_up(ANA);
    world.back(ANA);
    world.assert_agreement(&ALL);
    assert!(world.people[ANA].snapshot().policy.unwrap().locked);
    let refused = |event: &Event| matches!(event, Event::Warning(Warning::Refused { .. }));
    assert!(!world.people[ANA].events.iter().any(refused));
}

/// Lets Ana alone hear nothing of what she has said that is in the log.
fn unheard_by_herself(world: &mut World, command: Command) -> u64 {
    let seq = world.service.log_len();
    world.deaf(ANA);
    world.command(ANA, command);
    world.hears_again(ANA);
    seq
}

/// Shows Ana something else where her change stands in the log, so that she offers it again; whether
/// she hears of that.
fn hidden_from_herself(world: &mut World, change: Command, hears_the_second: bool) {
    let seq = unheard_by_herself(world, change);
    let entry = Entry {
        seq,
        from: DeviceId([0x66; 16]),
        body: EntryBody::Commit {
            epoch: world.service.epoch(),
            commit: CommitBlob::new(vec![0xaa; 2000]).unwrap(),
        },
    };
    if !hears_the_second {
        world.deaf(ANA);
    }
    world.slip(ANA, ServerMessage::Entry(entry));
    world.hears_again(ANA);
}

/// Lets `who` alone see what he changes before the service loses its memory: the others restore the
/// meeting without it, and he is cut off.
fn seen_by_himself_alone(world: &mut World, who: usize, changes: &[Command], others: &[usize]) {
    others.iter().for_each(|other| world.deaf(*other));
    changes
        .iter()
        .for_each(|change| world.command(who, *change));
    (0..world.people.len()).for_each(|one| world.hang_up(one));
    world.service.restart();
    for other in others {
        world.hears_again(*other);
        world.back(*other);
    }
}

/// Makes Ben a co-host, who is cut off with two steps of his own; the others have taken one of theirs in
/// the same place.
fn a_co_host_ahead(world: &mut World) -> DeviceId {
    let ben = world.device(BEN);
    world.command(ANA, Command::SetRole(ben, Role::CoHost));
    let his = [Command::SetLocked(true), Command::SetLocked(false)];
    seen_by_himself_alone(world, BEN, &his, &[ANA, CY]);
    world.command(ANA, Command::SetStrict(true));
    ben
}

#[test]
fn a_commit_that_was_hidden_from_its_maker_parts_nobody() {
    let mut world = three();
    // All others have taken it; a second renewal of the link would be another link.
    hidden_from_herself(&mut world, NEW_LINK, true);
    came_back_by_itself(&world, ANA, world.device(ANA));
    assert_eq!(link_of(&world, ANA), link_of(&world, BEN));
    // What stands twice in the log counts once.
    assert_eq!(
        world.people[CY].snapshot().policy.unwrap().link.generation,
        1
    );
}

#[test]
fn the_only_host_who_counts_otherwise_goes_on_where_the_others_restored_the_meeting() {
    for hears_the_second in [true, false] {
        let mut world = three();
        // All others have taken her change in the first place where she offered it.
        hidden_from_herself(&mut world, NEW_LINK, hears_the_second);
        ALL.iter().for_each(|who| world.hang_up(*who));
        world.service.restart();
        [BEN, CY, ANA].iter().for_each(|who| world.back(*who));
        came_back_by_itself(&world, ANA, world.device(ANA));
        world.command(ANA, Command::SetStrict(true));
        world.assert_agreement(&ALL);
        assert!(world.people[CY].snapshot().policy.unwrap().strict);
    }
}

#[test]
fn who_lags_far_behind_and_restores_the_meeting_throws_nobody_out() {
    let mut world = three();
    let device = world.device(ANA);
    world.deaf(CY);
    for change in 0..20 {
        world.command(ANA, Command::SetLocked(change % 2 == 1));
    }
    ALL.iter().for_each(|who| world.hang_up(*who));
    world.hears_again(CY);
    world.service.restart();
    [CY, ANA, BEN].iter().for_each(|who| world.back(*who));
    // Nothing brings the log on: Cy has to come to the others.
    world.pass(Duration::from_secs(30));
    came_back_by_itself(&world, ANA, device);
    let lost = Event::Recovering;
    assert!(world.people.iter().all(|one| !one.events.contains(&lost)));
    world.command(ANA, Command::SetStrict(true));
    world.assert_agreement(&ALL);
    let policy = world.people[CY].snapshot().policy.unwrap();
    assert!(policy.locked && policy.strict);
}

/// What the service invents, under whatever numbers, is no part of the way that led anywhere.
#[test]
fn a_log_that_was_lost_is_brought_on_although_there_was_rubbish_in_it() {
    let mut world = three();
    let device = world.device(BEN);
    world.deaf(CY);
    for (epoch, change) in [(9, true), (7, false), (3, true)] {
        let commit = CommitBlob::new(vec![0xaa; 300]).unwrap();
        world.forge(DeviceId([0x66; 16]), EntryBody::Commit { epoch, commit });
        world.command(ANA, Command::SetLocked(change));
        // The service is not asked again and again what it truly counts.
        world.pass(Duration::from_secs(2));
    }
    let epoch = world.people[BEN].snapshot().epoch;
    assert_eq!(world.people[CY].snapshot().epoch + 3, epoch);
    ALL.iter().for_each(|who| world.hang_up(*who));
    world.hears_again(CY);
    world.service.restart();
    [CY, BEN].iter().for_each(|who| world.back(*who));
    assert_eq!(world.people[CY].snapshot().epoch, epoch, "at once");
    world.back(ANA);
    came_back_by_itself(&world, BEN, device);
}

#[test]
fn a_commit_that_the_service_refused_and_took_parts_nobody() {
    for code in [ErrorCode::Full, ErrorCode::TooLarge, ErrorCode::Malformed] {
        let mut world = three();
        unheard_by_herself(&mut world, NEW_LINK);
        world.slip(ANA, ServerMessage::Error { code });
        world.hang_up(ANA);
        world.back(ANA);
        came_back_by_itself(&world, ANA, world.device(ANA));
        assert_eq!(link_of(&world, ANA), link_of(&world, BEN));
    }
}

#[test]
fn the_only_host_finds_those_who_took_a_commit_before_the_service_lost_its_memory() {
    for command in [Command::SetLocked(true), NEW_LINK] {
        let mut world = three();
        unheard_by_herself(&mut world, command);
        ALL.iter().for_each(|who| world.hang_up(*who));
        world.service.restart();
        // Ben restores the meeting where Ana does not know that it is.
        [BEN, CY, ANA].iter().for_each(|who| world.back(*who));
        came_back_by_itself(&world, ANA, world.device(ANA));
        assert_eq!(link_of(&world, ANA), link_of(&world, BEN));
        world.command(ANA, Command::SetStrict(true));
        world.assert_agreement(&ALL);
    }
}

#[test]
fn the_only_host_brings_a_service_on_that_lost_his_last_changes() {
    for changes in [1, 2, 4, 16] {
        let mut world = three();
        let made: Vec<_> = (0..changes)
            .map(|change| Command::SetLocked(change % 2 == 0))
            .collect();
        seen_by_himself_alone(&mut world, ANA, &made, &[BEN, CY]);
        world.back(ANA);
        came_back_by_itself(&world, ANA, world.device(ANA));
        assert_eq!(world.people[CY].snapshot().epoch, 1 + changes);
    }
}

#[test]
fn a_host_who_misses_the_renewal_by_a_co_host_is_shown_it_again() {
    let mut world = three();
    let (ana, ben) = (world.device(ANA), world.device(BEN));
    world.command(ANA, Command::SetRole(ben, Role::CoHost));
    lead_astray(&mut world, ANA);
    world.command(BEN, NEW_LINK);
    world.pass(Duration::from_secs(30));
    came_back_by_itself(&world, ANA, ana);
}

#[test]
fn a_co_host_who_comes_back_keeps_the_door_again() {
    let mut world = three();
    let ben = world.device(BEN);
    world.command(ANA, Command::SetRole(ben, Role::CoHost));
    world.service.swallow_direct = true;
    lead_astray(&mut world, BEN);
    world.command(ANA, Command::SetStrict(true));
    world.pass(Duration::from_secs(30));
    assert!(world.people[BEN].events.contains(&Event::Recovering));
    world.assert_agreement(&ALL);
    // Somebody comes while the host is away.
    let link = world.people[ANA].meeting.link().clone();
    world.hang_up(ANA);
    world.pass(Duration::from_secs(50));
    let di = world.join("Di", &link);
    world.admit_all(BEN);
    world.assert_agreement(&[BEN, CY, di]);
}

#[test]
fn who_came_and_went_while_nobody_else_was_there_to_see_is_removed_as_absent() {
    let mut world = three();
    let ben = world.device(BEN);
    world.command(ANA, Command::SetRole(ben, Role::CoHost));
    world.hang_up(BEN);
    let link = world.people[ANA].meeting.link().clone();
    let di = world.join("Di", &link);
    world.admit_all(ANA);
    world.hang_up(di);
    world.hang_up(ANA);
    // Ben knows of Di by the log alone: the service says only who is there.
    world.dial(BEN);
    world.pass(Duration::from_secs(50));
    assert_eq!(world.people[BEN].snapshot().members.len(), 4);
    world.pass(Duration::from_secs(15));
    assert_eq!(world.people[BEN].snapshot().members.len(), 3);
    world.assert_agreement(&[BEN, CY]);
}

#[test]
fn who_waits_while_the_keeper_of_the_door_vanishes_is_let_in_by_the_next() {
    let mut world = three();
    let ben = world.device(BEN);
    let link = world.people[ANA].meeting.link().clone();
    let di = world.join("Di", &link);
    // Di's card was sealed before Ben had a key for the door.
    world.command(ANA, Command::SetRole(ben, Role::CoHost));
    world.hang_up(ANA);
    world.pass(Duration::from_secs(50));
    assert_eq!(world.people[BEN].snapshot().knocks.len(), 1, "Ben sees Di");
    world.admit_all(BEN);
    world.assert_agreement(&[BEN, CY, di]);
}

#[test]
fn who_is_alone_with_a_link_of_his_own_asks_for_the_other() {
    let mut world = three();
    let ben = world.device(BEN);
    world.command(ANA, Command::SetRole(ben, Role::CoHost));
    let others = [ANA, CY];
    seen_by_himself_alone(&mut world, BEN, &[NEW_LINK], &others);
    world.command(ANA, NEW_LINK);
    world.back(BEN);
    world.pass(Duration::from_secs(30));
    assert_eq!(world.people[BEN].left(), None, "they may still be heard");
    world.pass(Duration::from_secs(60));
    assert_eq!(world.people[BEN].left(), Some(LeftReason::WrongLink));
    world.pass(Duration::from_secs(60));
    world.assert_agreement(&others);
    assert_eq!(world.people[ANA].names(), ["Ana", "Cy"]);
}

/// Ben never heard of Ana's link, and let Cy in under the one before: she hears him, he does not hear
/// her, and one participant's word does not tell a host that she is astray.
#[test]
fn who_alone_has_taken_a_new_link_does_not_stay_with_it() {
    let (mut world, _, _) = two();
    let ben = world.device(BEN);
    let old = world.people[ANA].meeting.link().clone();
    world.command(ANA, Command::SetRole(ben, Role::CoHost));
    seen_by_himself_alone(&mut world, ANA, &[NEW_LINK], &[BEN]);
    let cy = world.join("Cy", &old);
    world.admit_all(BEN);
    world.back(ANA);
    world.pass(Duration::from_secs(50));
    assert_eq!(world.people[ANA].left(), None, "he may come along");
    world.pass(Duration::from_secs(30));
    assert_eq!(world.people[ANA].left(), Some(LeftReason::WrongLink));
    world.assert_agreement(&[BEN, cy]);
}

/// The service hid from Ben that Di came, and nobody is there any more whom he knows: he cannot follow
/// her word, for in his group she is nobody.
#[test]
fn who_is_alone_among_strangers_does_not_stay_there() {
    let mut world = three();
    let link = world.people[ANA].meeting.link().clone();
    let di = world.join("Di", &link);
    lead_astray(&mut world, BEN);
    world.admit_all(ANA);
    assert_eq!(world.people[BEN].names(), ["Ana", "Ben", "Cy"]);
    for gone in [ANA, CY] {
        world.hang_up(gone);
    }
    world.pass(Duration::from_secs(50));
    assert_eq!(world.people[BEN].snapshot().phase, Phase::Active);
    world.pass(Duration::from_secs(20));
    assert!(world.people[BEN].events.contains(&Event::Recovering));
    world.pass(Duration::from_secs(60));
    assert_eq!(world.people[BEN].left(), Some(LeftReason::Lost));
    assert_eq!(world.people[di].snapshot().phase, Phase::Active);
}

#[test]
fn a_log_in_which_others_went_on_is_not_given_ones_own_way() {
    let mut world = three();
    let ben = a_co_host_ahead(&mut world);
    let epoch = world.service.epoch();
    world.back(BEN);
    assert_eq!(world.service.epoch(), epoch);
    // He is ahead of them: waiting for them would be in vain, and to what is behind leads no way
    // but a knock.
    world.pass(Duration::from_secs(15));
    assert_ne!(world.device(BEN), ben);
    world.assert_agreement(&ALL);
    assert!(world.people[BEN].snapshot().policy.unwrap().strict);
    assert_eq!(world.people[ANA].names(), ["Ana", "Ben", "Cy"]);
}

/// The log comes to the number where he stands, and takes his next step before he has heard a heartbeat.
#[test]
fn who_went_ahead_alone_where_others_came_another_way_comes_back() {
    let mut world = three();
    let ben = a_co_host_ahead(&mut world);
    world.back(BEN);
    world.command(BEN, Command::SetLocked(true));
    world.command(ANA, Command::SetStrict(false));
    let [ana, his] = [ANA, BEN].map(|who| world.people[who].snapshot().epoch);
    assert_eq!(ana + 1, his, "the service took his step");
    world.pass(Duration::from_secs(20));
    assert_ne!(world.device(BEN), ben, "he knocked");
    world.assert_agreement(&ALL);
    assert!(!world.people[ANA].events.contains(&Event::Recovering));
    assert!(!world.people[CY].snapshot().policy.unwrap().locked);
}

#[test]
fn who_is_off_the_log_but_not_ahead_comes_back_by_himself() {
    let mut world = three();
    let ben = world.device(BEN);
    world.command(ANA, Command::SetRole(ben, Role::CoHost));
    // The log that is lost counts a commit that all refused, so that its numbers are ahead.
    let link = world.people[ANA].meeting.link().clone();
    let mut mallory = Mallory::enters(&mut world, ANA, &link);
    mallory.offers(&mut world, &[0xaa; 2000], &[]);
    seen_by_himself_alone(&mut world, BEN, &[Command::SetLocked(true)], &[ANA, CY]);
    world.command(ANA, Command::SetStrict(true));
    let [ana, his] = [ANA, BEN].map(|who| world.people[who].snapshot().epoch);
    assert_eq!(ana, his);
    world.back(BEN);
    world.pass(Duration::from_secs(15));
    came_back_by_itself(&world, BEN, ben);
    assert!(world.people[BEN].snapshot().policy.unwrap().strict);
}

#[test]
fn who_took_up_the_log_while_nobody_was_heard_comes_back_when_they_are() {
    let mut world = three();
    let ben = a_co_host_ahead(&mut world);
    let others = [ANA, CY];
    others.iter().for_each(|who| world.hang_up(*who));
    world.back(BEN);
    world.pass(Duration::from_secs(20));
    others.iter().for_each(|who| world.back(*who));
    world.pass(Duration::from_secs(20));
    assert_ne!(world.device(BEN), ben);
    world.assert_agreement(&ALL);
    assert!(world.people[BEN].snapshot().policy.unwrap().strict);
}

#[test]
fn the_only_host_is_followed_where_the_log_did_not_follow_her() {
    let mut world = three();
    let device = world.device(ANA);
    let hers = [Command::SetLocked(true), Command::SetLocked(false)];
    seen_by_himself_alone(&mut world, ANA, &hers, &[BEN, CY]);
    // One of them renews his key.
    let epoch = world.service.epoch();
    world.pass(Duration::from_secs(360));
    assert_eq!(world.service.epoch(), epoch + 1);
    world.back(ANA);
    world.pass(Duration::from_secs(20));
    assert!(!world.people[ANA].events.contains(&Event::Recovering));
    assert_eq!(world.device(ANA), device);
    world.assert_agreement(&ALL);
    world.command(ANA, Command::SetStrict(true));
    world.assert_agreement(&ALL);
}

#[test]
fn of_two_hosts_he_who_is_behind_follows_although_the_log_is_where_he_is() {
    let (mut world, ana, ben) = two();
    let device = world.device(ben);
    world.command(ana, Command::SetRole(device, Role::Host));
    let his = [Command::SetLocked(true), Command::SetLocked(false)];
    seen_by_himself_alone(&mut world, ben, &his, &[ana]);
    world.command(ana, Command::SetStrict(true));
    world.back(ben);
    world.pass(Duration::from_secs(15));
    assert_eq!(world.device(ben), device);
    for who in [ana, ben] {
        let person = &world.people[who];
        assert!(!person.events.contains(&Event::Recovering), "it knocked");
        assert!(!person.snapshot().policy.unwrap().strict);
    }
    world.assert_agreement(&[ana, ben]);
}

#[test]
fn who_is_ahead_on_the_way_of_all_waits_for_them() {
    let mut world = three();
    let ben = world.device(BEN);
    world.command(ANA, Command::SetRole(ben, Role::CoHost));
    let epoch = world.service.epoch();
    for other in [ANA, CY] {
        world.deaf(other);
    }
    world.command(BEN, Command::SetLocked(true));
    let ahead = world.people[BEN].snapshot().epoch;
    // The service claims again and again that it never took the commit.
    for _ in 0..4 {
        let seq = world.service.log_len();
        let short = ServerMessage::Attached {
            epoch,
            known: true,
            first_seq: seq,
            next_seq: seq,
        };
        world.slip(BEN, short);
        world.pass(Duration::from_secs(5));
        assert_eq!(world.people[BEN].snapshot().epoch, ahead);
    }
    for other in [ANA, CY] {
        world.hears_again(other);
        world.hang_up(other);
        world.back(other);
    }
    came_back_by_itself(&world, BEN, ben);
}

#[test]
fn who_cannot_follow_to_the_new_link_is_told_so() {
    let mut world = three();
    let cy = world.device(CY);
    world.command(ANA, Command::SetRole(cy, Role::CoHost));
    let others = [ANA, BEN];
    seen_by_himself_alone(&mut world, CY, &[Command::SetLocked(true)], &others);
    world.command(ANA, NEW_LINK);
    world.back(CY);
    // Ana repeats it for Cy, who stands where it leads nowhere.
    world.command(ANA, Command::SetStrict(true));
    world.pass(Duration::from_secs(30));
    assert_eq!(world.people[CY].left(), None);
    world.pass(Duration::from_secs(60));
    assert_eq!(world.people[CY].left(), Some(LeftReason::WrongLink));
    world.assert_agreement(&others);
}

#[test]
fn two_who_cannot_follow_do_not_keep_each_other() {
    let mut world = three();
    let di = world.join("Di", &world.people[ANA].meeting.link().clone());
    world.admit_all(ANA);
    let cy = world.device(CY);
    world.command(ANA, Command::SetRole(cy, Role::CoHost));
    let (here, there) = ([ANA, BEN], [CY, di]);
    // Di hears of it with Cy.
    seen_by_himself_alone(&mut world, CY, &[Command::SetLocked(true)], &here);
    world.command(ANA, NEW_LINK);
    there.iter().for_each(|who| world.back(*who));
    world.command(ANA, Command::SetStrict(true));
    // They go on by their own way, which leads them nowhere either.
    world.pass(Duration::from_secs(40));
    world.command(CY, Command::SetLocked(false));
    world.pass(Duration::from_secs(50));
    for who in there {
        assert_eq!(world.people[who].left(), Some(LeftReason::WrongLink));
    }
    world.pass(Duration::from_secs(60));
    world.assert_agreement(&here);
    assert_eq!(world.people[ANA].names(), ["Ana", "Ben"]);
}

#[test]
fn a_link_whose_time_is_over_is_renewed_once() {
    let mut world = three();
    let ben = world.device(BEN);
    world.command(ANA, Command::SetRole(ben, Role::CoHost));
    let generation = |world: &World| world.people[CY].snapshot().policy.unwrap().link.generation;
    let for_a_while = Command::RenewLink {
        single_use: false,
        valid_s: Some(30),
    };
    world.command(ANA, for_a_while);
    world.pass(Duration::from_secs(90));
    assert_eq!(generation(&world), 2);
    // Whoever may keep the door does it for a keeper who is away.
    world.command(ANA, for_a_while);
    world.hang_up(ANA);
    world.pass(Duration::from_secs(25));
    assert_eq!(generation(&world), 3);
    world.pass(Duration::from_secs(50));
    assert!(generation(&world) > 3);
    world.assert_agreement(&[BEN, CY]);
}
