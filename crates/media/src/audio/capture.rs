//! Turns a microphone, file or test signal into packets.

use std::sync::{Arc, OnceLock, mpsc};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use cpal::traits::DeviceTrait;
use cpal::{FromSample, InputCallbackInfo, SampleFormat, SizedSample, Stream};
use rtrb::{Consumer, Producer, RingBuffer};

use super::devices::{self, Format, Trouble, let_go, patience};
use super::error::AudioError;
use super::resample::{RateConverter, step_len};
use super::source::{FileDecoder, Generator, MicrophoneSource, TestTones};
use super::{BLOCK_US, Block};
use crate::DeviceKind;
use crate::clock::{Ticker, now_us};

/// Captured sound that may wait for the capture thread, 500 ms at 48 kHz.
const RING_SAMPLES: usize = 24_000;
/// Callbacks whose times may wait for the capture thread.
const RING_MARKS: usize = 256;
/// Longest sleep of the capture thread, so that it notices commands.
const NAP: Duration = Duration::from_millis(20);
/// Share by which the sample clock is corrected towards each callback's time;
/// callbacks are late at random, samples are not.
const CLOCK_CORRECTION: f64 = 0.02;
/// A difference beyond this is a gap in the sound, not lateness.
const CLOCK_JUMP_US: f64 = 30_000.0;

/// What an input has to offer now.
pub(super) enum Captured {
    /// A block, with the capture time of its first sample.
    Block { capture_us: u64 },
    /// A block, and the file has come to its end with it.
    LastOfFile { capture_us: u64 },
    /// Nothing yet.
    Nothing,
    /// The device is gone.
    Lost,
}

/// A source of blocks at the pace of real time.
pub(super) enum Input {
    /// Paced by our own clock.
    Paced(Generator, Ticker),
    /// Paced by a sound card.
    Device(Box<DeviceInput>),
}

impl Input {
    pub(super) fn open(source: &MicrophoneSource) -> Result<Self, AudioError> {
        let generator = match source {
            MicrophoneSource::Default => return DeviceInput::open(None).map(Self::Device),
            MicrophoneSource::Device(id) => return DeviceInput::open(Some(id)).map(Self::Device),
            MicrophoneSource::Test => Generator::Test(TestTones::default()),
            MicrophoneSource::File(path) => Generator::File(FileDecoder::open(path)?),
            MicrophoneSource::Off => Generator::Silence,
        };
        Ok(Self::paced(generator))
    }

    pub(super) fn silence() -> Self {
        Self::paced(Generator::Silence)
    }

    fn paced(generator: Generator) -> Self {
        Self::Paced(generator, Ticker::new(Duration::from_micros(BLOCK_US)))
    }

    /// Name for people to read.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Device(device) => device.name.clone(),
            Self::Paced(Generator::Test(_), _) => "Test signal".to_owned(),
            Self::Paced(Generator::File(_), _) => "Sound file".to_owned(),
            Self::Paced(Generator::Silence, _) => "No microphone".to_owned(),
        }
    }

    /// Id of the device that the stream is bound to, if to one.
    pub(super) fn id(&self) -> Option<String> {
        match self {
            Self::Device(device) => device.id.clone(),
            Self::Paced(..) => None,
        }
    }

    /// Whether the sound comes from a microphone in a room.
    pub(super) fn is_real(&self) -> bool {
        matches!(self, Self::Device(_))
    }

    /// Whether the system has moved the stream to another device since last asked.
    pub(super) fn take_moved(&self) -> bool {
        match self {
            Self::Device(device) => device.signal.trouble.take_moved(),
            Self::Paced(..) => false,
        }
    }

    /// Times the system lost sound since last asked.
    pub(super) fn take_holes(&self) -> u64 {
        match self {
            Self::Device(device) => device.signal.trouble.take_holes(),
            Self::Paced(..) => 0,
        }
    }

    /// Ends it without waiting for the sound system.
    pub(super) fn let_go(self) {
        if let Self::Device(device) = self {
            let_go(device._stream);
        }
    }

    /// Waits a little for the next block.
    pub(super) fn next(&mut self, block: &mut Block) -> Captured {
        match self {
            Self::Device(device) => device.next(block),
            Self::Paced(generator, ticker) => {
                // A real microphone hands out a block once its last sample is
                // in, so its first one is as old as the block is long.
                let capture_us = ticker.wait().saturating_sub(BLOCK_US);
                if generator.fill(block) {
                    Captured::LastOfFile { capture_us }
                } else {
                    Captured::Block { capture_us }
                }
            }
        }
    }
}

