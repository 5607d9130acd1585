//! Who a frame is from, in a real group: across epochs, removals and returns.

mod people;

use std::time::{Duration, Instant};

use conclave_e2ee::{
    Attestor, BATCH_DEADLINE, BatchError, EPOCH_GRACE, Group, Opener, Sealer, Track, Verdict,
    Verifier,
};
use people::{AUDIO, commit, follow, link, meeting, open, seal};

/// A member who sends sound and signs for it.
struct Speaker {
    sealer: Sealer,
    attestor: Attestor,
}

impl Speaker {
    fn new() -> Self {
        Self {
            sealer: Sealer::new(Track::AUDIO),
            attestor: Attestor::new(),
        }
    }

    fn moves(&mut self, group: &mut Group) {
        let mut sealing = group.media_epoch().unwrap().sealing;
        self.attestor.install(sealing.attest_key().unwrap());
        self.sealer
            .install(sealing.take(Track::AUDIO).unwrap())
            .unwrap();
    }

    fn say(&mut self, words: &[u8]) -> Vec<u8> {
        let frame = seal(&mut self.sealer, &AUDIO, words);
        self.attestor.note(&frame);
        frame
    }
}

/// A member who listens to one other.
struct Listener {
    opener: Opener,
    verifier: Verifier,
    now: Instant,
}

impl Listener {
    fn new(speaker: &Group) -> Self {
        Self {
            opener: Opener::new(Track::AUDIO, speaker.own_leaf()),
            verifier: Verifier::new(speaker.own_leaf()),
            now: Instant::now(),
        }
    }

    fn moves(&mut self, group: &mut Group) {
        let opening = group.media_epoch().unwrap().opening;
        self.verifier.install(&opening);
        self.opener.install(&opening, self.now).unwrap();
    }

    fn hear(&mut self, frame: &[u8]) {
        open(&mut self.opener, self.now, &AUDIO, frame).unwrap();
        self.verifier.note(self.now, frame);
    }

    fn batch(&mut self, batch: &[u8]) -> Result<(), BatchError> {
        self.verifier.batch(self.now, batch)
    }

    fn verdict(&mut self) -> Verdict {
        self.verifier.verdict(self.now)
    }
}

#[test]
fn a_member_verifies_another_in_every_epoch() {
    let mut members = meeting(&link(), 2);
    let mut speaker = Speaker::new();
    let mut listener = Listener::new(&members[2]);
    for round in 0..3 {
        speaker.moves(&mut members[2]);
        listener.moves(&mut members[1]);
        listener.hear(&speaker.say(b"words"));
        listener.batch(&speaker.attestor.batch().unwrap()).unwrap();
        assert_eq!(listener.verdict(), Verdict::Verified);
        commit(&mut members, round, |member| member.rekey().unwrap());
    }
    listener.now += BATCH_DEADLINE;
    assert_eq!(listener.verdict(), Verdict::Verified);
}

#[test]
fn a_batch_of_another_member_is_no_ones_word() {
    let mut members = meeting(&link(), 2);
    let mut other = Speaker::new();
    let mut listener = Listener::new(&members[2]);
    other.moves(&mut members[0]);
    listener.moves(&mut members[1]);
    other.say(b"words");
    assert_eq!(
        listener.batch(&other.attestor.batch().unwrap()),
        Err(BatchError::OtherLeaf)
    );
    assert_eq!(listener.verdict(), Verdict::Pending);
}

