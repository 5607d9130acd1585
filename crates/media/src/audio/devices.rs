//! Opens the system's microphones and loudspeakers.
//!
//! Every call into the sound system runs on a thread of its own and is waited
//! for within a limit: a sound server that hangs must not hang the meeting.

use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{BufferSize, Device, DeviceId, SampleFormat, Stream, StreamConfig};
use cpal::{SupportedBufferSize, SupportedStreamConfigRange};

use super::error::AudioError;
use super::{BLOCK_SAMPLES, SAMPLE_RATE_HZ, listing, spawn, urgency};
use crate::DeviceKind;

/// A device that has worked and delivers or takes nothing for so long is lost.
const LOST_AFTER: Duration = Duration::from_secs(1);
/// A device may take so long to begin; some headsets change their profile first.
const BEGIN_LIMIT: Duration = Duration::from_secs(3);
/// How long the sound system may take for one request.
const LIMIT: Duration = Duration::from_secs(6);

/// A running stream and what must be known about it.
pub(super) struct Opened {
    pub(super) stream: Stream,
    /// Name for people to read: of the device that the default is now, not of "the default".
    pub(super) name: String,
    /// None where the system itself moves the stream when its default moves.
    pub(super) id: Option<String>,
}

/// How a stream will run, known before its callback is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Format {
    pub(super) sample: SampleFormat,
    pub(super) config: StreamConfig,
}

/// Opens the default device, or the one with the given id, and starts it.
/// `build` makes the stream once its format is known.
pub(super) fn open<B>(kind: DeviceKind, id: Option<&str>, build: B) -> Result<Opened, AudioError>
where
    B: Fn(&Device, Format) -> Result<Stream, cpal::Error> + Send + 'static,
{
    let id = id.map(str::to_owned);
    bounded(kind, move || {
        let device = find(kind, id.as_deref())?;
        let name = match &id {
            Some(_) => device_name(&device),
            None => listing::default_name(kind, &device),
        };
        let refused = |error: cpal::Error| AudioError::DeviceRefused {
            kind: kind.noun(),
            name: name.clone(),
            reason: sentence(&error.to_string()),
        };
        let no_default = |error: cpal::Error| match (&id, error.kind()) {
            (Some(_), _)
            | (None, cpal::ErrorKind::DeviceBusy | cpal::ErrorKind::PermissionDenied) => {
                refused(error)
            }
            // ALSA offers a default device even on machines without any sound
            // card or server, and fails to open it in many ways.
            (None, _) => {
                tracing::debug!("the default {} does not open: {error}", kind.noun());
                none(kind)
            }
        };
        let format = format(kind, &device).map_err(no_default)?;
        let build = |format| build(&device, format);
        let stream = urgency::claim_for_stream(|| {
            let stream = build(format).or_else(|_| build(format.with_default_buffer()));
            stream.map_err(no_default)
        })?;
        stream.play().map_err(refused)?;
        let id = listing::fixed_id(&device);
        Ok(Opened { stream, name, id })
    })?
}

/// What a stream's error callback tells the thread that reads or feeds it.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    lost: AtomicBool,
    moved: AtomicBool,
    holes: AtomicU64,
}