/// When the callback delivered which sample.
#[derive(Debug, Clone, Copy)]
struct Mark {
    index: u64,
    capture_us: u64,
}

/// A microphone whose callback fills a lock-free ring.
pub(super) struct DeviceInput {
    _stream: Stream,
    name: String,
    id: Option<String>,
    samples: Consumer<f32>,
    marks: Consumer<Mark>,
    signal: Arc<Signal>,
    clock: SampleClock,
    converter: RateConverter,
    step: Vec<f32>,
    last_heard: Instant,
    has_begun: bool,
}

/// How the callback reaches the capture thread without a lock.
#[derive(Default)]
struct Signal {
    reader: OnceLock<Thread>,
    trouble: Trouble,
}

impl Signal {
    fn wake(&self) {
        if let Some(reader) = self.reader.get() {
            reader.unpark();
        }
    }
}

impl DeviceInput {
    fn open(id: Option<&str>) -> Result<Box<Self>, AudioError> {
        let signal = Arc::new(Signal::default());
        let (rings, received) = mpsc::channel();
        let shared = Arc::clone(&signal);
        let opened = devices::open(DeviceKind::Microphone, id, move |device, format| {
            let (to_samples, samples) = RingBuffer::new(RING_SAMPLES);
            let (to_marks, marks) = RingBuffer::new(RING_MARKS);
            let writer = Writer {
                samples: to_samples,
                marks: to_marks,
                signal: Arc::clone(&shared),
                rate_hz: format.config.sample_rate,
                channels: usize::from(format.config.channels.max(1)),
                written: 0,
            };
            let stream = build(device, format, writer)?;
            // Only the rings of the stream that was built are kept.
            let _ = rings.send((samples, marks, format.config.sample_rate));
            Ok(stream)
        })?;
        let (samples, marks, rate_hz) = received
            .try_recv()
            .map_err(|_| AudioError::Internal("The microphone has no ring.".to_owned()))?;
        Ok(Box::new(Self {
            _stream: opened.stream,
            name: opened.name,
            id: opened.id,
            samples,
            marks,
            signal,
            clock: SampleClock::new(rate_hz),
            converter: RateConverter::from_device(rate_hz),
            step: vec![0.0; step_len(rate_hz)],
            last_heard: Instant::now(),
            has_begun: false,
        }))
    }

    fn next(&mut self, block: &mut Block) -> Captured {
        self.signal.reader.get_or_init(thread::current);
        if self.signal.trouble.is_lost() {
            return Captured::Lost;
        }
        if self.samples.slots() < self.step.len() {
            if self.last_heard.elapsed() > patience(self.has_begun) {
                return Captured::Lost;
            }
            thread::park_timeout(NAP);
            return Captured::Nothing;
        }
        while let Ok(mark) = self.marks.pop() {
            self.clock.observe(mark);
        }
        for sample in &mut self.step {
            *sample = self.samples.pop().unwrap_or_default();
        }
        self.last_heard = Instant::now();
        self.has_begun = true;
        block.copy_from_slice(self.converter.convert(&self.step));
        Captured::Block {
            capture_us: self.clock.advance(self.step.len()),
        }
    }
}

/// Gives each sample its capture time from the callbacks' times.
#[derive(Debug)]
struct SampleClock {
    us_per_sample: f64,
    read: u64,
    /// Capture time of sample 0, as far as is known.
    origin_us: Option<f64>,
}

impl SampleClock {
    fn new(rate_hz: u32) -> Self {
        Self {
            us_per_sample: 1e6 / f64::from(rate_hz),
            read: 0,
            origin_us: None,
        }
    }

