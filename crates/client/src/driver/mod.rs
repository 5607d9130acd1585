//! The loop that feeds the machine and carries out what it wants.

mod devices;
mod drawing;
mod leaving;
mod obeying;
mod scanning;
mod sharing;
mod speaking;
mod telling;
mod trust;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use conclave_media::audio::Cleaning;
use conclave_meeting::{
    Identity, Input, LeftReason, MediaState, Meeting, Output, Phase, Role, Secrecy, Snapshot,
};
use conclave_transport::Proxies;
use conclave_wire::DeviceId;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use self::drawing::empty_view;
use self::leaving::Leaving;
use self::scanning::{Scan, scanned};
use self::trust::Acquaintances;
use crate::command::Command;
use crate::control::{ControlLink, LinkEvent};
use crate::error::ClientError;
use crate::event::{ClientEvent, HandReport, MemberReport};
use crate::frames::FrameHub;
use crate::media::{MediaEvent, MediaPlane, Share};
use crate::options::{Entry, Options, ServerAddress};
use crate::randomness::fill_random;
use crate::sidecar::Sidecar;
use crate::view::{DeviceView, MeetingView, WarningView};
use crate::wait::until;

/// How often levels and speakers are drawn anew.
const REFRESH: Duration = Duration::from_millis(100);
/// Figures are told every so many refreshes.
const REFRESHES_PER_REPORT: u32 = 10;
/// A file begins so long after somebody came, so that its first words are heard too.
const FILE_DELAY: Duration = Duration::from_millis(1500);

pub(crate) struct Driver {
    options: Settled,
    name: String,
    host_name: String,
    meeting: Option<Meeting>,
    control: Option<ControlLink>,
    media: MediaPlane,
    media_events: mpsc::Receiver<MediaEvent>,
    sidecar: Option<Sidecar>,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<ClientEvent>,
    view: watch::Sender<MeetingView>,
    muted: bool,
    camera: bool,
    cleaning: Cleaning,
    /// What was told last of each device.
    device_warnings: [Option<String>; 2],
    /// Camera, microphone and loudspeaker, as it was told last.
    last_devices: Option<[DeviceView; 3]>,
    /// The service knows the meeting.
    is_open: bool,
    /// When the link in force ends, by the wall clock.
    link_ends_ms: Option<u64>,
    people: Acquaintances,
    scan: Option<Scan>,
    warnings: Vec<WarningView>,
    last_warning: u64,
    admitted: BTreeSet<DeviceId>,
    /// Who shares a screen, as it was told last.
    sharers: BTreeSet<DeviceId>,
    own_share: watch::Receiver<Share>,
    last_roster: Vec<MemberReport>,
    last_hands: Vec<HandReport>,
    broken_at: Option<Instant>,
    release_at: Option<Instant>,
    refreshes: u32,
    /// Whether the view may be another than the one that was drawn.
    is_stale: bool,
    leaving: Leaving,
    over: Option<(String, bool)>,
}

/// What remains of the options once the devices are open.
struct Settled {
    entry: Entry,
    proxies: Proxies,
    waiting_room: bool,
    secrecy: Secrecy,
    strict: bool,
    lifetime: Duration,
}

impl Driver {
    pub(crate) async fn open(
        options: Options,
        frames: Arc<FrameHub>,
        commands: mpsc::Receiver<Command>,
        events: mpsc::Sender<ClientEvent>,
    ) -> Result<Self, ClientError> {
        let camera = options.devices.camera != conclave_media::video::CameraSource::Off;
        let cleaning = options.devices.cleaning;
        let (media, media_events) = MediaPlane::start(
            options.devices,
            frames,
            options.preview,
            options.watch,
            options.save,
        )
        .await?;
        let own_share = media.own_share();
        let mut driver = Self {
            options: Settled {
                entry: options.entry,
                proxies: options.proxies,
                waiting_room: options.waiting_room,
                secrecy: options.secrecy,
                strict: options.strict,
                lifetime: options.lifetime,
            },
            name: String::new(),
            host_name: String::new(),
            meeting: None,
            control: None,
            media,
            media_events,
            sidecar: None,
            commands,
            events,
            view: watch::channel(empty_view()).0,
            muted: false,
            camera,
            cleaning,
            device_warnings: [None, None],
            last_devices: None,
            is_open: false,
            link_ends_ms: None,
            people: Acquaintances::new(options.identity),
            scan: None,
            warnings: Vec::new(),
            last_warning: 0,
            admitted: BTreeSet::new(),
            sharers: BTreeSet::new(),
            own_share,
            last_roster: Vec::new(),
            last_hands: Vec::new(),
            broken_at: None,
            release_at: None,
            refreshes: 0,
            is_stale: true,
            leaving: Leaving::default(),
            over: None,
        };
        driver.look_ahead();
        driver.draw();
        Ok(driver)
    }

