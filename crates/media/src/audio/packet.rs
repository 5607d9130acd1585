//! One audio packet as it travels sealed: always the same number of bytes,
//! whether somebody speaks, is silent or is muted, and however much of it is
//! copies of earlier frames.
//!
//! ```text
//! layout u8 | seq u32 | capture_us u64 | length u8 | 3 × (back u8 | length u8) | frames
//! ```
//! Integers are big-endian. The frames take [`FRAMES_ROOM`] bytes: the packet's
//! own one, then copies of those sent `back` packets before, then zeros. A slot
//! without a copy is zero. Each frame has its own length, so that longer and
//! shorter ones may stand side by side while the sender changes their size.

use bytes::Bytes;

use super::codec;
use super::error::PacketError;

const HEADER_LEN: usize = 1 + 4 + 8 + 1 + 2 * MOST_COPIES;
/// 0 and 1 were layouts with two frames of one length.
const LAYOUT: u8 = 2;

/// Bytes for the frames of one packet.
pub const FRAMES_ROOM: usize = 280;
/// Copies of earlier frames in one packet at most.
pub const MOST_COPIES: usize = 3;
/// How many packets later a frame may be sent again, at most.
pub const MOST_BACK: u8 = 8;
/// Size of every encoded [`AudioPacket`] in bytes.
pub const ENCODED_LEN: usize = HEADER_LEN + FRAMES_ROOM;

/// A frame that was sent before, in a packet that may have been lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameCopy {
    /// How many packets ago it was sent first, 1 to [`MOST_BACK`].
    pub back: u8,
    /// The frame, byte for byte.
    pub frame: Bytes,
}

/// 20 ms of sound with what is needed to play it at the right moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioPacket {
    /// Position in the stream, counting frames from 0 without gaps.
    pub seq: u32,
    /// When the first sample reached the microphone, UNIX microseconds.
    pub capture_us: u64,
    /// One Opus frame, 48 kHz mono, 20 ms.
    pub payload: Bytes,
    /// At most [`MOST_COPIES`] earlier frames, which heal what was lost.
    pub copies: Vec<FrameCopy>,
}

impl AudioPacket {
    /// The packet as [`ENCODED_LEN`] bytes.
    ///
    /// A payload that exceeds the room is cut, and a copy for which none is
    /// left is left out: the size on the wire never depends on what was said.
    pub fn encode(&self) -> Vec<u8> {
        let own = &self.payload[..self.payload.len().min(FRAMES_ROOM).min(u8::MAX.into())];
        let mut out = Vec::with_capacity(ENCODED_LEN);
        out.push(LAYOUT);
        out.extend_from_slice(&self.seq.to_be_bytes());
        out.extend_from_slice(&self.capture_us.to_be_bytes());
        out.push(own.len() as u8);
        let mut room = FRAMES_ROOM - own.len();
        let mut frames = own.to_vec();
        for copy in self.copies.iter().take(MOST_COPIES) {
            if copy.frame.len() <= room.min(u8::MAX.into()) {
                room -= copy.frame.len();
                out.extend_from_slice(&[copy.back, copy.frame.len() as u8]);
                frames.extend_from_slice(&copy.frame);
            }
        }
        out.resize(HEADER_LEN, 0);
        out.extend_from_slice(&frames);
        out.resize(ENCODED_LEN, 0);
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
        if bytes[0] != LAYOUT {
            return Err(PacketError::Layout(bytes[0]));
        }
        let (header, mut frames) = bytes.split_at(HEADER_LEN);
        let payload = take_frame(&mut frames, header[13])?;
        let mut copies = Vec::with_capacity(MOST_COPIES);
        for slot in header[14..].chunks_exact(2) {
            match (slot[0], slot[1]) {
                (0, 0) => {}
                (back @ 1..=MOST_BACK, length) => {
                    let frame = take_frame(&mut frames, length)?;
                    copies.push(FrameCopy { back, frame });
                }
                _ => return Err(PacketError::NotOneFrame),
            }
        }
        Ok(Self {
            seq: header[1..5].iter().fold(0, |n, b| n << 8 | u32::from(*b)),
            capture_us: header[5..13].iter().fold(0, |n, b| n << 8 | u64::from(*b)),
            payload,
            copies,
        })
    }

    /// The copy of the frame sent first `back` packets before this one.
    pub(super) fn copy(&self, back: u32) -> Option<&Bytes> {
        let copy = self.copies.iter().find(|copy| u32::from(copy.back) == back);
        copy.map(|copy| &copy.frame)
    }
}

fn take_frame(frames: &mut &[u8], length: u8) -> Result<Bytes, PacketError> {
    let split = frames.split_at_checked(length.into());
    let (frame, rest) = split.ok_or(PacketError::NotOneFrame)?;
    if !codec::is_one_frame(frame) {
        return Err(PacketError::NotOneFrame);
    }
    *frames = rest;
    Ok(Bytes::copy_from_slice(frame))
}
