//! Who a frame is from: a room with a sender, a listener and an insider, and
//! what an honest sender looks like.

mod insider;
mod server;
mod vectors;

use std::time::{Duration, Instant};

use super::*;
use crate::Leaf;
use crate::signer::LeafSigner;

const VICTIM: Leaf = Leaf(1);
const INSIDER: Leaf = Leaf(2);
const AUDIO: FrameMeta<'static> = FrameMeta {
    track: "audio",
    group: 0,
    frame: 0,
};
/// A period of batches.
const PERIOD: Duration = Duration::from_millis(200);

/// The room: who is in it, and what its members share.
struct Room {
    victim: LeafSigner,
    insider: LeafSigner,
}

impl Room {
    fn new() -> Self {
        Self {
            victim: LeafSigner::generate().unwrap(),
            insider: LeafSigner::generate().unwrap(),
        }
    }

    /// The keys of an epoch as somebody at `leaf` would have them, who signs
    /// with `signer`. Every member can compute them for every leaf.
    fn media(&self, epoch: u64, leaf: Leaf, signer: &LeafSigner) -> MediaEpoch {
        MediaEpoch::new(EpochSource {
            epoch,
            own_leaf: leaf,
            base_key: base_key(epoch).into(),
            members: [
                (VICTIM, self.victim.public()),
                (INSIDER, self.insider.public()),
            ]
            .into(),
            signer: signer.clone(),
            context: [epoch as u8; 32],
        })
        .unwrap()
    }
}

fn base_key(epoch: u64) -> [u8; 32] {
    [epoch as u8; 32]
}

/// Somebody who sends sound and signs for it.
struct Sender {
    sealer: Sealer,
    attestor: Attestor,
}

impl Sender {
    fn new() -> Self {
        Self {
            sealer: Sealer::new(Track::AUDIO),
            attestor: Attestor::new(),
        }
    }

    fn install(&mut self, mut media: MediaEpoch) {
        let key = media.sealing.take(Track::AUDIO).unwrap();
        self.sealer.install(key).unwrap();
        self.attestor.install(media.sealing.attest_key().unwrap());
        assert!(media.sealing.attest_key().is_none(), "once for each epoch");
    }

    fn say(&mut self, words: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        self.sealer.seal(&AUDIO, words, &mut frame).unwrap();
        self.attestor.note(&frame);
        frame
    }

    fn says(&mut self, count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|_| self.say(b"words of one")).collect()
    }

    fn batch(&mut self) -> Vec<u8> {
        self.attestor.batch().unwrap()
    }
}

/// Somebody who listens, with a clock of its own.
struct Listener {
    opener: Opener,
    verifier: Verifier,
    now: Instant,
}

impl Listener {
    fn new() -> Self {
        Self {
            opener: Opener::new(Track::AUDIO, VICTIM),
            verifier: Verifier::new(VICTIM),
            now: Instant::now(),
        }
    }

    fn install(&mut self, media: &MediaEpoch) {
        self.verifier.install(&media.opening);
        self.opener.install(&media.opening, self.now).unwrap();
    }

    /// Opens a frame like the program does, and notes it if it opened.
    fn hear(&mut self, frame: &[u8]) -> Result<Vec<u8>, OpenError> {
        let mut out = Vec::new();
        self.opener.open(self.now, &AUDIO, frame, &mut out)?;
        self.verifier.note(self.now, frame);
        Ok(out)
    }

    fn hear_all(&mut self, frames: &[Vec<u8>]) {
        for frame in frames {
            self.hear(frame).unwrap();
        }
    }

    fn batch(&mut self, batch: &[u8]) -> Result<(), BatchError> {
        self.verifier.batch(self.now, batch)
    }

    fn wait(&mut self, time: Duration) -> Verdict {
        self.now += time;
        self.verdict()
    }

    fn verdict(&mut self) -> Verdict {
        self.verifier.verdict(self.now)
    }
}

/// A victim who speaks and a listener, both in epoch 1.
fn talk() -> (Room, Sender, Listener) {
    let room = Room::new();
    let mut sender = Sender::new();
    let mut listener = Listener::new();
    sender.install(room.media(1, VICTIM, &room.victim));
    listener.install(&room.media(1, INSIDER, &room.insider));
    (room, sender, listener)
}

/// The insider, who seals as the victim with the keys that all share. Its
/// counter stands where it likes.
fn forger(room: &Room, counter: usize) -> Sender {
    let mut forger = Sender::new();
    forger.install(room.media(1, VICTIM, &room.insider));
    forger.says(counter);
    forger
}

#[test]
fn an_honest_sender_is_verified_behind_playback() {
    let (_, mut sender, mut listener) = talk();
    assert_eq!(listener.verdict(), Verdict::Pending);
    for _ in 0..50 {
        let frames = sender.says(10);
        listener.hear_all(&frames);
        listener.now += PERIOD;
        let batch = sender.batch();
        assert!(sender.attestor.batch().is_none());
        listener.batch(&batch).unwrap();
        assert_eq!(listener.verdict(), Verdict::Verified);
    }
    assert_eq!(listener.wait(BATCH_DEADLINE), Verdict::Verified);
}

