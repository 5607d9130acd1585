//! Joins blocks to frames and frames to packets.

use std::collections::VecDeque;

use bytes::Bytes;

use super::codec::{Content, FrameEncoder};
use super::error::AudioError;
use super::loss_meter::Loss;
use super::packet::{AudioPacket, FrameCopy, MOST_BACK, PacketSize};
use super::redundancy::Redundancy;
use super::{BLOCK_SAMPLES, Block, FRAME_SAMPLES};

/// Copies in packets of what programs play: always of the frame before. Half of a packet is enough
/// for music, and one copy for links that lose a few packets in a hundred.
const COPIES_OF_PROGRAMS: [u8; 1] = [1];

/// The sending end of one sound: blocks in, packets out.
pub struct Framer {
    encoder: FrameEncoder,
    frame: [f32; FRAME_SAMPLES],
    filled: usize,
    capture_us: u64,
    seq: u32,
    /// Frames already sent, the latest first.
    sent: VecDeque<Bytes>,
    redundancy: Redundancy,
    /// Copies that do not depend on the link.
    chosen: Option<Vec<u8>>,
}

impl Framer {
    /// A framer whose first packet has number 0.
    ///
    /// # Errors
    /// [`AudioError::Internal`] if Opus cannot be set up.
    pub fn new() -> Result<Self, AudioError> {
        Self::of(Content::Speech, None)
    }

    /// A framer for whatever programs play, music above all, whose packets have one size and one
    /// plan whatever is told of the link.
    pub(super) fn of_programs() -> Result<Self, AudioError> {
        Self::of(Content::Anything, Some(COPIES_OF_PROGRAMS.into()))
    }

    fn of(content: Content, chosen: Option<Vec<u8>>) -> Result<Self, AudioError> {
        Ok(Self {
            encoder: FrameEncoder::new(content)?,
            frame: [0.0; FRAME_SAMPLES],
            filled: 0,
            capture_us: 0,
            seq: 0,
            sent: VecDeque::with_capacity(MOST_BACK.into()),
            redundancy: Redundancy::default(),
            chosen,
        })
    }

    /// Takes the next block, captured at `capture_us`. Yields a packet with
    /// every second block.
    ///
    /// # Errors
    /// [`AudioError::Internal`] if Opus refuses the frame, which is then lost.
    pub fn push(
        &mut self,
        block: &Block,
        capture_us: u64,
    ) -> Result<Option<AudioPacket>, AudioError> {
        if self.filled == 0 {
            // Opus looks ahead, so what comes out of a frame went in earlier
            // than the frame's own samples did.
            self.capture_us = capture_us.saturating_sub(self.encoder.lookahead_us());
        }
        self.frame[self.filled..self.filled + BLOCK_SAMPLES].copy_from_slice(block);
        self.filled += BLOCK_SAMPLES;
        if self.filled < FRAME_SAMPLES {
            return Ok(None);
        }
        self.filled = 0;
        let plan = self.redundancy.next();
        let (size, back, frame_bytes) = match &self.chosen {
            Some(back) => {
                let size = PacketSize::Whole;
                (size, back.as_slice(), size.frames_room() / (back.len() + 1))
            }
            None => (plan.size, plan.back, plan.frame_bytes()),
        };
        let payload = self.encoder.encode(&self.frame, frame_bytes)?;
        let packet = AudioPacket {
            seq: self.seq,
            capture_us: self.capture_us,
            payload: payload.clone(),
            size,
            copies: copies(&self.sent, back, size.frames_room() - payload.len()),
        };
        self.sent.truncate(usize::from(MOST_BACK) - 1);
        self.sent.push_front(payload);
        self.seq = self.seq.wrapping_add(1);
        Ok(Some(packet))
    }

    /// Whether packets have one size whatever the link loses, as they have until
    /// this is told. Otherwise they are short where nothing has been lost for 10 s.
    pub fn keep_one_size(&mut self, one_size: bool) {
        self.redundancy.keep_one_size(one_size);
    }

    /// Says what gets lost on the way. The more, the more earlier frames each
    /// packet repeats, at the cost of their bit rate. Less loss is believed
    /// after 10 s.
    pub fn expect_loss(&mut self, loss: Loss) {
        self.redundancy.expect_loss(loss);
    }

    /// Chooses by hand which earlier frames are repeated, by how many packets
    /// ago they were sent, and whether Opus adds coarse copies of its own, as
    /// for so many percent of loss. For measurements.
    pub fn choose_copies(&mut self, back: &[u8], coarse_percent: u8) {
        let most = back.len().min(PacketSize::Whole.most_copies());
        self.chosen = Some(back[..most].to_vec());
        self.encoder.add_coarse_copies(coarse_percent);
    }
}

/// The frames wanted again, as far as they exist and there is room: those from
/// before a change of plan may be longer than today's.
fn copies(sent: &VecDeque<Bytes>, back: &[u8], mut room: usize) -> Vec<FrameCopy> {
    let wanted = back.iter().filter_map(|back| {
        let frame = sent.get(usize::from(*back).checked_sub(1)?)?;
        Some((*back, frame))
    });
    wanted
        .filter_map(|(back, frame)| {
            room = room.checked_sub(frame.len())?;
            let frame = frame.clone();
            Some(FrameCopy { back, frame })
        })
        .collect()
}
