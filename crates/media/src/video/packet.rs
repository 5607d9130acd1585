//! One encoded frame as it travels inside a sealed payload.
//!
//! ```text
//! version 1 | flags 1 (bits 0-1 size, bit 2 key) | width 2 | height 2 | seq 4 | capture_us 8 | VP9 frame
//! ```
//! All numbers big-endian. The layout is the same for every frame, so its length tells only the frame's.

use bytes::Bytes;

use super::size::Size;
use super::vp9::{FrameHeader, HeaderError};

/// The largest VP9 frame that is sent or accepted, in bytes.
pub const MAX_PAYLOAD: usize = 512 * 1024;

const VERSION: u8 = 1;
const HEADER: usize = 18;
const SIZE_MASK: u8 = 0b011;
const KEY_FLAG: u8 = 0b100;

/// One VP9 frame with what a receiver must know before decoding it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoPacket {
    /// Counts the frames of this size from 0, without gaps unless frames were lost.
    pub seq: u32,
    /// When the picture was captured, in microseconds since the UNIX epoch, by the sender's clock.
    pub capture_us: u64,
    /// Whether decoding can start here.
    pub key: bool,
    /// The rung of the ladder.
    pub size: Size,
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
    /// Exactly one visible VP9 frame, profile 0.
    pub payload: Bytes,
}

/// Why bytes are not a video packet. The sender is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// Fewer bytes than the header.
    #[error("The video packet is cut short.")]
    Truncated,
    /// A layout this program does not know.
    #[error(
        "The video packet has version {0}; this program reads version {VERSION}. Update the older of the two."
    )]
    Version(u8),
    /// Unknown flags, or flags that contradict the frame.
    #[error("The video packet contradicts itself.")]
    Contradiction,
    /// More than [`MAX_PAYLOAD`] bytes.
    #[error("The video packet is larger than {MAX_PAYLOAD} bytes.")]
    TooLarge,
    /// The frame inside is not acceptable.
    #[error(transparent)]
    Frame(#[from] HeaderError),
}

impl VideoPacket {
    /// The packet as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER + self.payload.len());
        let key = if self.key { KEY_FLAG } else { 0 };
        out.push(VERSION);
        out.push(key | self.size.index() as u8);
        out.extend_from_slice(&self.width.to_be_bytes());
        out.extend_from_slice(&self.height.to_be_bytes());
        out.extend_from_slice(&self.seq.to_be_bytes());
        out.extend_from_slice(&self.capture_us.to_be_bytes());
        out.extend_from_slice(&self.payload);
        out
    }

    /// Reads what [`encode`](Self::encode) wrote and checks the frame's own header against it.
    pub fn decode(bytes: &[u8]) -> Result<Self, PacketError> {
        let (header, payload) = bytes
            .split_first_chunk::<HEADER>()
            .ok_or(PacketError::Truncated)?;
        let [version, flags, w0, w1, h0, h1, s0, s1, s2, s3, capture @ ..] = *header;
        if version != VERSION {
            return Err(PacketError::Version(version));
        }
        if payload.len() > MAX_PAYLOAD {
            return Err(PacketError::TooLarge);
        }
        let size = Size::from_index(flags & SIZE_MASK).ok_or(PacketError::Contradiction)?;
        if flags & !(SIZE_MASK | KEY_FLAG) != 0 {
            return Err(PacketError::Contradiction);
        }
        let packet = VideoPacket {
            seq: u32::from_be_bytes([s0, s1, s2, s3]),
            capture_us: u64::from_be_bytes(capture),
            key: flags & KEY_FLAG != 0,
            size,
            width: u16::from_be_bytes([w0, w1]),
            height: u16::from_be_bytes([h0, h1]),
            payload: Bytes::copy_from_slice(payload),
        };
        packet.check()?;
        Ok(packet)
    }

    /// Holds the header against the frame, which a decoder would believe instead.
    pub(super) fn check(&self) -> Result<(), PacketError> {
        if self.payload.len() > MAX_PAYLOAD {
            return Err(PacketError::TooLarge);
        }
        let frame = FrameHeader::parse(&self.payload)?;
        let stated = (u32::from(self.width), u32::from(self.height));
        let agrees = frame.dimensions.is_none_or(|found| found == stated);
        if frame.key != self.key || !agrees || self.width == 0 || self.height == 0 {
            return Err(PacketError::Contradiction);
        }
        Ok(())
    }
}
