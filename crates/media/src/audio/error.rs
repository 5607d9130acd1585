//! What can go wrong with sound, as sentences that say what to do.

use std::path::PathBuf;

use crate::DeviceKind;

/// Why the engine could not start or switch. All are local causes.
#[derive(Debug, thiserror::Error)]
pub enum AudioError {
    /// The system offers no microphone.
    #[error(
        "No microphone was found. Plug one in, or go on without: the others then do not hear you."
    )]
    NoMicrophone,
    /// The system offers no loudspeaker.
    #[error("No loudspeaker was found. Plug one in, or go on without: you then hear nobody.")]
    NoSpeaker,
    /// A sound server was there and is not.
    #[error(
        "The sound server, PipeWire or PulseAudio, is away. It is tried again until it answers."
    )]
    ServerAway,
    /// No device has the chosen id.
    #[error(
        "There is no {kind} with the id \"{id}\". List the devices again and choose one of them."
    )]
    UnknownDevice {
        /// "microphone" or "loudspeaker".
        kind: &'static str,
        /// What was asked for.
        id: String,
    },
    /// The device exists and cannot be opened.
    #[error(
        "The {kind} \"{name}\" could not be opened: {reason} Close other programs that use it, or choose another device."
    )]
    DeviceRefused {
        /// "microphone" or "loudspeaker".
        kind: &'static str,
        /// The device's name.
        name: String,
        /// The system's own words.
        reason: String,
    },
    /// The sound system did not answer in time.
    #[error(
        "The sound system did not answer within {seconds} s while opening the {kind}. Check that PipeWire, PulseAudio or ALSA is running."
    )]
    SoundSystemSilent {
        /// "microphone" or "loudspeaker".
        kind: &'static str,
        /// How long was waited.
        seconds: u64,
    },
    /// A sound file cannot be read or holds no sound.
    #[error("The sound file {} cannot be played: {reason} Choose another file.", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The decoder's own words.
        reason: String,
    },
    /// No server tells apart what the programs of this computer play.
    #[error(
        "The sound of this computer cannot be shared: no sound server, PipeWire or PulseAudio, answers. Start one, and share again."
    )]
    NoSoundServer,
    /// The sound server went away while its sound was shared.
    #[error(
        "The sound of this computer is not shared any more: the sound server, PipeWire or PulseAudio, went away. Share again once it is back."
    )]
    SharedSoundLost,
    /// Nobody has written it for this system.
    #[error("Sharing the sound of this computer is not available on this system yet.")]
    NotShareable,
    /// The codec or a thread could not be set up.
    #[error(
        "The sound engine could not start: {0} Restart the program; if this repeats, its installation is damaged."
    )]
    Internal(String),
}

/// Something that happened while sound was running, to be shown to people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AudioEvent {
    /// The device in use stopped and none takes its place yet; silence takes it.
    #[error(
        "The {} \"{name}\" stopped working, so {}. It is tried again until it works; you can also choose another one.",
        device.noun(), device.loss()
    )]
    Lost {
        /// Which kind.
        device: DeviceKind,
        /// The device's name.
        name: String,
    },
    /// The chosen device is not there, and the system's default stands in for it.
    #[error("The {} {} is not there. \"{by}\" is used until it comes back.", device.noun(), quoted(lost))]
    Replaced {
        /// Which kind.
        device: DeviceKind,
        /// Name of the chosen one; empty if it was never seen.
        lost: String,
        /// Name of the one in use.
        by: String,
    },
    /// After a loss or a replacement the chosen device works.
    #[error("The {} \"{name}\" works again.", device.noun())]
    Back {
        /// Which kind.
        device: DeviceKind,
        /// The device's name.
        name: String,
    },
    /// A file source came to its end; silence follows.
    #[error("The sound file has been played to its end. Silence is sent from now on.")]
    FileEnded,
}

impl AudioEvent {
    /// Which device it is about, if about one.
    pub fn device(&self) -> Option<DeviceKind> {
        match self {
            Self::Lost { device, .. }
            | Self::Replaced { device, .. }
            | Self::Back { device, .. } => Some(*device),
            Self::FileEnded => None,
        }
    }
}

fn quoted(name: &str) -> String {
    match name {
        "" => "that you chose".to_owned(),
        name => format!("\"{name}\""),
    }
}

/// Why bytes are not an [`AudioPacket`](super::AudioPacket). Always the peer's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// Audio packets have exactly one size.
    #[error("An audio packet has {0} bytes instead of its one fixed size; it is ignored.")]
    Length(usize),
    /// Unknown layout.
    #[error(
        "An audio packet has the unknown layout {0}; it is ignored. The sender may run a newer version."
    )]
    Layout(u8),
    /// Not one Opus frame of 20 ms.
    #[error("An audio packet does not hold one Opus frame of 20 ms; it is ignored.")]
    NotOneFrame,
}

/// Why a recording cannot be written. Local causes.
#[derive(Debug, thiserror::Error)]
pub enum WavError {
    /// The disk is full.
    #[error("The disk is full, so the recording {} is incomplete. Free some space or save elsewhere.", path.display())]
    DiskFull {
        /// The recording.
        path: PathBuf,
    },
    /// A WAV file cannot exceed 4 GiB.
    #[error("The recording {} has reached the 4 GiB a WAV file can hold and ends here. Start another recording.", path.display())]
    TooLong {
        /// The recording.
        path: PathBuf,
    },
    /// Any other refusal by the system.
    #[error("The recording {} cannot be written: {source}. Check that the folder exists and may be written to.", path.display())]
    Write {
        /// The recording.
        path: PathBuf,
        /// The system's own words.
        source: std::io::Error,
    },
}
