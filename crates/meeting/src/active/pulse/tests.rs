//! Heartbeats and silence by the clock, without a meeting around them.

use super::*;

const ME: DeviceId = DeviceId([1; 16]);
const BEN: DeviceId = DeviceId([2; 16]);
const CY: DeviceId = DeviceId([3; 16]);

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

/// Three people whose connections are new.
fn three(now: Instant) -> Pulse {
    let mut pulse = Pulse::default();
    pulse.retain(&HashSet::from([ME, BEN, CY]), now);
    pulse.begin(now);
    pulse
}

fn beat(epoch: u64) -> Beat {
    Beat {
        epoch,
        authenticator: [0; 32],
        transcript: [0; 32],
        read: 0,
        sound: 0,
    }
}

#[test]
fn who_was_elsewhere_in_an_epoch_that_this_device_remembers_went_another_way() {
    let mut pulse = Pulse::default();
    pulse.moves((4, [0; 32]));
    pulse.moves((5, [9; 32]));
    let otherwise = [3, 4, 5, 6].map(|epoch| pulse.went_otherwise(&beat(epoch)));
    assert_eq!(otherwise, [false, false, true, false]);
    pulse.leaves_way();
    assert!(!pulse.went_otherwise(&beat(5)));
}

#[test]
fn heartbeats_of_all_together_stay_under_ten_a_second() {
    assert_eq!(interval(2), 5 * S);
    assert_eq!(interval(50), 5 * S);
    assert_eq!(interval(200), 20 * S);
}

#[test]
fn who_came_is_known_once_and_who_left_forgotten() {
    let (mut pulse, now) = (Pulse::default(), Instant::now());
    assert_eq!(pulse.retain(&HashSet::from([ME]), now), [ME]);
    assert_eq!(pulse.retain(&HashSet::from([ME, BEN]), now), [BEN]);
    pulse.silent.insert(BEN);
    assert_eq!(pulse.retain(&HashSet::from([ME]), now), []);
    assert!(!pulse.is_silent(BEN) && pulse.silent_since(BEN).is_none());
    assert_eq!(pulse.retain(&HashSet::from([ME, BEN]), now), [BEN]);
}

#[test]
fn a_signal_counts_once_and_only_from_a_member() {
    let mut pulse = three(Instant::now());
    assert!(pulse.is_new(BEN, 2));
    for old in [2, 1] {
        assert!(!pulse.is_new(BEN, old));
    }
    assert!(pulse.is_new(BEN, 3));
    assert!(pulse.is_new(CY, 1), "each counts for himself");
    assert!(!pulse.is_new(DeviceId([9; 16]), 1));
}

#[test]
fn where_others_stand_is_taken_from_those_who_are_heard() {
    let mut pulse = three(Instant::now());
    assert!(pulse.beat_of(BEN).is_none());
    for (epoch, device) in [(1, ME), (2, BEN), (3, CY)] {
        pulse.signs.get_mut(&device).unwrap().beat = Some(beat(epoch));
    }
    pulse.silent.insert(CY);
    assert_eq!(pulse.beat_of(BEN).map(|beat| beat.epoch), Some(2));
    let heard = pulse.beats(ME).into_iter().map(|(device, _)| device);
    assert_eq!(heard.collect::<Vec<_>>(), [BEN]);
}

#[test]
fn three_missed_heartbeats_are_silence_until_something_is_heard() {
    let now = Instant::now();
    let mut pulse = three(now);
    pulse.beat_at = Some(now + 60 * S);
    assert_eq!(pulse.deadline(ME), Some(now + 15 * S));
    pulse.heard(BEN, now + S);
    pulse.silent.insert(CY);
    assert_eq!(pulse.deadline(ME), Some(now + 16 * S));
    assert_eq!(pulse.silent_since(CY), Some(now));
    assert_eq!(pulse.silent_since(BEN), None);
    assert!(pulse.heard(CY, now + 2 * S), "he was silent");
    assert!(!pulse.heard(CY, now + 2 * S));
}

#[test]
fn without_a_connection_nothing_is_due() {
    let now = Instant::now();
    let mut pulse = three(now);
    assert_eq!(pulse.deadline(ME), Some(now));
    pulse.pause();
    assert_eq!(pulse.deadline(ME), None);
    // Who could not be heard has his time again.
    pulse.begin(now + 60 * S);
    pulse.beat_at = Some(now + 120 * S);
    assert_eq!(pulse.deadline(ME), Some(now + 75 * S));
}

