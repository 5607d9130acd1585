//! X11: which screens and windows there are, and their pictures at a steady pace.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use x11rb::connection::Connection;
use x11rb::protocol::randr::ConnectionExt as _;
use x11rb::protocol::xproto::{AtomEnum, ConnectionExt as _, MapState, Screen, Window};
use x11rb::rust_connection::{ReplyError, RustConnection};

use super::super::elements::{entry, make};
use super::super::error::VideoError;
use super::super::feed::Player;
use super::grab::{Ended, Grab, Look, Place, Shot, Target};
use super::{Opened, ScreenInfo, ShareMode, System, source};

/// What does not change is sent again so often, which tells it from what is gone.
const REPEAT: Duration = Duration::from_secs(1);
/// Letters of a title that are shown.
const TITLE: usize = 80;
/// Windows that are listed.
const MOST_WINDOWS: usize = 100;

pub(super) struct X11;

impl System for X11 {
    fn list(&self) -> Result<Vec<ScreenInfo>, VideoError> {
        Server::connect()?
            .list()
            .map_err(|error| failed("The screen", error.into()))
    }

    fn open(&self, id: &str, mode: ShareMode) -> Result<Opened, VideoError> {
        let server = Server::connect()?;
        let found = server.find(id).map_err(|error| match error {
            ReplyError::X11Error(_) => VideoError::UnknownScreen { id: id.to_owned() },
            error => failed("The screen", error.into()),
        })?;
        let Some((target, name, depth)) = found else {
            return Err(VideoError::UnknownScreen { id: id.to_owned() });
        };
        let root = server.screen().root;
        let grab = Grab::open(server.connection, root, target, depth);
        let grab = grab.map_err(|ended| failed(&name, ended))?;
        let entry = entry()?;
        let scaler = make("videoconvertscale")?;
        let pump = Pump {
            grab,
            entry: entry.clone(),
            interval: Duration::from_secs(1) / mode.fps() as u32,
            stop: Arc::default(),
            shape: None,
        };
        Ok(Opened {
            elements: vec![entry.upcast(), scaler],
            name,
            outside: Some(Box::new(Player::new("screen", pump.stop.clone(), || {
                pump.run();
            }))),
        })
    }
}

fn failed(name: &str, ended: Ended) -> VideoError {
    VideoError::ScreenFailed {
        name: name.to_owned(),
        reason: ended.0,
    }
}

/// A connection to the X server that `DISPLAY` names.
struct Server {
    connection: RustConnection,
    number: usize,
}

impl Server {
    fn connect() -> Result<Self, VideoError> {
        match x11rb::connect(None) {
            Ok((connection, number)) => Ok(Self { connection, number }),
            Err(error) => {
                let reason = format!("the X server does not let this program in ({error})");
                Err(failed("The screen", Ended(reason)))
            }
        }
    }

    fn screen(&self) -> &Screen {
        &self.connection.setup().roots[self.number]
    }

    fn list(&self) -> Result<Vec<ScreenInfo>, ReplyError> {
        let mut all = vec![ScreenInfo {
            id: source::WHOLE.into(),
            name: self.whole_name(),
            is_window: false,
        }];
        let monitors = self.monitors()?;
        if monitors.len() > 1 {
            all.extend(monitors.into_iter().map(|(name, place)| ScreenInfo {
                id: format!("{}{name}", source::MONITOR),
                name: format!("Screen {name} ({}×{})", place.width, place.height),
                is_window: false,
            }));
        }
        for window in self.windows()?.into_iter().take(MOST_WINDOWS) {
            // One that was closed meanwhile is not listed.
            if let Ok(Some(name)) = self.title(window) {
                all.push(ScreenInfo {
                    id: format!("{}{window:#x}", source::WINDOW),
                    name,
                    is_window: true,
                });
            }
        }
        Ok(all)
    }

    /// What an id means: what to read, what to call it, and its depth.
    fn find(&self, id: &str) -> Result<Option<(Target, String, u8)>, ReplyError> {
        let screen = self.screen();
        let depth = screen.root_depth;
        if let Some(window) = id.strip_prefix(source::WINDOW) {
            let Some(window) = number(window).filter(|window| *window != screen.root) else {
                return Ok(None);
            };
            let geometry = self.connection.get_geometry(window)?.reply()?;
            let name = self.title(window)?;
            let name = name.unwrap_or_else(|| "A window without a title".into());
            return Ok(Some((Target::Window(window), name, geometry.depth)));
        }
        let Some(monitor) = id.strip_prefix(source::MONITOR) else {
            let place = Place {
                drawable: screen.root,
                x: 0,
                y: 0,
                width: screen.width_in_pixels,
                height: screen.height_in_pixels,
            };
            return Ok((id == source::WHOLE)
                .then(|| (Target::Screen(place), "Whole screen".to_owned(), depth)));
        };
        let mut monitors = self.monitors()?.into_iter();
        let found = monitors.find(|(name, _)| name == monitor);
        Ok(found.map(|(name, place)| (Target::Screen(place), format!("Screen {name}"), depth)))
    }

    fn whole_name(&self) -> String {
        let screen = self.screen();
        let (width, height) = (screen.width_in_pixels, screen.height_in_pixels);
        format!("Whole screen ({width}×{height})")
    }

