//! Takes pictures of an X11 screen or window, whenever it has changed.

use gstreamer as gst;
use x11rb::connection::{Connection, RequestConnection};
use x11rb::protocol::composite::{self, ConnectionExt as _, Redirect};
use x11rb::protocol::damage::{self, ConnectionExt as _, ReportLevel};
use x11rb::protocol::xfixes::{self, ConnectionExt as _, CursorNotifyMask};
use x11rb::protocol::xproto::{ConnectionExt as _, Drawable, ImageFormat, ImageOrder, MapState};
use x11rb::protocol::{ErrorKind, Event};
use x11rb::rust_connection::{ReplyError, RustConnection};

use super::cursor::{Canvas, Cursor};
use super::shm::SharedMemory;

/// Smaller ones are no pictures, and no codec takes them.
const LEAST_SIDE: u16 = 16;
const PIXEL_BYTES: usize = 4;

/// A part of something that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) drawable: Drawable,
    pub(super) x: i16,
    pub(super) y: i16,
    pub(super) width: u16,
    pub(super) height: u16,
}

/// What is read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    /// A part of the root window.
    Screen(Place),
    /// One window, whatever lies above it.
    Window(Drawable),
}

/// What a look shows.
pub(super) enum Look {
    /// What the look before showed.
    Same,
    /// A window that is minimised, or too small to be a picture.
    Hidden,
    Picture(Shot),
}

/// A picture of 4 bytes a pixel.
pub(super) struct Shot {
    pub(super) buffer: gst::Buffer,
    pub(super) width: u16,
    pub(super) height: u16,
}

/// Why no picture comes any more, to stand inside a sentence.
pub(super) struct Ended(pub(super) String);

impl From<ReplyError> for Ended {
    fn from(error: ReplyError) -> Self {
        match error {
            ReplyError::X11Error(error) => match error.error_kind {
                ErrorKind::Window | ErrorKind::Drawable => Self("the window was closed".into()),
                kind => Self(format!("the screen cannot be read ({kind:?})")),
            },
            ReplyError::ConnectionError(_) => Self("the screen was shut down".into()),
        }
    }
}

impl From<x11rb::errors::ConnectionError> for Ended {
    fn from(error: x11rb::errors::ConnectionError) -> Self {
        ReplyError::from(error).into()
    }
}

/// One connection to an X server that reads one screen or window.
pub(super) struct Grab {
    connection: RustConnection,
    root: Drawable,
    target: Target,
    blue_first: bool,
    memory: Option<SharedMemory>,
    /// Shared memory cannot be had.
    by_socket: bool,
    damage: Option<damage::Damage>,
    has_cursor: bool,
    cursor: Option<xfixes::GetCursorImageReply>,
    /// What was shown last: from where, and where the pointer was.
    shown: Option<(Place, (i32, i32))>,
}

impl Grab {
    /// Prepares to read `target`, whose pixels have this depth.
    pub(super) fn open(
        connection: RustConnection,
        root: Drawable,
        target: Target,
        depth: u8,
    ) -> Result<Self, Ended> {
        let setup = connection.setup();
        let blue_first = setup.image_byte_order == ImageOrder::LSB_FIRST;
        let format = setup.pixmap_formats.iter().find(|f| f.depth == depth);
        if !matches!(depth, 24 | 32) || format.is_none_or(|format| format.bits_per_pixel != 32) {
            let reason = format!("it has {depth} bits a pixel, and only 24 or 32 can be read");
            return Err(Ended(reason));
        }
        let mut grab = Self {
            connection,
            root,
            target,
            blue_first,
            memory: None,
            by_socket: false,
            damage: None,
            has_cursor: false,
            cursor: None,
            shown: None,
        };
        grab.prepare()?;
        Ok(grab)
    }

    /// Which of an X server's extensions are there differs; without them it goes slower, or without
    /// the pointer.
    fn prepare(&mut self) -> Result<(), Ended> {
        let c = &self.connection;
        let has = |name| matches!(c.extension_information(name), Ok(Some(_)));
        if has(xfixes::X11_EXTENSION_NAME) {
            c.xfixes_query_version(4, 0)?.reply()?;
            c.xfixes_select_cursor_input(self.root, CursorNotifyMask::DISPLAY_CURSOR)?;
            self.has_cursor = true;
        }
        if let Target::Window(window) = self.target {
            // Without it the picture would show what lies above the window, which is not shared.
            if !has(composite::X11_EXTENSION_NAME) {
                let reason = "this X server cannot show a window apart from those above it";
                return Err(Ended(reason.into()));
            }
            c.composite_query_version(0, 4)?.reply()?;
            c.composite_redirect_window(window, Redirect::AUTOMATIC)?
                .check()?;
        }
        if has(damage::X11_EXTENSION_NAME) && self.has_cursor {
            c.damage_query_version(1, 1)?.reply()?;
            let drawable = match self.target {
                Target::Screen(place) => place.drawable,
                Target::Window(window) => window,
            };
            let damage = c.generate_id().map_err(|error| Ended(error.to_string()))?;
            c.damage_create(damage, drawable, ReportLevel::NON_EMPTY)?
                .check()?;
            self.damage = Some(damage);
        }
        Ok(())
    }

