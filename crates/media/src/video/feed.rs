//! Turns a [`PictureSource`] into a bin that gives raw pictures at the pace of life.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;

use super::camera;
use super::elements::{chain, entry, filter, init, make, refused};
use super::error::VideoError;
use super::looping;
use super::recipe::{Source, encoded_caps};
use super::screen::{self, ScreenSource, ShareMode};
use super::source::{CameraSource, PictureSource};
use crate::DeviceInfo;

/// Pixels the test pattern moves with each frame.
const TEST_PATTERN_SPEED: i32 = 4;

/// What plays beside the capture's pipeline, into it. Stops when dropped.
pub(super) trait Outside: Send {
    /// Starts, once the pipeline runs.
    fn begin(&mut self) -> Result<(), VideoError>;
}

/// A thread that plays into the pipeline once that runs. What goes wrong is to be posted as the error of
/// an element in it: before that nobody hears it.
pub(super) struct Player {
    name: &'static str,
    stop: Arc<AtomicBool>,
    waiting: Option<Box<dyn FnOnce() + Send>>,
    running: Option<JoinHandle<()>>,
}

impl Player {
    /// `play` runs until `stop` is set.
    pub(super) fn new(
        name: &'static str,
        stop: Arc<AtomicBool>,
        play: impl FnOnce() + Send + 'static,
    ) -> Self {
        Self {
            name,
            stop,
            waiting: Some(Box::new(play)),
            running: None,
        }
    }
}

impl Outside for Player {
    fn begin(&mut self) -> Result<(), VideoError> {
        if let Some(play) = self.waiting.take() {
            let thread = std::thread::Builder::new().name(self.name.to_owned());
            self.running = Some(thread.spawn(play).map_err(|error| refused(&error))?);
        }
        Ok(())
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let running = self.running.take();
        if running.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!(thread = self.name, "what plays into a capture panicked");
        }
    }
}

/// A source, opened.
pub(super) struct Feed {
    /// Has one source pad, with raw pictures.
    pub bin: gst::Bin,
    origin: Origin,
    outside: Option<Box<dyn Outside>>,
}

/// Who is to blame when no picture comes.
enum Origin {
    Pattern,
    Camera(DeviceInfo),
    File(std::path::PathBuf),
    Screen(String),
}

impl Feed {
    /// Opens `source`; `None` if that is [`CameraSource::Off`].
    pub(super) fn open(source: &PictureSource, shape: &Source) -> Result<Option<Self>, VideoError> {
        init()?;
        let opened = match source {
            PictureSource::Camera(camera) => match camera {
                CameraSource::Off => return Ok(None),
                CameraSource::Test => test_pattern(shape)?,
                CameraSource::Default => camera_elements(None)?,
                CameraSource::Device(id) => camera_elements(Some(id))?,
                CameraSource::File(path) => file(path, shape)?,
            },
            PictureSource::Screen(screen, mode) => match screen {
                ScreenSource::Screen(id) => screen_elements(id, *mode)?,
                ScreenSource::Test => test_pattern(shape)?,
                ScreenSource::File(path) => file(path, shape)?,
            },
        };
        Self::enclose(opened).map(Some)
    }

    fn enclose((elements, origin, outside): Opened) -> Result<Self, VideoError> {
        let bin = gst::Bin::with_name("source");
        let linked: Vec<&gst::Element> = elements.iter().collect();
        chain(&bin, &linked)?;
        let last = elements
            .last()
            .and_then(|element| element.static_pad("src"));
        let last = last.ok_or_else(|| VideoError::Pipeline {
            reason: "the source has no way out".to_owned(),
        })?;
        let ghost = gst::GhostPad::with_target(&last).map_err(|error| refused(&error))?;
        bin.add_pad(&ghost).map_err(|error| refused(&error))?;
        Ok(Feed {
            bin,
            origin,
            outside,
        })
    }