    /// Names and places of the monitors; none where the server does not tell.
    fn monitors(&self) -> Result<Vec<(String, Place)>, ReplyError> {
        let root = self.screen().root;
        let version = self.connection.randr_query_version(1, 5);
        let known = version.ok().and_then(|cookie| cookie.reply().ok());
        if known.is_none_or(|known| (known.major_version, known.minor_version) < (1, 5)) {
            return Ok(Vec::new());
        }
        let reply = self.connection.randr_get_monitors(root, true)?.reply()?;
        let named = reply.monitors.into_iter().map(|monitor| {
            let name = self.connection.get_atom_name(monitor.name)?.reply()?.name;
            let place = Place {
                drawable: root,
                x: monitor.x,
                y: monitor.y,
                width: monitor.width,
                height: monitor.height,
            };
            Ok((String::from_utf8_lossy(&name).into_owned(), place))
        });
        named.collect()
    }

    /// The windows that people know, as the window manager has them; without one, those that are
    /// shown.
    fn windows(&self) -> Result<Vec<Window>, ReplyError> {
        let list = self.property(self.screen().root, "_NET_CLIENT_LIST")?;
        let managed: Vec<_> = list
            .chunks_exact(4)
            .filter_map(|four| four.try_into().ok().map(u32::from_ne_bytes))
            .collect();
        if !managed.is_empty() {
            return Ok(managed);
        }
        let children = self
            .connection
            .query_tree(self.screen().root)?
            .reply()?
            .children;
        let is_shown = |window: &Window| {
            let asked = self.connection.get_window_attributes(*window);
            let attributes = asked.ok().and_then(|cookie| cookie.reply().ok());
            attributes.is_some_and(|a| a.map_state == MapState::VIEWABLE && !a.override_redirect)
        };
        Ok(children.into_iter().filter(is_shown).collect())
    }

    /// What a window calls itself.
    fn title(&self, window: Window) -> Result<Option<String>, ReplyError> {
        let mut title = self.property(window, "_NET_WM_NAME")?;
        if title.is_empty() {
            let old = self.connection.get_property(
                false,
                window,
                AtomEnum::WM_NAME,
                AtomEnum::ANY,
                0,
                TITLE as u32,
            )?;
            title = old.reply()?.value;
        }
        let text = String::from_utf8_lossy(&title);
        let plain = text.chars().filter(|letter| !letter.is_control());
        let plain: String = plain.take(TITLE).collect();
        let plain = plain.trim();
        Ok((!plain.is_empty()).then(|| plain.to_owned()))
    }

    fn property(&self, window: Window, name: &str) -> Result<Vec<u8>, ReplyError> {
        let atom = self
            .connection
            .intern_atom(false, name.as_bytes())?
            .reply()?
            .atom;
        let asked = self
            .connection
            .get_property(false, window, atom, AtomEnum::ANY, 0, 1024)?;
        Ok(asked.reply()?.value)
    }
}

/// A window's number, as programs write it: `0x1c00007` or decimal.
fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Takes pictures and hands them on, on a thread of its own.
struct Pump {
    grab: Grab,
    entry: gst_app::AppSrc,
    interval: Duration,
    stop: Arc<AtomicBool>,
    /// Width and height of the last picture.
    shape: Option<(u16, u16)>,
}

impl Pump {
    fn run(mut self) {
        let mut last: Option<(gst::Buffer, Instant)> = None;
        while !self.stop.load(Ordering::Acquire) {
            let began = Instant::now();
            match self.grab.look() {
                Ok(Look::Picture(shot)) => last = Some((self.show(shot), began)),
                Ok(Look::Same) => {
                    if let Some((buffer, at)) = &mut last
                        && at.elapsed() >= REPEAT
                    {
                        self.push(buffer.copy());
                        *at = began;
                    }
                }
                Ok(Look::Hidden) => last = None,
                Err(Ended(reason)) => {
                    // Heard on the bus of the capture, from inside its source.
                    gst::element_error!(self.entry, gst::ResourceError::Read, ("{}", reason));
                    return;
                }
            }
            std::thread::sleep(self.interval.saturating_sub(began.elapsed()));
        }
    }

    fn show(&mut self, shot: Shot) -> gst::Buffer {
        let shape = (shot.width, shot.height);
        if self.shape != Some(shape) {
            self.shape = Some(shape);
            let caps = gst::Caps::builder("video/x-raw")
                .field("format", self.grab.format())
                .field("width", i32::from(shot.width))
                .field("height", i32::from(shot.height))
                .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
                .field("framerate", gst::Fraction::new(0, 1))
                .build();
            self.entry.set_caps(Some(&caps));
        }
        self.push(shot.buffer.copy());
        shot.buffer
    }

    /// A pipeline that is shutting down takes none.
    fn push(&self, buffer: gst::Buffer) {
        if self.entry.push_buffer(buffer).is_err() {
            tracing::trace!("the encoders take no more pictures");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_numbered_as_programs_do() {
        assert_eq!(number("0x1c00007"), Some(0x1c0_0007));
        assert_eq!(number("29360135"), Some(29_360_135));
        assert_eq!(number("xterm"), None);
        assert_eq!(number("0x1c000070000"), None);
    }
}
