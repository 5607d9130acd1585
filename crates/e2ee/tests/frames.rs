//! Sealed frames: one key for each (epoch, member, track), one use for each
//! (key, counter), and nothing opens out of its place.

mod people;

use std::time::{Duration, Instant};

use conclave_e2ee::{
    EPOCH_GRACE, FrameMeta, Group, Leaf, MAX_TRACK_NAME_LEN, MAX_WAIT, MAX_WAITING_BYTES,
    MAX_WAITING_FRAMES, MediaEpoch, MediaError, OpenError, Opener, SealError, Sealer, Track,
};
use people::{AUDIO, commit, link, meeting, open, seal};

const TICK: Duration = Duration::from_millis(1);

/// A host who speaks and a guest who listens.
struct Talk {
    members: Vec<Group>,
    sealer: Sealer,
    opener: Opener,
    now: Instant,
}

impl Talk {
    fn new() -> Self {
        let members = meeting(&link(), 1);
        let speaker = members[0].own_leaf();
        Self {
            members,
            sealer: Sealer::new(Track::AUDIO),
            opener: Opener::new(Track::AUDIO, speaker),
            now: Instant::now(),
        }
    }

    fn begun() -> Self {
        let mut talk = Self::new();
        talk.speaker_moves();
        talk.listener_moves();
        talk
    }

    fn speaker_moves(&mut self) {
        let mut media = self.members[0].media_epoch().unwrap();
        self.sealer
            .install(media.sealing.take(Track::AUDIO).unwrap())
            .unwrap();
    }

    fn listener_moves(&mut self) {
        let media = self.members[1].media_epoch().unwrap();
        self.opener.install(&media.opening, self.now).unwrap();
    }

    fn next_epoch(&mut self) {
        commit(&mut self.members, 0, |host| host.rekey().unwrap());
    }

    fn say(&mut self, words: &[u8]) -> Vec<u8> {
        seal(&mut self.sealer, &AUDIO, words)
    }

    fn hear(&mut self, frame: &[u8]) -> Result<Vec<u8>, OpenError> {
        open(&mut self.opener, self.now, &AUDIO, frame)
    }
}

fn media(epochs: &mut Talk, member: usize) -> MediaEpoch {
    epochs.members[member].media_epoch().unwrap()
}

#[test]
fn a_repeated_frame_is_refused() {
    let mut talk = Talk::begun();
    let frames: Vec<_> = (0..4_u8).map(|word| talk.say(&[word])).collect();
    assert_eq!(talk.hear(&frames[0]).unwrap(), [0]);
    assert_eq!(talk.hear(&frames[0]), Err(OpenError::Replay));
    // Out of order is fine, twice is not.
    assert_eq!(talk.hear(&frames[3]).unwrap(), [3]);
    assert_eq!(talk.hear(&frames[1]).unwrap(), [1]);
    assert_eq!(talk.hear(&frames[1]), Err(OpenError::Replay));
    assert_eq!(talk.hear(&frames[2]).unwrap(), [2]);
}

#[test]
fn a_forged_frame_does_not_use_up_the_counter() {
    let mut talk = Talk::begun();
    let frame = talk.say(b"words");
    let mut forged = frame.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(talk.hear(&forged), Err(OpenError::Forged));
    let body = frame.len() - 17;
    let mut forged = frame.clone();
    forged[body] ^= 1;
    assert_eq!(talk.hear(&forged), Err(OpenError::Forged));
    assert_eq!(talk.hear(&frame).unwrap(), b"words");
}

