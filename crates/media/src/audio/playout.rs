//! Plays blocks on a loudspeaker or into nothing, and reports when each
//! sample was really taken.

use std::convert::Infallible;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use cpal::traits::DeviceTrait;
use cpal::{FromSample, OutputCallbackInfo, SampleFormat, SizedSample, Stream};
use rtrb::{Consumer, Producer, RingBuffer};

use super::devices::{self, Format, Trouble, let_go, patience};
use super::error::AudioError;
use super::resample::{RateConverter, step_len};
use super::reserve::Reserve;
use super::{BLOCK_US, Block};
use crate::DeviceKind;
use crate::clock::{Ticker, now_us};

/// Mixed sound that may wait for the device, 500 ms at 48 kHz.
const RING_SAMPLES: usize = 24_000;
/// Callbacks whose times may wait for the mixer thread.
const RING_MARKS: usize = 256;
/// Longest sleep of the mixer thread, so that it notices packets and commands.
const NAP: Duration = Duration::from_millis(5);

/// Where the voices of others go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SpeakerSink {
    /// The system's default loudspeaker.
    #[default]
    Default,
    /// The loudspeaker with this id.
    Device(String),
    /// Nowhere, at the pace of real time; recordings and figures still work.
    Null,
}

impl FromStr for SpeakerSink {
    type Err = Infallible;

    /// Reads `default`, `null` or else a device id.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "default" => Self::Default,
            "null" => Self::Null,
            id => Self::Device(id.to_owned()),
        })
    }
}

/// What a sink wants now.
pub(super) enum Turn {
    /// One block.
    Mix,
    /// Nothing; time has passed.
    Idle,
    /// The device is gone.
    Lost,
}

/// Samples that a device took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    /// Position of the first one, counting what was written.
    pub(super) position: u64,
    pub(super) count: u64,
    /// When the device asked for them.
    pub(super) at_us: u64,
    pub(super) rate_hz: u32,
}

/// A place where blocks go at the pace of real time.
pub(super) enum Sink {
    Null(Ticker),
    Device(Box<DeviceOutput>),
}

impl Sink {
    pub(super) fn open(speaker: &SpeakerSink) -> Result<Self, AudioError> {
        match speaker {
            SpeakerSink::Default => DeviceOutput::open(None).map(Self::Device),
            SpeakerSink::Device(id) => DeviceOutput::open(Some(id)).map(Self::Device),
            SpeakerSink::Null => Ok(Self::null()),
        }
    }

    pub(super) fn null() -> Self {
        Self::Null(Ticker::new(Duration::from_micros(BLOCK_US)))
    }

    /// Name for people to read.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Null(_) => "No loudspeaker".to_owned(),
            Self::Device(device) => device.name.clone(),
        }
    }

    /// Id of the device that the stream is bound to, if to one.
    pub(super) fn id(&self) -> Option<String> {
        match self {
            Self::Null(_) => None,
            Self::Device(device) => device.id.clone(),
        }
    }

    /// Whether the system has moved the stream to another device since last asked.
    pub(super) fn take_moved(&self) -> bool {
        match self {
            Self::Null(_) => false,
            Self::Device(device) => device.signal.trouble.take_moved(),
        }
    }

    /// Times the system lost sound since last asked.
    pub(super) fn take_holes(&self) -> u64 {
        match self {
            Self::Null(_) => 0,
            Self::Device(device) => device.signal.trouble.take_holes(),
        }
    }

    /// Silence played since last asked for want of mixed sound, in microseconds.
    pub(super) fn take_silence_us(&mut self) -> u64 {
        match self {
            Self::Null(_) => 0,
            Self::Device(device) => device.take_silence_us(),
        }
    }

    /// Ends it without waiting for the sound system.
    pub(super) fn let_go(self) {
        if let Self::Device(device) = self {
            let_go(device._stream);
        }
    }

    /// Whether sound has gone through it.
    pub(super) fn has_begun(&self) -> bool {
        match self {
            Self::Null(_) => false,
            Self::Device(device) => device.signal.largest.load(Ordering::Relaxed) > 0,
        }
    }

    /// Waits a little until the sink wants a block.
    pub(super) fn turn(&mut self) -> Turn {
        match self {
            Self::Null(ticker) => {
                ticker.wait();
                Turn::Mix
            }
            Self::Device(device) => device.turn(),
        }
    }

    /// Hands over a block. Returns the position of its first sample, or none
    /// if it counts as played at once.
    pub(super) fn write(&mut self, block: &Block) -> Option<u64> {
        match self {
            Self::Null(_) => None,
            Self::Device(device) => Some(device.write(block)),
        }
    }

    /// What the device took since the last call.
    pub(super) fn taken(&mut self) -> Option<Taken> {
        match self {
            Self::Null(_) => None,
            Self::Device(device) => device.marks.pop().ok(),
        }
    }

    /// Time from writing a sample until it sounds, as far as is known.
    pub(super) fn delay_ms(&self) -> u32 {
        match self {
            Self::Null(_) => 0,
            Self::Device(device) => device.delay_ms(),
        }
    }
}

