//! A removed member who has recorded everything, before and after, and tries every key he ever had.

mod people;

use std::time::Instant;

use conclave_e2ee::{FrameMeta, Group, Leaf, OpenError, Opener, OpeningEpoch, Sealer, Track};
use people::{commit, link, meeting, open, seal};

const TRACKS: [(Track, &str); 3] = [
    (Track::AUDIO, "audio"),
    (Track::VIDEO_LOW, "video/low"),
    (Track::AUTH, "auth"),
];
const FRAMES: u64 = 20;

/// A frame as the relay passed it on.
struct Recorded {
    track: Track,
    leaf: Leaf,
    name: &'static str,
    group: u64,
    sealed: Vec<u8>,
}

impl Recorded {
    /// With the keys of one epoch, at its place.
    fn open_by(&self, epoch: &OpeningEpoch) -> Result<Vec<u8>, OpenError> {
        let now = Instant::now();
        let mut opener = Opener::new(self.track, self.leaf);
        opener.install(epoch, now).unwrap();
        let meta = FrameMeta {
            track: self.name,
            group: self.group,
            frame: 0,
        };
        open(&mut opener, now, &meta, &self.sealed)
    }
}

/// Everybody says something on every track under the keys of the present epoch, and hands out what
/// opens it.
fn all_speak(members: &mut [Group]) -> (Vec<Recorded>, Vec<OpeningEpoch>) {
    let mut recorded = Vec::new();
    let mut opening = Vec::new();
    for member in members {
        let mut media = member.media_epoch().unwrap();
        for (track, name) in TRACKS {
            let mut sealer = Sealer::new(track);
            sealer.install(media.sealing.take(track).unwrap()).unwrap();
            recorded.extend((0..FRAMES).map(|group| {
                let meta = FrameMeta {
                    track: name,
                    group,
                    frame: 0,
                };
                Recorded {
                    track,
                    leaf: member.own_leaf(),
                    name,
                    group,
                    sealed: seal(&mut sealer, &meta, b"what is said"),
                }
            }));
        }
        opening.push(media.opening);
    }
    (recorded, opening)
}

#[test]
fn a_removed_member_who_recorded_everything_opens_nothing_sent_after() {
    const REMOVED: usize = 3;
    let mut members = meeting(&link(), 4);
    let mut had = Vec::new();
    for _ in 0..3 {
        let (before, opening) = all_speak(&mut members);
        // Up to here he is one of them.
        for frame in &before {
            assert_eq!(frame.open_by(&opening[REMOVED]).unwrap(), b"what is said");
        }
        had.push(opening[REMOVED].clone());
        commit(&mut members, 1, |member| member.rekey().unwrap());
    }
    let mut removed = members.remove(REMOVED);
    let leaf = removed.own_leaf();
    had.push(removed.media_epoch().unwrap().opening);

    let mut said = Vec::new();
    let removal = members[0].remove(&[leaf]).unwrap().commit;
    members[0].merge_pending().unwrap();
    for member in &mut members[1..] {
        people::follow(member, &removal);
    }
    said.push(removal);
    for round in 0..4 {
        let (after, opening) = all_speak(&mut members);
        for frame in &after {
            for (epoch, keys) in had.iter().enumerate() {
                assert!(frame.open_by(keys).is_err(), "with the keys {epoch}");
            }
            // The others hear it.
            assert_eq!(frame.open_by(&opening[0]).unwrap(), b"what is said");
        }
        said.push(members[1].protect(b"what is written").unwrap());
        commit(&mut members, round % 4, |member| {
            let bundle = member.rekey().unwrap();
            said.push(bundle.commit.clone());
            bundle
        });
    }
    // Nor does he come any further with what was sent besides. His own removal he may read.
    for (number, message) in said.iter().enumerate() {
        assert_eq!(removed.process(message).is_ok(), number == 0, "{number}");
    }
}
