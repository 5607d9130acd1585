//! The vectors of docs/vectors/media.json, made from docs/protocol.md by another program.

use serde_json::Value;

use super::*;

fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap()
}

struct Vectors(Value);

impl Vectors {
    fn read() -> Self {
        let text = include_str!("../../../../../docs/vectors/media.json");
        Self(serde_json::from_str(text).unwrap())
    }

    fn leaf(&self) -> Leaf {
        Leaf(self.0["leaf"].as_u64().unwrap().try_into().unwrap())
    }

    fn epoch(&self) -> MediaEpoch {
        MediaEpoch::new(EpochSource {
            epoch: self.0["epoch"].as_u64().unwrap(),
            own_leaf: self.leaf(),
            base_key: array(&self.0["base_key"]).into(),
            members: [(self.leaf(), array(&self.0["leaf_key"]))].into(),
            signer: LeafSigner::generate().unwrap(),
            context: array(&self.0["batch"]["context"]),
        })
        .unwrap()
    }

    fn frames(&self) -> &[Value] {
        self.0["frames"].as_array().unwrap()
    }
}

fn track(frame: &Value) -> Track {
    Track::new(frame["track"].as_u64().unwrap().try_into().unwrap()).unwrap()
}

fn place(frame: &Value) -> FrameMeta<'_> {
    FrameMeta {
        track: frame["name"].as_str().unwrap(),
        group: frame["group"].as_u64().unwrap(),
        frame: frame["frame"].as_u64().unwrap(),
    }
}

#[test]
fn frames_are_sealed_and_opened_as_in_the_vectors() {
    let vectors = Vectors::read();
    let mut media = vectors.epoch();
    let now = Instant::now();
    let mut sealers = std::collections::HashMap::new();
    for frame in vectors.frames() {
        let track = track(frame);
        let kid = super::super::kid::Kid::new(track, vectors.leaf(), media.opening.epoch());
        assert_eq!(kid.unwrap().to_u64(), frame["kid"].as_u64().unwrap());
        assert_eq!(place(frame).encode().unwrap(), bytes(&frame["metadata"]));
        let sealer = sealers.entry(track).or_insert_with(|| {
            let mut sealer = Sealer::new(track);
            sealer.install(media.sealing.take(track).unwrap()).unwrap();
            sealer
        });
        let (sealed, plaintext) = (bytes(&frame["sealed"]), bytes(&frame["plaintext"]));
        let mut out = Vec::new();
        sealer.seal(&place(frame), &plaintext, &mut out).unwrap();
        assert_eq!(out, sealed);
        let mut opener = Opener::new(track, vectors.leaf());
        opener.install(&media.opening, now).unwrap();
        opener.open(now, &place(frame), &sealed, &mut out).unwrap();
        assert_eq!(out, plaintext);
    }
    assert_eq!(vectors.frames().len(), 4);
}

#[test]
fn a_batch_of_the_vectors_verifies_its_frames() {
    let vectors = Vectors::read();
    let mut verifier = Verifier::new(vectors.leaf());
    verifier.install(&vectors.epoch().opening);
    let now = Instant::now();
    for frame in vectors.frames() {
        verifier.note(now, &bytes(&frame["sealed"]));
    }
    assert_eq!(verifier.verdict(now), Verdict::Pending);
    let batch = bytes(&vectors.0["batch"]["signed"]);
    verifier.batch(now, &batch).unwrap();
    assert_eq!(verifier.verdict(now + BATCH_DEADLINE), Verdict::Verified);
}
