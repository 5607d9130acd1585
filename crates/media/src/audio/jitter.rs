//! Holds the packets of one voice back just long enough to play them
//! smoothly, and heals what is missing.
//!
//! The buffer steers one quantity: the *lag*, the time from capture to play of
//! the sample it hands out. [`DelayEstimator`] says which lag the link needs;
//! while the lag is right, sound passes untouched. When it is not, one period
//! of the voice is left out or repeated, in a pause if there is one soon.
//!
//! A missing frame is replaced by the best of: the copy in one of the next
//! packets; the coarse copy that Opus keeps inside a frame (RFC 6716 §2.1.7);
//! concealment by the decoder.
//!
//! No clock and no thread: time comes in as microseconds of the receiver's
//! clock.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::codec::{FrameDecoder, holds_previous};
use super::delay::DelayEstimator;
use super::error::AudioError;
use super::level::rms_dbfs;
use super::loss::LossMemory;
use super::packet::{AudioPacket, MOST_BACK};
use super::stats::JitterStats;
use super::steer::{Correction, Direction, Steering};
use super::{BLOCK_SAMPLES, BLOCK_US, Block, FRAME_SAMPLES, FRAME_US, stretch};
use crate::clock::difference;

/// Packets held at most, 2 s. A packet further away than this starts the
/// stream anew.
const MOST_PACKETS: u32 = 100;
/// Starved for this many blocks, 500 ms, the stream counts as paused: its next
/// packet starts it anew.
const STARVED_BLOCKS: u32 = 50;
/// Lag beyond the target at which frames are skipped instead of hurried through.
const HOPELESS_US: i64 = 300_000;
/// Blocks invented while a frame was late, up to which the frame is entered
/// where it would be by now. After a longer wait it is played from its start:
/// then the words matter more than the delay.
const MOST_OWED_BLOCKS: u32 = 4;
/// So many frames lost in a row, 80 ms, are a burst.
const BURST_FRAMES: u32 = 4;
/// Sound quieter than this is a pause.
const PAUSE_DBFS: f32 = -50.0;

/// One block as it must be played now.
#[derive(Debug)]
pub struct Pulled {
    /// The sound, silence while the stream is paused.
    pub block: Block,
    /// Capture time of the first sample, unless it was invented.
    pub capture_us: Option<u64>,
}

/// The adaptive buffer of one voice.
pub struct JitterBuffer {
    decoder: FrameDecoder,
    delay: DelayEstimator,
    steering: Steering,
    packets: BTreeMap<u32, AudioPacket>,
    state: State,
    /// Decoded and not yet played.
    pcm: Vec<f32>,
    /// Capture time of the first sample in `pcm`; none if it was invented.
    head_us: Option<u64>,
    /// Blocks invented in place of the frame now at the head.
    owed: u32,
    loss: LossMemory,
    lost_in_a_row: u32,
    stats: JitterStats,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Nothing to play. `expected` is the frame that would have been next and
    /// how many blocks have been invented in its place already.
    Paused { expected: Option<(u32, u32)> },
    /// Frame `next` is due; so many blocks were invented while waiting for it.
    Playing { next: u32, starved: u32 },
}

impl JitterBuffer {
    /// An empty buffer.
    ///
    /// # Errors
    /// [`AudioError::Internal`] if Opus cannot be set up.
    pub fn new() -> Result<Self, AudioError> {
        Ok(Self {
            decoder: FrameDecoder::new()?,
            delay: DelayEstimator::default(),
            steering: Steering::default(),
            packets: BTreeMap::new(),
            state: State::Paused { expected: None },
            pcm: Vec::with_capacity(4 * FRAME_SAMPLES),
            head_us: None,
            owed: 0,
            loss: LossMemory::default(),
            lost_in_a_row: 0,
            stats: JitterStats::default(),
        })
    }

