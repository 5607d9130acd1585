//! The head of a VP9 frame, read far enough to know what a stranger's payload would make a decoder do.
//!
//! Section numbers are those of the VP9 bitstream specification, version 0.6. Only what is sent here is let
//! through: one visible frame of profile 0, no superframe, no size beyond [`MAX_WIDTH`]×[`MAX_HEIGHT`].

/// The widest picture that is decoded, in pixels.
pub(super) const MAX_WIDTH: u32 = 3840;
/// The highest picture that is decoded, in pixels.
pub(super) const MAX_HEIGHT: u32 = 2160;

/// Why a payload is not a frame that is decoded here. The sender is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The payload ends inside the header.
    #[error("The video frame is cut short.")]
    Truncated,
    /// It does not begin like a VP9 frame.
    #[error("The video frame is not VP9.")]
    NotVp9,
    /// VP9, but of another kind than this program sends.
    #[error("The video frame is of a kind that this program does not decode ({0}).")]
    Unsupported(&'static str),
    /// A picture larger than any that is decoded.
    #[error("The video frame is {width}×{height} pixels, more than {MAX_WIDTH}×{MAX_HEIGHT}.")]
    TooLarge {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
}

/// What the head of a frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHeader {
    /// Whether decoding can start here.
    pub key: bool,
    /// The size, where the frame states it; always for a key frame.
    pub dimensions: Option<(u32, u32)>,
    /// Whether no later frame builds on this one: it replaces no reference.
    pub droppable: bool,
}

impl FrameHeader {
    /// Reads and checks the head of `payload` (§6.2).
    pub(super) fn parse(payload: &[u8]) -> Result<Self, HeaderError> {
        refuse_superframe(payload)?;
        let mut bits = Bits {
            bytes: payload,
            at: 0,
        };
        if bits.take(2)? != 2 {
            return Err(HeaderError::NotVp9);
        }
        if bits.take(2)? != 0 {
            return Err(HeaderError::Unsupported("not profile 0"));
        }
        if bits.flag()? {
            return Err(HeaderError::Unsupported("a repeated frame"));
        }
        let key = !bits.flag()?;
        let shown = bits.flag()?;
        let error_resilient = bits.flag()?;
        if !shown {
            return Err(HeaderError::Unsupported("a hidden frame"));
        }
        if key {
            sync_code(&mut bits)?;
            color_config(&mut bits)?;
            let dimensions = Some(frame_size(&mut bits)?);
            return Ok(FrameHeader {
                key,
                dimensions,
                droppable: false,
            });
        }
        if !error_resilient {
            bits.take(2)?; // reset_frame_context
        }
        let refreshed = bits.take(8)?;
        let dimensions = inter_size(&mut bits)?;
        Ok(FrameHeader {
            key,
            dimensions,
            droppable: error_resilient && refreshed == 0,
        })
    }
}

/// A visible inter frame may state a new size (§6.2.4). Only a hidden one has an `intra_only` bit before this.
fn inter_size(bits: &mut Bits<'_>) -> Result<Option<(u32, u32)>, HeaderError> {
    for _ in 0..3 {
        bits.take(4)?; // ref_frame_idx, ref_frame_sign_bias
    }
    for _ in 0..3 {
        if bits.flag()? {
            return Ok(None); // the size of a reference
        }
    }
    frame_size(bits).map(Some)
}

/// §6.2.1: 0x49, 0x83, 0x42.
fn sync_code(bits: &mut Bits<'_>) -> Result<(), HeaderError> {
    if bits.take(24)? == 0x49_8342 {
        Ok(())
    } else {
        Err(HeaderError::NotVp9)
    }
}

/// §6.2.2 for profile 0: anything but sRGB is 8 bit 4:2:0.
fn color_config(bits: &mut Bits<'_>) -> Result<(), HeaderError> {
    const SRGB: u32 = 7;
    if bits.take(3)? == SRGB {
        return Err(HeaderError::Unsupported("sRGB"));
    }
    bits.take(1)?; // color_range
    Ok(())
}

/// §6.2.3.
fn frame_size(bits: &mut Bits<'_>) -> Result<(u32, u32), HeaderError> {
    let width = bits.take(16)? + 1;
    let height = bits.take(16)? + 1;
    if width > MAX_WIDTH || height > MAX_HEIGHT {
        return Err(HeaderError::TooLarge { width, height });
    }
    Ok((width, height))
}

