//! The key id: track, leaf and epoch in one number (RFC 9605 §5.2).

use crate::Leaf;

/// E: low bits of the epoch.
const EPOCH_BITS: u32 = 8;
/// S: bits of the leaf index.
const LEAF_BITS: u32 = 16;
const MAX_TRACK: u8 = 127;

/// One of a member's streams: the context of RFC 9605 §5.2, with a key and a
/// counter of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Track(u8);

impl Track {
    /// The microphone.
    pub const AUDIO: Self = Self(0);
    /// The camera at its smallest size.
    pub const VIDEO_LOW: Self = Self(1);
    /// The camera at its middle size.
    pub const VIDEO_MEDIUM: Self = Self(2);
    /// The camera at its full size.
    pub const VIDEO_HIGH: Self = Self(3);
    /// A shared screen at its small size.
    pub const SCREEN_LOW: Self = Self(4);
    /// A shared screen at its full size.
    pub const SCREEN_HIGH: Self = Self(5);
    /// The sound of a shared screen.
    pub const SCREEN_AUDIO: Self = Self(6);
    /// Signatures over the other tracks. Reserved.
    pub const AUTH: Self = Self(127);

    /// The tracks of pictures, which begin at key frames.
    pub const PICTURES: [Self; 5] = [
        Self::VIDEO_LOW,
        Self::VIDEO_MEDIUM,
        Self::VIDEO_HIGH,
        Self::SCREEN_LOW,
        Self::SCREEN_HIGH,
    ];

    /// A track by its number, 0 to 127.
    pub const fn new(number: u8) -> Option<Self> {
        if number <= MAX_TRACK {
            Some(Self(number))
        } else {
            None
        }
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// A key id of our form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kid {
    pub(super) track: Track,
    pub(super) leaf: u16,
    pub(super) epoch_low: u8,
}

impl Kid {
    /// `None` when the leaf index needs more than 16 bits.
    pub(super) fn new(track: Track, leaf: Leaf, epoch: u64) -> Option<Self> {
        let leaf = u16::try_from(leaf.0).ok()?;
        Some(Self {
            track,
            leaf,
            epoch_low: epoch as u8,
        })
    }

    pub(super) fn to_u64(self) -> u64 {
        u64::from(self.track.0) << (LEAF_BITS + EPOCH_BITS)
            | u64::from(self.leaf) << EPOCH_BITS
            | u64::from(self.epoch_low)
    }

    pub(super) fn from_u64(kid: u64) -> Option<Self> {
        let track = u8::try_from(kid >> (LEAF_BITS + EPOCH_BITS)).ok()?;
        Some(Self {
            track: Track::new(track)?,
            leaf: (kid >> EPOCH_BITS) as u16,
            epoch_low: kid as u8,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_that_of_rfc_9605_section_5_2() {
        let kid = Kid::new(Track(2), Leaf(3), 0x1_0e).unwrap();
        assert_eq!(kid.to_u64(), (2 << 24) + (3 << 8) + 0x0e);
    }

    #[test]
    fn every_part_survives() {
        for track in [0, 1, 127] {
            for leaf in [0, 1, 0xff, 0xffff] {
                for epoch in [0, 1, 0xff] {
                    let kid = Kid::new(Track(track), Leaf(leaf), epoch).unwrap();
                    assert_eq!(Kid::from_u64(kid.to_u64()), Some(kid));
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(Kid::new(Track::AUDIO, Leaf(0x1_0000), 0), None);
        assert_eq!(Kid::from_u64(128 << 24), None);
        assert_eq!(Kid::from_u64(u64::MAX), None);
        assert_eq!(Track::new(128), None);
    }
}
