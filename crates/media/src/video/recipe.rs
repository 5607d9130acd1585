//! How pictures of each source are made: their shape, and what each size of them costs.

use std::time::Duration;

use gstreamer as gst;

use super::pace::MAX_FPS;
use super::screen::ShareMode;
use super::size::Size;
use super::source::PictureSource;

/// A key frame is a burst of packets before the sound on a narrow link, so none is made without need:
/// who comes late, or has lost a frame, asks for one. This is for whose wish gets lost, and bounds what
/// the relay keeps of a picture (15 s of the large one are 3.4 MB).
const KEY_INTERVAL: Duration = Duration::from_secs(15);

/// What a source is brought to before it is encoded.
pub(super) struct Source {
    /// Width and height in pixels, at most.
    pub largest: (u16, u16),
    /// Pictures a second, at most.
    pub fps: u64,
    /// Whether its pictures keep their own colour matrix until they are scaled. Most cameras have another
    /// one, and to change it costs a tenth of a core at 1280×720. A screen has none: its pictures get
    /// the one of all sizes at once.
    pub keeps_matrix: bool,
    pub recipes: Vec<Recipe>,
}

/// Pictures of every size leave in this form, so that one shader shows them all.
const FORMAT: &str = "I420";
const MATRIX: &str = "bt601";

/// One size of a source.
pub(super) struct Recipe {
    pub size: Size,
    pub shape: Shape,
    pub bitrate_bps: u32,
    /// Pictures a second, at most.
    pub fps: u64,
    /// Quantizer at most: no picture is worse than this, whatever the rate.
    pub worst: i32,
    /// What would cost too much at that quality is left out, and the rate falls.
    pub may_skip: bool,
    /// Every second frame can be left out by who is slow.
    pub two_layers: bool,
    /// A slow computer may halve it.
    pub may_halve: bool,
    /// Nothing is so large that one core is late with it, save this.
    pub is_heavy: bool,
    pub method: &'static str,
    /// A viewer who comes late sees a picture after this long at the latest.
    pub key_interval: Duration,
}

/// The shape of a size's pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Always this one; other shapes get borders.
    Exactly(u16, u16),
    /// The source's own, scaled down to fit.
    Within(u16, u16),
}

impl Source {
    pub(super) fn of(source: &PictureSource) -> Self {
        match source {
            PictureSource::Camera(_) => Self {
                largest: (1280, 720),
                fps: MAX_FPS,
                keeps_matrix: true,
                recipes: Size::ALL.map(camera).into(),
            },
            PictureSource::Screen(_, mode) => Self {
                largest: mode.largest(),
                fps: mode.fps(),
                keeps_matrix: false,
                recipes: vec![screen(Size::Low, *mode), screen(Size::High, *mode)],
            },
        }
    }

    /// Square pixels, at most the largest size.
    pub(super) fn raw_caps(&self) -> gst::Caps {
        let (width, height) = self.largest;
        let mut caps = Shape::Within(width, height).caps();
        if !self.keeps_matrix {
            caps.make_mut().set("colorimetry", MATRIX);
        }
        caps
    }
}

/// What the encoders of all sizes take.
pub(super) fn encoded_caps() -> gst::Caps {
    gst::Caps::builder("video/x-raw")
        .field("format", FORMAT)
        .field("colorimetry", MATRIX)
        .build()
}

impl Shape {
    /// Half as wide and half as high.
    pub(super) fn halved(self) -> Self {
        match self {
            Self::Exactly(width, height) => Self::Exactly(width / 2, height / 2),
            Self::Within(width, height) => Self::Within(width / 2, height / 2),
        }
    }

    /// Of any colour matrix.
    pub(super) fn caps(self) -> gst::Caps {
        const LEAST: i32 = 16;
        let caps = gst::Caps::builder("video/x-raw").field("format", FORMAT);
        let caps = match self {
            Self::Exactly(width, height) => caps
                .field("width", i32::from(width))
                .field("height", i32::from(height)),
            Self::Within(width, height) => caps
                .field("width", gst::IntRange::new(LEAST, width.into()))
                .field("height", gst::IntRange::new(LEAST, height.into())),
        };
        caps.field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
            .build()
    }
}

fn camera(size: Size) -> Recipe {
    let (width, height) = size.dimensions();
    Recipe {
        size,
        shape: Shape::Exactly(width, height),
        bitrate_bps: size.default_bitrate_bps(),
        fps: if size == Size::Low { 15 } else { MAX_FPS },
        worst: 56,
        may_skip: false,
        two_layers: true,
        may_halve: size != Size::Low,
        is_heavy: size == Size::High,
        method: "bilinear2",
        key_interval: KEY_INTERVAL,
    }
}

/// Bits a second of a shared screen in one of its two sizes, at most.
pub fn screen_bitrate_bps(size: Size, mode: ShareMode) -> u32 {
    match (size, mode) {
        (Size::High, _) => 2_500_000,
        (_, ShareMode::Text) => 250_000,
        (_, ShareMode::Motion) => 500_000,
    }
}

/// A screen has two sizes: low for a strip or a narrow link, and high.
fn screen(size: Size, mode: ShareMode) -> Recipe {
    let is_text = mode == ShareMode::Text;
    let largest = match size {
        Size::High => mode.largest(),
        _ => (640, 360),
    };
    Recipe {
        size,
        shape: Shape::Within(largest.0, largest.1),
        bitrate_bps: screen_bitrate_bps(size, mode),
        fps: mode.fps(),
        worst: if is_text { 40 } else { 56 },
        may_skip: is_text,
        two_layers: !is_text,
        may_halve: size == Size::High,
        is_heavy: size == Size::High,
        method: if is_text { "lanczos" } else { "bilinear2" },
        key_interval: KEY_INTERVAL,
    }
}
