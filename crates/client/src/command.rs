//! What the person wants of a running client.

use conclave_media::audio::{CleaningPart, MicrophoneSource, SpeakerSink};
use conclave_media::video::CameraSource;
use conclave_meeting::{Role, Secrecy, Who};
use conclave_wire::DeviceId;
use tokio::sync::oneshot;

use crate::error::ClientError;
use crate::media::{Answer, Shown};
use crate::options::{Introduction, ShareRequest};
use crate::scan::ScanOutcome;
use crate::view::SafetyView;

/// Commands that wait; a person is slower than the driver.
pub(crate) const COMMAND_QUEUE: usize = 32;

pub(crate) enum Command {
    Enter(Introduction),
    Admit(DeviceId),
    Refuse(DeviceId),
    Remove(DeviceId),
    SetLocked(bool),
    SetWaitingRoom(bool),
    SetRole(DeviceId, Role),
    SetSuccessor(DeviceId, bool),
    SetStrict(bool),
    SetSecrecy(Secrecy),
    SetOpenMicrophones(u16),
    RaiseHand(bool),
    LetSpeak(DeviceId),
    LowerHand(DeviceId),
    AskToMute(DeviceId),
    SetSharing(Who),
    RenewLink {
        single_use: bool,
        valid_s: Option<u32>,
    },
    SafetyNumber(DeviceId, oneshot::Sender<Result<SafetyView, ClientError>>),
    /// Through this camera where there is none yet.
    Scan(
        DeviceId,
        CameraSource,
        oneshot::Sender<Result<ScanOutcome, ClientError>>,
    ),
    StopScan,
    Accept(DeviceId),
    SetVerified(DeviceId, bool),
    SetMuted(bool),
    SetCamera(bool),
    Share(ShareRequest, Answer),
    StopSharing,
    Watch(Shown),
    UseCamera(CameraSource, oneshot::Sender<Result<(), ClientError>>),
    UseMicrophone(MicrophoneSource, oneshot::Sender<Result<(), ClientError>>),
    UseSpeaker(SpeakerSink, oneshot::Sender<Result<(), ClientError>>),
    Clean(CleaningPart, bool),
    PlayTone,
    DismissWarning(u64),
    Leave,
    End,
}
