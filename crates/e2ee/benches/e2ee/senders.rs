//! What it costs to prove, and to check, who sent a frame.
//!
//! The keys of SFrame are known to every member, so each sender signs, every
//! 200 ms, the digests of what it sent (docs/protocol.md).

use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use conclave_e2ee::{
    Attestor, FrameMeta, Group, LinkSecret, Opener, Pseudonym, Sealer, Track, Verdict, Verifier,
};

use crate::table;
use crate::timer::Rounds;

/// Batches in a second.
const BATCHES: usize = 5;
const BATCH_TIME: Duration = Duration::from_millis(200);
/// Each round is a second of a meeting.
const ROUNDS: usize = 61;
const META: FrameMeta<'static> = FrameMeta {
    track: "video/medium",
    group: 1234,
    frame: 17,
};

/// One stream of a sender.
#[derive(Clone, Copy)]
struct Stream {
    track: Track,
    frames_per_s: usize,
    frame_len: usize,
}

/// Opus at 56 kbit/s: each packet of 20 ms holds two frames, and is as long
/// when nobody speaks.
const SOUND: Stream = Stream {
    track: Track::AUDIO,
    frames_per_s: 50,
    frame_len: 293,
};
/// The camera's middle size, 600 kbit/s.
const PICTURE: Stream = Stream {
    track: Track::VIDEO_MEDIUM,
    frames_per_s: 30,
    frame_len: 600_000 / 8 / 30,
};

/// Senders of whom somebody receives sound and picture, and those of whom they
/// receive the sound alone.
struct Room {
    people: usize,
    with_picture: usize,
    sound_only: usize,
}

const ROOMS: [Room; 2] = [
    Room {
        people: 10,
        with_picture: 9,
        sound_only: 0,
    },
    Room {
        people: 50,
        with_picture: 24,
        sound_only: 25,
    },
];

/// Prints the section.
pub fn run() {
    let both = Sender::measure(&[SOUND, PICTURE]);
    let sound = Sender::measure(&[SOUND]);

    table::title("Proof of the sender: CPU ms in a second of a meeting, median (least)");
    table::heads(
        "one sender",
        &["it proves", "a receiver checks", "bytes a second"],
    );
    for (label, sender) in [("sound and picture", &both), ("sound", &sound)] {
        table::row(
            label,
            &[
                table::ms(&sender.proves),
                table::ms(&sender.is_checked),
                table::bytes(sender.bytes),
            ],
        );
    }
    table::heads("everybody", &["share of a core", "bytes a second"]);
    for room in ROOMS {
        let ms = |rounds: &Rounds| rounds.median().as_secs_f64() * 1e3;
        let total = ms(&both.proves)
            + room.with_picture as f64 * ms(&both.is_checked)
            + room.sound_only as f64 * ms(&sound.is_checked);
        let bytes = room.with_picture * both.bytes + room.sound_only * sound.bytes;
        table::row(
            &format!(
                "{} people, {} pictures shown",
                room.people, room.with_picture
            ),
            &[format!("{:.2} %", total / 10.0), table::bytes(bytes)],
        );
    }
    primitives();
    println!(
        "proves: Attestor, and the sealing of its batches. checks: Verifier, and the opening of\n\
         them. Frames that are not of the AUTH track are sealed and opened outside the clock."
    );
}

/// What a second of one sender costs.
#[derive(Default)]
struct Sender {
    proves: Rounds,
    is_checked: Rounds,
    bytes: usize,
}