#[test]
fn the_log_is_read_anew_at_once_and_not_again_and_again() {
    let now = Instant::now();
    let mut pulse = three(now);
    pulse.want_reread(now);
    assert_eq!(pulse.wants_reread_at, Some(now));
    pulse.want_reread(now - S);
    assert_eq!(pulse.wants_reread_at, Some(now), "wanted already");

    pulse.begin(now);
    pulse.reread_at = Some(now);
    pulse.want_reread(now + S);
    assert_eq!(pulse.wants_reread_at, Some(now + 3 * S));
    pulse.beat_at = Some(now + 60 * S);
    assert_eq!(pulse.deadline(ME), Some(now + 3 * S));

    pulse.begin(now);
    pulse.want_reread(now + 10 * S);
    assert_eq!(pulse.wants_reread_at, Some(now + 10 * S));
}

#[test]
fn for_a_key_the_log_is_read_anew_less_often() {
    let now = Instant::now();
    let mut pulse = three(now);
    pulse.want_reread_for_key(now);
    assert_eq!(pulse.wants_reread_at, Some(now));
    pulse.begin(now);
    pulse.reread_at = Some(now);
    pulse.want_reread_for_key(now + 20 * S - MS);
    assert_eq!(pulse.wants_reread_at, None);
    pulse.want_reread_for_key(now + 20 * S);
    assert_eq!(pulse.wants_reread_at, Some(now + 20 * S));
}

#[test]
fn a_service_that_counts_less_is_asked_again_in_a_while() {
    let now = Instant::now();
    let mut pulse = three(now);
    pulse.look_again(now);
    assert_eq!(pulse.wants_reread_at, Some(now + 3 * S));
}

#[test]
fn a_meeting_has_gone_on_when_nobody_is_heard_and_others_talk_under_another_link() {
    let now = Instant::now();
    let mut pulse = three(now);
    pulse.heard(BEN, now + S);
    pulse.silent.extend([BEN, CY]);
    assert_eq!(pulse.abandoned_since(ME, now + 2 * S), None, "nobody talks");
    pulse.heard_other_link(now + S);
    assert_eq!(
        pulse.abandoned_since(ME, now + 2 * S),
        None,
        "not after he was heard"
    );
    pulse.heard_other_link(now + 2 * S);
    assert_eq!(pulse.abandoned_since(ME, now + 2 * S), Some(now + S));
    pulse.silent.remove(&CY);
    assert_eq!(pulse.abandoned_since(ME, now + 2 * S), None, "one is heard");
}

#[test]
fn strangers_count_when_nobody_is_heard_who_is_known() {
    let now = Instant::now();
    let mut pulse = three(now);
    pulse.heard_stranger(now + S);
    assert_eq!(pulse.among_strangers_since(ME), None, "two are known");
    pulse.silent.extend([BEN, CY]);
    assert_eq!(pulse.among_strangers_since(ME), Some(now));
    assert_eq!(
        pulse.abandoned_since(ME, now + 2 * S),
        None,
        "under our own link"
    );
    pulse.heard(BEN, now + 2 * S);
    pulse.silent.insert(BEN);
    assert_eq!(pulse.among_strangers_since(ME), None, "not since he was");
}

#[test]
fn what_is_told_in_vain_counts_from_the_first_time_until_it_is_told_no_more() {
    let now = Instant::now();
    let mut pulse = three(now);
    pulse.told_in_vain(now);
    pulse.told_in_vain(now + 15 * S);
    pulse.moves((2, [0; 32]));
    assert_eq!(pulse.abandoned_since(ME, now + 30 * S), Some(now));
    assert_eq!(pulse.abandoned_since(ME, now + 30 * S + MS), None);
    pulse.told_in_vain(now + 31 * S);
    assert_eq!(pulse.abandoned_since(ME, now + 32 * S), Some(now + 31 * S));
}

#[test]
fn who_stands_where_one_has_been_lately_has_only_to_come_on() {
    let mut pulse = Pulse::default();
    for epoch in 0..=MAX_PROOFS as u64 {
        pulse.moves((epoch, [0; 32]));
    }
    assert!(pulse.has_passed(&beat(0)), "as far back as can be proven");
    assert!(pulse.has_passed(&beat(3)));
    let elsewhere = Beat {
        authenticator: [1; 32],
        ..beat(3)
    };
    assert!(!pulse.has_passed(&elsewhere));
    pulse.moves((MAX_PROOFS as u64 + 1, [0; 32]));
    assert!(!pulse.has_passed(&beat(0)));
    assert!(pulse.has_passed(&beat(1)));
    pulse.leaves_way();
    assert!(!pulse.has_passed(&beat(3)));
}
