//! People who meet, for tests: each is a real member of a real group.

#![allow(dead_code, reason = "each test binary uses a part")]

use conclave_e2ee::{
    Candidate, CommitBundle, FrameMeta, Group, LinkSecret, Opener, Processed, Pseudonym, Sealer,
    Staged, Track, VerifiedKeyPackage,
};

pub const POLICY: &[u8] = b"policy of the tests";
pub const AUDIO: FrameMeta<'static> = FrameMeta {
    track: "audio",
    group: 0,
    frame: 0,
};

pub fn pseudonym(number: u8) -> Pseudonym {
    Pseudonym([number; 16])
}

pub fn link() -> LinkSecret {
    LinkSecret::generate().unwrap()
}

/// A host alone.
pub fn host(link: &LinkSecret) -> Group {
    Group::create(pseudonym(1), link, POLICY).unwrap()
}

/// A host and `guests`, all in one epoch.
pub fn meeting(link: &LinkSecret, guests: u8) -> Vec<Group> {
    let mut members = vec![host(link)];
    for number in 2..2 + guests {
        admit(&mut members, number, link);
    }
    members
}

/// Lets the first member admit someone; all others follow.
pub fn admit(members: &mut Vec<Group>, number: u8, link: &LinkSecret) {
    let candidate = Candidate::new(pseudonym(number), link).unwrap();
    let package = VerifiedKeyPackage::parse(candidate.key_package()).unwrap();
    let bundle = members[0].add(&[package]).unwrap();
    members[0].merge_pending().unwrap();
    for member in &mut members[1..] {
        follow(member, &bundle.commit);
    }
    members.push(join(candidate, &bundle));
}

pub fn join(candidate: Candidate, bundle: &CommitBundle) -> Group {
    candidate
        .join(
            bundle.welcome.as_ref().unwrap(),
            bundle.tree.as_ref().unwrap(),
        )
        .unwrap()
}

pub fn stage(member: &mut Group, commit: &[u8]) -> Staged {
    match member.process(commit).unwrap() {
        Processed::Commit(staged) => staged,
        Processed::Application { .. } => panic!("not a commit"),
    }
}

pub fn follow(member: &mut Group, commit: &[u8]) {
    let staged = stage(member, commit);
    member.merge(staged).unwrap();
}

/// One member commits, and all who are given follow.
pub fn commit(
    members: &mut [Group],
    committer: usize,
    change: impl FnOnce(&mut Group) -> CommitBundle,
) {
    let bundle = change(&mut members[committer]);
    members[committer].merge_pending().unwrap();
    for (position, member) in members.iter_mut().enumerate() {
        if position != committer {
            follow(member, &bundle.commit);
        }
    }
}

/// A sealer with the key of the member's current epoch.
pub fn sealer(group: &mut Group, track: Track) -> Sealer {
    let mut sealer = Sealer::new(track);
    let mut media = group.media_epoch().unwrap();
    sealer.install(media.sealing.take(track).unwrap()).unwrap();
    sealer
}

pub fn seal(sealer: &mut Sealer, meta: &FrameMeta<'_>, plaintext: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    sealer.seal(meta, plaintext, &mut frame).unwrap();
    frame
}

/// Opens a frame or says why not.
pub fn open(
    opener: &mut Opener,
    now: std::time::Instant,
    meta: &FrameMeta<'_>,
    frame: &[u8],
) -> Result<Vec<u8>, conclave_e2ee::OpenError> {
    let mut out = b"old content".to_vec();
    let outcome = opener.open(now, meta, frame, &mut out);
    assert!(
        outcome.is_ok() || out.is_empty(),
        "a frame that fails leaves nothing behind"
    );
    outcome.map(|()| out)
}

/// Name and secret of a link's PSK for cards, as docs/protocol.md derives them.
pub fn card_psk(link: &LinkSecret) -> (Vec<u8>, Vec<u8>) {
    let derive = |label: &[u8]| {
        let mut out = vec![0; 32];
        aws_lc_rs::hkdf::Salt::new(aws_lc_rs::hkdf::HKDF_SHA256, b"Conclave link v1")
            .extract(link.expose())
            .expand(&[label], aws_lc_rs::hkdf::HKDF_SHA256)
            .unwrap()
            .fill(&mut out)
            .unwrap();
        out
    };
    (derive(b"card psk id"), derive(b"card psk"))
}

/// A blob under this key, with a nonce that does not matter.
pub fn blob(key: &[u8; 32], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).unwrap());
    let nonce = [6; 12];
    let mut sealed = plaintext.to_vec();
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(aad),
        &mut sealed,
    )
    .unwrap();
    [nonce.as_slice(), &sealed].concat()
}