#[test]
fn a_frame_opens_only_at_its_place() {
    let mut talk = Talk::begun();
    let place = FrameMeta {
        track: "video",
        group: 4,
        frame: 2,
    };
    let frame = seal(&mut talk.sealer, &place, b"picture");
    let wrong = [
        FrameMeta {
            track: "audio",
            ..place
        },
        FrameMeta {
            track: "video1",
            ..place
        },
        FrameMeta { group: 5, ..place },
        FrameMeta { frame: 3, ..place },
        FrameMeta {
            group: 2,
            frame: 4,
            ..place
        },
    ];
    for meta in wrong {
        let opened = open(&mut talk.opener, talk.now, &meta, &frame);
        assert_eq!(opened, Err(OpenError::Forged), "{meta:?}");
    }
    assert_eq!(
        open(&mut talk.opener, talk.now, &place, &frame).unwrap(),
        b"picture"
    );
}

#[test]
fn a_frame_of_another_track_or_member_is_refused() {
    let mut talk = Talk::begun();
    let frame = talk.say(b"words");
    let now = talk.now;
    talk.next_epoch();
    let opening = media(&mut talk, 1).opening;
    talk.speaker_moves();
    let frame_now = talk.say(b"words");
    let host = talk.members[0].own_leaf();
    for (track, leaf) in [
        (Track::VIDEO_LOW, host),
        (Track::AUTH, host),
        (Track::AUDIO, talk.members[1].own_leaf()),
        (Track::AUDIO, Leaf(0x1_0000)),
    ] {
        let mut opener = Opener::new(track, leaf);
        opener.install(&opening, now).unwrap();
        assert_eq!(
            open(&mut opener, now, &AUDIO, &frame_now),
            Err(OpenError::UnknownKey)
        );
        assert_eq!(
            open(&mut opener, now, &AUDIO, &frame),
            Err(OpenError::UnknownKey)
        );
    }
}

#[test]
fn an_insiders_frame_under_anothers_key_id_does_not_pass_for_his() {
    // The guest seals as itself and rewrites the leaf in the key id to the host's.
    let mut talk = Talk::begun();
    talk.next_epoch();
    let mut guest = media(&mut talk, 1);
    talk.opener.install(&guest.opening, talk.now).unwrap();
    let mut sealer = Sealer::new(Track::AUDIO);
    sealer
        .install(guest.sealing.take(Track::AUDIO).unwrap())
        .unwrap();
    let frame = seal(&mut sealer, &AUDIO, b"I am the host");
    // Header: config byte, key id (leaf 1, epoch 2) in two bytes, counter in the config.
    assert_eq!(frame[..3], [0x90, 1, 2]);
    let forged = [&[0x20], &frame[3..]].concat();
    assert_eq!(talk.hear(&forged), Err(OpenError::Forged));
}

#[test]
fn nobody_speaks_from_an_empty_leaf() {
    let mut talk = Talk::begun();
    talk.next_epoch();
    let opening = media(&mut talk, 1).opening;
    let mut opener = Opener::new(Track::AUDIO, Leaf(2));
    opener.install(&opening, talk.now).unwrap();
    // Key id of track 0, leaf 2, epoch 2; counter 0.
    let frame = [&[0x90, 2, 2][..], &[0; 32]].concat();
    assert_eq!(
        open(&mut opener, talk.now, &AUDIO, &frame),
        Err(OpenError::UnknownKey)
    );
}

#[test]
fn what_is_no_frame_is_malformed() {
    let mut talk = Talk::begun();
    for bytes in [&[][..], &[0x90], &[0x90, 0], &[0x10; 16], &[0x80, 0x01]] {
        assert_eq!(talk.hear(bytes), Err(OpenError::Malformed), "{bytes:?}");
    }
    let frame = talk.say(b"");
    assert_eq!(
        talk.hear(&frame[..frame.len() - 1]),
        Err(OpenError::Malformed)
    );
    assert_eq!(talk.hear(&frame).unwrap(), b"");
}

