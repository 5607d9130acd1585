//! Shared screens as a window draws them.

use serde::Serialize;

/// The screen that this person shares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SharingView {
    /// A window's title, or which screen.
    pub name: String,
    /// Movement goes before sharpness.
    pub motion: bool,
    /// Sound goes along.
    pub sound: bool,
    /// Why the others see nothing of it now: a sentence.
    pub problem: Option<String>,
}

/// A screen that somebody shares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScreenView {
    /// Under which number its pictures come from the frame hub.
    pub tile: u32,
    /// A sentence to show instead of a picture.
    pub problem: Option<String>,
}
