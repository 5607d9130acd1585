//! Writes received video to a Matroska file as it came, without decoding.

use std::path::{Path, PathBuf};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::elements::{bus_of, chain, failure, init, make, make_as, reason, refused};
use super::error::VideoError;
use super::packet::{PacketError, VideoPacket};
use super::size::Size;

/// Bytes that wait for the disk: about half a minute of the largest size.
const QUEUED_BYTES: u64 = 8 * 1024 * 1024;
/// How long finishing may take.
const FINISH_LIMIT: gst::ClockTime = gst::ClockTime::from_seconds(10);

/// Why a recording failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordingError {
    /// The disk refused: full, read-only or gone.
    #[error(
        "The recording {path} cannot be written: {reason}. Free some space or choose another folder."
    )]
    Unwritable {
        /// The file being written.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The disk does not keep up; the recording goes on at the next key frame.
    #[error("The disk is too slow for the recording {path}. Choose another folder.")]
    TooSlow {
        /// The file being written.
        path: PathBuf,
    },
    /// The sender's frame is unacceptable and was left out.
    #[error(transparent)]
    Refused(#[from] PacketError),
    /// The writer cannot be started.
    #[error(transparent)]
    Unavailable(#[from] VideoError),
}

/// A Matroska file in the making. Time 0 is the first key frame's moment of capture.
///
/// Dropped without [`finish`](Self::finish) it leaves a file without index and length, which still plays.
pub struct MkvWriter {
    path: PathBuf,
    /// Starts with the first key frame, whose size the file's head needs.
    muxer: Option<Muxer>,
    /// The frame written last; `None` while a key frame is awaited.
    last: Option<(Size, u32)>,
    first_us: u64,
    last_pts: Option<gst::ClockTime>,
    failed: Option<RecordingError>,
}

impl MkvWriter {
    /// Creates the file at once, so that a folder that cannot be written is known before the meeting runs.
    pub fn create(path: &Path) -> Result<Self, RecordingError> {
        init()?;
        std::fs::File::create(path).map_err(|error| unwritable(path, error.to_string()))?;
        Ok(MkvWriter {
            path: path.to_owned(),
            muxer: None,
            last: None,
            first_us: 0,
            last_pts: None,
            failed: None,
        })
    }

    /// Adds one packet. Packets that cannot be decoded, because a frame before them is missing, are left out.
    ///
    /// After [`RecordingError::Unwritable`] every later call fails with the same.
    pub fn write(&mut self, packet: &VideoPacket) -> Result<(), RecordingError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let outcome = self.append(packet);
        match &outcome {
            Ok(()) => {}
            Err(error @ (RecordingError::Unwritable { .. } | RecordingError::Unavailable(_))) => {
                self.failed = Some(error.clone());
            }
            Err(RecordingError::TooSlow { .. } | RecordingError::Refused(_)) => self.last = None,
        }
        outcome
    }

    /// Completes the file. One that received no key frame stays empty.
    pub fn finish(mut self) -> Result<(), RecordingError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        match self.muxer.take() {
            Some(muxer) => muxer
                .finish()
                .map_err(|reason| unwritable(&self.path, reason)),
            None => Ok(()),
        }
    }

    fn append(&mut self, packet: &VideoPacket) -> Result<(), RecordingError> {
        packet.check()?;
        let follows = self
            .last
            .is_some_and(|(size, seq)| size == packet.size && seq.wrapping_add(1) == packet.seq);
        if !packet.key && !follows {
            self.last = None;
            return Ok(());
        }
        let muxer = match &self.muxer {
            Some(muxer) => muxer,
            None => {
                self.first_us = packet.capture_us;
                self.muxer.insert(Muxer::start(&self.path, packet)?)
            }
        };
        if let Some(reason) = muxer.failure() {
            return Err(unwritable(&self.path, reason));
        }
        if muxer.entry.current_level_bytes() > QUEUED_BYTES {
            return Err(RecordingError::TooSlow {
                path: self.path.clone(),
            });
        }
        let pts = next_pts(self.last_pts, self.first_us, packet.capture_us);
        muxer
            .append(packet, pts)
            .map_err(|reason| unwritable(&self.path, reason))?;
        self.last_pts = Some(pts);
        self.last = Some((packet.size, packet.seq));
        Ok(())
    }
}

