//! Drops frames that come faster than any size is sent, before work is done on them.
//!
//! GStreamer's own `videorate` aborts the process when a stream of one picture ends.

use std::sync::{Mutex, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;

/// Frames a second of every source, at most.
pub(super) const MAX_FPS: u64 = 30;
/// Cameras are a little early at times.
const TOLERANCE: gst::ClockTime = gst::ClockTime::from_mseconds(4);

/// Lets at most so many frames a second pass `pad`.
pub(super) fn limit_rate(pad: &gst::Pad, fps: u64) {
    // `Handled` and not `Drop`: the binding frees a handled buffer by itself, and a dropped one twice.
    let pace = Mutex::new(Pace::of(fps));
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        match info.buffer().and_then(|buffer| buffer.pts()) {
            Some(pts)
                if !pace
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .admits(pts) =>
            {
                gst::PadProbeReturn::Handled
            }
            _ => gst::PadProbeReturn::Ok,
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