    /// Takes in a packet that arrived at `now_us`.
    pub fn insert(&mut self, now_us: u64, packet: AudioPacket) {
        self.loss.observe(&packet);
        if let State::Playing { next, starved } = self.state {
            if packet.seq.abs_diff(next) > MOST_PACKETS {
                self.pause(next, starved);
            } else if packet.seq < next {
                self.stats.late += 1;
                self.delay.observe(now_us, packet.capture_us);
                return;
            }
        }
        if self.packets.contains_key(&packet.seq) {
            self.stats.late += 1;
            return;
        }
        self.delay.observe(now_us, packet.capture_us);
        self.stats.packets += 1;
        self.packets.insert(packet.seq, packet);
        while self.packets.len() > MOST_PACKETS as usize {
            self.packets.pop_first();
        }
    }

    /// The next block, to be played at `now_us`.
    pub fn pull(&mut self, now_us: u64) -> Pulled {
        if matches!(self.state, State::Paused { .. }) && !self.try_start(now_us) {
            return Pulled {
                block: [0.0; BLOCK_SAMPLES],
                capture_us: None,
            };
        }
        self.skip_if_hopeless(now_us);
        while self.pcm.len() < BLOCK_SAMPLES {
            if !self.decode_next() {
                self.bridge();
            }
        }
        self.catch_up(now_us);
        self.steer(now_us);
        self.take_block()
    }

    /// Sound at hand, in milliseconds.
    pub fn buffer_ms(&self) -> u32 {
        let frames = match (self.state, self.packets.last_key_value()) {
            (State::Playing { next, .. }, Some((last, _))) => {
                last.saturating_add(1).saturating_sub(next)
            }
            _ => self.packets.len() as u32,
        };
        frames.min(MOST_PACKETS) * 20 + (self.pcm.len() / 48) as u32
    }

    /// Lag that the link is found to need: microseconds of the receiver's
    /// clock minus the sender's.
    pub fn target_us(&self) -> i64 {
        let frames = i64::from(self.loss.frames_to_wait());
        self.delay.target_us() + frames * FRAME_US as i64
    }

    /// Counts so far.
    pub fn stats(&self) -> JitterStats {
        self.stats
    }

    /// Starts with the newest packet that is due, if any is: an older one
    /// would only add lag.
    fn try_start(&mut self, now_us: u64) -> bool {
        let Some(first) = self.newest_due(now_us, self.target_us()) else {
            return false;
        };
        if let State::Paused {
            expected: Some((expected, invented)),
        } = self.state
        {
            let missing = 2 * u64::from(first.saturating_sub(expected));
            self.stats.concealed_blocks += missing.saturating_sub(u64::from(invented));
        }
        self.start_at(first);
        true
    }

    fn skip_if_hopeless(&mut self, now_us: u64) {
        let State::Playing { next, .. } = self.state else {
            return;
        };
        let lag_of_next = match (self.head_us, self.packets.first_key_value()) {
            (Some(head_us), _) => difference(now_us, head_us),
            (None, Some((_, packet))) => difference(now_us, packet.capture_us),
            (None, None) => return,
        };
        if lag_of_next <= self.target_us() + HOPELESS_US {
            return;
        }
        if let Some(first) = self.newest_due(now_us, self.target_us())
            && first > next
        {
            self.stats.concealed_blocks += 2 * u64::from(first - next);
            self.pcm.clear();
            self.start_at(first);
        }
    }

    fn newest_due(&self, now_us: u64, target_us: i64) -> Option<u32> {
        let due = |packet: &AudioPacket| difference(now_us, packet.capture_us) >= target_us;
        let newest = self.packets.iter().rev().find(|(_, packet)| due(packet));
        newest.map(|(seq, _)| *seq)
    }

    fn start_at(&mut self, first: u32) {
        self.packets = self.packets.split_off(&first);
        self.steering.reset();
        self.state = State::Playing {
            next: first,
            starved: 0,
        };
    }

    fn pause(&mut self, next: u32, starved: u32) {
        self.packets.clear();
        self.pcm.clear();
        self.head_us = None;
        self.owed = 0;
        self.state = State::Paused {
            expected: Some((next, starved)),
        };
    }

