//! The three sizes of one picture, and what each costs.

/// One rung of the ladder. All three are 16:9; other shapes get black borders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Size {
    /// 320×180 at 80 kbit/s, 15 pictures a second: what a link of 300 kbit/s bears beside sound.
    Low,
    /// 640×360 at 600 kbit/s.
    Medium,
    /// 1280×720 at 1.8 Mbit/s.
    High,
}

impl Size {
    /// Every size, smallest first.
    pub const ALL: [Size; 3] = [Size::Low, Size::Medium, Size::High];

    /// Width and height in pixels.
    pub fn dimensions(self) -> (u16, u16) {
        match self {
            Size::Low => (320, 180),
            Size::Medium => (640, 360),
            Size::High => (1280, 720),
        }
    }

    /// The bitrate a capture starts with, in bits per second.
    pub fn default_bitrate_bps(self) -> u32 {
        match self {
            Size::Low => 80_000,
            Size::Medium => 600_000,
            Size::High => 1_800_000,
        }
    }

    /// `low`, `medium` or `high`.
    pub fn name(self) -> &'static str {
        match self {
            Size::Low => "low",
            Size::Medium => "medium",
            Size::High => "high",
        }
    }

    pub(super) fn index(self) -> usize {
        match self {
            Size::Low => 0,
            Size::Medium => 1,
            Size::High => 2,
        }
    }

    pub(super) fn from_index(index: u8) -> Option<Size> {
        Size::ALL.get(usize::from(index)).copied()
    }
}
