//! What can go wrong with sound, as sentences that say what to do.

use std::path::PathBuf;

/// Why the engine could not start or switch. All are local causes.
#[derive(Debug, thiserror::Error)]
pub enum AudioError {
    /// The system offers no microphone.
    #[error(
        "No microphone was found. Plug one in, or choose another source, for example --microphone test, --microphone file:PATH or --microphone off."
    )]
    NoMicrophone,
    /// The system offers no loudspeaker.
    #[error("No loudspeaker was found. Plug one in, or play nothing with --speaker null.")]
    NoSpeaker,
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
        "The {kind} \"{name}\" could not be opened: {reason} Close other programs that use it, choose another device, or go without: --microphone off, --speaker null."
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
        "The sound system did not answer within {seconds} s while opening the {kind}. Check that PipeWire, PulseAudio or ALSA is running, or go without: --microphone off, --speaker null."
    )]
    SoundSystemSilent {
        /// "microphone" or "loudspeaker".
        kind: &'static str,
        /// How long was waited.
        seconds: u64,
    },
    /// A sound file cannot be read or holds no sound.
    #[error("The sound file {} cannot be played: {reason} Choose another file, or --microphone test.", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The decoder's own words.
        reason: String,
    },
    /// The codec or a thread could not be set up.
    #[error(
        "The sound engine could not start: {0} Restart the program; if this repeats, its installation is damaged."
    )]
    Internal(String),
}

/// Something that happened while sound was running, to be shown to people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AudioEvent {
    /// The microphone in use went away or stopped; silence is sent meanwhile.
    #[error(
        "The microphone \"{name}\" stopped working, so nobody hears you. Plug it in again and choose it, or choose another one."
    )]
    MicrophoneLost {
        /// The device's name.
        name: String,
    },
    /// The loudspeaker in use went away or stopped; the meeting goes on unheard.
    #[error(
        "The loudspeaker \"{name}\" stopped working, so you hear nobody. Plug it in again and choose it, or choose another one."
    )]
    SpeakerLost {
        /// The device's name.
        name: String,
    },
    /// A file source came to its end; silence follows.
    #[error("The sound file has been played to its end. Silence is sent from now on.")]
    FileEnded,
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
