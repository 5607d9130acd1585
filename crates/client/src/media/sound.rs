//! Microphone and loudspeaker, as a person steers them while they run.

use conclave_media::audio::{AudioEngine, AudioEvent, Cleaning, MicrophoneSource, SpeakerSink};
use conclave_media::{DeviceInUse, DeviceKind};
use tokio::sync::mpsc;

use super::Answer;
use super::plane::{MediaEvent, MediaPlane};
use crate::error::ClientError;

impl MediaPlane {
    /// Uses another microphone. The answer comes once it is open: nothing else waits for that.
    pub(crate) fn use_microphone(&mut self, microphone: MicrophoneSource, answer: Answer) {
        // A file that waited for somebody to hear it is no longer wanted.
        self.held_back = None;
        let engine = self.engine.clone();
        tokio::task::spawn_blocking(move || {
            let switched = engine.switch_microphone(microphone);
            // Nobody waits any more when the window has closed.
            let _ = answer.send(switched.map_err(ClientError::from));
        });
    }

    /// Uses another loudspeaker, likewise.
    pub(crate) fn use_speaker(&self, speaker: SpeakerSink, answer: Answer) {
        let engine = self.engine.clone();
        tokio::task::spawn_blocking(move || {
            let switched = engine.switch_speaker(speaker);
            let _ = answer.send(switched.map_err(ClientError::from));
        });
    }

    pub(crate) fn set_cleaning(&self, cleaning: Cleaning) {
        self.engine.set_cleaning(cleaning);
    }

    pub(crate) fn play_tone(&self) {
        self.engine.play_tone();
    }

    /// What is truly in use.
    pub(crate) fn in_use(&self, device: DeviceKind) -> DeviceInUse {
        self.engine.in_use(device)
    }

    pub(crate) fn microphone_level(&self) -> f32 {
        self.engine.microphone_level()
    }

    /// Whether this person talks although nobody can hear it. It is known here and nowhere else.
    pub(crate) fn talks_while_muted(&self) -> bool {
        self.engine.is_muted() && self.engine.hears_speech()
    }
}

/// Passes on what happens to devices, for as long as the engine runs.
pub(super) fn pass_on(engine: &mut AudioEngine, events: mpsc::Sender<MediaEvent>) {
    let Some(mut happened) = engine.take_events() else {
        return;
    };
    tokio::spawn(async move {
        while let Some(event) = happened.recv().await {
            if !is_news(&event) {
                continue;
            }
            // A full queue: the view says what is in use all the same.
            let _ = events.try_send(MediaEvent::Sound(event));
        }
    });
}

/// That a file has ended is no news: whoever chose it knows how long it is.
fn is_news(event: &AudioEvent) -> bool {
    *event != AudioEvent::FileEnded
}
