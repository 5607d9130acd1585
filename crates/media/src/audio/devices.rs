//! Finds and opens the system's microphones and loudspeakers.
//!
//! Every call into the sound system runs on a thread of its own and is waited
//! for within a limit: a sound server that hangs must not hang the meeting.

use std::str::FromStr;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{BufferSize, Device, DeviceId, Host, SampleFormat, Stream, StreamConfig};
use cpal::{SupportedBufferSize, SupportedStreamConfigRange};

use super::error::AudioError;
use super::{BLOCK_SAMPLES, SAMPLE_RATE_HZ};
use crate::DeviceInfo;

/// How long the sound system may take for one request.
const LIMIT: Duration = Duration::from_secs(6);

/// Which way sound flows through a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Microphone,
    Speaker,
}

/// A running stream and what must be known about it.
pub(super) struct Opened {
    pub(super) stream: Stream,
    pub(super) name: String,
}

/// How a stream will run, known before its callback is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Format {
    pub(super) sample: SampleFormat,
    pub(super) config: StreamConfig,
}

/// Microphones that can be chosen now.
///
/// # Errors
/// [`AudioError::SoundSystemSilent`] if the sound system does not answer.
pub fn list_microphones() -> Result<Vec<DeviceInfo>, AudioError> {
    bounded(Direction::Microphone, || list(Direction::Microphone))
}

/// Loudspeakers that can be chosen now.
///
/// # Errors
/// [`AudioError::SoundSystemSilent`] if the sound system does not answer.
pub fn list_speakers() -> Result<Vec<DeviceInfo>, AudioError> {
    bounded(Direction::Speaker, || list(Direction::Speaker))
}

/// Opens the default device, or the one with the given id, and starts it.
/// `build` makes the stream once its format is known.
pub(super) fn open<B>(
    direction: Direction,
    id: Option<&str>,
    build: B,
) -> Result<Opened, AudioError>
where
    B: Fn(&Device, Format) -> Result<Stream, cpal::Error> + Send + 'static,
{
    let id = id.map(str::to_owned);
    bounded(direction, move || {
        let device = direction.find(id.as_deref())?;
        let name = device_name(&device);
        let refused = |error: cpal::Error| AudioError::DeviceRefused {
            kind: direction.noun(),
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
                tracing::debug!("the default {} does not open: {error}", direction.noun());
                direction.none()
            }
        };
        let format = direction.format(&device).map_err(no_default)?;
        let stream = build(&device, format)
            .or_else(|_| build(&device, format.with_default_buffer()))
            .map_err(no_default)?;
        stream.play().map_err(refused)?;
        Ok(Opened { stream, name })
    })?
}

/// Whether a stream error means that the device is gone for good.
pub(super) fn is_fatal(error: &cpal::Error) -> bool {
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

impl Direction {
    fn noun(self) -> &'static str {
        match self {
            Self::Microphone => "microphone",
            Self::Speaker => "loudspeaker",
        }
    }

    fn none(self) -> AudioError {
        match self {
            Self::Microphone => AudioError::NoMicrophone,
            Self::Speaker => AudioError::NoSpeaker,
        }
    }

    fn default_of(self, host: &Host) -> Option<Device> {
        match self {
            Self::Microphone => host.default_input_device(),
            Self::Speaker => host.default_output_device(),
        }
    }

    fn find(self, id: Option<&str>) -> Result<Device, AudioError> {
        let Some(id) = id else {
            return self
                .default_of(&cpal::default_host())
                .ok_or_else(|| self.none());
        };
        DeviceId::from_str(id)
            .ok()
            .and_then(|id| cpal::host_from_id(id.host()).ok()?.device_by_id(&id))
            .ok_or_else(|| AudioError::UnknownDevice {
                kind: self.noun(),
                id: id.to_owned(),
            })
    }

    /// 48 kHz if the device can, else its own rate; few channels; and blocks
    /// of 10 ms where the system lets us choose.
    fn format(self, device: &Device) -> Result<Format, cpal::Error> {
        let ranges: Vec<SupportedStreamConfigRange> = match self {
            Self::Microphone => device.supported_input_configs()?.collect(),
            Self::Speaker => device.supported_output_configs()?.collect(),
        };
        let wanted_channels = match self {
            Self::Microphone => 1,
            Self::Speaker => 2,
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
        let chosen = match (best, self) {
            (Some(best), _) => best,
            (None, Self::Microphone) => device.default_input_config()?,
            (None, Self::Speaker) => device.default_output_config()?,
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
}

/// Sample formats that the callbacks read and write.
fn is_convertible(format: SampleFormat) -> bool {
    matches!(
        format,
        SampleFormat::F32 | SampleFormat::I16 | SampleFormat::I32 | SampleFormat::U8
    )
}

fn list(direction: Direction) -> Vec<DeviceInfo> {
    let host = cpal::default_host();
    let default = direction
        .default_of(&host)
        .and_then(|device| device.id().ok());
    let Ok(devices) = host.devices() else {
        return Vec::new();
    };
    devices
        .filter(|device| match direction {
            Direction::Microphone => device.supports_input(),
            Direction::Speaker => device.supports_output(),
        })
        .filter_map(|device| {
            let id = device.id().ok()?;
            Some(DeviceInfo {
                is_default: Some(&id) == default.as_ref(),
                id: id.to_string(),
                name: device_name(&device),
            })
        })
        .collect()
}

fn device_name(device: &Device) -> String {
    match device.description() {
        Ok(description) => description.name().to_owned(),
        Err(_) => device.to_string(),
    }
}

fn sentence(words: &str) -> String {
    format!("{}.", words.trim_end_matches('.'))
}

fn bounded<T, F>(direction: Direction, ask: F) -> Result<T, AudioError>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    bounded_by(LIMIT, direction, ask)
}

/// Asks on another thread. One that never answers is left behind: there is no
/// way to interrupt it.
fn bounded_by<T, F>(limit: Duration, direction: Direction, ask: F) -> Result<T, AudioError>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let (answer, waiting) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("sound-system".to_owned())
        .spawn(move || {
            // Fails only when nobody waits any more.
            let _ = answer.send(ask());
        })
        .map_err(|error| AudioError::Internal(format!("No thread could be started: {error}.")))?;
    waiting
        .recv_timeout(limit)
        .map_err(|_| AudioError::SoundSystemSilent {
            kind: direction.noun(),
            seconds: limit.as_secs(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_system_that_hangs_is_given_up() {
        let started = std::time::Instant::now();
        let result = bounded_by(Duration::from_secs(1), Direction::Speaker, || {
            thread::sleep(Duration::from_secs(30));
        });
        assert!(started.elapsed() < Duration::from_secs(5));
        let text = result.err().map(|e| e.to_string()).unwrap_or_default();
        assert!(
            text.contains("within 1 s") && text.contains("--speaker null"),
            "{text}"
        );
    }

    #[test]
    fn an_unknown_id_is_named() {
        for id in ["no such thing", "alsa:nowhere"] {
            let found = Direction::Microphone.find(Some(id));
            let text = found.err().map(|e| e.to_string()).unwrap_or_default();
            assert!(text.contains(id), "{text}");
        }
    }
}
