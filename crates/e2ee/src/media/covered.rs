//! What a sender's batches of one epoch say about a frame.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::batch::{Batch, FrameId, Run};

/// Frames that are remembered at most, for each epoch: a good ten seconds of
/// everything that one device sends.
const MAX_FRAMES: usize = 2048;

/// What the batches say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// The sender sent this frame.
    Own,
    /// The sender did not send this frame, by its own word.
    Forged,
    /// Nothing yet.
    Unknown,
}

/// The batches of one sender in one epoch, the newest by their number.
///
/// An honest sender's runs do not overlap. One whose runs do puts only itself
/// in a bad light.
#[derive(Debug, Default)]
pub(super) struct Covered {
    /// By key and first counter.
    runs: BTreeMap<(u64, u64), Signed>,
    /// Which runs came in which batch.
    batches: BTreeMap<u32, Vec<(u64, u64)>>,
    frames: usize,
    /// The lowest number that was not forgotten yet.
    floor: u32,
}

/// A run with the number of its batch.
#[derive(Debug)]
struct Signed {
    number: u32,
    run: Run,
}

impl Covered {
    /// Whether a batch of this number would add nothing: it is here, or was
    /// here and is forgotten.
    pub(super) fn has(&self, number: u32) -> bool {
        number < self.floor || self.batches.contains_key(&number)
    }

    pub(super) fn insert(&mut self, batch: Batch) {
        let number = batch.number;
        let mut places = Vec::with_capacity(batch.runs.len());
        for run in batch.runs {
            let place = (run.kid, run.first);
            if let Entry::Vacant(free) = self.runs.entry(place) {
                self.frames += run.digests.len();
                free.insert(Signed { number, run });
                places.push(place);
            }
        }
        self.batches.insert(number, places);
        while self.frames > MAX_FRAMES || self.batches.len() > MAX_FRAMES {
            self.forget_oldest();
        }
    }

    pub(super) fn judge(&self, frame: &FrameId) -> Finding {
        let kid = frame.kid.to_u64();
        let of_key = |signed: &&Signed| signed.run.kid == kid;
        let place = (kid, frame.ctr);
        let before = self.runs.range(..=place).next_back();
        let before = before.map(|(_, signed)| signed).filter(of_key);
        match before.and_then(|signed| signed.run.digest(frame.ctr)) {
            Some(digest) if *digest == frame.digest => return Finding::Own,
            Some(_) => return Finding::Forged,
            None => {}
        }
        let after = self.runs.range(place..).next();
        match after.map(|(_, signed)| signed).filter(of_key) {
            Some(after) if self.is_without_gap(before, after) => Finding::Forged,
            _ => Finding::Unknown,
        }
    }

    fn forget_oldest(&mut self) {
        let Some((number, places)) = self.batches.pop_first() else {
            return;
        };
        for place in places {
            let run = self.runs.remove(&place).map(|signed| signed.run);
            let frames = run.map_or(0, |run| run.digests.len());
            self.frames = self.frames.saturating_sub(frames);
        }
        self.floor = number.saturating_add(1);
    }

    /// Whether no batch is missing between two runs, or from the sender's very
    /// first batch to `after`. Then a frame between them is in no batch at all.
    fn is_without_gap(&self, before: Option<&Signed>, after: &Signed) -> bool {
        let (first, last) = (before.map_or(0, |signed| signed.number), after.number);
        if first > last {
            return false;
        }
        let there = self.batches.range(first..=last).count() as u64;
        there == u64::from(last) - u64::from(first) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Leaf;
    use crate::media::Track;
    use crate::media::kid::Kid;

    fn frame(ctr: u64, digest: u8) -> FrameId {
        FrameId {
            kid: Kid::new(Track::AUDIO, Leaf(1), 1).unwrap(),
            ctr,
            digest: [digest; 16],
        }
    }

    /// Counters `first` to `first + count`, each with its low byte as digest.
    fn batch(number: u32, first: u64, count: u64) -> Batch {
        Batch {
            epoch: 1,
            leaf: Leaf(1),
            number,
            runs: vec![Run {
                kid: frame(0, 0).kid.to_u64(),
                first,
                digests: (first..first + count).map(|ctr| [ctr as u8; 16]).collect(),
            }],
        }
    }

    fn covered(batches: impl IntoIterator<Item = Batch>) -> Covered {
        let mut covered = Covered::default();
        for batch in batches {
            covered.insert(batch);
        }
        covered
    }

    #[test]
    fn a_covered_frame_is_own_or_forged() {
        let covered = covered([batch(0, 0, 5), batch(1, 5, 5)]);
        assert_eq!(covered.judge(&frame(4, 4)), Finding::Own);
        assert_eq!(covered.judge(&frame(5, 5)), Finding::Own);
        assert_eq!(covered.judge(&frame(5, 4)), Finding::Forged);
        assert_eq!(covered.judge(&frame(10, 10)), Finding::Unknown);
        let mut other_track = frame(4, 4);
        other_track.kid.track = Track::VIDEO_LOW;
        assert_eq!(covered.judge(&other_track), Finding::Unknown);
    }

    #[test]
    fn a_counter_that_the_sender_passed_over_is_forged() {
        let covered = covered([batch(0, 2, 3), batch(1, 6, 5), batch(2, 11, 1)]);
        for passed in [0, 1, 5] {
            assert_eq!(covered.judge(&frame(passed, 0)), Finding::Forged);
        }
    }

    #[test]
    fn a_missing_batch_accuses_nobody() {
        // Whatever order they come in, and whichever is missing.
        let first = covered([batch(2, 10, 5), batch(1, 5, 5)]);
        assert_eq!(first.judge(&frame(4, 0)), Finding::Unknown);
        let middle = covered([batch(2, 10, 5), batch(0, 0, 5)]);
        assert_eq!(middle.judge(&frame(7, 0)), Finding::Unknown);
        assert_eq!(middle.judge(&frame(4, 0)), Finding::Forged);
        let last = covered([batch(0, 0, 5), batch(1, 5, 5)]);
        assert_eq!(last.judge(&frame(12, 0)), Finding::Unknown);
    }

    #[test]
    fn memory_is_bounded_and_what_is_forgotten_accuses_nobody() {
        let mut covered = Covered::default();
        for number in 0..100 {
            let first = u64::from(number) * 101;
            assert!(!covered.has(number));
            covered.insert(batch(number, first, 100));
            assert!(covered.has(number) && covered.frames <= MAX_FRAMES);
        }
        assert!(covered.has(0), "forgotten, and not to be learnt again");
        assert_eq!(covered.judge(&frame(100, 0)), Finding::Unknown);
        assert_eq!(covered.judge(&frame(98 * 101 + 100, 0)), Finding::Forged);
    }

    #[test]
    fn memory_is_full_at_its_bound_and_not_before() {
        let half = MAX_FRAMES as u64 / 2;
        let mut covered = covered([batch(0, 0, half), batch(1, half, half)]);
        assert_eq!(covered.judge(&frame(3, 3)), Finding::Own);
        covered.insert(batch(2, 2 * half, 1));
        assert_eq!(covered.judge(&frame(3, 3)), Finding::Unknown);

        // Batches of nothing take room too.
        let mut covered = Covered::default();
        for number in 0..=MAX_FRAMES as u32 {
            assert_eq!(covered.batches.len(), number as usize);
            covered.insert(batch(number, 0, 0));
        }
        assert_eq!(covered.batches.len(), MAX_FRAMES);
    }
}
