//! One audio packet as it travels sealed: one of three numbers of bytes, which
//! does not depend on whether somebody speaks, is silent or is muted.
//!
//! ```text
//! whole:  2 u8 | seq u32 | capture_us u64 | length u8 | 3 × (back u8 | length u8) | frames
//! spare:  3 u8 | seq u32 | capture_us u64 | length u8 | frame
//! large:  4 u8 | like a whole one
//! ```
//! Integers are big-endian. The frames of a whole packet take 280 bytes: the
//! packet's own one, then copies of those sent `back` packets before, then
//! zeros. A slot without a copy is zero. Each frame has its own length, so that
//! longer and shorter ones may stand side by side while the sender changes
//! their size. The frames of a large packet take 372. A spare one repeats nothing,
//! and its frame has room for 140.

use bytes::Bytes;

use super::codec;
use super::error::PacketError;

/// Before the slots of copies.
const HEADER_LEN: usize = 1 + 4 + 8 + 1;
/// Bytes of the slot of a copy.
const SLOT_LEN: usize = 2;

/// How many packets later a frame may be sent again, at most.
pub const MOST_BACK: u8 = 8;

/// The sizes of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PacketSize {
    /// For links that lose nothing: half of a whole one, nothing twice.
    Spare,
    /// With room for copies.
    Whole,
    /// For links that lose much: three copies, and no shorter frames for it than with two.
    Large,
}

impl PacketSize {
    /// Bytes for the frames of a packet.
    pub const fn frames_room(self) -> usize {
        match self {
            Self::Spare => 140,
            Self::Whole => 280,
            Self::Large => 372,
        }
    }

    /// Copies of earlier frames at most.
    pub const fn most_copies(self) -> usize {
        match self {
            Self::Spare => 0,
            Self::Whole | Self::Large => 3,
        }
    }

    /// Bytes of every such packet, encoded.
    pub const fn encoded_len(self) -> usize {
        self.frames_at() + self.frames_room()
    }

    const fn frames_at(self) -> usize {
        HEADER_LEN + SLOT_LEN * self.most_copies()
    }

    /// The first byte. 0 and 1 were layouts with two frames of one length.
    const fn layout(self) -> u8 {
        match self {
            Self::Spare => 3,
            Self::Whole => 2,
            Self::Large => 4,
        }
    }

    fn of(layout: u8) -> Option<Self> {
        let all = [Self::Spare, Self::Whole, Self::Large];
        all.into_iter().find(|size| size.layout() == layout)
    }
}

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
    /// How large the packet is on its way.
    pub size: PacketSize,
    /// At most [`PacketSize::most_copies`] earlier frames, which heal what was lost.
    pub copies: Vec<FrameCopy>,
}

impl AudioPacket {
    /// The packet as [`PacketSize::encoded_len`] bytes.
    ///
    /// A payload that exceeds the room is cut, and a copy for which none is
    /// left is left out: the size on the wire never depends on what was said.
    pub fn encode(&self) -> Vec<u8> {
        let room = self.size.frames_room();
        let own = &self.payload[..self.payload.len().min(room).min(u8::MAX.into())];
        let mut out = Vec::with_capacity(self.size.encoded_len());
        out.push(self.size.layout());
        out.extend_from_slice(&self.seq.to_be_bytes());
        out.extend_from_slice(&self.capture_us.to_be_bytes());
        out.push(own.len() as u8);
        let mut room = room - own.len();
        let mut frames = own.to_vec();
        for copy in self.copies.iter().take(self.size.most_copies()) {
            if copy.frame.len() <= room.min(u8::MAX.into()) {
                room -= copy.frame.len();
                out.extend_from_slice(&[copy.back, copy.frame.len() as u8]);
                frames.extend_from_slice(&copy.frame);
            }
        }
        out.resize(self.size.frames_at(), 0);
        out.extend_from_slice(&frames);
        out.resize(self.size.encoded_len(), 0);
        out
    }

    /// Reads a packet that came from a peer.
    ///
    /// # Errors
    /// [`PacketError`] when the size or layout is wrong or a frame is not one
    /// Opus frame of 20 ms (RFC 6716 §3.1).
    pub fn decode(bytes: &[u8]) -> Result<Self, PacketError> {
        let layout = *bytes.first().ok_or(PacketError::Length(0))?;
        let size = PacketSize::of(layout).ok_or(PacketError::Layout(layout))?;
        if bytes.len() != size.encoded_len() {
            return Err(PacketError::Length(bytes.len()));
        }
        let (header, mut frames) = bytes.split_at(size.frames_at());
        let payload = take_frame(&mut frames, header[HEADER_LEN - 1])?;
        let mut copies = Vec::with_capacity(size.most_copies());
        for slot in header[HEADER_LEN..].chunks_exact(SLOT_LEN) {
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
            size,
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