    /// Appends the frame that is due to `pcm`, in the best quality at hand.
    /// False if nothing later is at hand either: then it may still come.
    fn decode_next(&mut self) -> bool {
        let State::Playing { next, starved } = self.state else {
            return false;
        };
        if self.packets.is_empty() {
            return false;
        }
        let mut frame = [0.0; FRAME_SAMPLES];
        let own = self.packets.remove(&next);
        let capture_us = match &own {
            Some(packet) => {
                self.decoder.decode(&packet.payload, &mut frame);
                Some(packet.capture_us)
            }
            None => self.recover(next, &mut frame),
        };
        if own.is_some() {
            self.loss.came();
        }
        self.count(own.is_none());
        match capture_us {
            Some(capture_us) => {
                self.stats.played_frames += 1;
                self.stats.recovered_frames += u64::from(own.is_none());
                let played_before_us = self.pcm.len() as u64 * 1000 / 48;
                self.head_us = Some(capture_us.saturating_sub(played_before_us));
                self.pcm.extend_from_slice(&frame);
                self.owed += starved;
            }
            None => {
                // What was invented while waiting stands for the lost frame.
                let spared = starved.min(2);
                let invented = &mut frame[spared as usize * BLOCK_SAMPLES..];
                if !invented.is_empty() {
                    self.decoder.conceal(invented);
                }
                self.pcm.extend_from_slice(invented);
                self.owed += starved - spared;
                self.stats.concealed_blocks += u64::from(2 - spared);
                self.head_us = None;
            }
        }
        self.state = State::Playing {
            next: next.saturating_add(1),
            starved: 0,
        };
        true
    }

    /// Counts a frame that was due, and whether its own packet was missing.
    fn count(&mut self, lost: bool) {
        let counts = &mut self.stats.loss;
        counts.due += 1;
        self.lost_in_a_row = match lost {
            true => self.lost_in_a_row + 1,
            false => 0,
        };
        counts.lost += u64::from(lost);
        counts.in_bursts += match self.lost_in_a_row {
            BURST_FRAMES => u64::from(BURST_FRAMES),
            n => u64::from(n > BURST_FRAMES),
        };
    }

    /// Decodes frame `seq` from a copy in one of the next packets. Returns its
    /// capture time.
    fn recover(&mut self, seq: u32, frame: &mut [f32; FRAME_SAMPLES]) -> Option<u64> {
        if let Some((back, packet, copy)) = find_copy(&self.packets, seq) {
            self.decoder.decode(copy, frame);
            self.loss.healed(back);
            return Some(captured_before(packet, back));
        }
        let next = seq.saturating_add(1);
        let own = self.packets.get(&next);
        let following = own
            .map(|packet| (0, packet, &packet.payload))
            .or_else(|| find_copy(&self.packets, next))
            .filter(|(.., following)| holds_previous(following));
        let Some((back, packet, following)) = following else {
            self.loss.unhealed(seq);
            return None;
        };
        self.decoder.decode_before(following, frame);
        self.loss.healed(back + 1);
        Some(captured_before(packet, back + 1))
    }

    /// Continues the sound for one block without moving on to the next frame,
    /// which may still arrive; gives up after [`STARVED_BLOCKS`].
    fn bridge(&mut self) {
        let mut block = [0.0; BLOCK_SAMPLES];
        if let State::Playing { next, starved } = self.state {
            self.decoder.conceal(&mut block);
            self.stats.concealed_blocks += 1;
            if starved + 1 >= STARVED_BLOCKS {
                self.pause(next, starved + 1);
            } else {
                self.state = State::Playing {
                    next,
                    starved: starved + 1,
                };
            }
        }
        self.head_us = None;
        self.pcm.extend_from_slice(&block);
    }

    /// After a short wait for a late frame: leaves out as much of it as was
    /// invented in its place, unless the stream needs the longer lag anyway.
    fn catch_up(&mut self, now_us: u64) {
        let Some(head_us) = self.head_us else {
            return;
        };
        let owed = std::mem::take(&mut self.owed);
        if owed == 0 || owed > MOST_OWED_BLOCKS {
            return;
        }
        let excess_us = self.lag_us(now_us, head_us) - self.target_us();
        let blocks = (excess_us.max(0) as u64 / BLOCK_US).min(owed.into());
        let count = blocks as usize * BLOCK_SAMPLES;
        while self.pcm.len() < BLOCK_SAMPLES + count && self.decode_ahead() {}
        if self.pcm.len() >= BLOCK_SAMPLES + count && stretch::cut(&mut self.pcm, count) {
            self.head_us = Some(head_us.saturating_add(count as u64 * 1000 / 48));
        }
    }

