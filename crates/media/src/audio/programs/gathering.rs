//! Streams of several programs on their way into one.
//!
//! Each comes in pieces at its own pace; the sum is taken in blocks at ours. A cushion between
//! the two bears what both clocks jitter. They also drift apart, by a cushion in a quarter of an hour at the
//! worst: then a moment is left out or silent.

use std::collections::{BTreeMap, VecDeque};

use super::super::mixer::Mixer;
use super::super::{BLOCK_SAMPLES, Block};

/// Sound that waits before a stream begins to flow, 40 ms: two of the pieces in which it comes.
const CUSHION: usize = 4 * BLOCK_SAMPLES;
/// What waits beyond this, 120 ms, has piled up, and all but the cushion is left out.
const MOST: usize = 3 * CUSHION;
/// Streams that are heard at the same time, at most.
pub(super) const MOST_STREAMS: usize = 64;

/// How long sound waits here, in microseconds.
pub(super) const LAG_US: u64 = 40_000;

/// The streams, by numbers of their owner's choice.
pub(super) struct Gathering {
    streams: BTreeMap<u32, Stream>,
    mixer: Mixer,
}

#[derive(Default)]
struct Stream {
    waiting: VecDeque<f32>,
    /// Not while the cushion is being filled.
    flows: bool,
}

impl Gathering {
    pub(super) fn new() -> Self {
        Self {
            streams: BTreeMap::new(),
            mixer: Mixer::new(),
        }
    }

    /// Takes in a piece of a stream, 48 kHz mono.
    pub(super) fn push(&mut self, number: u32, samples: impl Iterator<Item = f32>) {
        if !self.streams.contains_key(&number) && self.streams.len() >= MOST_STREAMS {
            return;
        }
        let stream = self.streams.entry(number).or_default();
        stream.waiting.extend(samples);
        if stream.waiting.len() > MOST {
            let surplus = stream.waiting.len() - CUSHION;
            stream.waiting.drain(..surplus);
        }
    }

    /// The stream has ended.
    pub(super) fn remove(&mut self, number: u32) {
        self.streams.remove(&number);
    }

    /// The sum of the next 10 ms of all that flow.
    pub(super) fn next(&mut self) -> Block {
        for stream in self.streams.values_mut() {
            stream.flows |= stream.waiting.len() >= CUSHION;
            if !stream.flows {
                continue;
            }
            let mut block = [0.0; BLOCK_SAMPLES];
            for sample in &mut block {
                *sample = stream.waiting.pop_front().unwrap_or_default();
            }
            // It paused, or ran dry: let the cushion fill again.
            stream.flows = !stream.waiting.is_empty();
            self.mixer.add(&block);
        }
        self.mixer.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(level: f32, blocks: usize) -> impl Iterator<Item = f32> {
        std::iter::repeat_n(level, blocks * BLOCK_SAMPLES)
    }

    #[test]
    fn streams_are_summed_and_one_that_ended_is_heard_no_more() {
        let mut gathering = Gathering::new();
        gathering.push(1, piece(0.2, 8));
        gathering.push(2, piece(0.3, 8));
        let both = gathering.next();
        assert!(both.iter().all(|sample| (sample - 0.5).abs() < 1e-6));
        gathering.remove(1);
        assert_eq!(gathering.next(), [0.3; BLOCK_SAMPLES]);
        gathering.remove(2);
        assert_eq!(gathering.next(), [0.0; BLOCK_SAMPLES]);
    }

    #[test]
    fn a_stream_waits_for_its_cushion_and_again_after_a_pause() {
        let mut gathering = Gathering::new();
        for _ in 0..2 {
            gathering.push(1, piece(0.5, 3));
            assert_eq!(gathering.next(), [0.0; BLOCK_SAMPLES]);
            gathering.push(1, piece(0.5, 1));
            for _ in 0..4 {
                assert_eq!(gathering.next(), [0.5; BLOCK_SAMPLES]);
            }
            assert_eq!(gathering.next(), [0.0; BLOCK_SAMPLES]);
        }
    }

    #[test]
    fn the_loud_together_do_not_clip() {
        let mut gathering = Gathering::new();
        (0..5).for_each(|number| gathering.push(number, piece(0.9, 4)));
        assert!(gathering.next().iter().all(|sample| *sample < 1.0));
    }

    #[test]
    fn what_piles_up_is_left_out_and_streams_are_bounded() {
        let mut gathering = Gathering::new();
        gathering.push(1, piece(0.1, 100));
        gathering.push(1, piece(0.5, 9));
        assert_eq!(gathering.next(), [0.5; BLOCK_SAMPLES]);
        let all = 0..2 * MOST_STREAMS as u32;
        all.for_each(|number| gathering.push(number, piece(0.0, 1)));
        assert_eq!(gathering.streams.len(), MOST_STREAMS);
    }
}
