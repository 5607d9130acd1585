//! Carries the moment of capture through the pipeline, beside GStreamer's own time stamps.
//!
//! GStreamer's running time starts at 0 with each pipeline and says nothing to another process. So each raw
//! frame gets a reference time stamp in UNIX time, which scaler and encoder pass on with the frame.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;

use crate::clock::now_us;

/// A driver that stamps a frame older than this is not believed.
const MAX_AGE: gst::ClockTime = gst::ClockTime::from_seconds(1);
/// Stands for "no frame yet" in [`Pulse`].
const NEVER: u64 = u64::MAX;

/// When the last raw frame came, and whether the source has ended.
#[derive(Clone)]
pub(super) struct Pulse {
    started: Instant,
    ended: Arc<AtomicBool>,
    last_ms: Arc<AtomicU64>,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Pulse {
            started: Instant::now(),
            ended: Arc::new(AtomicBool::new(false)),
            last_ms: Arc::new(AtomicU64::new(NEVER)),
        }
    }

    /// Whether any frame has come.
    pub(super) fn has_beaten(&self) -> bool {
        self.last_ms.load(Ordering::Relaxed) != NEVER
    }

    /// How long no frame has come.
    pub(super) fn silence(&self) -> Duration {
        let elapsed = self.started.elapsed();
        match self.last_ms.load(Ordering::Relaxed) {
            NEVER => elapsed,
            last => elapsed.saturating_sub(Duration::from_millis(last)),
        }
    }

    /// Whether the source said that nothing more will come. The pipeline does not say so as a whole: a
    /// shut valve keeps the end from its encoder.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    fn beat(&self) {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(NEVER - 1);
        self.last_ms.store(now, Ordering::Relaxed);
    }
}

/// Stamps every raw frame that passes `pad`, and notes on `pulse` that it came, and the end.
pub(super) fn stamp_frames(pad: &gst::Pad, pipeline: &gst::Pipeline, pulse: Pulse) {
    let reference = reference();
    let pipeline = pipeline.downgrade();
    let passing = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
    pad.add_probe(passing, move |_, info| {
        if info
            .event()
            .is_some_and(|event| event.type_() == gst::EventType::Eos)
        {
            pulse.ended.store(true, Ordering::Relaxed);
        }
        if let Some(buffer) = info.buffer_mut() {
            let running = pipeline
                .upgrade()
                .and_then(|pipeline| pipeline.current_running_time());
            let at = now_us().saturating_sub(age_us(buffer.pts(), running));
            let at = gst::ClockTime::from_useconds(at);
            gst::ReferenceTimestampMeta::add(
                buffer.make_mut(),
                &reference,
                at,
                gst::ClockTime::NONE,
            );
            pulse.beat();
        }
        gst::PadProbeReturn::Ok
    });
}

/// The moment of capture that [`stamp_frames`] gave this frame, in UNIX microseconds.
pub(super) fn capture_us(buffer: &gst::BufferRef) -> Option<u64> {
    let unix = reference();
    buffer
        .iter_meta::<gst::ReferenceTimestampMeta>()
        .find(|meta| meta.reference() == unix.as_ref())
        .map(|meta| meta.timestamp().useconds())
}

/// How long ago a frame was captured. Live sources stamp in running time, from 0.
fn age_us(pts: Option<gst::ClockTime>, running: Option<gst::ClockTime>) -> u64 {
    match (pts, running) {
        (Some(pts), Some(running)) => {
            let age = running.saturating_sub(pts);
            if age > MAX_AGE { 0 } else { age.useconds() }
        }
        _ => 0,
    }
}

fn reference() -> gst::Caps {
    gst::Caps::new_empty_simple("timestamp/x-unix")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_as_old_as_the_running_time_since_its_stamp() {
        let ms = gst::ClockTime::from_mseconds;
        assert_eq!(age_us(Some(ms(100)), Some(ms(130))), 30_000);
        assert_eq!(
            age_us(Some(ms(130)), Some(ms(100))),
            0,
            "a stamp from the future"
        );
        assert_eq!(
            age_us(Some(ms(0)), Some(ms(90_000))),
            0,
            "a driver that counts from elsewhere"
        );
        assert_eq!(age_us(None, Some(ms(100))), 0);
    }
}