#[test]
fn the_epoch_before_opens_within_its_grace_and_not_after() {
    let mut talk = Talk::begun();
    let in_time = talk.say(b"in time");
    let too_late = talk.say(b"too late");
    let begin = talk.now;
    talk.next_epoch();
    talk.listener_moves();
    talk.now = begin + EPOCH_GRACE;
    assert_eq!(talk.hear(&in_time).unwrap(), b"in time");
    assert_eq!(talk.hear(&in_time), Err(OpenError::Replay));
    talk.now += TICK;
    assert_eq!(talk.hear(&too_late), Err(OpenError::Expired));
    talk.now -= 2 * TICK;
    assert_eq!(
        talk.hear(&too_late),
        Err(OpenError::Expired),
        "a key that is gone stays gone"
    );
}

#[test]
fn the_grace_counts_from_the_first_epoch_that_followed() {
    let mut talk = Talk::begun();
    let old = talk.say(b"old");
    talk.next_epoch();
    talk.listener_moves();
    talk.now += EPOCH_GRACE;
    talk.next_epoch();
    talk.listener_moves();
    talk.now += TICK;
    assert_eq!(talk.hear(&old), Err(OpenError::Expired));
}

#[test]
fn a_frame_of_the_coming_epoch_waits_and_then_opens() {
    let mut talk = Talk::begun();
    talk.next_epoch();
    talk.speaker_moves();
    let frames = [talk.say(b"one"), talk.say(b"two")];
    for frame in &frames {
        assert_eq!(talk.hear(frame), Err(OpenError::NotYet));
    }
    assert!(talk.opener.take_ready(talk.now).is_empty());
    talk.now += MAX_WAIT;
    talk.listener_moves();
    let released = talk.opener.take_ready(talk.now);
    let words: Vec<_> = released
        .into_iter()
        .map(|frame| frame.outcome.unwrap())
        .collect();
    assert_eq!(words, [b"one", b"two"]);
    assert!(talk.opener.take_ready(talk.now).is_empty());
    assert_eq!(talk.hear(&frames[0]), Err(OpenError::Replay));
}

#[test]
fn frames_wait_for_the_first_epoch_too_and_keep_their_place() {
    let mut talk = Talk::new();
    talk.speaker_moves();
    let place = FrameMeta {
        track: "video",
        group: 7,
        frame: 3,
    };
    let frame = seal(&mut talk.sealer, &place, b"picture");
    let opened = open(&mut talk.opener, talk.now, &place, &frame);
    assert_eq!(opened, Err(OpenError::NotYet));
    let elsewhere = FrameMeta { group: 8, ..place };
    let opened = open(&mut talk.opener, talk.now, &elsewhere, &frame);
    assert_eq!(opened, Err(OpenError::NotYet));
    talk.listener_moves();
    let released = talk.opener.take_ready(talk.now);
    assert_eq!((released[0].group, released[0].frame), (7, 3));
    assert_eq!(released[0].outcome.as_deref(), Ok(&b"picture"[..]));
    assert_eq!(released[1].outcome, Err(OpenError::Replay));
}

#[test]
fn waiting_is_bounded_in_time_number_and_bytes() {
    let mut talk = Talk::begun();
    talk.next_epoch();
    talk.speaker_moves();

    let overdue = talk.say(b"overdue");
    assert_eq!(talk.hear(&overdue), Err(OpenError::NotYet));
    talk.now += MAX_WAIT + TICK;

    let many: Vec<_> = (0..MAX_WAITING_FRAMES + 10)
        .map(|_| talk.say(b"many"))
        .collect();
    for frame in &many {
        assert_eq!(talk.hear(frame), Err(OpenError::NotYet));
    }
    talk.listener_moves();
    assert_eq!(talk.opener.take_ready(talk.now).len(), MAX_WAITING_FRAMES);

    talk.next_epoch();
    talk.speaker_moves();
    let big: Vec<_> = (0..6)
        .map(|_| talk.say(&vec![0; MAX_WAITING_BYTES / 4]))
        .collect();
    for frame in &big {
        assert_eq!(talk.hear(frame), Err(OpenError::NotYet));
    }
    let huge = talk.say(&vec![0; MAX_WAITING_BYTES]);
    assert_eq!(talk.hear(&huge), Err(OpenError::TooLong));
    talk.listener_moves();
    assert_eq!(talk.opener.take_ready(talk.now).len(), 3);
}

