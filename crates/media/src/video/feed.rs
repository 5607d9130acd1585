//! Turns a [`CameraSource`] into a bin that gives raw pictures at the pace of life.

use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;

use super::camera;
use super::elements::{chain, filter, init, make, make_as, refused};
use super::error::VideoError;
use super::looping::LoopingFile;
use super::pace::MAX_FPS;
use super::source::CameraSource;

/// Pixels the test pattern moves with each frame.
const TEST_PATTERN_SPEED: i32 = 4;

/// A source, opened.
pub(super) struct Feed {
    /// Has one source pad, with raw pictures.
    pub bin: gst::Bin,
    origin: Origin,
    file: Option<LoopingFile>,
}

/// Who is to blame when no picture comes.
enum Origin {
    Pattern,
    Camera(String),
    File(std::path::PathBuf),
}

impl Feed {
    /// Opens `source`; `None` if that is [`CameraSource::Off`].
    pub(super) fn open(source: &CameraSource) -> Result<Option<Self>, VideoError> {
        init()?;
        let opened = match source {
            CameraSource::Off => return Ok(None),
            CameraSource::Test => (test_pattern()?, Origin::Pattern, None),
            CameraSource::Default => camera_elements(None)?,
            CameraSource::Device(id) => camera_elements(Some(id))?,
            CameraSource::File(path) => {
                let entry: gstreamer_app::AppSrc = make_as("appsrc")?;
                let file = LoopingFile::open(path, &entry)?;
                (vec![entry.upcast()], Origin::File(path.clone()), Some(file))
            }
        };
        Self::enclose(opened).map(Some)
    }

    fn enclose((elements, origin, file): Opened) -> Result<Self, VideoError> {
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
        Ok(Feed { bin, origin, file })
    }

    /// Starts what plays outside the capture's pipeline, which must be running.
    pub(super) fn begin(&mut self) -> Result<(), VideoError> {
        self.file.as_mut().map_or(Ok(()), LoopingFile::begin)
    }

    /// The error of a source that broke.
    pub(super) fn failed(&self, reason: String) -> VideoError {
        match &self.origin {
            Origin::Pattern => VideoError::Pipeline { reason },
            Origin::Camera(name) => VideoError::CameraFailed {
                name: name.clone(),
                reason,
            },
            Origin::File(path) => VideoError::FileFailed {
                path: path.clone(),
                reason,
            },
        }
    }

    /// The error of a source that gives nothing.
    pub(super) fn silent(&self, limit: Duration) -> VideoError {
        let source_name = match &self.origin {
            Origin::Pattern => "The test picture".to_owned(),
            Origin::Camera(name) => format!("The camera “{name}”"),
            Origin::File(path) => format!("The file {}", path.display()),
        };
        VideoError::Silent {
            source_name,
            seconds: limit.as_secs(),
        }
    }
}

type Opened = (Vec<gst::Element>, Origin, Option<LoopingFile>);

fn camera_elements(id: Option<&str>) -> Result<Opened, VideoError> {
    let (elements, name) = camera::open(id)?;
    Ok((elements, Origin::Camera(name), None))
}

/// Colour bars that wander to the left, at the largest size.
fn test_pattern() -> Result<Vec<gst::Element>, VideoError> {
    let pattern = make("videotestsrc")?;
    pattern.set_property("is-live", true);
    pattern.set_property_from_str("pattern", "smpte100");
    pattern.set_property("horizontal-speed", TEST_PATTERN_SPEED);
    let shape = gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", 1280i32)
        .field("height", 720i32)
        .field("framerate", gst::Fraction::new(MAX_FPS as i32, 1))
        .field("colorimetry", "bt601")
        .build();
    Ok(vec![pattern, filter(&shape)?])
}
