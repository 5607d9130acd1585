//! A film or a still picture as a camera: decoded at the pace of life, begun again at its end, for ever.
//!
//! The file has a pipeline of its own, so that its end, its seeking back and its strange time stamps do not
//! reach the encoders: those see a live source without a seam.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::elements::{bus_of, chain, failure, filter, make, make_as, refused};
use super::error::VideoError;
use super::feed::Player;
use super::pace::limit_rate;
use super::recipe::Source;

/// How long the pump waits for a picture before it looks around.
const PUMP_INTERVAL: gst::ClockTime = gst::ClockTime::from_mseconds(100);

/// Prepares to play the file at `path` into `entry`. What goes wrong while it plays is posted as the
/// entry's error.
pub(super) fn open(
    path: &Path,
    entry: &gst_app::AppSrc,
    as_source: &Source,
) -> Result<Player, VideoError> {
    let unreadable = |reason: String| VideoError::FileFailed {
        path: path.to_owned(),
        reason,
    };
    let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let metadata = file
        .metadata()
        .map_err(|error| unreadable(error.to_string()))?;
    if !metadata.is_file() {
        return Err(unreadable("it is not a file".to_owned()));
    }
    let pump = Pump {
        film: Film::build(path, as_source)?,
        entry: entry.clone(),
        interval: Duration::from_millis(1000 / as_source.fps),
        stop: Arc::default(),
    };
    Ok(Player::new("camera-file", pump.stop.clone(), || pump.run()))
}

/// Decodes one file.
struct Film {
    pipeline: gst::Pipeline,
    bus: gst::Bus,
    sink: gst_app::AppSink,
}

impl Film {
    fn build(path: &Path, as_source: &Source) -> Result<Self, VideoError> {
        let pipeline = gst::Pipeline::new();
        let source = make("filesrc")?;
        source.set_property("location", path);
        let decoder = make("decodebin")?;
        chain(&pipeline, &[&source, &decoder])?;

        let scaler = make("videoconvertscale")?;
        if let Some(pad) = scaler.static_pad("sink") {
            limit_rate(&pad, as_source.fps);
        }
        let sink: gst_app::AppSink = make_as("appsink")?;
        sink.set_property("max-buffers", 2u32);
        chain(
            &pipeline,
            &[&scaler, &filter(&as_source.raw_caps())?, sink.upcast_ref()],
        )?;

        link_picture(&decoder, &scaler);
        let bus = bus_of(&pipeline)?;
        Ok(Film {
            pipeline,
            bus,
            sink,
        })
    }

    /// Back to the beginning: by seeking, or for what cannot seek by opening it again.
    fn rewind(&self) -> Result<(), VideoError> {
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::KEY_UNIT;
        if self
            .pipeline
            .seek_simple(flags, gst::ClockTime::ZERO)
            .is_ok()
        {
            return Ok(());
        }
        self.pipeline
            .set_state(gst::State::Ready)
            .map_err(|error| refused(&error))?;
        self.play()
    }

    fn play(&self) -> Result<(), VideoError> {
        self.pipeline
            .set_state(gst::State::Playing)
            .map(drop)
            .map_err(|error| refused(&error))
    }

    fn failure(&self) -> Option<String> {
        failure(&self.bus)
    }
}

impl Drop for Film {
    fn drop(&mut self) {
        if let Err(error) = self.pipeline.set_state(gst::State::Null) {
            tracing::warn!(%error, "the film did not stop cleanly");
        }
    }
}

/// Links the first picture that `decoder` finds; sound and subtitles stay unlinked, and are not decoded.
fn link_picture(decoder: &gst::Element, next: &gst::Element) {
    let entry = next.downgrade();
    decoder.connect_pad_added(move |_, pad| {
        let picture = pad.current_caps().or_else(|| Some(pad.query_caps(None)));
        let is_picture = picture
            .and_then(|caps| Some(caps.structure(0)?.name() == "video/x-raw"))
            .unwrap_or_default();
        let Some(sink) = entry.upgrade().and_then(|next| next.static_pad("sink")) else {
            return;
        };
        if is_picture && !sink.is_linked() && pad.link(&sink).is_err() {
            tracing::warn!("a picture of unexpected form in the file");
        }
    });
    let entry = next.downgrade();
    decoder.connect_no_more_pads(move |decoder| {
        let linked = entry
            .upgrade()
            .and_then(|next| next.static_pad("sink"))
            .is_some_and(|pad| pad.is_linked());
        if !linked {
            gst::element_error!(
                decoder,
                gst::StreamError::WrongType,
                ("there is no picture in it")
            );
        }
    });
}

/// Carries pictures from the film to the encoders.
struct Pump {
    film: Film,
    entry: gst_app::AppSrc,
    /// Between two repetitions of a still picture.
    interval: Duration,
    stop: Arc<AtomicBool>,
}

impl Pump {
    fn run(self) {
        if let Err(reason) = self.play() {
            // Posted on the capture's own bus, from inside its source.
            gst::element_error!(self.entry, gst::ResourceError::Read, ("{}", reason));
        }
    }

    fn play(&self) -> Result<(), String> {
        self.film
            .play()
            .map_err(|error| self.film.failure().unwrap_or_else(|| error.to_string()))?;
        let mut last = None;
        let mut pictures = 0u64;
        while !self.stop.load(Ordering::Acquire) {
            if let Some(sample) = self.film.sink.try_pull_sample(PUMP_INTERVAL) {
                pictures += 1;
                self.hand_on(&sample);
                last = Some(sample);
            } else if let Some(reason) = self.film.failure() {
                return Err(reason);
            } else if self.film.sink.is_eos() {
                // Taken, because appsink cannot reset a sample that somebody still holds.
                match (pictures, last.take()) {
                    (0, _) | (_, None) => return Err("there is no picture in it".to_owned()),
                    (1, Some(still)) => return self.repeat(&still),
                    (_, Some(shown)) => drop(shown),
                }
                self.film.rewind().map_err(|error| error.to_string())?;
                pictures = 0;
            }
        }
        Ok(())
    }

    /// A file of one picture is a photograph.
    fn repeat(&self, still: &gst::Sample) -> Result<(), String> {
        while !self.stop.load(Ordering::Acquire) {
            self.hand_on(still);
            std::thread::sleep(self.interval);
        }
        Ok(())
    }

    /// The encoders' pipeline stamps the picture with its own time. One that is shutting down takes none.
    fn hand_on(&self, sample: &gst::Sample) {
        let Some(mut buffer) = sample.buffer_owned() else {
            return;
        };
        let fresh = buffer.make_mut();
        fresh.set_pts(gst::ClockTime::NONE);
        fresh.set_dts(gst::ClockTime::NONE);
        fresh.set_duration(gst::ClockTime::NONE);
        if let Some(caps) = sample.caps_owned() {
            self.entry.set_caps(Some(&caps));
        }
        if self.entry.push_buffer(buffer).is_err() {
            tracing::trace!("the encoders take no more pictures");
        }
    }
}