    /// Whether a picture of red first or blue first in memory comes, as GStreamer names it.
    pub(super) fn format(&self) -> &'static str {
        match self.blue_first {
            true => "BGRx",
            false => "xRGB",
        }
    }

    /// Takes a picture if there is another one to take than last time.
    pub(super) fn look(&mut self) -> Result<Look, Ended> {
        let changed = self.hear()?;
        let Some(place) = self.place()? else {
            self.shown = None;
            return Ok(Look::Hidden);
        };
        let pointer = self.connection.query_pointer(self.root)?.reply()?;
        let pointer = (i32::from(pointer.root_x), i32::from(pointer.root_y));
        if !changed && self.damage.is_some() && self.shown == Some((place, pointer)) {
            return Ok(Look::Same);
        }
        if let Some(damage) = self.damage {
            self.connection
                .damage_subtract(damage, x11rb::NONE, x11rb::NONE)?;
        }
        let buffer = match self.shoot(place, pointer) {
            // It was resized or minimised meanwhile: the next look shows how.
            Err(ReplyError::X11Error(error)) if error.error_kind == ErrorKind::Match => {
                self.shown = None;
                return Ok(Look::Same);
            }
            shot => shot?,
        };
        self.shown = Some((place, pointer));
        Ok(Look::Picture(Shot {
            buffer,
            width: place.width,
            height: place.height,
        }))
    }

    /// Whether the server says that anything was drawn.
    fn hear(&mut self) -> Result<bool, Ended> {
        let mut changed = false;
        while let Some(event) = self.connection.poll_for_event()? {
            match event {
                Event::DamageNotify(_) => changed = true,
                Event::XfixesCursorNotify(_) => {
                    self.cursor = None;
                    changed = true;
                }
                _ => {}
            }
        }
        Ok(changed)
    }

    /// What is read, with even sides; `None` while there is nothing to read.
    fn place(&self) -> Result<Option<Place>, Ended> {
        let place = match self.target {
            Target::Screen(place) => place,
            Target::Window(window) => {
                let attributes = self.connection.get_window_attributes(window)?;
                let geometry = self.connection.get_geometry(window)?;
                if attributes.reply()?.map_state != MapState::VIEWABLE {
                    return Ok(None);
                }
                let geometry = geometry.reply()?;
                Place {
                    drawable: window,
                    x: 0,
                    y: 0,
                    width: geometry.width,
                    height: geometry.height,
                }
            }
        };
        let even = Place {
            width: place.width & !1,
            height: place.height & !1,
            ..place
        };
        Ok((even.width >= LEAST_SIDE && even.height >= LEAST_SIDE).then_some(even))
    }

    fn shoot(&mut self, place: Place, pointer: (i32, i32)) -> Result<gst::Buffer, ReplyError> {
        let len = usize::from(place.width) * usize::from(place.height) * PIXEL_BYTES;
        let mut pixels = vec![0; len];
        self.read(place, &mut pixels)?;
        if self.has_cursor {
            self.draw_cursor(place, pointer, &mut pixels)?;
        }
        Ok(gst::Buffer::from_mut_slice(pixels))
    }

    fn read(&mut self, place: Place, pixels: &mut [u8]) -> Result<(), ReplyError> {
        let len = pixels.len();
        if let Some(small) = self.memory.take_if(|memory| !memory.holds(len)) {
            small.detach(&self.connection);
        }
        if self.memory.is_none() && !self.by_socket {
            self.memory = SharedMemory::attach(&self.connection, len);
            self.by_socket = self.memory.is_none();
        }
        if let Some(memory) = &self.memory {
            return memory.take(&self.connection, place, pixels);
        }
        let image = self.connection.get_image(
            ImageFormat::Z_PIXMAP,
            place.drawable,
            place.x,
            place.y,
            place.width,
            place.height,
            !0,
        )?;
        for (to, from) in pixels.iter_mut().zip(image.reply()?.data) {
            *to = from;
        }
        Ok(())
    }

    fn draw_cursor(
        &mut self,
        place: Place,
        at: (i32, i32),
        pixels: &mut [u8],
    ) -> Result<(), ReplyError> {
        let origin = match self.target {
            Target::Screen(_) => (place.x.into(), place.y.into()),
            Target::Window(window) => {
                let at = self
                    .connection
                    .translate_coordinates(window, self.root, 0, 0)?;
                let at = at.reply()?;
                (at.dst_x.into(), at.dst_y.into())
            }
        };
        if self.cursor.is_none() {
            self.cursor = Some(self.connection.xfixes_get_cursor_image()?.reply()?);
        }
        if let Some(image) = self.cursor.take() {
            let cursor = Cursor { image, at };
            cursor.draw(&mut Canvas {
                pixels,
                width: place.width.into(),
                height: place.height.into(),
                origin,
                blue_first: self.blue_first,
            });
            self.cursor = Some(cursor.image);
        }
        Ok(())
    }
}