/// The sender's clock may be set back or lie: time in a file only goes forward, and never jumps an hour.
fn next_pts(last: Option<gst::ClockTime>, first_us: u64, capture_us: u64) -> gst::ClockTime {
    const STEP: gst::ClockTime = gst::ClockTime::from_mseconds(1);
    const JUMP: gst::ClockTime = gst::ClockTime::from_seconds(3600);
    let Some(last) = last else {
        return gst::ClockTime::ZERO;
    };
    let wanted =
        gst::ClockTime::from_useconds(capture_us.saturating_sub(first_us).min(u64::MAX / 2_000));
    wanted.clamp(last + STEP, last + JUMP)
}

fn unwritable(path: &Path, reason: String) -> RecordingError {
    // The system and GStreamer say it each in their own way ("on device", "on the resource").
    let reason = match reason.contains("No space left") {
        true => "the disk is full".to_owned(),
        false => reason,
    };
    RecordingError::Unwritable {
        path: path.to_owned(),
        reason,
    }
}

/// `appsrc → matroskamux → filesink`, playing.
struct Muxer {
    pipeline: gst::Pipeline,
    bus: gst::Bus,
    entry: gst_app::AppSrc,
}

impl Muxer {
    fn start(path: &Path, first: &VideoPacket) -> Result<Self, VideoError> {
        let pipeline = gst::Pipeline::new();
        let entry: gst_app::AppSrc = make_as("appsrc")?;
        entry.set_property("format", gst::Format::Time);
        entry.set_property("max-bytes", 2 * QUEUED_BYTES);
        let caps = gst::Caps::builder("video/x-vp9")
            .field("width", i32::from(first.width))
            .field("height", i32::from(first.height))
            .field("profile", "0")
            .build();
        entry.set_caps(Some(&caps));
        let muxer = make("matroskamux")?;
        let sink = make("filesink")?;
        sink.set_property("location", path);
        sink.set_property("async", false);
        chain(&pipeline, &[entry.upcast_ref(), &muxer, &sink])?;
        let bus = bus_of(&pipeline)?;
        let started = Muxer {
            pipeline,
            bus,
            entry,
        };
        started
            .pipeline
            .set_state(gst::State::Playing)
            .map_err(|error| refused(&error))?;
        Ok(started)
    }

    fn append(&self, packet: &VideoPacket, pts: gst::ClockTime) -> Result<(), String> {
        let mut buffer = gst::Buffer::from_slice(packet.payload.clone());
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(pts);
            if !packet.key {
                buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
        }
        match self.entry.push_buffer(buffer) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.failure().unwrap_or_else(|| error.to_string())),
        }
    }

    fn failure(&self) -> Option<String> {
        failure(&self.bus)
    }

    /// Writes the index and waits until it is on the disk.
    fn finish(self) -> Result<(), String> {
        if let Err(error) = self.entry.end_of_stream() {
            return Err(self.failure().unwrap_or_else(|| error.to_string()));
        }
        let ends = [gst::MessageType::Eos, gst::MessageType::Error];
        let Some(message) = self.bus.timed_pop_filtered(FINISH_LIMIT, &ends) else {
            return Err("the disk did not answer in time".to_owned());
        };
        match message.view() {
            gst::MessageView::Error(error) => Err(reason(&error.error())),
            _ => Ok(()),
        }
    }
}

impl Drop for Muxer {
    fn drop(&mut self) {
        if let Err(error) = self.pipeline.set_state(gst::State::Null) {
            tracing::warn!(%error, "the recording did not stop cleanly");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_in_a_file_only_goes_forward() {
        let ms = gst::ClockTime::from_mseconds;
        assert_eq!(next_pts(None, 5_000, 5_000), ms(0));
        assert_eq!(next_pts(Some(ms(0)), 5_000, 38_000), ms(33));
        assert_eq!(
            next_pts(Some(ms(33)), 5_000, 1_000),
            ms(34),
            "a clock that was set back"
        );
        assert_eq!(
            next_pts(Some(ms(33)), 5_000, u64::MAX),
            ms(3_600_033),
            "a clock that lies"
        );
    }
}
