//! The queue of wishes and the one commit on its way, without a meeting around them.

use conclave_e2ee::{DeviceKey, LinkSecret, Pseudonym, VerifiedKeyPackage};

use super::super::offers::Draft;
use super::super::pending::tests::{message, pending};
use super::*;
use crate::card::tests::{candidate, card_of, signed};
use crate::policy::Role;

const ANA: DeviceId = DeviceId([1; 16]);
const BEN: DeviceId = DeviceId([2; 16]);
const CY: DeviceId = DeviceId([3; 16]);
const DOT: DeviceId = DeviceId([4; 16]);
const OLD: DeviceId = DeviceId([8; 16]);
const OLDER: DeviceId = DeviceId([9; 16]);

const MS: Duration = Duration::from_millis(1);

fn group() -> Group {
    let link = LinkSecret::generate().unwrap();
    Group::create(Pseudonym(ANA.0), &link, b"").unwrap()
}

fn knocker(device: DeviceId) -> Knocker {
    let (leaf, key) = (candidate(device), DeviceKey::generate().unwrap());
    let card = card_of(device, &leaf, &key);
    Knocker {
        signed: signed(card.clone(), &key, &leaf),
        card,
        key_package: VerifiedKeyPackage::parse(leaf.key_package()).unwrap(),
    }
}

/// With a commit on its way that does nothing.
fn under_way() -> Commits {
    Commits {
        pending: Some(pending(Draft::default())),
        ..Commits::default()
    }
}

fn devices(commits: &Commits) -> Vec<DeviceId> {
    commits.admissions.keys().copied().collect()
}

#[test]
fn a_commit_that_was_made_and_never_offered_does_not_bar_the_next() {
    let mut group = group();
    group.rekey().unwrap();
    assert!(group.rekey().is_err(), "one is pending");
    Commits::default().lost(&mut group);
    assert!(group.rekey().is_ok());
}

#[test]
fn who_is_let_in_waits_for_company_but_not_for_everyone() {
    let (mut commits, now) = (Commits::default(), Instant::now());
    commits.want_admission(now, knocker(BEN), None);
    commits.want_admission(now + 200 * MS, knocker(CY), None);
    let at = now + 250 * MS;
    assert_eq!(commits.deadline(true), Some(at));
    assert_eq!(commits.ready(at - MS, true), None);
    assert_eq!(commits.ready(at, true), Some(Wish::Admissions));
    // Who keeps no door any more leaves them to others, and is not woken for them.
    assert_eq!(commits.deadline(false), None);
    assert_eq!(commits.ready(at, false), None);
    commits.drop_admissions();
    assert_eq!(commits.deadline(true), None);
    assert_eq!(commits.ready(at, true), None);
}

#[test]
fn who_goes_from_the_door_is_not_let_in_unless_it_is_on_its_way() {
    let (mut commits, now) = (Commits::default(), Instant::now());
    for device in [BEN, CY] {
        commits.want_admission(now, knocker(device), None);
    }
    commits.pending = Some(pending(Draft {
        admitted: vec![BEN],
        ..Draft::default()
    }));
    commits.withdraw(BEN);
    commits.withdraw(CY);
    assert_eq!(devices(&commits), [BEN]);
    assert!(commits.admit_at.is_some());
    commits.pending = None;
    commits.withdraw(BEN);
    assert_eq!(devices(&commits), []);
    assert_eq!(commits.admit_at, None);
}

#[test]
fn of_those_who_want_one_place_only_whose_way_is_not_begun_are_dropped() {
    let (mut commits, now) = (Commits::default(), Instant::now());
    for (device, old) in [(BEN, Some(OLD)), (CY, Some(OLD)), (DOT, Some(OLDER))] {
        commits.want_admission(now, knocker(device), old);
    }
    commits.want_admission(now, knocker(ANA), None);
    commits.pending = Some(pending(Draft {
        admitted: vec![BEN],
        ..Draft::default()
    }));
    assert_eq!(commits.drop_older_returns_of(OLD), [CY]);
    assert_eq!(devices(&commits), [ANA, BEN, DOT]);
    assert_eq!(commits.drop_returns_of(OLD), [BEN]);
    assert_eq!(devices(&commits), [ANA, DOT]);
}

#[test]
fn who_waits_for_a_place_waits_for_whoever_took_it() {
    let (mut commits, now) = (Commits::default(), Instant::now());
    for (device, old) in [(BEN, OLD), (CY, OLDER)] {
        commits.want_admission(now, knocker(device), Some(old));
    }
    commits.place_passed_on(OLD, DOT);
    assert_eq!(commits.admissions[&BEN].replaces, Some(DOT));
    assert_eq!(commits.admissions[&CY].replaces, Some(OLDER));
}

#[test]
fn a_rule_is_wished_for_once_and_again_after_a_commit_that_takes_it() {
    let mut commits = Commits::default();
    let (lock, unlock) = (RuleWish::Locked(true), RuleWish::Locked(false));
    assert!(!commits.wants_rule(lock));
    commits.want_rule(lock);
    commits.want_rule(lock);
    assert_eq!(commits.rules, [lock]);
    assert!(commits.wants_rule(lock) && !commits.wants_rule(unlock));
    commits.pending = Some(pending(Draft {
        rules: 1,
        ..Draft::default()
    }));
    for wish in [unlock, lock, lock] {
        commits.want_rule(wish);
    }
    assert_eq!(commits.rules, [lock, unlock, lock]);
}