/// Annex B: the last byte announces an index of several frames, and the index begins with the same byte.
/// One packet would then cost as much as eight.
fn refuse_superframe(payload: &[u8]) -> Result<(), HeaderError> {
    let last = *payload.last().ok_or(HeaderError::Truncated)?;
    if last & 0xe0 != 0xc0 {
        return Ok(());
    }
    let frames = usize::from(last & 7) + 1;
    let magnitude = usize::from((last >> 3) & 3) + 1;
    let index = 2 + frames * magnitude;
    match payload.len().checked_sub(index) {
        Some(start) if payload[start] == last => Err(HeaderError::Unsupported("a superframe")),
        _ => Ok(()),
    }
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Result<u32, HeaderError> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8).ok_or(HeaderError::Truncated)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Ok(value)
    }

    fn flag(&mut self) -> Result<bool, HeaderError> {
        Ok(self.take(1)? == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key frame's head: 640×360, as §6.2 lays it out.
    fn key_head(width: u16, height: u16) -> Vec<u8> {
        let (w, h) = (u32::from(width - 1), u32::from(height - 1));
        // marker 10, profile 00, not repeated 0, key 0, shown 1, not resilient 0
        let mut bytes = vec![0b1000_0010, 0x49, 0x83, 0x42];
        // color space 3 bits, range 1 bit, then the size, from bit 4 on
        let rest = (u64::from(w) << 16 | u64::from(h)) << 4;
        bytes.extend_from_slice(&rest.to_be_bytes()[3..]);
        bytes
    }

    #[test]
    fn a_key_frame_states_its_size() {
        let header = FrameHeader::parse(&key_head(640, 360)).unwrap();
        assert_eq!(
            header,
            FrameHeader {
                key: true,
                dimensions: Some((640, 360)),
                droppable: false
            }
        );
    }

    #[test]
    fn a_picture_that_would_fill_the_memory_is_refused() {
        let refused = FrameHeader::parse(&key_head(65_535, 65_535));
        assert_eq!(
            refused,
            Err(HeaderError::TooLarge {
                width: 65_535,
                height: 65_535
            })
        );
    }

    #[test]
    fn an_inter_frame_that_grows_is_refused() {
        // marker 10, profile 00, not repeated 0, inter 1, shown 1, resilient 1, refresh 8 bits, refs 12 bits,
        // no found_ref, then 65536×65536
        let mut bytes = vec![0b1000_0111, 0, 0, 0b0000_0001];
        bytes.extend_from_slice(&[0xff; 4]);
        assert!(matches!(
            FrameHeader::parse(&bytes),
            Err(HeaderError::TooLarge { .. })
        ));
    }

    #[test]
    fn a_frame_that_replaces_no_reference_is_droppable() {
        // marker 10, profile 00, not repeated 0, inter 1, shown 1, resilient 1, refresh, refs, found_ref
        let droppable = |first: u8, refresh: u8| {
            FrameHeader::parse(&[first, refresh, 0, 0x0f, 0xff, 0xff])
                .unwrap()
                .droppable
        };
        assert!(droppable(0b1000_0111, 0));
        assert!(!droppable(0b1000_0111, 1));
        assert!(
            !droppable(0b1000_0110, 0),
            "its motion vectors would be missed without resilience"
        );
    }

    #[test]
    fn several_frames_in_one_payload_are_refused() {
        let mut bytes = key_head(640, 360);
        bytes.extend_from_slice(&[0b1100_0001, 4, 4, 0b1100_0001]);
        assert_eq!(
            FrameHeader::parse(&bytes),
            Err(HeaderError::Unsupported("a superframe"))
        );
    }

    #[test]
    fn what_is_not_vp9_is_refused() {
        assert_eq!(FrameHeader::parse(&[]), Err(HeaderError::Truncated));
        assert_eq!(FrameHeader::parse(&[0; 40]), Err(HeaderError::NotVp9));
        assert_eq!(
            FrameHeader::parse(&key_head(640, 360)[..6]),
            Err(HeaderError::Truncated)
        );
        let mut wrong_sync = key_head(640, 360);
        wrong_sync[2] ^= 1;
        assert_eq!(FrameHeader::parse(&wrong_sync), Err(HeaderError::NotVp9));
        let mut profile_1 = key_head(640, 360);
        profile_1[0] |= 0b0010_0000;
        assert!(matches!(
            FrameHeader::parse(&profile_1),
            Err(HeaderError::Unsupported(_))
        ));
    }
}
