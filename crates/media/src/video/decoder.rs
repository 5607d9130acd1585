//! VP9 back to pictures, for tests, for saving, and where the webview cannot decode.
//!
//! A hole in the stream, a refused frame or a decoder that broke: from then on nothing is decoded until a
//! key frame, so that a picture is right or is not shown.

use std::collections::VecDeque;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::elements::{bus_of, chain, failure, filter, init, make, make_as, refused};
use super::error::VideoError;
use super::packet::{PacketError, VideoPacket};
use super::picture::Picture;
use super::size::Size;

/// Frames that wait to be decoded: a second.
const QUEUED_FRAMES: usize = 30;
/// Decoded pictures that wait to be taken; the oldest is replaced.
const QUEUED_PICTURES: u32 = 4;
/// GStreamer's own time in the decoder only counts frames. The sender's clock stays outside.
const FRAME_STEP: gst::ClockTime = gst::ClockTime::from_mseconds(1);

/// Why a packet was not decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The sender's frame is unacceptable.
    #[error(transparent)]
    Refused(#[from] PacketError),
    /// Frames before this one are missing. Ask the sender for a key frame.
    #[error("Frames are missing; the picture returns with the next key frame.")]
    NeedsKeyFrame,
    /// Packets come faster than this machine decodes. Ask for a smaller size.
    #[error("This computer is too slow for the picture. Choose a smaller picture.")]
    Behind,
    /// The decoder broke and was started again.
    #[error("The video decoder failed ({reason}) and was started again.")]
    Restarted {
        /// What GStreamer said.
        reason: String,
    },
    /// The decoder cannot be started.
    #[error(transparent)]
    Unavailable(#[from] VideoError),
}

/// Decodes the stream of one sender.
pub struct VideoDecoder {
    engine: Engine,
    /// The packet that was decoded last; `None` while a key frame is awaited.
    last: Option<(Size, u32)>,
    /// Counts frames handed to the engine.
    count: u64,
    /// Moments of capture of frames that are being decoded, oldest first.
    pending: VecDeque<(gst::ClockTime, u64)>,
}

impl VideoDecoder {
    /// Starts a decoder that waits for its first key frame.
    pub fn new() -> Result<Self, VideoError> {
        init()?;
        Ok(VideoDecoder {
            engine: Engine::start()?,
            last: None,
            count: 0,
            pending: VecDeque::new(),
        })
    }

    /// Hands over one packet. Pictures follow within milliseconds through
    /// [`try_picture`](Self::try_picture).
    ///
    /// After an error the decoder goes on with the next key frame.
    pub fn push(&mut self, packet: &VideoPacket) -> Result<(), DecodeError> {
        let outcome = self.accept(packet);
        self.last = outcome.is_ok().then_some((packet.size, packet.seq));
        outcome
    }

    /// The next decoded picture, if one is ready.
    pub fn try_picture(&mut self) -> Option<Picture> {
        self.wait_picture(Duration::ZERO)
    }

    /// The next decoded picture, waiting for it at most `limit`.
    pub fn wait_picture(&mut self, limit: Duration) -> Option<Picture> {
        let limit = gst::ClockTime::try_from(limit).unwrap_or(gst::ClockTime::ZERO);
        let sample = self.engine.exit.try_pull_sample(limit)?;
        let pts = sample.buffer()?.pts()?;
        // Pictures come in order; frames that gave none are passed over.
        while let Some((stamp, capture_us)) = self.pending.pop_front() {
            if stamp == pts {
                return Picture::from_sample(&sample, capture_us);
            }
        }
        None
    }

    fn accept(&mut self, packet: &VideoPacket) -> Result<(), DecodeError> {
        packet.check()?;
        let follows = self
            .last
            .is_some_and(|(size, seq)| size == packet.size && seq.wrapping_add(1) == packet.seq);
        if !packet.key && !follows {
            return Err(DecodeError::NeedsKeyFrame);
        }
        if let Some(reason) = self.engine.failure() {
            self.restart()?;
            return Err(DecodeError::Restarted { reason });
        }
        if self.engine.waiting() >= QUEUED_FRAMES {
            return Err(DecodeError::Behind);
        }
        self.feed(packet)
    }

    fn feed(&mut self, packet: &VideoPacket) -> Result<(), DecodeError> {
        self.count += 1;
        let stamp = FRAME_STEP * self.count;
        let mut buffer = gst::Buffer::from_slice(packet.payload.clone());
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(stamp);
            if !packet.key {
                buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
        }
        if self.pending.len() >= 2 * QUEUED_FRAMES {
            self.pending.pop_front();
        }
        self.pending.push_back((stamp, packet.capture_us));
        if let Err(error) = self.engine.entry.push_buffer(buffer) {
            let reason = self.engine.failure().unwrap_or_else(|| error.to_string());
            self.restart()?;
            return Err(DecodeError::Restarted { reason });
        }
        Ok(())
    }

    fn restart(&mut self) -> Result<(), VideoError> {
        self.pending.clear();
        self.engine = Engine::start()?;
        Ok(())
    }
}

/// `appsrc → vp9dec → videoconvert → appsink`, playing.
struct Engine {
    pipeline: gst::Pipeline,
    bus: gst::Bus,
    entry: gst_app::AppSrc,
    exit: gst_app::AppSink,
}

impl Engine {
    fn start() -> Result<Self, VideoError> {
        let pipeline = gst::Pipeline::new();
        let entry: gst_app::AppSrc = make_as("appsrc")?;
        entry.set_property("format", gst::Format::Time);
        entry.set_property("max-bytes", 0u64);
        entry.set_caps(Some(&gst::Caps::new_empty_simple("video/x-vp9")));
        let decoder = make("vp9dec")?;
        // Late is not a reason to skip: every frame builds on the one before.
        decoder.set_property("qos", false);
        decoder.set_property("threads", 2u32);
        let convert = make("videoconvert")?;
        let exit: gst_app::AppSink = make_as("appsink")?;
        exit.set_property("sync", false);
        exit.set_property("max-buffers", QUEUED_PICTURES);
        exit.set_property("drop", true);
        let shape = filter(
            &gst::Caps::builder("video/x-raw")
                .field("format", "I420")
                .build(),
        )?;
        chain(
            &pipeline,
            &[
                entry.upcast_ref(),
                &decoder,
                &convert,
                &shape,
                exit.upcast_ref(),
            ],
        )?;
        let bus = bus_of(&pipeline)?;
        let engine = Engine {
            pipeline,
            bus,
            entry,
            exit,
        };
        engine
            .pipeline
            .set_state(gst::State::Playing)
            .map_err(|error| refused(&error))?;
        Ok(engine)
    }

    fn waiting(&self) -> usize {
        usize::try_from(self.entry.property::<u64>("current-level-buffers")).unwrap_or(usize::MAX)
    }

    fn failure(&self) -> Option<String> {
        failure(&self.bus)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Err(error) = self.pipeline.set_state(gst::State::Null) {
            tracing::warn!(%error, "the video decoder did not stop cleanly");
        }
    }
}
