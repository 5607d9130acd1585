//! Where sound comes from when it does not come from a microphone: a file, a
//! test signal, or nothing. And the choice between all of these.

use std::convert::Infallible;
use std::f32::consts::TAU;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::AppSink;

use super::error::AudioError;
use super::{BLOCK_SAMPLES, Block, SAMPLE_RATE_HZ};

/// How long a file may take to yield its first sound.
const FILE_OPEN_LIMIT: Duration = Duration::from_secs(10);
/// How long one block may wait for the decoder before silence takes its place.
const FILE_BLOCK_LIMIT: gst::ClockTime = gst::ClockTime::from_mseconds(5);
/// Decoded buffers kept ahead of playing.
const FILE_QUEUE_BUFFERS: u32 = 64;

/// What is sent as one's own voice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum MicrophoneSource {
    /// The system's default microphone.
    #[default]
    Default,
    /// The microphone with this id.
    Device(String),
    /// A pattern of tones with the rhythm of speech.
    Test,
    /// A sound file, played once in real time, then silence.
    File(PathBuf),
    /// Silence.
    Off,
}

impl FromStr for MicrophoneSource {
    type Err = Infallible;

    /// Reads `default`, `test`, `off`, `file:PATH` or else a device id.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "default" => Self::Default,
            "test" => Self::Test,
            "off" => Self::Off,
            other => match other.strip_prefix("file:") {
                Some(path) => Self::File(PathBuf::from(path)),
                None => Self::Device(other.to_owned()),
            },
        })
    }
}

/// A source that produces blocks whenever it is asked, paced by the asker.
pub(super) enum Generator {
    Test(TestTones),
    File(FileDecoder),
    Silence,
}

impl Generator {
    /// Fills the next block. True when a file has just come to its end.
    pub(super) fn fill(&mut self, block: &mut Block) -> bool {
        match self {
            Self::Test(tones) => tones.fill(block),
            Self::Silence => block.fill(0.0),
            Self::File(file) => {
                if file.fill(block) {
                    *self = Self::Silence;
                    return true;
                }
            }
        }
        false
    }
}

/// Vowel-like harmonics with gliding pitch in the rhythm of syllables.
#[derive(Debug, Default)]
pub(super) struct TestTones {
    samples: u64,
    phase: f32,
}

impl TestTones {
    const SYLLABLE_S: f32 = 0.24;
    const PHRASE_SYLLABLES: f32 = 9.0;

    fn fill(&mut self, block: &mut Block) {
        for out in block {
            let t = self.samples as f32 / SAMPLE_RATE_HZ as f32;
            // Wraps before single precision gets coarse.
            self.samples = (self.samples + 1) % (u64::from(SAMPLE_RATE_HZ) * 216);
            *out = self.sample(t);
        }
    }

    fn sample(&mut self, t: f32) -> f32 {
        let syllable = t / Self::SYLLABLE_S;
        if syllable % (Self::PHRASE_SYLLABLES + 3.0) > Self::PHRASE_SYLLABLES {
            return 0.0;
        }
        let envelope = (syllable.fract() * TAU / 2.0).sin().powi(2);
        let pitch_hz = 130.0 + 30.0 * (t * 1.3).sin();
        self.phase = (self.phase + pitch_hz / SAMPLE_RATE_HZ as f32).fract();
        let formant_hz = [700.0, 400.0, 550.0, 300.0][syllable as usize % 4];
        let voice: f32 = (1..=20)
            .map(|n| {
                let n = n as f32;
                let distance = (n * pitch_hz - formant_hz) / 250.0;
                let weight = 1.0 / n / (1.0 + distance * distance) + 0.05 / n;
                weight * (self.phase * n * TAU).sin()
            })
            .sum();
        0.5 * envelope * voice
    }
}

/// Decodes a sound file of any format GStreamer knows to 48 kHz mono.
pub(super) struct FileDecoder {
    pipeline: gst::Pipeline,
    sink: AppSink,
    pending: Vec<f32>,
    taken: usize,
}

impl FileDecoder {
    /// Opens the file and waits, within a limit, until sound comes out of it.
    pub(super) fn open(path: &Path) -> Result<Self, AudioError> {
        let fault = |reason: String| AudioError::File {
            path: path.to_owned(),
            reason,
        };
        std::fs::File::open(path).map_err(|error| fault(format!("{error}.")))?;
        gst::init().map_err(|error| fault(format!("GStreamer cannot start: {error}.")))?;
        let (pipeline, sink) = build_pipeline(path).map_err(|error| fault(format!("{error}.")))?;
        let mut decoder = Self {
            pipeline,
            sink,
            pending: Vec::new(),
            taken: 0,
        };
        // A refusal here is explained by the message on the bus.
        let _ = decoder.pipeline.set_state(gst::State::Playing);
        match decoder.wait_for_sound() {
            Ok(true) => Ok(decoder),
            Ok(false) => Err(fault("it holds no sound.".to_owned())),
            Err(reason) => Err(fault(reason)),
        }
    }