#[test]
fn a_frame_that_has_waited_too_long_is_given_up() {
    let mut talk = Talk::begun();
    talk.next_epoch();
    talk.speaker_moves();
    let (late, early) = (talk.say(b"late"), talk.say(b"early"));
    assert_eq!(talk.hear(&late), Err(OpenError::NotYet));
    talk.now += MAX_WAIT + TICK;
    assert_eq!(talk.hear(&early), Err(OpenError::NotYet));
    talk.listener_moves();
    let released = talk.opener.take_ready(talk.now);
    assert_eq!(released.len(), 1);
    assert_eq!(released[0].outcome.as_deref(), Ok(&b"early"[..]));
}

#[test]
fn as_many_bytes_wait_as_the_bound_says_and_no_more() {
    let mut talk = Talk::begun();
    talk.next_epoch();
    talk.speaker_moves();
    let around = talk.say(&[0; 1000]).len() - 1000;
    let exact = talk.say(&vec![0; MAX_WAITING_BYTES - around]);
    assert_eq!(exact.len(), MAX_WAITING_BYTES);
    assert_eq!(talk.hear(&exact), Err(OpenError::NotYet));
    talk.listener_moves();
    assert_eq!(talk.opener.take_ready(talk.now).len(), 1);

    talk.next_epoch();
    talk.speaker_moves();
    for _ in 0..2 {
        let half = talk.say(&vec![0; MAX_WAITING_BYTES / 2 - around]);
        assert_eq!(talk.hear(&half), Err(OpenError::NotYet));
    }
    talk.listener_moves();
    assert_eq!(talk.opener.take_ready(talk.now).len(), 2, "both fit");
}

#[test]
fn an_epoch_far_ahead_is_not_waited_for() {
    let mut talk = Talk::begun();
    let leaf_and_epoch = |epoch: u8| [&[0x80, epoch][..], &[0; 32]].concat();
    // The listener is at epoch 1 and the speaker at leaf 0.
    assert_eq!(talk.hear(&leaf_and_epoch(17)), Err(OpenError::NotYet));
    assert_eq!(talk.hear(&leaf_and_epoch(18)), Err(OpenError::UnknownKey));
    assert_eq!(talk.hear(&leaf_and_epoch(254)), Err(OpenError::Expired));
}

#[test]
fn low_bits_of_the_epoch_wrap_around() {
    let mut talk = Talk::begun();
    let first = talk.say(b"epoch 1");
    assert_eq!(talk.hear(&first).unwrap(), b"epoch 1");
    for _ in 0..256 {
        talk.next_epoch();
        talk.listener_moves();
    }
    assert_eq!(talk.members[0].epoch(), 257);
    assert_eq!(
        talk.hear(&first),
        Err(OpenError::Forged),
        "same key id, another key"
    );
    talk.speaker_moves();
    let frame = talk.say(b"epoch 257");
    assert_eq!(frame[0], first[0]);
    assert_eq!(talk.hear(&frame).unwrap(), b"epoch 257");
}

#[test]
fn no_key_exists_twice() {
    let mut talk = Talk::new();
    let mut epoch = media(&mut talk, 0);
    assert!(epoch.sealing.take(Track::AUDIO).is_some());
    assert!(epoch.sealing.take(Track::AUDIO).is_none());
    assert!(epoch.sealing.take(Track::VIDEO_LOW).is_some());
    assert_eq!(
        talk.members[0].media_epoch().unwrap_err(),
        MediaError::AlreadyTaken
    );
    // A commit that is made and given up brings no second set.
    talk.members[0].rekey().unwrap();
    talk.members[0].clear_pending().unwrap();
    assert_eq!(
        talk.members[0].media_epoch().unwrap_err(),
        MediaError::AlreadyTaken
    );
    talk.next_epoch();
    assert!(talk.members[0].media_epoch().is_ok());
}