    /// Starts what plays outside the capture's pipeline, which must be running.
    pub(super) fn begin(&mut self) -> Result<(), VideoError> {
        self.outside
            .as_mut()
            .map_or(Ok(()), |outside| outside.begin())
    }

    /// The error of a source that broke.
    pub(super) fn failed(&self, reason: String) -> VideoError {
        match &self.origin {
            Origin::Pattern => VideoError::Pipeline { reason },
            Origin::Camera(camera) => VideoError::CameraFailed {
                name: camera.name.clone(),
                reason,
            },
            Origin::File(path) => VideoError::FileFailed {
                path: path.clone(),
                reason,
            },
            Origin::Screen(name) => VideoError::ScreenFailed {
                name: name.clone(),
                reason,
            },
        }
    }

    /// What is captured, for a person; empty for a test picture.
    pub(super) fn name(&self) -> String {
        match &self.origin {
            Origin::Pattern => "Test picture".to_owned(),
            Origin::Camera(camera) => camera.name.clone(),
            Origin::Screen(name) => name.clone(),
            Origin::File(path) => path
                .file_name()
                .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        }
    }

    /// The id of the camera that is read, if one is.
    pub(super) fn camera_id(&self) -> Option<String> {
        match &self.origin {
            Origin::Camera(camera) => Some(camera.id.clone()),
            _ => None,
        }
    }

    /// The error of a screen all of whose pictures are black.
    pub(super) fn black(&self) -> Option<VideoError> {
        match &self.origin {
            Origin::Screen(name) => Some(VideoError::ScreenBlack { name: name.clone() }),
            _ => None,
        }
    }

    /// The error of a source that has given nothing since it was opened.
    pub(super) fn absent(&self, limit: Duration) -> VideoError {
        match &self.origin {
            Origin::Screen(_) => {
                self.failed("it shows nothing; bring it to the front first".into())
            }
            _ => self.silent(limit),
        }
    }

    /// The error of a source that gives nothing any more.
    pub(super) fn silent(&self, limit: Duration) -> VideoError {
        let source_name = match &self.origin {
            Origin::Pattern => "The test picture".to_owned(),
            Origin::Camera(camera) => format!("The camera “{}”", camera.name),
            Origin::File(path) => format!("The file {}", path.display()),
            Origin::Screen(name) => return VideoError::ScreenHidden { name: name.clone() },
        };
        VideoError::Silent {
            source_name,
            seconds: limit.as_secs(),
        }
    }
}

type Opened = (Vec<gst::Element>, Origin, Option<Box<dyn Outside>>);

fn camera_elements(id: Option<&str>) -> Result<Opened, VideoError> {
    let (elements, camera) = camera::open(id)?;
    Ok((elements, Origin::Camera(camera), None))
}

fn screen_elements(id: &str, mode: ShareMode) -> Result<Opened, VideoError> {
    let opened = screen::open(id, mode)?;
    Ok((opened.elements, Origin::Screen(opened.name), opened.outside))
}

fn file(path: &Path, shape: &Source) -> Result<Opened, VideoError> {
    let entry = entry()?;
    let film = looping::open(path, &entry, shape)?;
    let origin = Origin::File(path.to_owned());
    Ok((vec![entry.upcast()], origin, Some(Box::new(film))))
}

/// Colour bars that wander to the left, at the largest size.
fn test_pattern(shape: &Source) -> Result<Opened, VideoError> {
    let pattern = make("videotestsrc")?;
    pattern.set_property("is-live", true);
    pattern.set_property_from_str("pattern", "smpte100");
    pattern.set_property("horizontal-speed", TEST_PATTERN_SPEED);
    let (width, height) = shape.largest;
    let mut caps = encoded_caps();
    let fields = caps.make_mut();
    fields.set("width", i32::from(width));
    fields.set("height", i32::from(height));
    fields.set("framerate", gst::Fraction::new(shape.fps as i32, 1));
    Ok((vec![pattern, filter(&caps)?], Origin::Pattern, None))
}
