//! Systems on which nobody has written this yet: WASAPI's process loopback (Windows) and
//! ScreenCaptureKit (macOS) can both leave out one process.

use super::super::error::AudioError;
use super::Programs;

pub(super) fn open() -> Result<Box<dyn Programs>, AudioError> {
    Err(AudioError::NotShareable)
}
