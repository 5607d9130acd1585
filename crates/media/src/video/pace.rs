//! Drops frames that nobody is to get, before work is done on them: those that come faster than any size
//! is sent, or faster than a slow computer can encode them.
//!
//! GStreamer's own `videorate` aborts the process when a stream of one picture ends.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;

/// Frames a second of every source, at most.
pub(super) const MAX_FPS: u64 = 30;
/// Cameras are a little early at times.
const TOLERANCE: gst::ClockTime = gst::ClockTime::from_mseconds(4);

/// Lets at most so many frames a second pass `pad`.
pub(super) fn limit_rate(pad: &gst::Pad, fps: u64) {
    let pace = Mutex::new(Pace::of(fps));
    drop_unless(pad, move |buffer| {
        let mut pace = pace.lock().unwrap_or_else(PoisonError::into_inner);
        buffer.pts().is_none_or(|pts| pace.admits(pts))
    });
}

/// Lets one frame in `stride` pass `pad`.
pub(super) fn thin_out(pad: &gst::Pad, stride: Arc<AtomicU32>) {
    let seen = AtomicU32::new(0);
    drop_unless(pad, move |_| {
        let number = seen.fetch_add(1, Ordering::Relaxed);
        number.is_multiple_of(stride.load(Ordering::Relaxed).max(1))
    });
}

fn drop_unless(pad: &gst::Pad, passes: impl Fn(&gst::BufferRef) -> bool + Send + Sync + 'static) {
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        match info.buffer().is_none_or(|buffer| passes(buffer)) {
            true => gst::PadProbeReturn::Ok,
            // Not `Drop`: the binding frees a handled buffer by itself, and a dropped one twice.
            false => gst::PadProbeReturn::Handled,
        }
    });
}

struct Pace {
    /// When the next frame may come.
    due: gst::ClockTime,
    /// The distance of two frames.
    interval: gst::ClockTime,
}

impl Pace {
    fn of(fps: u64) -> Self {
        Self {
            due: gst::ClockTime::ZERO,
            interval: gst::ClockTime::from_nseconds(1_000_000_000 / fps.max(1)),
        }
    }

    fn admits(&mut self, pts: gst::ClockTime) -> bool {
        // A film that begins again.
        let rewound = pts + self.interval * 4 < self.due;
        if !rewound && pts + TOLERANCE < self.due {
            return false;
        }
        let late = pts > self.due + self.interval;
        self.due = if rewound || late { pts } else { self.due } + self.interval;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_third_frame_passes_and_the_others_are_let_go_once() {
        const FRAMES: usize = 3000;
        super::super::elements::init().unwrap();
        // What is freed twice is complained of first.
        gst::glib::log_set_always_fatal(gst::glib::LogLevels::LEVEL_CRITICAL);
        let pipeline = gst::parse::launch(&format!(
            "videotestsrc num-buffers={FRAMES} ! video/x-raw,format=GRAY8,width=64,height=64 \
             ! identity name=way ! fakesink name=end"
        ));
        let pipeline = pipeline.unwrap().downcast::<gst::Pipeline>().unwrap();
        let pad = |name: &str, pad: &str| pipeline.by_name(name).unwrap().static_pad(pad).unwrap();
        thin_out(&pad("way", "sink"), Arc::new(AtomicU32::new(3)));
        let passed = Arc::<AtomicU32>::default();
        let counted = passed.clone();
        pad("end", "sink").add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            counted.fetch_add(1, Ordering::Relaxed);
            gst::PadProbeReturn::Ok
        });
        pipeline.set_state(gst::State::Playing).unwrap();
        let ended = pipeline.bus().unwrap().timed_pop_filtered(
            gst::ClockTime::from_seconds(60),
            &[gst::MessageType::Eos, gst::MessageType::Error],
        );
        pipeline.set_state(gst::State::Null).unwrap();
        assert_eq!(ended.unwrap().type_(), gst::MessageType::Eos);
        assert_eq!(passed.load(Ordering::Relaxed) as usize, FRAMES / 3);
    }

    fn admitted(times_ms: impl Iterator<Item = u64>) -> usize {
        let mut pace = Pace::of(MAX_FPS);
        times_ms
            .filter(|ms| pace.admits(gst::ClockTime::from_mseconds(*ms)))
            .count()
    }

    #[test]
    fn a_fast_source_is_thinned_to_the_limit() {
        assert_eq!(
            admitted((0..500).map(|n| n * 20)),
            300,
            "50 a second for ten seconds"
        );
        assert!(
            (299..=301).contains(&admitted((0..1200).map(|n| n * 1000 / 120))),
            "120 a second"
        );
    }

    #[test]
    fn a_source_within_the_limit_is_left_alone() {
        assert_eq!(admitted((0..100).map(|n| n * 1000 / 30)), 100);
        assert_eq!(admitted((0..100).map(|n| n * 1000 / 24)), 100);
        let unsteady = (0..100).map(|n| n * 1000 / 30 + if n % 2 == 0 { 3 } else { 0 });
        assert_eq!(admitted(unsteady), 100);
    }

    #[test]
    fn a_film_that_begins_again_is_shown_again() {
        let twice = (0..30).chain(0..30).map(|n| 10_000 + n * 34);
        assert_eq!(admitted(twice), 60);
    }
}
