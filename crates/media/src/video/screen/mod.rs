//! Screens and windows that can be shared: listing them, choosing one, opening it.
//!
//! Each system has its own way in, behind the trait [`System`]. X11 is read by ourselves (`x11`,
//! `grab`, `cursor`): GStreamer's own element ends the whole process when a window that it reads is
//! closed. Under Wayland the portal asks the person and gives a stream (`portal`). Windows and macOS
//! go by an element of GStreamer (`element`). `blackness` finds shares that show nothing.

mod blackness;
#[cfg(target_os = "linux")]
mod cursor;
mod element;
#[cfg(target_os = "linux")]
mod grab;
#[cfg(target_os = "linux")]
mod portal;
#[cfg(target_os = "linux")]
mod shm;
mod source;
#[cfg(target_os = "linux")]
mod x11;

use gstreamer as gst;

use super::error::VideoError;
use super::feed::Outside;
use super::pace;

pub(super) use blackness::Blackness;
pub use source::{ScreenSource, ScreenSourceError, ShareMode};

/// Something that can be shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScreenInfo {
    /// What [`ScreenSource`] reads: `screen`, `screen:NAME`, `window:ID`, `portal`.
    pub id: String,
    /// What a person calls it: a window's title, a screen with its size.
    pub name: String,
    /// Whether it is a window and not a screen.
    pub is_window: bool,
}

/// What can be shared on this computer now: screens first.
///
/// # Errors
/// [`VideoError::NoScreen`] if the system shows nothing, and what else it says.
pub fn screens() -> Result<Vec<ScreenInfo>, VideoError> {
    usual()?.list()
}

/// One system's way to its screens.
pub(super) trait System {
    /// What can be shared now.
    fn list(&self) -> Result<Vec<ScreenInfo>, VideoError>;

    /// Opens what has this id, at most at the rate of `mode`.
    fn open(&self, id: &str, mode: ShareMode) -> Result<Opened, VideoError>;
}

/// A screen or window, opened.
pub(super) struct Opened {
    /// In order, up to a raw picture.
    pub elements: Vec<gst::Element>,
    /// For sentences about it.
    pub name: String,
    /// What plays beside the pipeline.
    pub outside: Option<Box<dyn Outside>>,
}

/// Opens a screen or window by its id.
pub(super) fn open(id: &str, mode: ShareMode) -> Result<Opened, VideoError> {
    #[cfg(target_os = "linux")]
    if id == source::PORTAL {
        return portal::Portal.open(id, mode);
    }
    usual()?.open(id, mode)
}

/// The way that this session offers. A Wayland session shows other programs to X11 clients in part
/// only, so the portal goes first.
#[cfg(target_os = "linux")]
fn usual() -> Result<Box<dyn System>, VideoError> {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match (is_set("WAYLAND_DISPLAY"), is_set("DISPLAY")) {
        (true, _) => Ok(Box::new(portal::Portal)),
        (false, true) => Ok(Box::new(x11::X11)),
        (false, false) => Err(VideoError::NoScreen),
    }
}

#[cfg(not(target_os = "linux"))]
fn usual() -> Result<Box<dyn System>, VideoError> {
    Ok(Box::new(element::Element::of_this_system()))
}

impl ShareMode {
    /// Pictures a second, at most.
    pub(super) fn fps(self) -> u64 {
        match self {
            Self::Text => 8,
            Self::Motion => pace::MAX_FPS,
        }
    }

    /// The largest width and height in pixels.
    pub(super) fn largest(self) -> (u16, u16) {
        match self {
            Self::Text => (1920, 1080),
            Self::Motion => (1280, 720),
        }
    }
}
