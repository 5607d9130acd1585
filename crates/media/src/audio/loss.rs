//! Remembers what went missing, and says how long waiting for the copies in
//! later packets pays off.

use std::collections::VecDeque;

use super::packet::{AudioPacket, MOST_BACK};

/// Weight of a frame, and how fast it is forgotten: one is remembered for about
/// 30 s. A longer delay is heard less than one that comes and goes.
const LEARNING: f32 = 0.005;
const FORGETTING: f32 = 0.001;
/// Shares of frames, healed by waiting one frame longer, at which that wait
/// begins and ceases to pay off: a single one is enough, since another often
/// follows.
const LOSSY: f32 = 0.0045;
const LOSSLESS: f32 = 0.001;
/// Frames that went unhealed and may still be seen in a copy.
const MOST_UNHEALED: usize = 32;

/// How many packets later a copy of each lost frame came.
#[derive(Debug, Default)]
pub(super) struct LossMemory {
    /// Shares of all frames that were lost and came that many packets later.
    shares: [f32; MOST_BACK as usize + 1],
    wait: usize,
    unhealed: VecDeque<u32>,
    /// The latest copy seen so far.
    reach: u8,
}

impl LossMemory {
    /// A frame was due, and its own packet was there.
    pub(super) fn came(&mut self) {
        self.learn(None);
    }

    /// A frame was due, its own packet was missing, and the copy in a packet
    /// `back` later took its place.
    pub(super) fn healed(&mut self, back: u32) {
        self.learn(Some(back));
    }

    /// A frame was due and not to be had.
    pub(super) fn unhealed(&mut self, seq: u32) {
        self.learn(None);
        if self.unhealed.len() == MOST_UNHEALED {
            self.unhealed.pop_front();
        }
        self.unhealed.push_back(seq);
    }

    /// A packet came: what it repeats might have been healed by a longer wait.
    pub(super) fn observe(&mut self, packet: &AudioPacket) {
        self.unhealed.retain(|seq| *seq != packet.seq);
        let reach = packet.copies.iter().map(|copy| copy.back).max();
        let reach = reach.unwrap_or(0).min(MOST_BACK);
        // The sender has begun to repeat frames later than before. When some
        // were lost for good, that is for their sake.
        if reach > self.reach && !self.unhealed.is_empty() {
            self.count(reach.into());
        }
        // Copies are fewer after a pause; that is no change of mind.
        self.reach = self.reach.max(reach);
        for copy in &packet.copies {
            let first = packet.seq.checked_sub(copy.back.into());
            let before = self.unhealed.len();
            self.unhealed.retain(|seq| Some(*seq) != first);
            if self.unhealed.len() < before {
                self.count(copy.back.into());
            }
        }
    }

    /// Frames by which a stream should lag more than its jitter demands.
    pub(super) fn frames_to_wait(&self) -> u32 {
        self.wait as u32
    }

    fn learn(&mut self, back: Option<u32>) {
        for share in &mut self.shares {
            *share -= FORGETTING * *share;
        }
        if let Some(back) = back {
            self.count(back);
        }
        while self.wait > 0 && self.beyond(self.wait - 1) < LOSSLESS {
            self.wait -= 1;
        }
    }

    fn count(&mut self, back: u32) {
        if let Some(share) = self.shares.get_mut(back as usize) {
            *share += LEARNING;
        }
        while self.beyond(self.wait) > LOSSY {
            self.wait += 1;
        }
    }

    /// Share of frames that a longer wait than this would heal.
    fn beyond(&self, wait: usize) -> f32 {
        self.shares.iter().skip(wait + 1).sum()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::packet::{FrameCopy, PacketSize};
    use super::*;

    #[test]
    fn copies_that_come_later_than_before_are_waited_for_at_once() {
        let mut memory = LossMemory::default();
        memory.observe(&packet(1, 1));
        memory.observe(&packet(2, 2));
        assert_eq!(memory.frames_to_wait(), 0, "nothing was lost");
        memory.observe(&packet(3, 1));
        memory.unhealed(10);
        memory.observe(&packet(20, 5));
        assert_eq!(memory.frames_to_wait(), 5);
    }

    fn packet(seq: u32, back: u8) -> AudioPacket {
        AudioPacket {
            seq,
            capture_us: 0,
            payload: Bytes::new(),
            size: PacketSize::Whole,
            copies: vec![FrameCopy {
                back,
                frame: Bytes::new(),
            }],
        }
    }

    #[test]
    fn one_loss_is_remembered_for_half_a_minute() {
        let mut memory = LossMemory::default();
        assert_eq!(memory.frames_to_wait(), 0);
        memory.healed(1);
        assert_eq!(memory.frames_to_wait(), 1);
        (0..1_500).for_each(|_| memory.came());
        assert_eq!(memory.frames_to_wait(), 1);
        (0..200).for_each(|_| memory.came());
        assert_eq!(memory.frames_to_wait(), 0);
    }

    #[test]
    fn what_a_longer_wait_would_have_healed_lengthens_it() {
        let mut memory = LossMemory::default();
        memory.observe(&packet(1, 4));
        memory.unhealed(10);
        assert_eq!(memory.frames_to_wait(), 0);
        memory.observe(&packet(14, 3));
        assert_eq!(memory.frames_to_wait(), 0, "another frame's copy");
        memory.observe(&packet(14, 4));
        assert_eq!(memory.frames_to_wait(), 4);
    }

    #[test]
    fn what_never_comes_again_is_not_waited_for() {
        let mut memory = LossMemory::default();
        (0..1000).for_each(|seq| memory.unhealed(seq));
        assert_eq!(memory.frames_to_wait(), 0);
    }
}