#[test]
fn a_batch_of_a_lost_state_of_the_epoch_does_not_count_in_the_other() {
    let link = link();
    let mut members = meeting(&link, 2);
    let stuck = members.remove(2);
    let info = members[0].group_info().unwrap();

    // Its first return loses the race, but it has signed in that epoch already.
    let (mut lost, _) = stuck.resync(&link, &info, |_| Some(Vec::new())).unwrap();
    lost.merge_pending().unwrap();
    let mut astray = Speaker::new();
    astray.moves(&mut lost);
    astray.say(b"to nobody");
    let astray = astray.attestor.batch().unwrap();

    let (mut back, bundle) = stuck.resync(&link, &info, |_| Some(Vec::new())).unwrap();
    follow(&mut members[0], &bundle.commit);
    back.merge_pending().unwrap();
    assert_eq!(back.epoch(), lost.epoch());
    let mut speaker = Speaker::new();
    let mut listener = Listener::new(&back);
    speaker.moves(&mut back);
    listener.moves(&mut members[0]);
    listener.hear(&speaker.say(b"to everybody"));
    assert_eq!(listener.batch(&astray), Err(BatchError::Forged));
    listener.batch(&speaker.attestor.batch().unwrap()).unwrap();
    assert_eq!(listener.verdict(), Verdict::Verified);
}

/// A member who speaks and one who listens, in one epoch.
fn two_who_talk() -> (Speaker, Listener) {
    let mut members = meeting(&link(), 1);
    let (mut speaker, mut listener) = (Speaker::new(), Listener::new(&members[0]));
    speaker.moves(&mut members[0]);
    listener.moves(&mut members[1]);
    (speaker, listener)
}

/// Says so much in so many runs, between which a frame is made that is never sent.
fn talk(speaker: &mut Speaker, listener: &mut Listener, runs: usize, frames: usize) {
    for _ in 0..runs {
        for _ in 0..frames {
            listener.hear(&speaker.say(b"words"));
        }
        seal(&mut speaker.sealer, &AUDIO, b"never sent");
    }
}

/// The batches that are signed now, each of which counts.
fn hear_batches(speaker: &mut Speaker, listener: &mut Listener) -> usize {
    let batches = std::iter::from_fn(|| speaker.attestor.batch());
    let heard = batches.map(|batch| listener.batch(&batch).unwrap());
    heard.count()
}

#[test]
fn what_was_never_sent_parts_nothing_of_what_was() {
    // Frames that follow each other are signed together, and a batch holds 512 of them, in 64 runs.
    for (runs, frames, batches) in [(2, 1, 1), (2, 300, 2), (64, 1, 1), (65, 1, 2), (1, 2048, 4)] {
        let (mut speaker, mut listener) = two_who_talk();
        talk(&mut speaker, &mut listener, runs, frames);
        assert_eq!(hear_batches(&mut speaker, &mut listener), batches);
        listener.now += BATCH_DEADLINE;
        assert_eq!(listener.verdict(), Verdict::Verified, "{runs} of {frames}");
    }
}

#[test]
fn the_end_of_an_epoch_says_nothing_of_what_comes_in_the_next() {
    let mut members = meeting(&link(), 2);
    let (mut speaker, mut listener) = (Speaker::new(), Listener::new(&members[2]));
    for _ in 0..2 {
        commit(&mut members, 0, |member| member.rekey().unwrap());
        speaker.moves(&mut members[2]);
        listener.moves(&mut members[1]);
        listener.hear(&speaker.say(b"words"));
        hear_batches(&mut speaker, &mut listener);
    }
    assert_eq!(listener.verdict(), Verdict::Verified);
    listener.now += EPOCH_GRACE;
    listener.hear(&speaker.say(b"not signed yet"));
    listener.now += Duration::from_millis(1);
    assert_eq!(listener.verdict(), Verdict::Verified);
}

#[test]
fn a_batch_of_an_epoch_long_ago_is_of_another_moment() {
    let mut members = meeting(&link(), 2);
    let (mut speaker, mut listener) = (Speaker::new(), Listener::new(&members[2]));
    speaker.moves(&mut members[2]);
    listener.moves(&mut members[1]);
    speaker.say(b"words");
    let old = speaker.attestor.batch().unwrap();
    // All within a moment: no epoch is over by its time.
    for _ in 0..9 {
        commit(&mut members, 0, |member| member.rekey().unwrap());
        listener.moves(&mut members[1]);
    }
    assert_eq!(listener.verdict(), Verdict::Pending);
    assert_eq!(listener.batch(&old), Err(BatchError::OtherEpoch));
}
