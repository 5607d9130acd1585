//! Sealing and opening frames, beside the cipher alone and the `sframe` crate.

use std::hint::black_box;
use std::time::Instant;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use conclave_e2ee::{FrameMeta, Group, LinkSecret, Opener, Pseudonym, Sealer, Track};
use sframe::CipherSuite;
use sframe::frame::{EncryptedFrameView, MediaFrameView, MonotonicCounter};
use sframe::key::{DecryptionKey, EncryptionKey};

use crate::table;
use crate::timer::Rounds;

const SIZES: [usize; 3] = [100, 1200, 10_000];
const ROUNDS: usize = 61;
/// Frames in a round.
const FRAMES: u32 = 256;
const META: FrameMeta<'static> = FrameMeta {
    track: "video/medium",
    group: 1234,
    frame: 17,
};
/// As long as what [`META`] comes to.
const METADATA: [u8; 29] = [7; 29];
/// What is authenticated: metadata, and a header as long as ours mostly is.
const AAD: [u8; METADATA.len() + 7] = [7; METADATA.len() + 7];
const KEY: [u8; 32] = [9; 32];
const KID: u64 = 0x0200_0001;

/// Prints the section.
pub fn run() {
    table::title("One frame: ns, median (least)");
    table::heads(
        "",
        &[
            "raw AES-256-GCM",
            "Conclave",
            "sframe crate",
            "ours / raw",
            "sframe / ours",
        ],
    );
    for size in SIZES {
        let [seal, open] = measure(size);
        seal.print(&format!("seal {size} B"));
        open.print(&format!("open {size} B"));
    }
    println!(
        "raw: aws-lc-rs in place, without copy, header or counter. Conclave: Sealer and Opener,\n\
         with replay window. sframe: version 2.1 on ring. All with {} B of associated data.",
        AAD.len()
    );
}

/// The three that take turns.
#[derive(Default)]
struct Turns {
    raw: Rounds,
    ours: Rounds,
    theirs: Rounds,
}

impl Turns {
    fn print(&self, label: &str) {
        table::row(
            label,
            &[
                table::ns(&self.raw, FRAMES),
                table::ns(&self.ours, FRAMES),
                table::ns(&self.theirs, FRAMES),
                table::times(self.ours.ratio_to(&self.raw)),
                table::times(self.theirs.ratio_to(&self.ours)),
            ],
        );
    }
}

/// Ours: the sealer and the opener of one track, as the client owns them.
struct Ends {
    sealer: Sealer,
    opener: Opener,
    now: Instant,
}

impl Ends {
    fn new() -> Self {
        let link = LinkSecret::generate().unwrap();
        let mut group = Group::create(Pseudonym([1; 16]), &link, b"policy").unwrap();
        let mut media = group.media_epoch().unwrap();
        let now = Instant::now();
        let mut sealer = Sealer::new(Track::VIDEO_MEDIUM);
        let mut opener = Opener::new(Track::VIDEO_MEDIUM, group.own_leaf());
        sealer
            .install(media.sealing.take(Track::VIDEO_MEDIUM).unwrap())
            .unwrap();
        opener.install(&media.opening, now).unwrap();
        Self {
            sealer,
            opener,
            now,
        }
    }
}

fn nonce(ctr: u32) -> Nonce {
    let mut nonce = [0; 12];
    nonce[8..].copy_from_slice(&ctr.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

/// Sealing and opening of frames of `size` bytes.
fn measure(size: usize) -> [Turns; 2] {
    let raw = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &KEY).unwrap());
    let mut ends = Ends::new();
    let suite = CipherSuite::AesGcm256Sha512;
    let their_seal = EncryptionKey::derive_from(suite, KID, KEY).unwrap();
    let their_open = DecryptionKey::derive_from(suite, KID, KEY).unwrap();
    let mut counter = MonotonicCounter::default();

    let payload = vec![0x5a; size];
    let mut buffer = payload.clone();
    let mut out = Vec::with_capacity(size + 64);
    let mut their_out: Vec<u8> = Vec::with_capacity(size + 128);
    let [mut seal, mut open] = [Turns::default(), Turns::default()];

    for _ in 0..ROUNDS {
        seal.raw.time(|| {
            for ctr in 0..FRAMES {
                let tag = raw.seal_in_place_separate_tag(nonce(ctr), Aad::from(AAD), &mut buffer);
                let _ = black_box(tag.unwrap());
            }
        });
        seal.ours.time(|| {
            for _ in 0..FRAMES {
                ends.sealer.seal(&META, &payload, &mut out).unwrap();
                black_box(&out);
            }
        });
        seal.theirs.time(|| {
            for _ in 0..FRAMES {
                MediaFrameView::try_with_meta_data(&mut counter, &payload, &METADATA)
                    .unwrap()
                    .encrypt_into(&their_seal, &mut their_out)
                    .unwrap();
                black_box(&their_out);
            }
        });

        // Fresh frames, since each opens once.
        let mut raw_frames: Vec<_> = (0..FRAMES)
            .map(|ctr| {
                let mut frame = payload.clone();
                raw.seal_in_place_append_tag(nonce(ctr), Aad::from(AAD), &mut frame)
                    .unwrap();
                frame
            })
            .collect();
        let our_frames: Vec<_> = (0..FRAMES)
            .map(|_| {
                ends.sealer.seal(&META, &payload, &mut out).unwrap();
                out.clone()
            })
            .collect();
        let their_frames: Vec<_> = (0..FRAMES)
            .map(|_| {
                MediaFrameView::try_with_meta_data(&mut counter, &payload, &METADATA)
                    .unwrap()
                    .encrypt(&their_seal)
                    .unwrap()
                    .sframe_cipher_text()
                    .to_vec()
            })
            .collect();

        open.raw.time(|| {
            for (ctr, frame) in (0..).zip(&mut raw_frames) {
                black_box(
                    raw.open_in_place(nonce(ctr), Aad::from(AAD), frame)
                        .unwrap(),
                );
            }
        });
        open.ours.time(|| {
            for frame in &our_frames {
                let now = ends.now;
                ends.opener.open(now, &META, frame, &mut out).unwrap();
                black_box(&out);
            }
        });
        open.theirs.time(|| {
            for frame in &their_frames {
                EncryptedFrameView::try_with_meta_data(frame, &METADATA)
                    .unwrap()
                    .decrypt_into(&their_open, &mut their_out)
                    .unwrap();
                black_box(&their_out);
            }
        });
    }
    [seal, open]
}
