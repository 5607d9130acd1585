//! Finds a share that shows nothing: a system that forbids to record its screen gives black pictures
//! and no error.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;

/// Black is 16 in video's range of brightness.
const BLACK: u8 = 18;
/// Bytes between two that are looked at. Odd, so that it wanders over the columns.
const STEP: usize = 37;
/// Of so many samples one may be bright: the mouse pointer.
const POINTER: usize = 2000;
/// How often a picture is looked at.
const INTERVAL: Duration = Duration::from_millis(500);

/// For how long every picture has been all black.
#[derive(Clone, Default)]
pub(in super::super) struct Blackness(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    looked: Option<Instant>,
    since: Option<Instant>,
}

impl Blackness {
    /// Looks at the I420 pictures that pass `pad`.
    pub(in super::super) fn watch(&self, pad: &gst::Pad) {
        let this = self.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            if let Some(buffer) = info.buffer() {
                this.look(buffer);
            }
            gst::PadProbeReturn::Ok
        });
    }

    /// How long nothing but black has come; zero while something else comes.
    pub(in super::super) fn lasts(&self) -> Duration {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn look(&self, buffer: &gst::Buffer) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.is_some_and(|at| at.elapsed() < INTERVAL) {
            return;
        }
        state.looked = Some(Instant::now());
        let Ok(map) = buffer.map_readable() else {
            return;
        };
        match is_black(&map) {
            true => drop(state.since.get_or_insert_with(Instant::now)),
            false => state.since = None,
        }
    }
}

/// The first two thirds of an I420 picture are its brightness.
fn is_black(i420: &[u8]) -> bool {
    let luma = &i420[..i420.len() / 3 * 2];
    let bright = luma.iter().step_by(STEP).filter(|sample| **sample > BLACK);
    bright.count() <= luma.len() / STEP / POINTER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_of_text_is_not_black() {
        let mut picture = vec![16; 320 * 180 * 3 / 2];
        picture[320 * 180..].fill(128);
        assert!(is_black(&picture));
        picture[320 * 90..320 * 91].fill(200);
        assert!(!is_black(&picture));
    }
}
