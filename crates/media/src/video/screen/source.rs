//! What is shared and how, as a person writes it.

use std::path::PathBuf;
use std::str::FromStr;

pub(super) const WHOLE: &str = "screen";
pub(super) const MONITOR: &str = "screen:";
pub(super) const WINDOW: &str = "window:";
pub(super) const PORTAL: &str = "portal";

/// What is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScreenSource {
    /// A screen or window by the id that [`screens`](super::screens) gives.
    Screen(String),
    /// A moving test pattern, for machines without a screen.
    Test,
    /// A film or a still picture, repeated for ever.
    File(PathBuf),
}

/// Why a text names nothing that can be shared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" names nothing to share; write screen, screen:NAME, window:ID, portal, test or file:PATH"
)]
pub struct ScreenSourceError(String);

impl ScreenSource {
    /// A screen or window; never a file or a test pattern.
    ///
    /// # Errors
    /// [`ScreenSourceError`] for what is no id of a screen, a window or the portal.
    pub fn of_id(id: &str) -> Result<Self, ScreenSourceError> {
        let named = [MONITOR, WINDOW].iter().any(|kind| {
            id.strip_prefix(kind)
                .is_some_and(|name| !name.trim().is_empty())
        });
        match named || id == WHOLE || id == PORTAL {
            true => Ok(Self::Screen(id.to_owned())),
            false => Err(ScreenSourceError(id.to_owned())),
        }
    }
}

impl FromStr for ScreenSource {
    type Err = ScreenSourceError;

    fn from_str(text: &str) -> Result<Self, ScreenSourceError> {
        match (text, text.strip_prefix("file:")) {
            ("test", _) => Ok(Self::Test),
            (_, Some(path)) if !path.is_empty() => Ok(Self::File(PathBuf::from(path))),
            _ => Self::of_id(text),
        }
    }
}

/// What matters in a shared picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ShareMode {
    /// Letters: up to 1920×1080, sharp at the cost of the rate, 8 pictures a second at most.
    #[default]
    Text,
    /// Movement: up to 1280×720, 30 pictures a second.
    Motion,
}

impl ShareMode {
    /// Every mode.
    pub const ALL: [Self; 2] = [Self::Text, Self::Motion];

    /// `text` or `motion`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Motion => "motion",
        }
    }

    /// The mode of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_a_person_writes_them() {
        let read = |text: &str| text.parse::<ScreenSource>();
        for id in ["screen", "screen:HDMI-1", "window:0x1c00007", "portal"] {
            assert_eq!(read(id), Ok(ScreenSource::Screen(id.into())));
        }
        assert_eq!(read("test"), Ok(ScreenSource::Test));
        assert_eq!(
            read("file:/a b/c.png"),
            Ok(ScreenSource::File("/a b/c.png".into()))
        );
        for wrong in ["", "file:", "window:", "screen: ", "desk"] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(error.contains("window:ID"), "{error}");
        }
    }

    #[test]
    fn an_id_is_never_a_file() {
        assert!(ScreenSource::of_id("file:/etc/passwd").is_err());
        assert!(ScreenSource::of_id("test").is_err());
    }
}