#[test]
fn a_sender_without_batches_is_unverified_when_they_are_overdue() {
    let (_, mut sender, mut listener) = talk();
    let frames = sender.says(1);
    listener.hear_all(&frames);
    let almost = BATCH_DEADLINE - Duration::from_millis(1);
    assert_eq!(listener.wait(almost), Verdict::Pending);
    assert_eq!(listener.wait(Duration::from_millis(1)), Verdict::Unverified);
    // A late batch decides the frame, and the warning passes.
    listener.batch(&sender.batch()).unwrap();
    assert_eq!(listener.verdict(), Verdict::Unverified);
    assert_eq!(listener.wait(UNVERIFIED_HOLD), Verdict::Verified);
}

#[test]
fn both_epochs_are_verified_across_a_change_and_the_old_one_ends() {
    let (room, mut sender, mut listener) = talk();
    let old = sender.says(3);
    sender.install(room.media(2, VICTIM, &room.victim));
    listener.hear_all(&old);
    listener.install(&room.media(2, INSIDER, &room.insider));
    let new = sender.says(3);
    listener.hear_all(&new);
    let (first, second) = (sender.batch(), sender.batch());
    assert!(sender.attestor.batch().is_none());
    listener.batch(&second).unwrap();
    listener.batch(&first).unwrap();
    assert_eq!(listener.wait(BATCH_DEADLINE), Verdict::Verified);

    let after = EPOCH_GRACE + Duration::from_millis(1);
    listener.wait(after);
    assert_eq!(listener.batch(&first), Err(BatchError::OtherEpoch));
    assert_eq!(listener.batch(&second), Err(BatchError::Repeated));
}

#[test]
fn frames_and_keys_of_others_are_passed_over() {
    let (room, mut sender, mut listener) = talk();
    let mut insider = Sender::new();
    insider.install(room.media(1, INSIDER, &room.insider));
    listener.verifier.note(listener.now, &insider.say(b"mine"));
    listener.verifier.note(listener.now, b"");
    assert_eq!(listener.wait(BATCH_DEADLINE), Verdict::Pending);

    sender.attestor.note(&insider.say(b"mine"));
    sender.attestor.note(b"");
    assert!(sender.attestor.batch().is_none());
    let mut media = room.media(3, VICTIM, &room.victim);
    let mut auth = Sealer::new(Track::AUTH);
    auth.install(media.sealing.take(Track::AUTH).unwrap())
        .unwrap();
    let mut batch = Vec::new();
    auth.seal(&AUDIO, b"a batch", &mut batch).unwrap();
    sender.attestor.install(media.sealing.attest_key().unwrap());
    sender.attestor.note(&batch);
    assert!(sender.attestor.batch().is_none());
}

#[test]
fn a_frame_that_goes_out_twice_is_signed_once() {
    let (_, mut sender, _) = talk();
    let frame = sender.say(b"words");
    sender.attestor.note(&frame);
    let once = sender.batch();
    sender.attestor.note(&frame);
    assert!(sender.attestor.batch().is_none());
    sender.say(b"words");
    assert_eq!(sender.batch().len(), once.len());
}

#[test]
fn many_frames_take_several_batches_of_bounded_size() {
    let (_, mut sender, mut listener) = talk();
    let frames = sender.says(900);
    listener.hear_all(&frames);
    let mut batches = 0;
    while let Some(batch) = sender.attestor.batch() {
        assert!(batch.len() <= MAX_BATCH_LEN);
        listener.batch(&batch).unwrap();
        batches += 1;
    }
    assert_eq!(batches, 2);
    assert_eq!(listener.wait(BATCH_DEADLINE), Verdict::Verified);
}

#[test]
fn a_sender_that_gives_frames_up_is_unverified_not_forged() {
    let (_, mut sender, mut listener) = talk();
    let mut heard = 0;
    for frame in sender.says(2050) {
        if listener.hear(&frame).is_ok() {
            heard += 1;
        }
    }
    assert_eq!(heard, 2050);
    let mut sizes = Vec::new();
    sender.says(3);
    while let Some(batch) = sender.attestor.batch() {
        sizes.push(batch.len());
        listener.batch(&batch).unwrap();
    }
    assert_eq!(sizes.len(), 1, "what was too much is not signed");
    assert_eq!(listener.wait(BATCH_DEADLINE), Verdict::Unverified);
}

#[test]
fn an_older_attest_key_changes_nothing() {
    let (room, mut sender, mut listener) = talk();
    sender.says(1);
    listener.batch(&sender.batch()).unwrap();
    let again = room.media(1, VICTIM, &room.victim).sealing.attest_key();
    sender.attestor.install(again.unwrap());
    let frames = sender.says(1);
    listener.hear_all(&frames);
    listener.batch(&sender.batch()).unwrap();
    assert_eq!(listener.verdict(), Verdict::Verified);
}

#[test]
fn nothing_of_a_key_shows() {
    let signer = LeafSigner::generate().unwrap();
    let mut media = Room::new().media(1, VICTIM, &signer);
    let key = media.sealing.attest_key().unwrap();
    assert_eq!(format!("{key:?}"), "AttestKey(epoch 1, redacted)");
    let mut attestor = Attestor::new();
    attestor.install(key);
    assert_eq!(
        format!("{attestor:?}"),
        "Attestor { epochs: [AttestKey(epoch 1, redacted) at batch 0, 0 frames unsigned] }"
    );
    let mut verifier = Verifier::new(VICTIM);
    verifier.install(&media.opening);
    assert_eq!(format!("{verifier:?}"), "Verifier(leaf 1, 0 frames open)");
}
