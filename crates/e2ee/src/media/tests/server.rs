//! Attacks of a server that holds no key: it loses, delays, reorders, repeats.

use super::*;

#[test]
fn a_server_that_loses_batches_makes_the_sender_unverified_never_forged() {
    let (_, mut sender, mut listener) = talk();
    for round in 0..40 {
        let frames = sender.says(10);
        listener.hear_all(&frames);
        listener.now += PERIOD;
        let batch = sender.batch();
        if round % 4 == 1 {
            listener.batch(&batch).unwrap();
        }
        assert_ne!(listener.verdict(), Verdict::Forged);
    }
    assert_eq!(listener.verdict(), Verdict::Unverified);
    // The last ten frames are covered by nothing yet, and then by something.
    sender.says(1);
    listener.batch(&sender.batch()).unwrap();
    let rest = BATCH_DEADLINE + UNVERIFIED_HOLD;
    assert_eq!(listener.wait(rest), Verdict::Verified);
}

#[test]
fn a_server_that_delays_batches_makes_the_sender_unverified_never_forged() {
    let (_, mut sender, mut listener) = talk();
    let mut delayed = std::collections::VecDeque::new();
    for round in 0..40 {
        let frames = sender.says(10);
        listener.hear_all(&frames);
        listener.now += PERIOD;
        delayed.push_back(sender.batch());
        if delayed.len() > 8 {
            listener.batch(&delayed.pop_front().unwrap()).unwrap();
        }
        let expected = round >= 2;
        assert_eq!(
            listener.verdict() == Verdict::Unverified,
            expected,
            "{round}"
        );
    }
}

#[test]
fn a_server_that_reorders_and_repeats_everything_changes_nothing() {
    let (_, mut sender, mut listener) = talk();
    let rounds: Vec<_> = (0..8)
        .map(|_| {
            let frames = sender.says(10);
            (frames, sender.batch())
        })
        .collect();
    // Batches in another order, half of them before their frames.
    for position in [5, 2, 7, 0] {
        listener.batch(&rounds[position].1).unwrap();
    }
    for (frames, _) in rounds.iter().rev() {
        for frame in frames.iter().rev() {
            listener.hear(frame).unwrap();
            assert_eq!(listener.hear(frame), Err(OpenError::Replay));
            listener.verifier.note(listener.now, frame);
        }
    }
    assert_ne!(listener.verdict(), Verdict::Forged);
    for position in [6, 1, 4, 3] {
        listener.batch(&rounds[position].1).unwrap();
        assert!(listener.batch(&rounds[position].1).is_err());
    }
    assert_eq!(listener.wait(BATCH_DEADLINE), Verdict::Verified);
}

#[test]
fn a_listener_who_comes_late_accuses_nobody() {
    let (_, mut sender, mut listener) = talk();
    sender.says(10);
    let missed = sender.batch();
    let old = sender.says(5);
    sender.batch();
    listener.hear_all(&old);
    let frames = sender.says(5);
    listener.hear_all(&frames);
    listener.batch(&sender.batch()).unwrap();
    assert_eq!(listener.wait(BATCH_DEADLINE), Verdict::Unverified);
    listener.batch(&missed).unwrap();
    assert_eq!(listener.wait(UNVERIFIED_HOLD), Verdict::Verified);
}