#[test]
fn a_sealer_has_no_way_to_send_without_a_key_or_to_go_back() {
    let mut talk = Talk::new();
    let mut out = vec![1];
    assert!(!talk.sealer.is_ready());
    assert_eq!(
        talk.sealer.seal(&AUDIO, b"words", &mut out),
        Err(SealError::NotReady)
    );
    assert!(out.is_empty());

    let mut first = media(&mut talk, 0);
    let video = first.sealing.take(Track::VIDEO_LOW).unwrap();
    assert_eq!(talk.sealer.install(video), Err(SealError::OtherTrack));
    talk.next_epoch();
    talk.speaker_moves();
    let old = first.sealing.take(Track::AUDIO).unwrap();
    assert_eq!(talk.sealer.install(old), Err(SealError::OldEpoch));
    assert_eq!(talk.sealer.epoch(), Some(2));

    let name = "n".repeat(MAX_TRACK_NAME_LEN + 1);
    let meta = FrameMeta {
        track: &name,
        ..AUDIO
    };
    assert_eq!(
        talk.sealer.seal(&meta, b"words", &mut out),
        Err(SealError::TrackNameTooLong)
    );
    let meta = FrameMeta {
        track: &name[1..],
        ..AUDIO
    };
    talk.sealer.seal(&meta, b"words", &mut out).unwrap();
}

#[test]
fn tracks_of_one_member_have_keys_of_their_own() {
    let mut talk = Talk::new();
    let mut epoch = media(&mut talk, 0);
    let frames: Vec<_> = [Track::AUDIO, Track::VIDEO_LOW, Track::VIDEO_HIGH]
        .into_iter()
        .map(|track| {
            let mut sealer = Sealer::new(track);
            sealer.install(epoch.sealing.take(track).unwrap()).unwrap();
            let frame = seal(&mut sealer, &AUDIO, &[0; 64]);
            frame[frame.len() - 80..].to_vec()
        })
        .collect();
    assert!(frames[0] != frames[1] && frames[1] != frames[2] && frames[0] != frames[2]);
}

#[test]
fn installing_an_epoch_again_does_not_reset_its_window() {
    let mut talk = Talk::new();
    talk.speaker_moves();
    let opening = media(&mut talk, 1).opening;
    talk.opener.install(&opening, talk.now).unwrap();
    let frame = talk.say(b"words");
    assert_eq!(talk.hear(&frame).unwrap(), b"words");
    talk.opener.install(&opening, talk.now).unwrap();
    assert_eq!(talk.hear(&frame), Err(OpenError::Replay));
    talk.next_epoch();
    talk.listener_moves();
    talk.opener.install(&opening, talk.now).unwrap();
    assert_eq!(talk.hear(&frame), Err(OpenError::Replay));
    talk.now += EPOCH_GRACE + TICK;
    assert_eq!(talk.hear(&frame), Err(OpenError::Expired));
    talk.opener.install(&opening, talk.now).unwrap();
    assert_eq!(
        talk.hear(&frame),
        Err(OpenError::Expired),
        "nor does it come back"
    );
}

#[test]
fn a_burst_of_epochs_leaves_only_the_newest_few_open() {
    let mut talk = Talk::begun();
    let oldest = talk.say(b"oldest");
    talk.next_epoch();
    talk.listener_moves();
    talk.speaker_moves();
    let recent = talk.say(b"recent");
    for _ in 0..7 {
        talk.next_epoch();
        talk.listener_moves();
    }
    assert_eq!(talk.hear(&recent).unwrap(), b"recent");
    assert_eq!(talk.hear(&oldest), Err(OpenError::Expired));
}
