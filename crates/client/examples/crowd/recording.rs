//! What everybody of an audience shows and says: encoded once, and sealed by each for itself.

use std::time::Duration;

use conclave_media::audio::{
    AudioEngine, AudioOptions, AudioPacket, MicrophoneSource, Processing, SpeakerSink,
};
use conclave_media::video::{CameraSource, Size, VideoCapture, VideoPacket};
use tokio::time::{Instant, timeout_at};

use crate::Failure;

/// In which sizes everybody is shown.
const SIZES: [Size; 2] = [Size::Low, Size::Medium];
/// It begins anew after this. A reader who comes in between waits for the beginning.
pub const LENGTH: Duration = Duration::from_secs(4);

/// Packets in the order in which they were captured.
pub struct Recording {
    pub pictures: Vec<VideoPacket>,
    pub sound: Vec<AudioPacket>,
}

impl Recording {
    /// Of a film and a sound file.
    pub async fn make(picture: String, voice: String) -> Result<Self, Failure> {
        let camera: CameraSource = format!("file:{picture}").parse()?;
        let opening = tokio::task::spawn_blocking(|| VideoCapture::start(camera, &SIZES));
        let (capture, mut pictures) = opening.await??;
        let (engine, mut sound) = AudioEngine::start(AudioOptions {
            microphone: MicrophoneSource::File(voice.into()),
            speaker: SpeakerSink::Null,
            processing: Processing::Off,
            ..AudioOptions::default()
        })?;
        let mut recording = Self {
            pictures: Vec::new(),
            sound: Vec::new(),
        };
        let until = Instant::now() + LENGTH;
        loop {
            let next = async {
                tokio::select! {
                    Some(picture) = pictures.recv() => recording.pictures.push(picture),
                    Some(packet) = sound.recv() => recording.sound.push(packet),
                    else => {}
                }
            };
            if timeout_at(until, next).await.is_err() {
                break;
            }
        }
        // Stopping waits for threads.
        tokio::task::spawn_blocking(move || drop((capture, engine))).await?;
        recording.check()
    }

    fn check(self) -> Result<Self, Failure> {
        let begins_whole = SIZES.iter().all(|size| {
            let mut of_size = self.pictures.iter().filter(|picture| picture.size == *size);
            of_size.next().is_some_and(|picture| picture.key)
        });
        match begins_whole && !self.sound.is_empty() {
            true => Ok(self),
            false => Err("the film or the voice gave nothing to show or say".into()),
        }
    }
}