#[test]
fn a_new_link_fulfils_the_wishes_for_one_like_it() {
    let mut commits = Commits::default();
    let link = |single_use, valid_s| RuleWish::RenewLink {
        single_use,
        valid_s,
    };
    let role = RuleWish::Role(BEN, Role::CoHost);
    let wishes = [
        link(false, None),
        role,
        link(true, None),
        link(false, Some(60)),
    ];
    for wish in wishes {
        commits.want_rule(wish);
    }
    commits.is_renewed(LinkRules {
        generation: 3,
        single_use: false,
        valid_s: None,
    });
    assert_eq!(
        commits.rules,
        [role, link(true, None), link(false, Some(60))]
    );
}

#[test]
fn keys_are_renewed_after_five_minutes_one_member_after_the_other() {
    let (mut commits, now) = (Commits::default(), Instant::now());
    let five = Duration::from_secs(300);
    commits.path_renewed(now, 0);
    assert_eq!(commits.deadline(true), Some(now + five));
    commits.path_renewed(now, 2);
    let at = now + five + Duration::from_secs(6);
    assert_eq!(commits.deadline(false), Some(at));
    assert_eq!(commits.ready(at - MS, false), None);
    assert_eq!(commits.ready(at, false), Some(Wish::Rekey));
    commits.put_off_rekey(at);
    assert_eq!(commits.ready(at, false), None);
    assert_eq!(commits.deadline(false), Some(at + five));
}

#[test]
fn newcomers_of_a_large_meeting_heal_soon_and_spread_out() {
    let now = Instant::now();
    let heals = |members, random| {
        let mut commits = Commits::default();
        commits.heal(now, members, random);
        commits.deadline(false).map(|at| at - now)
    };
    assert_eq!(heals(15, 0), None);
    assert_eq!(heals(16, 0), Some(500 * MS));
    assert_eq!(heals(16, 1999), Some(2499 * MS));
    assert_eq!(heals(17, 2003), Some(503 * MS));
}

#[test]
fn the_most_urgent_wish_goes_first() {
    let (mut commits, now) = (Commits::default(), Instant::now());
    commits.path_renewed(now, 0);
    commits.want_admission(now, knocker(BEN), None);
    commits.want_rule(RuleWish::Locked(true));
    commits.want_removal(CY);
    assert!(commits.wants_removal(CY) && !commits.wants_removal(BEN));
    let late = now + 2 * REKEY;
    assert_eq!(commits.ready(late, true), Some(Wish::Removals));
    // A removal is for those who keep the door, a rule for whoever may.
    assert_eq!(commits.ready(late, false), Some(Wish::Rules));
    commits.removals.clear();
    assert_eq!(commits.ready(late, true), Some(Wish::Rules));
    commits.rules.clear();
    assert_eq!(commits.ready(late, true), Some(Wish::Admissions));
    commits.drop_admissions();
    assert_eq!(commits.ready(late, true), Some(Wish::Rekey));
    commits.pending = Some(pending(Draft::default()));
    assert_eq!(commits.ready(late, true), None, "one at a time");
}

#[test]
fn after_a_refusal_the_next_commit_waits() {
    let (mut commits, now) = (Commits::default(), Instant::now());
    commits.want_removal(BEN);
    assert!(!commits.is_held());
    let at = now + RETRY;
    commits.retry_at = Some(at);
    assert!(commits.is_held());
    assert_eq!(commits.deadline(true), Some(at));
    assert_eq!(commits.ready(at - MS, true), None);
    assert!(commits.is_held());
    assert_eq!(commits.ready(at, true), Some(Wish::Removals));
    assert!(!commits.is_held());
}

#[test]
fn what_was_too_much_for_the_service_is_offered_again_at_the_earliest_time_named() {
    let (mut commits, now) = (under_way(), Instant::now());
    assert_eq!(commits.deadline(true), None);
    commits.doubt(now);
    assert_eq!(commits.deadline(true), Some(now + 3000 * MS));
    // What was said first stands.
    commits.say_again(now);
    assert_eq!(commits.deadline(true), Some(now + 3000 * MS));
    commits.place_taken();
    assert_eq!(commits.deadline(true), None);
    commits.say_again(now);
    assert_eq!(commits.deadline(true), Some(now + 1000 * MS));
}

#[test]
fn a_service_that_sets_its_log_back_again_and_again_is_offered_less() {
    let (mut commits, now) = (under_way(), Instant::now());
    commits.note_setback(now);
    assert_eq!(commits.deadline(true), None, "at once");
    commits.note_setback(now + 1000 * MS);
    assert_eq!(commits.deadline(true), None, "not soon after");
    let soon = now + 1999 * MS;
    commits.note_setback(soon);
    assert_eq!(commits.deadline(true), Some(soon + 1000 * MS));
}

#[test]
fn a_commit_on_its_way_is_known_by_its_bytes() {
    let mut commits = Commits::default();
    assert_eq!(commits.own_epoch(&[7; 3]), None);
    assert_eq!(commits.pending_epochs().count(), 0);
    commits.pending = Some(pending(Draft::default()));
    assert_eq!(commits.own_epoch(&[7; 3]), Some(8));
    assert_eq!(commits.own_epoch(&[7; 4]), None);
    commits.attached(30);
    let pending = commits.pending.as_mut().unwrap();
    assert_eq!(pending.resend_at_seq, Some(30));
    pending.sealed_as(message(11, &[9; 3]));
    assert_eq!(commits.own_epoch(&[7; 3]), Some(8));
    let epochs = commits.pending_epochs().map(|(epoch, _)| epoch);
    assert!(epochs.eq([12, 8]), "the last place is the likeliest");
}

#[test]
fn who_was_added_last_is_remembered_until_an_epoch_that_adds_nobody() {
    let mut commits = Commits::default();
    assert_eq!(commits.last_added(), None);
    commits.note_added(vec![BEN, CY]);
    assert_eq!(commits.last_added(), Some(&[BEN, CY][..]));
    commits.note_added(Vec::new());
    assert_eq!(commits.last_added(), None);
}