/// How the callback reaches the mixer thread without a lock.
#[derive(Default)]
struct Signal {
    writer: OnceLock<Thread>,
    trouble: Trouble,
    /// Samples that the largest callback so far asked for.
    largest: AtomicU32,
    /// Samples that were asked for and not there, after the first that was, until they are taken note of.
    silence: AtomicU64,
    /// The device's own delay after the callback.
    device_delay_ms: AtomicU32,
}

impl Signal {
    fn take_silence(&self) -> u64 {
        self.silence.swap(0, Ordering::Relaxed)
    }

    fn wake(&self) {
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }
}

/// A loudspeaker whose callback drains a lock-free ring.
pub(super) struct DeviceOutput {
    _stream: Stream,
    name: String,
    id: Option<String>,
    samples: Producer<f32>,
    marks: Consumer<Taken>,
    signal: Arc<Signal>,
    converter: RateConverter,
    rate_hz: u32,
    written: u64,
    last_room: Instant,
    reserve: Reserve,
    /// Samples of silence that nobody was told of yet.
    silence: u64,
}

impl DeviceOutput {
    fn open(id: Option<&str>) -> Result<Box<Self>, AudioError> {
        let signal = Arc::new(Signal::default());
        let (rings, received) = mpsc::channel();
        let shared = Arc::clone(&signal);
        let opened = devices::open(DeviceKind::Speaker, id, move |device, format| {
            let (samples, from_samples) = RingBuffer::new(RING_SAMPLES);
            let (to_marks, marks) = RingBuffer::new(RING_MARKS);
            let reader = Reader {
                samples: from_samples,
                marks: to_marks,
                signal: Arc::clone(&shared),
                rate_hz: format.config.sample_rate,
                channels: usize::from(format.config.channels.max(1)),
                read: 0,
            };
            let stream = build(device, format, reader)?;
            // Only the rings of the stream that was built are kept.
            let _ = rings.send((samples, marks, format.config.sample_rate));
            Ok(stream)
        })?;
        let (samples, marks, rate_hz) = received
            .try_recv()
            .map_err(|_| AudioError::Internal("The loudspeaker has no ring.".to_owned()))?;
        Ok(Box::new(Self {
            _stream: opened.stream,
            name: opened.name,
            id: opened.id,
            samples,
            marks,
            signal,
            converter: RateConverter::to_device(rate_hz),
            rate_hz,
            written: 0,
            last_room: Instant::now(),
            reserve: Reserve::new(Instant::now()),
            silence: 0,
        }))
    }

