//! Joins blocks to frames and frames to packets.

use bytes::Bytes;

use super::codec::FrameEncoder;
use super::error::AudioError;
use super::packet::AudioPacket;
use super::{BLOCK_SAMPLES, Block, FRAME_SAMPLES};

/// The sending end of one voice: blocks in, packets out.
pub struct Framer {
    encoder: FrameEncoder,
    frame: [f32; FRAME_SAMPLES],
    filled: usize,
    capture_us: u64,
    seq: u32,
    previous: Option<Bytes>,
}

impl Framer {
    /// A framer whose first packet has number 0.
    ///
    /// # Errors
    /// [`AudioError::Internal`] if Opus cannot be set up.
    pub fn new() -> Result<Self, AudioError> {
        Ok(Self {
            encoder: FrameEncoder::new()?,
            frame: [0.0; FRAME_SAMPLES],
            filled: 0,
            capture_us: 0,
            seq: 0,
            previous: None,
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
        let payload = self.encoder.encode(&self.frame)?;
        let packet = AudioPacket {
            seq: self.seq,
            capture_us: self.capture_us,
            payload: payload.clone(),
            redundant: self.previous.replace(payload),
        };
        self.seq = self.seq.wrapping_add(1);
        Ok(Some(packet))
    }

    /// Says which share of packets gets lost: from 1 % on, frames carry a
    /// coarse copy of the frame before them (RFC 6716 §2.1.7).
    pub fn expect_loss(&mut self, percent: u8) {
        self.encoder.expect_loss(percent);
    }
}