    /// Lag at the moment for which the next frame must be at hand. That is less
    /// than the lag of what is played by the part of a block at hand: the
    /// frame is wanted with the block that it begins within.
    fn lag_us(&self, now_us: u64, head_us: u64) -> i64 {
        let part = (self.pcm.len() % BLOCK_SAMPLES) as i64;
        difference(now_us, head_us) - part * 1000 / 48
    }

    /// Decodes the next frame before it is due, if it is at hand.
    fn decode_ahead(&mut self) -> bool {
        let State::Playing { next, .. } = self.state else {
            return false;
        };
        let head_us = self.head_us;
        let decoded = self.packets.contains_key(&next) && self.decode_next();
        self.head_us = head_us;
        decoded
    }

    fn steer(&mut self, now_us: u64) {
        let Some(head_us) = self.head_us else {
            return;
        };
        let lag_us = self.lag_us(now_us, head_us);
        let pause = self.pauses();
        let Some(correction) = self.steering.observe(lag_us, self.target_us(), pause) else {
            return;
        };
        let change = match correction {
            Correction::Period { direction, force } => match direction {
                Direction::Shorten => -(self.shorten(force) as i64),
                Direction::Lengthen => stretch::lengthen(&mut self.pcm, force) as i64,
            },
            Correction::Trim(us) => -(self.trim(us) as i64),
        };
        if change != 0 {
            self.stats.stretches += 1;
            let change_us = change * 1000 / 48;
            self.steering.corrected(change_us);
            // The joint lies within the block about to be played, so what
            // follows it is mapped to its capture time by the shifted head.
            self.head_us = Some(head_us.saturating_add_signed(-change_us));
        }
    }

    /// Leaves out a period if a whole block remains. Returns its samples.
    fn shorten(&mut self, force: bool) -> usize {
        const ENOUGH: usize = BLOCK_SAMPLES + stretch::PERIOD_MAX;
        // Too much lag usually means that the next frame is at hand.
        if self.pcm.len() < ENOUGH {
            self.decode_ahead();
        }
        if self.pcm.len() < ENOUGH {
            return 0;
        }
        stretch::shorten(&mut self.pcm, force)
    }

    /// Leaves out so much of a pause if a whole block remains. Returns its samples.
    fn trim(&mut self, us: u64) -> usize {
        let count = (us * 48 / 1000) as usize;
        if self.pcm.len() < BLOCK_SAMPLES + count {
            self.decode_ahead();
        }
        // The next frame may be the begin of a word.
        let fits = self.pcm.len() >= BLOCK_SAMPLES + count && self.pauses();
        match fits && stretch::cut(&mut self.pcm, count) {
            true => count,
            false => 0,
        }
    }

    /// Whether the sound at hand is a pause.
    fn pauses(&self) -> bool {
        rms_dbfs(&self.pcm) < PAUSE_DBFS
    }

    fn take_block(&mut self) -> Pulled {
        let mut block = [0.0; BLOCK_SAMPLES];
        block.copy_from_slice(&self.pcm[..BLOCK_SAMPLES]);
        self.pcm.drain(..BLOCK_SAMPLES);
        let capture_us = self.head_us;
        self.head_us = capture_us.map(|head_us| head_us.saturating_add(BLOCK_US));
        Pulled { block, capture_us }
    }
}

/// The first copy of a frame, how many packets later it came, and in which.
fn find_copy(
    packets: &BTreeMap<u32, AudioPacket>,
    seq: u32,
) -> Option<(u32, &AudioPacket, &Bytes)> {
    (1..=u32::from(MOST_BACK)).find_map(|back| {
        let packet = packets.get(&seq.checked_add(back)?)?;
        Some((back, packet, packet.copy(back)?))
    })
}

fn captured_before(packet: &AudioPacket, frames: u32) -> u64 {
    packet
        .capture_us
        .saturating_sub(u64::from(frames) * FRAME_US)
}