    pub(crate) fn view(&self) -> watch::Receiver<MeetingView> {
        self.view.subscribe()
    }

    /// With a link, the lobby can show what it leads to.
    fn look_ahead(&mut self) {
        let Entry::Join(link) = &self.options.entry else {
            return;
        };
        let address = ServerAddress::of_link(link);
        // Replaced by the real name when the lobby is left; a card is made only then.
        let Ok(guest) = "Guest".parse() else { return };
        let identity = Identity {
            name: guest,
            key: self.people.identity().key(),
        };
        let media = self.media_state();
        self.meeting = Some(Meeting::join(
            (**link).clone(),
            identity,
            media,
            Box::new(fill_random),
        ));
        self.control = Some(ControlLink::open(address, self.proxies()));
    }

    /// Which proxy leads to the server. One of our own listens on this computer alone, and a proxy
    /// would look for it on its own.
    fn proxies(&self) -> Proxies {
        match self.sidecar {
            Some(_) => Proxies::None,
            None => self.options.proxies.clone(),
        }
    }

    fn media_state(&self) -> MediaState {
        MediaState {
            muted: self.muted,
            camera: self.camera,
            screen: self.own_share.borrow().shown.is_some(),
        }
    }

    pub(crate) async fn run(mut self) {
        let mut refresh = interval(REFRESH);
        refresh.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while self.over.is_none() {
            self.is_stale = true;
            let deadline = self.meeting.as_ref().and_then(Meeting::deadline);
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => self.input(Input::Command(conclave_meeting::Command::Leave)),
                },
                event = link_event(&mut self.control) => self.link_event(event).await,
                Some(event) = self.media_events.recv() => self.media_event(event),
                seen = scanned(&mut self.scan) => self.scanned(seen).await,
                () = until(deadline) => self.quietly(Input::Tick),
                Ok(()) = self.own_share.changed() => self.share_changed(),
                () = until(self.release_at) => self.release_microphone(),
                () = until(self.leaving.at()) => self.leave_now(),
                _ = refresh.tick() => self.refresh(),
            }
            self.carry_out().await;
            if self.is_stale {
                self.draw();
            }
        }
        self.end().await;
    }

    /// Takes what shows only if an event says so. In a large meeting that are signs of life, ten a
    /// second: to draw all members after each would be most of what the client does. What they
    /// change without an event the next refresh shows.
    fn quietly(&mut self, input: Input) {
        self.is_stale = false;
        self.input(input);
    }

    fn input(&mut self, input: Input) {
        match &mut self.meeting {
            Some(meeting) => meeting.handle(Instant::now(), input),
            None => {
                if matches!(input, Input::Command(conclave_meeting::Command::Leave)) {
                    self.over = Some((LeftReason::ByChoice.to_string(), false));
                }
            }
        }
    }

    async fn link_event(&mut self, event: Option<LinkEvent>) {
        match event {
            Some(LinkEvent::Up) => self.input(Input::LinkUp),
            Some(LinkEvent::Down) => {
                if self.snapshot().phase == Phase::Active {
                    self.broken_at.get_or_insert_with(Instant::now);
                }
                self.media.doubt_relay();
                self.input(Input::LinkDown);
            }
            Some(LinkEvent::Message(message)) => self.quietly(Input::Message(message)),
            Some(LinkEvent::Failed(error)) => {
                let place = self.control.as_ref().map(|control| control.place(&error));
                let place = place.unwrap_or_default();
                self.over = Some((format!("{error} {place}"), true));
            }
            None => {
                let reason = LeftReason::Lost.to_string();
                self.over.get_or_insert((reason, true));
            }
        }
    }

    fn media_event(&mut self, event: MediaEvent) {
        use conclave_meeting::Command as Wish;
        match event {
            MediaEvent::WantGrant => self.input(Input::Command(Wish::RequestGrant)),
            MediaEvent::WantKeyFrame(device, track) => {
                self.input(Input::Command(Wish::RequestKeyFrame(device, track)));
            }
            MediaEvent::Up => tracing::debug!("the media relay is connected"),
            MediaEvent::Down(reason) => tracing::debug!(reason, "the media relay is gone"),
            MediaEvent::KeyMissing(device) => {
                self.input(Input::Command(Wish::KeyMissing(device)));
            }
            MediaEvent::Forged(device) => self.warn_of_forgery(device),
            MediaEvent::Warning(text) => self.warn(text),
            MediaEvent::Sound(event) => self.tell_sound(&event),
            MediaEvent::SavingFailed => self.input(Input::Command(Wish::Leave)),
        }
    }

    fn release_microphone(&mut self) {
        self.release_at = None;
        if let Err(error) = self.media.release_microphone() {
            self.warn(error.to_string());
        }
    }

    /// Does what the machine wants until it wants nothing more.
    async fn carry_out(&mut self) {
        while let Some(output) = self.meeting.as_mut().and_then(Meeting::poll) {
            match output {
                Output::Send(message) => {
                    if let Some(control) = &self.control {
                        control.send(&message);
                    }
                }
                Output::Event(event) => self.tell(event).await,
                Output::Keys {
                    keys,
                    senders_move_at,
                } => {
                    self.media.install(*keys, senders_move_at).await;
                }
                Output::Grant { path, token, .. } => self.media.grant(path, token),
                Output::Reconnect => {
                    if let Some(control) = &self.control {
                        control.reconnect();
                    }
                }
                // The loop ends once the reason is known, which comes before this.
                Output::Close => {}
            }
        }
    }

    fn refresh(&mut self) {
        self.refreshes += 1;
        self.tell_devices();
        if self.refreshes.is_multiple_of(REFRESHES_PER_REPORT)
            && self.snapshot().phase == Phase::Active
        {
            // Figures of this second are of no use in the next one: a slow reader misses some.
            let _ = self.events.try_send(self.media.report());
            let sent = conclave_meeting::Command::SoundSent(self.media.sound_packets_sent());
            self.input(Input::Command(sent));
            self.report_losses();
        }
    }

    /// Whether this device founded the meeting.
    fn is_founder(&self) -> bool {
        matches!(self.options.entry, Entry::Host(_))
    }

    fn role(&self, snapshot: &Snapshot) -> Role {
        let me = snapshot.members.iter().find(|member| member.is_me);
        me.map_or(Role::Participant, |me| me.role)
    }

    fn snapshot(&self) -> Snapshot {
        match &self.meeting {
            Some(meeting) => meeting.snapshot(),
            None => Snapshot {
                phase: Phase::Lobby,
                device: DeviceId([0; 16]),
                title: None,
                host_name: None,
                epoch: 0,
                code: None,
                change: conclave_meeting::Change::Begun,
                policy: None,
                link_ends_at: None,
                members: Vec::new(),
                floor: Default::default(),
                knocks: Vec::new(),
                link_up: false,
            },
        }
    }

    /// Says goodbye, completes the recordings, and only then tells that it is over.
    async fn end(mut self) {
        self.carry_out().await;
        if let Some(control) = self.control.take() {
            control.close().await;
        }
        let stopped = self.media.stop().await;
        if let Some(sidecar) = self.sidecar.take() {
            sidecar.stop().await;
        }
        let (reason, failed) = match (self.over, stopped) {
            (Some((_, false)) | None, Err(error)) => (error.to_string(), true),
            (Some(over), _) => over,
            (None, Ok(())) => (LeftReason::ByChoice.to_string(), false),
        };
        let _ = self.events.send(ClientEvent::Left { reason, failed }).await;
    }
}

/// The next event of the control link; never, while there is none.
async fn link_event(control: &mut Option<ControlLink>) -> Option<LinkEvent> {
    match control {
        Some(control) => control.next().await,
        None => std::future::pending().await,
    }
}