    fn wait_for_sound(&mut self) -> Result<bool, String> {
        let started = std::time::Instant::now();
        while started.elapsed() < FILE_OPEN_LIMIT {
            if let Some(sample) = self.sink.try_pull_sample(gst::ClockTime::from_mseconds(50)) {
                self.append(&sample);
                return Ok(true);
            }
            if let Some(error) = self.bus_error() {
                return Err(error);
            }
            if self.sink.is_eos() {
                return Ok(false);
            }
        }
        Err("the decoder did not answer in time.".to_owned())
    }

    fn bus_error(&self) -> Option<String> {
        let message = self
            .pipeline
            .bus()?
            .pop_filtered(&[gst::MessageType::Error])?;
        match message.view() {
            gst::MessageView::Error(error) => Some(format!(
                "{} It may not be a sound file, or a GStreamer plugin for its format is missing.",
                error.error()
            )),
            _ => None,
        }
    }

    fn append(&mut self, sample: &gst::Sample) {
        self.pending.drain(..self.taken);
        self.taken = 0;
        if let Some(map) = sample.buffer().and_then(|b| b.map_readable().ok()) {
            self.pending.extend(
                map.chunks_exact(4)
                    .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
            );
        }
    }

    /// Fills a block, with silence where the file has nothing. True at the end.
    fn fill(&mut self, block: &mut Block) -> bool {
        let mut ended = false;
        while self.pending.len() - self.taken < BLOCK_SAMPLES {
            match self.sink.try_pull_sample(FILE_BLOCK_LIMIT) {
                Some(sample) => self.append(&sample),
                None => {
                    ended = self.sink.is_eos() || self.bus_error().is_some();
                    break;
                }
            }
        }
        let ready = &self.pending[self.taken..];
        let count = ready.len().min(BLOCK_SAMPLES);
        block[..count].copy_from_slice(&ready[..count]);
        block[count..].fill(0.0);
        self.taken += count;
        ended
    }
}

impl Drop for FileDecoder {
    fn drop(&mut self) {
        // Nothing is left to do for a pipeline that refuses to stop.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

fn build_pipeline(path: &Path) -> Result<(gst::Pipeline, AppSink), String> {
    let description = format!(
        "filesrc name=file ! decodebin caps=audio/x-raw expose-all-streams=false \
         ! audioconvert ! audioresample quality=8 \
         ! audio/x-raw,format=F32LE,layout=interleaved,rate={SAMPLE_RATE_HZ},channels=1 \
         ! appsink name=sound sync=false max-buffers={FILE_QUEUE_BUFFERS}"
    );
    let bin = gst::parse::launch(&description).map_err(|error| error.to_string())?;
    let pipeline = bin
        .downcast::<gst::Pipeline>()
        .map_err(|_| "the decoder is not a pipeline".to_owned())?;
    let file = pipeline.by_name("file").ok_or("the decoder has no input")?;
    file.set_property("location", path.to_string_lossy().as_ref());
    let sink = pipeline
        .by_name("sound")
        .and_then(|element| element.downcast::<AppSink>().ok())
        .ok_or("the decoder has no output")?;
    Ok((pipeline, sink))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read_from_text() {
        let read = |text: &str| text.parse::<MicrophoneSource>().unwrap();
        assert_eq!(read("default"), MicrophoneSource::Default);
        assert_eq!(read("test"), MicrophoneSource::Test);
        assert_eq!(read("off"), MicrophoneSource::Off);
        assert_eq!(
            read("file:/a b.wav"),
            MicrophoneSource::File("/a b.wav".into())
        );
        assert_eq!(
            read("alsa:hw:0"),
            MicrophoneSource::Device("alsa:hw:0".into())
        );
    }

    #[test]
    fn a_missing_file_and_a_file_without_sound_are_named() {
        let missing = FileDecoder::open(Path::new("/nowhere/speech.wav"));
        let text = missing.err().map(|e| e.to_string()).unwrap_or_default();
        assert!(text.contains("/nowhere/speech.wav"), "{text}");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("note.txt");
        std::fs::write(&path, "this is not sound\n".repeat(200)).unwrap();
        let text = FileDecoder::open(&path).err().map(|e| e.to_string());
        assert!(text.is_some_and(|t| t.contains("note.txt") && t.contains("Choose another file")));
    }
}