    fn observe(&mut self, mark: Mark) {
        let seen_us = mark.capture_us as f64 - mark.index as f64 * self.us_per_sample;
        self.origin_us = Some(match self.origin_us {
            Some(origin) if (seen_us - origin).abs() < CLOCK_JUMP_US => {
                origin + (seen_us - origin) * CLOCK_CORRECTION
            }
            _ => seen_us,
        });
    }

    /// Capture time of the next sample, after which `count` are read.
    fn advance(&mut self, count: usize) -> u64 {
        let at_us = match self.origin_us {
            Some(origin) => (origin + self.read as f64 * self.us_per_sample) as u64,
            None => now_us(),
        };
        self.read += count as u64;
        at_us
    }
}

/// The callback's end: never waits, never allocates.
struct Writer {
    samples: Producer<f32>,
    marks: Producer<Mark>,
    signal: Arc<Signal>,
    rate_hz: u32,
    channels: usize,
    written: u64,
}

impl Writer {
    fn write<T>(&mut self, data: &[T], info: &InputCallbackInfo)
    where
        T: SizedSample,
        f32: FromSample<T>,
    {
        let frames = data.len() / self.channels;
        let buffer_us = frames as u64 * 1_000_000 / u64::from(self.rate_hz.max(1));
        let stamp = info.timestamp();
        let age_us = stamp
            .callback
            .saturating_duration_since(stamp.capture)
            .as_micros() as u64;
        // Some systems report no age or an absurd one; the buffer's own
        // length is the least it can be.
        let age_us = age_us.clamp(buffer_us, buffer_us + 500_000);
        let _ = self.marks.push(Mark {
            index: self.written,
            capture_us: now_us().saturating_sub(age_us),
        });
        for frame in data.chunks_exact(self.channels) {
            let sum: f32 = frame.iter().map(|s| f32::from_sample_(*s)).sum();
            // A full ring means the reader hangs: the newest sound is lost.
            if self.samples.push(sum / self.channels as f32).is_err() {
                break;
            }
            self.written += 1;
        }
        self.signal.wake();
    }
}

fn build(device: &cpal::Device, format: Format, writer: Writer) -> Result<Stream, cpal::Error> {
    match format.sample {
        SampleFormat::F32 => build_as::<f32>(device, format, writer),
        SampleFormat::I16 => build_as::<i16>(device, format, writer),
        SampleFormat::I32 => build_as::<i32>(device, format, writer),
        SampleFormat::U8 => build_as::<u8>(device, format, writer),
        _ => Err(cpal::Error::new(cpal::ErrorKind::UnsupportedConfig)),
    }
}

fn build_as<T>(
    device: &cpal::Device,
    format: Format,
    mut writer: Writer,
) -> Result<Stream, cpal::Error>
where
    T: SizedSample,
    f32: FromSample<T>,
{
    let signal = Arc::clone(&writer.signal);
    device.build_input_stream::<T, _, _>(
        format.config,
        move |data, info| writer.write(data, info),
        move |error| {
            signal.trouble.note(&error);
            signal.wake();
        },
        Some(Duration::from_secs(3)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capture_times_are_even_although_callbacks_are_not() {
        let mut clock = SampleClock::new(48_000);
        let mut last = None;
        for n in 0..300_u64 {
            let late_us = n * 7919 % 8000;
            clock.observe(Mark {
                index: n * 480,
                capture_us: 1_000_000_000 + n * 10_000 + late_us,
            });
            let at = clock.advance(480);
            if let Some(last) = last {
                let step: u64 = at - last;
                assert!(step.abs_diff(10_000) < 200, "{step}");
            }
            last = Some(at);
        }
    }

    #[test]
    fn a_gap_in_the_sound_moves_the_clock_at_once() {
        let mut clock = SampleClock::new(48_000);
        clock.observe(Mark {
            index: 0,
            capture_us: 5_000_000,
        });
        assert_eq!(clock.advance(480), 5_000_000);
        clock.observe(Mark {
            index: 480,
            capture_us: 5_400_000,
        });
        assert_eq!(clock.advance(480), 5_400_000);
    }
}
