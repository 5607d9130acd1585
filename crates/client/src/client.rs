//! The handle of a running client.

use std::collections::HashMap;
use std::sync::Arc;

use conclave_media::audio::{CleaningPart, MicrophoneSource, SpeakerSink};
use conclave_media::video::{CameraSource, Size};
use conclave_meeting::{Role, Secrecy, Who};
use conclave_wire::DeviceId;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::command::{COMMAND_QUEUE, Command};
use crate::driver::Driver;
use crate::error::ClientError;
use crate::event::{ClientEvent, EVENT_QUEUE};
use crate::frames::FrameHub;
use crate::media::Shown;
use crate::options::{Introduction, Options, ShareRequest};
use crate::scan::ScanOutcome;
use crate::view::{MeetingView, SafetyView};

/// One meeting, from its lobby to its end. Dropping it ends everything at once; [`Self::leave`]
/// says goodbye first, and [`Self::ended`] waits until it is said.
pub struct Client {
    commands: mpsc::Sender<Command>,
    view: watch::Receiver<MeetingView>,
    frames: Arc<FrameHub>,
    driver: JoinHandle<()>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Client {
    /// Opens the lobby: devices run and, with a link, the meeting's description is fetched;
    /// nothing that was captured leaves the computer. The events end after
    /// [`ClientEvent::Left`].
    ///
    /// # Errors
    /// [`ClientError`] if a device or the folder for recordings cannot be used.
    pub async fn open(
        options: Options,
    ) -> Result<(Self, mpsc::Receiver<ClientEvent>), ClientError> {
        let (commands, orders) = mpsc::channel(COMMAND_QUEUE);
        let (events, happened) = mpsc::channel(EVENT_QUEUE);
        let frames = Arc::new(FrameHub::default());
        let driver = Driver::open(options, frames.clone(), orders, events).await?;
        let view = driver.view();
        let driver = tokio::spawn(driver.run());
        Ok((
            Self {
                commands,
                view,
                frames,
                driver,
            },
            happened,
        ))
    }

    /// Starts the meeting, or knocks at its door.
    ///
    /// # Errors
    /// [`ClientError::Over`], as with every command, when the client has ended.
    pub async fn enter(&self, introduction: Introduction) -> Result<(), ClientError> {
        self.order(Command::Enter(introduction)).await
    }

    /// Lets somebody in (host).
    ///
    /// # Errors
    /// See [`Self::enter`].
    pub async fn admit(&self, device: DeviceId) -> Result<(), ClientError> {
        self.order(Command::Admit(device)).await
    }

    /// Lets nobody in, or lets people in again (host, co-host).
    ///
    /// # Errors
    /// See [`Self::enter`].
    pub async fn set_locked(&self, locked: bool) -> Result<(), ClientError> {
        self.order(Command::SetLocked(locked)).await
    }

    /// Asks before letting people in, or lets in everybody with the link (host, co-host).
    ///
    /// # Errors
    /// See [`Self::enter`].
    pub async fn set_waiting_room(&self, on: bool) -> Result<(), ClientError> {
        self.order(Command::SetWaitingRoom(on)).await
    }

    /// Gives somebody another role (host).
    ///
    /// # Errors
    /// See [`Self::enter`].
    pub async fn set_role(&self, device: DeviceId, role: Role) -> Result<(), ClientError> {
        self.order(Command::SetRole(device, role)).await
    }

    /// Names who may become host when all hosts have gone (host).
    ///
    /// # Errors
    /// See [`Self::enter`].
    pub async fn set_successor(&self, device: DeviceId, named: bool) -> Result<(), ClientError> {
        self.order(Command::SetSuccessor(device, named)).await
    }

    /// Mutes what is not verified as its sender's own, or only marks it (host).
    ///
    /// # Errors
    /// See [`Self::enter`].
    pub async fn set_strict(&self, strict: bool) -> Result<(), ClientError> {
        self.order(Command::SetStrict(strict)).await
    }

    /// What everybody's traffic may tell from now on (host).
    ///
    /// # Errors
    /// See [`Self::enter`].
    pub async fn set_secrecy(&self, secrecy: Secrecy) -> Result<(), ClientError> {
        self.order(Command::SetSecrecy(secrecy)).await
    }

    /// How many microphones may be open at the same time (host). Where more people are in the
    /// meeting, the others are the audience.
    ///
    /// # Errors
    /// See [`Self::enter`].
    pub async fn set_open_microphones(&self, bound: u16) -> Result<(), ClientError> {
        self.order(Command::SetOpenMicrophones(bound)).await
    }

    /// Raises this person's hand, or lowers it and declines to speak.
    ///
    /// # Errors
    /// See [`Self::enter`].
    pub async fn raise_hand(&self, up: bool) -> Result<(), ClientError> {
        self.order(Command::RaiseHand(up)).await
    }

    /// Lets somebody speak: he is asked to unmute (host, co-host). Nobody opens his microphone.
    ///
    /// # Errors
    /// See [`Self::enter`].
    pub async fn let_speak(&self, device: DeviceId) -> Result<(), ClientError> {
        self.order(Command::LetSpeak(device)).await
    }

    /// Lowers somebody's hand (host, co-host).
    ///
    /// # Errors
    /// See [`Self::enter`].
    pub async fn lower_hand(&self, device: DeviceId) -> Result<(), ClientError> {
        self.order(Command::LowerHand(device)).await
    }

    /// Asks somebody to mute; in a meeting with an audience it ends his turn (host; a co-host only
    /// participants).
    ///
    /// # Errors
    /// See [`Self::enter`].
    pub async fn ask_to_mute(&self, device: DeviceId) -> Result<(), ClientError> {
        self.order(Command::AskToMute(device)).await
    }

    /// Makes a new invite link; the one before is void (host, co-host). `single_use`: it lets in
    /// one person. `valid_s`: after so many seconds it ends.
    ///
    /// # Errors
    /// See [`Self::enter`].
    pub async fn new_link(
        &self,
        single_use: bool,
        valid_s: Option<u32>,
    ) -> Result<(), ClientError> {
        let order = Command::RenewLink {
            single_use,
            valid_s,
        };
        self.order(order).await
    }

    /// The number to compare with somebody in the meeting or at the door.
    ///
    /// # Errors
    /// [`ClientError::Unknown`] if nobody of this id shows a card; [`ClientError::Over`].
    pub async fn safety_number(&self, device: DeviceId) -> Result<SafetyView, ClientError> {
        let (answer, number) = oneshot::channel();
        self.order(Command::SafetyNumber(device, answer)).await?;
        number.await.map_err(|_| ClientError::Over)?
    }

    /// Looks through the camera for the code of the safety number on somebody's screen, at most
    /// [`SCAN_LIMIT`](crate::SCAN_LIMIT) long. What comes of it is recorded as if the number had
    /// been compared by eye. A camera that is off is opened for that alone, and others see nothing
    /// of it; `chosen` is opened where this client was started without one. The scan has
    /// begun when this returns; the future that it gives waits for its end, and this handle may be
    /// used meanwhile. A new scan stops the one before.
    ///
    /// # Errors
    /// [`ClientError::Unknown`] if nobody of this id shows a card; [`ClientError::Video`],
    /// [`ClientError::NoCamera`], [`ClientError::CameraStopped`]; [`ClientError::Contacts`] if the
    /// outcome cannot be recorded; [`ClientError::Over`].
    pub async fn scan(
        &self,
        device: DeviceId,
        chosen: CameraSource,
    ) -> Result<
        impl Future<Output = Result<ScanOutcome, ClientError>> + Send + 'static + use<>,
        ClientError,
    > {
        let (answer, outcome) = oneshot::channel();
        self.order(Command::Scan(device, chosen, answer)).await?;
        Ok(async move { outcome.await.map_err(|_| ClientError::Over)? })
    }

    /// Looks for no code any more.
    ///
    /// # Errors
    /// See [`Self::enter`].
    pub async fn stop_scan(&self) -> Result<(), ClientError> {
        self.order(Command::StopScan).await
    }

    /// Records somebody whose key is another than the one known by this name, beside that one.
    ///
    /// # Errors
    /// See [`Self::enter`].
    pub async fn accept(&self, device: DeviceId) -> Result<(), ClientError> {
        self.order(Command::Accept(device)).await
    }

    /// The safety number was compared and is equal, or that is taken back.
    ///
    /// # Errors
    /// See [`Self::enter`].
    pub async fn set_verified(&self, device: DeviceId, verified: bool) -> Result<(), ClientError> {
        self.order(Command::SetVerified(device, verified)).await
    }

    /// Ends the meeting for all (host).
    ///
    /// # Errors
    /// See [`Self::enter`].
    pub async fn end(&self) -> Result<(), ClientError> {
        self.order(Command::End).await
    }

    /// Does not let somebody in (host).
    ///
    /// # Errors
    /// See [`Self::enter`].
    pub async fn refuse(&self, device: DeviceId) -> Result<(), ClientError> {
        self.order(Command::Refuse(device)).await
    }

    /// Removes a member (host).
    ///
    /// # Errors
    /// See [`Self::enter`].
    pub async fn remove(&self, device: DeviceId) -> Result<(), ClientError> {
        self.order(Command::Remove(device)).await
    }

    /// Mutes the microphone, or opens it if there is a place for it among the open ones of this
    /// meeting. Muted, it sends nothing; under high secrecy silence in the same size and rhythm.
    ///
    /// # Errors
    /// See [`Self::enter`].
    pub async fn set_muted(&self, muted: bool) -> Result<(), ClientError> {
        self.order(Command::SetMuted(muted)).await
    }

    /// Turns the camera on or off; off releases it.
    ///
    /// # Errors
    /// See [`Self::enter`].
    pub async fn set_camera(&self, on: bool) -> Result<(), ClientError> {
        self.order(Command::SetCamera(on)).await
    }

    /// Shares a screen or window beside the camera, in the place of what is shared already.
    /// Returns once it is shared; under Wayland that is after the system's own question. Sound that
    /// cannot be had is no error: the share begins without it, and a warning says why.
    ///
    /// # Errors
    /// [`ClientError::MayNotShare`], [`ClientError::NotIn`], [`ClientError::Video`] if it does not
    /// open; [`ClientError::Over`].
    pub async fn share(&self, wish: ShareRequest) -> Result<(), ClientError> {
        let (answer, begun) = oneshot::channel();
        self.order(Command::Share(wish, answer)).await?;
        begun.await.map_err(|_| ClientError::Over)?
    }

    /// Shares the screen no more.
    ///
    /// # Errors
    /// See [`Self::enter`].
    pub async fn stop_sharing(&self) -> Result<(), ClientError> {
        self.order(Command::StopSharing).await
    }

    /// Who may share a screen (host).
    ///
    /// # Errors
    /// See [`Self::enter`].
    pub async fn set_sharing(&self, who: Who) -> Result<(), ClientError> {
        self.order(Command::SetSharing(who)).await
    }

    /// Says which pictures and shared screens are looked at, and how large: those of nobody else are
    /// asked for, and each in the size that is shown. Until this is said all pictures come in the
    /// size of the options, and screens whole. A screen has two sizes: low, and any other.
    ///
    /// # Errors
    /// See [`Self::enter`].
    pub async fn watch(
        &self,
        pictures: HashMap<DeviceId, Size>,
        screens: HashMap<DeviceId, Size>,
    ) -> Result<(), ClientError> {
        self.order(Command::Watch(Shown { pictures, screens }))
            .await
    }

    /// Uses another camera from its first picture on; the old one stays on failure, and gives pictures
    /// until then if both can be open at the same time. While the camera is off, and where there was
    /// none, this is only the one that is opened next. `Default` goes on with the system's next
    /// camera when one is unplugged.
    ///
    /// # Errors
    /// [`ClientError::Video`] if it does not open; [`ClientError::OtherCamera`] if another one was
    /// chosen before that; [`ClientError::Over`].
    pub async fn use_camera(&self, camera: CameraSource) -> Result<(), ClientError> {
        let (answer, opened) = oneshot::channel();
        self.order(Command::UseCamera(camera, answer)).await?;
        opened.await.map_err(|_| ClientError::Over)?
    }

    /// Uses another microphone from now on, without a gap; the old one stays on failure. `Default`
    /// follows the system's choice, and stands in for a chosen one while that is unplugged.
    ///
    /// # Errors
    /// [`ClientError::Audio`] if it does not open; [`ClientError::Over`].
    pub async fn use_microphone(&self, microphone: MicrophoneSource) -> Result<(), ClientError> {
        let (answer, opened) = oneshot::channel();
        self.order(Command::UseMicrophone(microphone, answer))
            .await?;
        opened.await.map_err(|_| ClientError::Over)?
    }

    /// Uses another loudspeaker, likewise.
    ///
    /// # Errors
    /// See [`Self::use_microphone`].
    pub async fn use_speaker(&self, speaker: SpeakerSink) -> Result<(), ClientError> {
        let (answer, opened) = oneshot::channel();
        self.order(Command::UseSpeaker(speaker, answer)).await?;
        opened.await.map_err(|_| ClientError::Over)?
    }

    /// Does one part of cleaning the microphone's sound, or leaves it.
    ///
    /// # Errors
    /// See [`Self::enter`].
    pub async fn clean(&self, part: CleaningPart, on: bool) -> Result<(), ClientError> {
        self.order(Command::Clean(part, on)).await
    }

    /// Plays a short melody on the loudspeaker, which nobody else hears.
    ///
    /// # Errors
    /// See [`Self::enter`].
    pub async fn play_tone(&self) -> Result<(), ClientError> {
        self.order(Command::PlayTone).await
    }

    /// Takes a warning off the view.
    ///
    /// # Errors
    /// See [`Self::enter`].
    pub async fn dismiss_warning(&self, id: u64) -> Result<(), ClientError> {
        self.order(Command::DismissWarning(id)).await
    }

    /// Leaves. The last host hands over to a successor or co-host, also to one who was just named;
    /// without one, or on a server of its own, the meeting ends for all. [`ClientEvent::Left`]
    /// says when it is done.
    ///
    /// # Errors
    /// See [`Self::enter`].
    pub async fn leave(&self) -> Result<(), ClientError> {
        self.order(Command::Leave).await
    }

    /// Waits until the goodbye is said, the devices are released and an own server has ended.
    /// The view says that the meeting is over before that: nobody waits for a goodbye.
    pub async fn ended(&self) {
        let mut view = self.view.clone();
        // The driver holds the other end for as long as it lives.
        while view.changed().await.is_ok() {}
    }

    /// The snapshot to draw, and its changes.
    pub fn view(&self) -> watch::Receiver<MeetingView> {
        self.view.clone()
    }

    /// Encoded pictures to draw.
    pub fn frames(&self) -> Arc<FrameHub> {
        self.frames.clone()
    }

    async fn order(&self, command: Command) -> Result<(), ClientError> {
        self.commands
            .send(command)
            .await
            .map_err(|_| ClientError::Over)
    }
}
