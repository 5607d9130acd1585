//! One audio packet as it travels sealed: always the same number of bytes,
//! whether somebody speaks, is silent or is muted.
//!
//! ```text
//! layout u8 | seq u32 | capture_us u64 | frame | previous frame
//! ```
//! Integers are big-endian. Layout 1 carries the previous frame, layout 0 has
//! zeros in its place.

use bytes::Bytes;

use super::codec::{self, FRAME_BYTES};
use super::error::PacketError;

const HEADER_LEN: usize = 1 + 4 + 8;
const LAYOUT_ALONE: u8 = 0;
const LAYOUT_REDUNDANT: u8 = 1;

/// Size of every encoded [`AudioPacket`] in bytes.
pub const ENCODED_LEN: usize = HEADER_LEN + 2 * FRAME_BYTES;

/// 20 ms of sound with what is needed to play it at the right moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioPacket {
    /// Position in the stream, counting frames from 0 without gaps.
    pub seq: u32,
    /// When the first sample reached the microphone, UNIX microseconds.
    pub capture_us: u64,
    /// One Opus frame, 48 kHz mono, 20 ms, of [`FRAME_BYTES`] bytes.
    pub payload: Bytes,
    /// The payload of the packet before this one, which heals a single loss.
    pub redundant: Option<Bytes>,
}

impl AudioPacket {
    /// The packet as [`ENCODED_LEN`] bytes.
    ///
    /// A payload of another size than [`FRAME_BYTES`] is cut or padded with
    /// zeros: the size on the wire never depends on what was said.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(ENCODED_LEN);
        out.push(match self.redundant {
            Some(_) => LAYOUT_REDUNDANT,
            None => LAYOUT_ALONE,
        });
        out.extend_from_slice(&self.seq.to_be_bytes());
        out.extend_from_slice(&self.capture_us.to_be_bytes());
        push_frame(&mut out, &self.payload);
        push_frame(&mut out, self.redundant.as_deref().unwrap_or_default());
        out
    }

    /// Reads a packet that came from a peer.
    ///
    /// # Errors
    /// [`PacketError`] when the size or layout is wrong or a frame is not one
    /// Opus frame of 20 ms (RFC 6716 §3.1).
    pub fn decode(bytes: &[u8]) -> Result<Self, PacketError> {
        if bytes.len() != ENCODED_LEN {
            return Err(PacketError::Length(bytes.len()));
        }
        let (header, frames) = bytes.split_at(HEADER_LEN);
        let (payload, redundant) = frames.split_at(FRAME_BYTES);
        let redundant = match header[0] {
            LAYOUT_ALONE => None,
            LAYOUT_REDUNDANT => Some(redundant),
            other => return Err(PacketError::Layout(other)),
        };
        if !codec::is_one_frame(payload) || !redundant.is_none_or(codec::is_one_frame) {
            return Err(PacketError::NotOneFrame);
        }
        Ok(Self {
            seq: header[1..5].iter().fold(0, |n, b| n << 8 | u32::from(*b)),
            capture_us: header[5..13].iter().fold(0, |n, b| n << 8 | u64::from(*b)),
            payload: Bytes::copy_from_slice(payload),
            redundant: redundant.map(Bytes::copy_from_slice),
        })
    }
}

fn push_frame(out: &mut Vec<u8>, frame: &[u8]) {
    let end = out.len() + FRAME_BYTES;
    out.extend_from_slice(&frame[..frame.len().min(FRAME_BYTES)]);
    out.resize(end, 0);
}