impl Trouble {
    pub(super) fn note(&self, error: &cpal::Error) {
        if error.kind() == cpal::ErrorKind::DeviceChanged {
            self.moved.store(true, Ordering::Relaxed);
        } else if error.kind() == cpal::ErrorKind::Xrun {
            self.holes.fetch_add(1, Ordering::Relaxed);
        } else if is_fatal(error) {
            self.lost.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the stream has ended for good.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Times the system lost sound since last asked.
    pub(super) fn take_holes(&self) -> u64 {
        match self.holes.load(Ordering::Relaxed) {
            0 => 0,
            _ => self.holes.swap(0, Ordering::Relaxed),
        }
    }

    /// Whether the system has moved the stream to another device since last asked.
    pub(super) fn take_moved(&self) -> bool {
        self.moved.load(Ordering::Relaxed) && self.moved.swap(false, Ordering::Relaxed)
    }
}

/// How long a device may deliver or take nothing before it is lost.
pub(super) fn patience(has_begun: bool) -> Duration {
    match has_begun {
        true => LOST_AFTER,
        false => BEGIN_LIMIT,
    }
}

/// Ends a stream on a thread of its own: one whose sound system hangs must not
/// stop the thread that plays or captures.
pub(super) fn let_go<T: Send + 'static>(stream: T) {
    let spawned = thread::Builder::new()
        .name("sound-release".to_owned())
        .spawn(move || drop(stream));
    if let Err(error) = spawned {
        tracing::debug!("a stream is ended in place: {error}");
    }
}

/// Whether a stream error means that the device is gone for good.
fn is_fatal(error: &cpal::Error) -> bool {
    !matches!(
        error.kind(),
        cpal::ErrorKind::Xrun | cpal::ErrorKind::RealtimeDenied | cpal::ErrorKind::DeviceChanged
    )
}

impl Format {
    fn with_default_buffer(self) -> Self {
        let config = StreamConfig {
            buffer_size: BufferSize::Default,
            ..self.config
        };
        Self { config, ..self }
    }
}

fn none(kind: DeviceKind) -> AudioError {
    match kind {
        DeviceKind::Microphone => AudioError::NoMicrophone,
        DeviceKind::Speaker => AudioError::NoSpeaker,
    }
}

fn find(kind: DeviceKind, id: Option<&str>) -> Result<Device, AudioError> {
    let Some(id) = id else {
        let host = listing::host().ok_or(AudioError::ServerAway)?;
        return listing::default_of(kind, &host).ok_or_else(|| none(kind));
    };
    DeviceId::from_str(id)
        .ok()
        .and_then(|id| cpal::host_from_id(id.host()).ok()?.device_by_id(&id))
        .ok_or_else(|| AudioError::UnknownDevice {
            kind: kind.noun(),
            id: id.to_owned(),
        })
}

/// 48 kHz if the device can, else its own rate; few channels; and blocks of
/// 10 ms where the system lets us choose.
fn format(kind: DeviceKind, device: &Device) -> Result<Format, cpal::Error> {
    let ranges: Vec<SupportedStreamConfigRange> = match kind {
        DeviceKind::Microphone => device.supported_input_configs()?.collect(),
        DeviceKind::Speaker => device.supported_output_configs()?.collect(),
    };
    let wanted_channels = match kind {
        DeviceKind::Microphone => 1,
        DeviceKind::Speaker => 2,
    };
    let best = ranges
        .into_iter()
        .filter(|range| is_convertible(range.sample_format()))
        .filter(|range| {
            (range.min_sample_rate()..=range.max_sample_rate()).contains(&SAMPLE_RATE_HZ)
        })
        .min_by_key(|range| {
            let float = range.sample_format() == SampleFormat::F32;
            (range.channels().abs_diff(wanted_channels), !float)
        })
        .map(|range| range.with_sample_rate(SAMPLE_RATE_HZ));
    let chosen = match (best, kind) {
        (Some(best), _) => best,
        (None, DeviceKind::Microphone) => device.default_input_config()?,
        (None, DeviceKind::Speaker) => device.default_output_config()?,
    };
    let buffer_size = match chosen.buffer_size() {
        SupportedBufferSize::Range { min, max }
            if (*min..=*max).contains(&(BLOCK_SAMPLES as u32)) =>
        {
            BufferSize::Fixed(BLOCK_SAMPLES as u32)
        }
        _ => BufferSize::Default,
    };
    Ok(Format {
        sample: chosen.sample_format(),
        config: StreamConfig {
            buffer_size,
            ..chosen.config()
        },
    })
}

/// Sample formats that the callbacks read and write.
fn is_convertible(format: SampleFormat) -> bool {
    matches!(
        format,
        SampleFormat::F32 | SampleFormat::I16 | SampleFormat::I32 | SampleFormat::U8
    )
}

pub(super) fn device_name(device: &Device) -> String {
    match device.description() {
        Ok(description) => description.name().to_owned(),
        Err(_) => device.to_string(),
    }
}

fn sentence(words: &str) -> String {
    format!("{}.", words.trim_end_matches('.'))
}

pub(super) fn bounded<T, F>(kind: DeviceKind, ask: F) -> Result<T, AudioError>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    bounded_by(LIMIT, kind, ask)
}

/// Asks on another thread. One that never answers is left behind: there is no
/// way to interrupt it.
fn bounded_by<T, F>(limit: Duration, kind: DeviceKind, ask: F) -> Result<T, AudioError>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let (answer, waiting) = mpsc::sync_channel(1);
    spawn("sound-system", move || {
        // Fails only when nobody waits any more.
        let _ = answer.send(ask());
    })?;
    waiting
        .recv_timeout(limit)
        .map_err(|_| AudioError::SoundSystemSilent {
            kind: kind.noun(),
            seconds: limit.as_secs(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_system_that_hangs_is_given_up() {
        let started = std::time::Instant::now();
        let result = bounded_by(Duration::from_secs(1), DeviceKind::Speaker, || {
            thread::sleep(Duration::from_secs(30));
        });
        assert!(started.elapsed() < Duration::from_secs(5));
        let text = result.err().map(|e| e.to_string()).unwrap_or_default();
        assert!(
            text.contains("within 1 s") && text.contains("PipeWire"),
            "{text}"
        );
    }

    #[test]
    fn an_unknown_id_is_named() {
        for id in ["no such thing", "alsa:nowhere"] {
            let found = find(DeviceKind::Microphone, Some(id));
            let text = found.err().map(|e| e.to_string()).unwrap_or_default();
            assert!(text.contains(id), "{text}");
        }
    }
}
