//! Screens by one element of GStreamer: Windows and macOS. Nobody has run this yet.

use gstreamer as gst;
use gstreamer::prelude::*;

use super::super::elements::{filter, make};
use super::super::error::VideoError;
use super::super::pace::limit_rate;
use super::{Opened, ScreenInfo, ShareMode, System, source};

/// How one system's element is made to capture a screen.
pub(super) struct Element {
    name: &'static str,
    switches: &'static [(&'static str, &'static str)],
    /// Takes the number of the screen.
    number: &'static str,
}

/// Windows 8 and later, by desktop duplication.
const WINDOWS: Element = Element {
    name: "d3d11screencapturesrc",
    switches: &[("show-cursor", "true")],
    number: "monitor-index",
};
/// macOS, which asks for the permission to record the screen and gives black pictures until then.
const MACOS: Element = Element {
    name: "avfvideosrc",
    switches: &[
        ("capture-screen", "true"),
        ("capture-screen-cursor", "true"),
    ],
    number: "device-index",
};

impl Element {
    #[cfg_attr(
        target_os = "linux",
        allow(dead_code, reason = "Linux has ways of its own")
    )]
    pub(super) fn of_this_system() -> Self {
        match cfg!(windows) {
            true => WINDOWS,
            false => MACOS,
        }
    }
}

impl System for Element {
    /// The main screen. Others are named by number, from 0: `screen:1`.
    fn list(&self) -> Result<Vec<ScreenInfo>, VideoError> {
        Ok(vec![ScreenInfo {
            id: source::WHOLE.into(),
            name: "Main screen".into(),
            is_window: false,
        }])
    }

    fn open(&self, id: &str, mode: ShareMode) -> Result<Opened, VideoError> {
        let unknown = || VideoError::UnknownScreen { id: id.to_owned() };
        let number = match id.strip_prefix(source::MONITOR) {
            Some(number) => number.parse::<u16>().map_err(|_| unknown())?,
            None if id == source::WHOLE => 0,
            None => return Err(unknown()),
        };
        let capture = make(self.name)?;
        for (switch, value) in self.switches {
            capture.set_property_from_str(switch, value);
        }
        capture.set_property_from_str(self.number, &number.to_string());
        let scaler = make("videoconvertscale")?;
        if let Some(pad) = scaler.static_pad("sink") {
            limit_rate(&pad, mode.fps());
        }
        let raw = filter(&gst::Caps::new_empty_simple("video/x-raw"))?;
        Ok(Opened {
            elements: vec![capture, raw, scaler],
            name: "Main screen".into(),
            outside: None,
        })
    }
}