    fn turn(&mut self) -> Turn {
        self.signal.writer.get_or_init(thread::current);
        if self.signal.trouble.is_lost() {
            return Turn::Lost;
        }
        let waiting = RING_SAMPLES - self.samples.slots();
        let largest = self.signal.largest.load(Ordering::Relaxed) as usize;
        let callback = match largest {
            0 => step_len(self.rate_hz),
            largest => largest,
        };
        let silence = self.signal.take_silence();
        self.silence += silence;
        self.reserve.observe(silence > 0, Instant::now());
        let wanted = callback + self.reserve.samples(self.rate_hz);
        if waiting < wanted.min(RING_SAMPLES / 2) {
            self.last_room = Instant::now();
            return Turn::Mix;
        }
        if self.last_room.elapsed() > patience(largest > 0) {
            return Turn::Lost;
        }
        thread::park_timeout(NAP);
        Turn::Idle
    }

    fn write(&mut self, block: &Block) -> u64 {
        let position = self.written;
        for sample in self.converter.convert(block) {
            if self.samples.push(*sample).is_ok() {
                self.written += 1;
            }
        }
        position
    }

    fn take_silence_us(&mut self) -> u64 {
        let silence = std::mem::take(&mut self.silence);
        silence * 1_000_000 / u64::from(self.rate_hz.max(1))
    }

    fn delay_ms(&self) -> u32 {
        let waiting = (RING_SAMPLES - self.samples.slots()) as u32;
        let device_ms = self.signal.device_delay_ms.load(Ordering::Relaxed);
        waiting / (self.rate_hz / 1000).max(1) + device_ms
    }
}

/// The callback's end: never waits, never allocates.
struct Reader {
    samples: Consumer<f32>,
    marks: Producer<Taken>,
    signal: Arc<Signal>,
    rate_hz: u32,
    channels: usize,
    read: u64,
}

impl Reader {
    fn read<T>(&mut self, data: &mut [T], info: &OutputCallbackInfo)
    where
        T: SizedSample + FromSample<f32>,
    {
        let at_us = now_us();
        let frames = data.len() / self.channels;
        self.signal
            .largest
            .fetch_max(frames as u32, Ordering::Relaxed);
        let stamp = info.timestamp();
        let delay = stamp.playback.saturating_duration_since(stamp.callback);
        let delay_ms = delay.as_millis().min(500) as u32;
        self.signal
            .device_delay_ms
            .store(delay_ms, Ordering::Relaxed);
        let position = self.read;
        let mut silent = 0;
        for frame in data.chunks_exact_mut(self.channels) {
            let sample = match self.samples.pop() {
                Ok(sample) => {
                    self.read += 1;
                    sample
                }
                Err(_) => {
                    silent += 1;
                    0.0
                }
            };
            frame.fill(T::from_sample_(sample));
        }
        if silent > 0 && self.read > 0 {
            self.signal.silence.fetch_add(silent, Ordering::Relaxed);
        }
        if self.read > position {
            let _ = self.marks.push(Taken {
                position,
                count: self.read - position,
                at_us,
                rate_hz: self.rate_hz,
            });
        }
        self.signal.wake();
    }
}

fn build(device: &cpal::Device, format: Format, reader: Reader) -> Result<Stream, cpal::Error> {
    match format.sample {
        SampleFormat::F32 => build_as::<f32>(device, format, reader),
        SampleFormat::I16 => build_as::<i16>(device, format, reader),
        SampleFormat::I32 => build_as::<i32>(device, format, reader),
        SampleFormat::U8 => build_as::<u8>(device, format, reader),
        _ => Err(cpal::Error::new(cpal::ErrorKind::UnsupportedConfig)),
    }
}

fn build_as<T>(
    device: &cpal::Device,
    format: Format,
    mut reader: Reader,
) -> Result<Stream, cpal::Error>
where
    T: SizedSample + FromSample<f32>,
{
    let signal = Arc::clone(&reader.signal);
    device.build_output_stream::<T, _, _>(
        format.config,
        move |data, info| reader.read(data, info),
        move |error| {
            signal.trouble.note(&error);
            signal.wake();
        },
        Some(Duration::from_secs(3)),
    )
}