impl Sender {
    fn measure(streams: &[Stream]) -> Self {
        let link = LinkSecret::generate().unwrap();
        let mut group = Group::create(Pseudonym([1; 16]), &link, b"policy").unwrap();
        let mut media = group.media_epoch().unwrap();
        let mut now = Instant::now();

        let mut attestor = Attestor::new();
        attestor.install(media.sealing.attest_key().unwrap());
        let mut verifier = Verifier::new(group.own_leaf());
        verifier.install(&media.opening);
        let mut sealers: Vec<Sealer> = streams
            .iter()
            .map(|stream| stream.track)
            .chain([Track::AUTH])
            .map(|track| {
                let mut sealer = Sealer::new(track);
                sealer.install(media.sealing.take(track).unwrap()).unwrap();
                sealer
            })
            .collect();
        let mut auth_sealer = sealers.pop().unwrap();
        let mut auth_opener = Opener::new(Track::AUTH, group.own_leaf());
        auth_opener.install(&media.opening, now).unwrap();

        let mut sender = Self::default();
        for _ in 0..ROUNDS {
            let seconds_frames: Vec<Vec<Vec<u8>>> = (0..BATCHES)
                .map(|batch| sealed(streams, &mut sealers, batch))
                .collect();
            let batches: Vec<Vec<u8>> = sender.proves.time(|| {
                let prove = |frames: &Vec<Vec<u8>>| {
                    frames.iter().for_each(|frame| attestor.note(frame));
                    let batch = attestor.batch().unwrap();
                    let mut sealed = Vec::new();
                    auth_sealer.seal(&META, &batch, &mut sealed).unwrap();
                    sealed
                };
                seconds_frames.iter().map(prove).collect()
            });
            sender.is_checked.time(|| {
                let mut batch = Vec::new();
                for (frames, sealed) in seconds_frames.iter().zip(&batches) {
                    frames.iter().for_each(|frame| verifier.note(now, frame));
                    now += BATCH_TIME;
                    auth_opener.open(now, &META, sealed, &mut batch).unwrap();
                    verifier.batch(now, &batch).unwrap();
                    assert_eq!(verifier.verdict(now), Verdict::Verified);
                }
            });
            sender.bytes = batches.iter().map(Vec::len).sum();
        }
        sender
    }
}

/// The frames that fall into a batch, sealed.
fn sealed(streams: &[Stream], sealers: &mut [Sealer], batch: usize) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for (stream, sealer) in streams.iter().zip(sealers) {
        let until = |batch: usize| batch * stream.frames_per_s / BATCHES;
        let payload = vec![0x33; stream.frame_len];
        for _ in until(batch)..until(batch + 1) {
            let mut frame = Vec::new();
            sealer.seal(&META, &payload, &mut frame).unwrap();
            frames.push(frame);
        }
    }
    frames
}

/// What the two primitives beneath it cost by themselves.
fn primitives() {
    /// Repetitions in a round.
    const TIMES: u32 = 32;
    let pair = Ed25519KeyPair::generate().unwrap();
    let public = UnparsedPublicKey::new(&ED25519, pair.public_key().as_ref().to_vec());
    let message = [7; 512];
    let signature = pair.sign(&message);
    let frames = [SOUND, PICTURE].map(|stream| vec![0x33; stream.frame_len + 23]);
    let [mut sign, mut verify, mut sound, mut picture] = [const { Rounds::new() }; 4];
    for _ in 0..ROUNDS {
        sign.time(|| {
            for _ in 0..TIMES {
                std::hint::black_box(pair.sign(&message));
            }
        });
        verify.time(|| {
            for _ in 0..TIMES {
                public.verify(&message, signature.as_ref()).unwrap();
            }
        });
        for (rounds, frame) in [&mut sound, &mut picture].into_iter().zip(&frames) {
            rounds.time(|| {
                for _ in 0..TIMES {
                    std::hint::black_box(digest(&SHA256, frame));
                }
            });
        }
    }
    table::heads(
        "primitives: ns",
        &[
            "Ed25519 sign",
            "Ed25519 verify",
            "SHA-256 of sound",
            "of picture",
        ],
    );
    let ns = |rounds: &Rounds| table::ns(rounds, TIMES);
    table::row("", &[&sign, &verify, &sound, &picture].map(ns));
}
