//! Why a client cannot start.

use std::path::PathBuf;

use conclave_identity::ContactsError;
use conclave_media::audio::{AudioError, WavError};
use conclave_media::video::{PictureError, RecordingError, VideoError};
use conclave_transport::ConnectError;

/// Why a client cannot start or go on. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Microphone or loudspeaker.
    #[error(transparent)]
    Audio(#[from] AudioError),
    /// Camera or shared screen.
    #[error(transparent)]
    Video(#[from] VideoError),
    /// The server cannot be reached or trusted.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The random source or a cipher failed.
    #[error("Conclave's encryption failed on this computer. Restart it and try again.")]
    Crypto,
    /// The server program is not where it belongs.
    #[error("The server program {} is missing. Install Conclave again, or name a running server with --server.", path.display())]
    NoServerProgram {
        /// Where it was expected.
        path: PathBuf,
    },
    /// The server program ended at once or did not say where it listens.
    #[error(
        "The server program did not start ({reason}). Free the port that it was to use, or name a running server with --server."
    )]
    ServerProgram {
        /// What it said or did.
        reason: String,
    },
    /// The folder for recordings cannot be made.
    #[error("The folder {} cannot be used ({reason}). Choose another one with --save.", path.display())]
    SaveFolder {
        /// Which.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A recording ended by a fault of ours.
    #[error("A recording stopped and is incomplete. Record again; if it happens again, report it.")]
    SavingStopped,
    /// A recording cannot be written on.
    #[error(transparent)]
    Wav(#[from] WavError),
    /// A recording cannot be written on.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// A picture cannot be written.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// There is no camera to look through.
    #[error(
        "No camera is chosen here, so no code can be scanned. Compare the digits, or start again with a camera."
    )]
    NoCamera,
    /// A camera was chosen, and then another one.
    #[error("Another camera was chosen before this one was open.")]
    OtherCamera,
    /// The camera gave pictures and then no more.
    #[error("The camera stopped before a code was seen. Connect it again, or compare the digits.")]
    CameraStopped,
    /// The contact book takes no entry.
    #[error(transparent)]
    Contacts(#[from] ContactsError),
    /// Nobody of this id shows a card.
    #[error(
        "Nobody here has shown an identity card under this id yet. Wait a moment and try again."
    )]
    Unknown,
    /// The rules do not let this person share.
    #[error(
        "In this meeting only hosts and co-hosts may share a screen. Ask a host to allow it, or to make you a co-host."
    )]
    MayNotShare,
    /// It can be done in a meeting only.
    #[error("You are not in the meeting yet. Share your screen once you are let in.")]
    NotIn,
    /// The client has ended.
    #[error("The meeting is over.")]
    Over,
}
