//! Sealed frames and senders' signatures, as a relay or another member could send them.

use std::time::{Duration, Instant};

use bolero::check;
use conclave_e2ee::sframe::Header;
use conclave_e2ee::{
    Attestor, Candidate, FrameMeta, Group, LinkSecret, MediaEpoch, OpenError, Opener, Pseudonym,
    Sealer, Track, Verdict, VerifiedKeyPackage, Verifier,
};
use fuzz::{Feed, Shared};

const AUDIO: FrameMeta<'static> = FrameMeta {
    track: "audio",
    group: 0,
    frame: 0,
};

/// Media keys of a host and of a guest in one epoch.
fn two() -> (MediaEpoch, MediaEpoch) {
    let link = LinkSecret::from_bytes([1; 32]);
    let mut host = Group::create(Pseudonym([1; 16]), &link, b"policy").unwrap();
    let candidate = Candidate::new(Pseudonym([2; 16]), &link).unwrap();
    let package = VerifiedKeyPackage::parse(candidate.key_package()).unwrap();
    let bundle = host.add(&[package]).unwrap();
    host.merge_pending().unwrap();
    let (welcome, tree) = (bundle.welcome.unwrap(), bundle.tree.unwrap());
    let mut guest = candidate.join(&welcome, &tree).unwrap();
    (host.media_epoch().unwrap(), guest.media_epoch().unwrap())
}

fn sealed(host: &mut MediaEpoch, count: u8) -> Vec<Vec<u8>> {
    let mut sealer = Sealer::new(Track::AUDIO);
    sealer
        .install(host.sealing.take(Track::AUDIO).unwrap())
        .unwrap();
    let seal = |word: u8| {
        let mut frame = Vec::new();
        sealer.seal(&AUDIO, &[word; 40], &mut frame).unwrap();
        frame
    };
    (0..count).map(seal).collect()
}

/// A header that is read is the one that is written: there is one form for each.
#[test]
fn frame_headers() {
    let headers = [(0, 0), (7, 8), (0x7f00_0301, 70_000), (u64::MAX, u64::MAX)];
    let real = headers.map(|(kid, ctr)| {
        let mut bytes = Vec::new();
        Header { kid, ctr }.write(&mut bytes);
        bytes
    });
    check!(name = "frame_headers")
        .with_iterations(400_000)
        .with_max_len(64)
        .for_each(|input: &[u8]| {
            let bytes = Feed::new(input).forge(&real);
            let Some((header, len)) = Header::read(&bytes) else {
                return;
            };
            let mut again = Vec::new();
            header.write(&mut again);
            assert_eq!(again, bytes[..len]);
        });
    fuzz::corpus::holds("frame_headers", &real);
}

/// A frame opens as it was sealed, once, or not at all; what waits comes out or is dropped.
#[test]
fn frames() {
    let (mut host, guest) = two();
    let real = sealed(&mut host, 4);
    let leaf = host.sealing.leaf();
    check!(name = "frames")
        .with_iterations(8_000)
        .with_max_len(1024)
        .for_each(|input: &[u8]| {
            let mut feed = Feed::new(input);
            let mut now = Instant::now();
            let mut opener = Opener::new(Track::AUDIO, leaf);
            let late = feed.flag();
            if !late {
                opener.install(&guest.opening, now).unwrap();
            }
            let mut opened = Vec::new();
            while !feed.is_empty() {
                now += Duration::from_millis(u64::from(feed.byte()));
                let (group, frame) = match feed.byte() {
                    0 => (feed.number(0), feed.number(0)),
                    _ => (0, 0),
                };
                let meta = FrameMeta {
                    group,
                    frame,
                    ..AUDIO
                };
                let bytes = feed.forge(&real);
                let mut out = vec![1];
                let may_open = real.contains(&bytes) && meta == AUDIO && !opened.contains(&bytes);
                match opener.open(now, &meta, &bytes, &mut out) {
                    Ok(()) => {
                        assert!(may_open && !late);
                        opened.push(bytes);
                    }
                    Err(error) => {
                        assert!(out.is_empty());
                        assert!(!may_open || error == OpenError::NotYet);
                    }
                }
            }
            opener.install(&guest.opening, now).unwrap();
            for released in opener.take_ready(now) {
                if let Ok(plain) = released.outcome {
                    assert!(
                        late && plain.len() == 40 && (released.group, released.frame) == (0, 0)
                    );
                }
            }
        });
}

/// Whatever comes as a batch of signatures: only the sender's own counts, and nothing that is no
/// batch of his makes him look like a forger.
#[test]
fn batches() {
    let (mut host, guest) = two();
    let frames = sealed(&mut host, 6);
    let leaf = host.sealing.leaf();
    let mut attestor = Attestor::new();
    attestor.install(host.sealing.attest_key().unwrap());
    let mut real = Vec::new();
    for two in frames.chunks(2) {
        two.iter().for_each(|frame| attestor.note(frame));
        real.push(attestor.batch().unwrap());
    }
    check!(name = "batches")
        .with_iterations(6_000)
        .with_max_len(1024)
        .for_each(|input: &[u8]| {
            let mut feed = Feed::new(input);
            let mut now = Instant::now();
            let mut verifier = Verifier::new(leaf);
            verifier.install(&guest.opening);
            let mut taken = Vec::new();
            while !feed.is_empty() {
                now += Duration::from_millis(4 * u64::from(feed.byte()));
                if feed.flag() {
                    // A frame that opened: the sender's own. Anything else has no effect either.
                    let frame = match feed.flag() {
                        true => feed.pick(&frames).clone(),
                        false => feed.take(16).to_vec(),
                    };
                    if frames.contains(&frame) || Header::read(&frame).is_none() {
                        verifier.note(now, &frame);
                    }
                    continue;
                }
                let batch = feed.forge(&real);
                let counts = real.contains(&batch) && !taken.contains(&batch);
                assert_eq!(verifier.batch(now, &batch).is_ok(), counts);
                taken.push(batch);
                assert_ne!(verifier.verdict(now), Verdict::Forged);
            }
        });
}

/// A sender's own bookkeeping takes whatever is noted, and signs what can be read again.
#[test]
fn noted_frames() {
    let (mut host, guest) = two();
    let real = sealed(&mut host, 6);
    let leaf = host.sealing.leaf();
    let attestor = {
        let mut attestor = Attestor::new();
        attestor.install(host.sealing.attest_key().unwrap());
        Shared::new(attestor)
    };
    check!(name = "noted_frames")
        .with_iterations(3_000)
        .with_max_len(512)
        .for_each(|input: &[u8]| {
            let mut feed = Feed::new(input);
            attestor.with(|attestor| {
                while !feed.is_empty() {
                    attestor.note(&feed.forge(&real));
                }
                let mut verifier = Verifier::new(leaf);
                verifier.install(&guest.opening);
                for _ in 0..8 {
                    let Some(batch) = attestor.batch() else { break };
                    assert_eq!(verifier.batch(Instant::now(), &batch), Ok(()));
                }
            });
        });
}
