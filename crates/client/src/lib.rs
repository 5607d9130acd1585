//! The one driver: brings meeting, media and transport together.
//!
//! ```text
//!            commands                        ┌── control  ◀──▶ service   (WebSocket)
//! window ───────────────▶ Client ──▶ driver ─┤
//!  CLI   ◀─────────────── view, events       ├── Meeting  (state machine, keys of each epoch)
//!            frames                          └── media    ◀──▶ relay     (MoQ)
//!                                                 publishing: engine → Sealer → tracks
//!                                                 receiving:  tracks → Opener → engine, frames
//! ```
//!
//! One select loop feeds the machine and carries out its outputs. Media tasks own sealers and
//! openers; frames never pass through the machine. Every task belongs to the [`Client`] and ends
//! with it.

mod client;
mod command;
mod control;
mod driver;
mod error;
mod event;
mod frames;
mod logging;
mod media;
mod options;
mod randomness;
mod saving;
mod scan;
pub mod sidecar;
mod view;
mod wait;

pub use client::Client;
pub use error::ClientError;
pub use event::{ClientEvent, HandReport, MemberReport, SenderReport, SpeakingTurn, TrackReport};
pub use frames::{Form, FrameHub};
pub use logging::{LogLevelError, log_filter};
pub use options::{
    Devices, Entry, Introduction, MEETING_LIFETIME, Options, Server, ServerAddress,
    ServerAddressError, ShareRequest,
};
pub use scan::{SCAN_LIMIT, ScanOutcome};
pub use view::{
    CleaningView, DeviceView, InviteView, KnockView, LeftView, MeView, MeetingView, MemberView,
    PolicyView, SafetyView, ScreenView, SharingView, ViewPhase, ViewRole, ViewTrust, ViewVoice,
    WarningLevel, WarningView,
};

pub use conclave_identity::{
    Contact, ContactId, ContactsError, Erasure, Existing, Identity, IdentityError, Leftover,
    Passphrase, PassphraseError, Protection, ProtectionKind, SealedError, VaultError, read_export,
    write_export,
};
pub use conclave_media::DeviceInfo;
pub use conclave_media::audio::{
    Cleaning, CleaningPart, Holes, MicrophoneSource, Processing, SharedSound, SharedSoundError,
    SpeakerSink, list_microphones, list_speakers,
};
pub use conclave_media::video::{
    CameraSource, ScreenInfo, ScreenSource, ScreenSourceError, ShareMode, Size, VideoError,
    cameras, screens,
};
pub use conclave_meeting::{
    DisplayName, InviteLink, LinkError, NameError, OPEN_MICROPHONES, Role, Secrecy, Title, Who,
};
pub use conclave_transport::{Fingerprint, Proxies, Proxy, ProxyError, ProxyUrl, ProxyUrlError};
pub use conclave_wire::DeviceId;
