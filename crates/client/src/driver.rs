//! The loop that feeds the machine and carries out what it wants.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use conclave_meeting::{
    Event, HostParams, Identity, Input, LeftReason, MediaState, Meeting, Output, Phase,
    Snapshot,
};
use conclave_wire::DeviceId;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use crate::command::Command;
use crate::control::{ControlLink, LinkEvent};
use crate::error::ClientError;
use crate::event::{ClientEvent, MemberReport};
use crate::frames::FrameHub;
use crate::identity::fill_random;
use crate::media::{MediaEvent, MediaPlane};
use crate::options::{Entry, Introduction, Options, Server, ServerAddress};
use crate::sidecar::Sidecar;
use crate::view::{self, KnockView, LeftView, MeView, MeetingView, MemberView, ViewPhase, WarningView};

/// How often levels and speakers are drawn anew.
const REFRESH: Duration = Duration::from_millis(100);
/// Figures are told every so many refreshes.
const REFRESHES_PER_REPORT: u32 = 10;
/// A file begins so long after somebody came, so that its first words are heard too.
const FILE_DELAY: Duration = Duration::from_millis(1500);
/// Warnings shown at the same time; older ones give way.
const MAX_WARNINGS: usize = 5;

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
    link: Option<String>,
    warnings: Vec<WarningView>,
    last_warning: u64,
    admitted: BTreeSet<DeviceId>,
    last_roster: Vec<MemberReport>,
    broken_at: Option<Instant>,
    release_at: Option<Instant>,
    refreshes: u32,
    over: Option<(String, bool)>,
}

/// What remains of the options once the devices are open.
struct Settled {
    entry: Entry,
    key: Arc<conclave_e2ee::DeviceKey>,
    waiting_room: bool,
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
        let (media, media_events) =
            MediaPlane::start(options.devices, frames, options.preview, options.watch, options.save)
                .await?;
        let mut driver = Self {
            options: Settled {
                entry: options.entry,
                key: options.key,
                waiting_room: options.waiting_room,
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
            link: None,
            warnings: Vec::new(),
            last_warning: 0,
            admitted: BTreeSet::new(),
            last_roster: Vec::new(),
            broken_at: None,
            release_at: None,
            refreshes: 0,
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
        let Entry::Join(link) = &self.options.entry else { return };
        let address = ServerAddress::of_link(link);
        // Replaced by the real name when the lobby is left; a card is made only then.
        let Ok(guest) = "Guest".parse() else { return };
        let identity = Identity { name: guest, key: self.options.key.clone() };
        let media = self.media_state();
        self.meeting = Some(Meeting::join((**link).clone(), identity, media, Box::new(fill_random)));
        self.control = Some(ControlLink::open(address));
    }

    fn media_state(&self) -> MediaState {
        MediaState { muted: self.muted, camera: self.camera }
    }

    pub(crate) async fn run(mut self) {
        let mut refresh = interval(REFRESH);
        refresh.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while self.over.is_none() {
            let deadline = self.meeting.as_ref().and_then(Meeting::deadline);
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => self.input(Input::Command(conclave_meeting::Command::Leave)),
                },
                event = link_event(&mut self.control) => self.link_event(event).await,
                Some(event) = self.media_events.recv() => self.media_event(event),
                () = until(deadline) => self.input(Input::Tick),
                () = until(self.release_at) => self.release_microphone(),
                _ = refresh.tick() => self.refresh(),
            }
            self.carry_out().await;
            self.draw();
        }
        self.end().await;
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

    async fn obey(&mut self, command: Command) {
        use conclave_meeting::Command as Wish;
        match command {
            Command::Enter(introduction) => {
                if let Err(error) = self.enter(introduction).await {
                    self.over = Some((error.to_string(), true));
                }
            }
            Command::Admit(device) => self.input(Input::Command(Wish::Admit(device))),
            Command::Refuse(device) => self.input(Input::Command(Wish::Refuse(device))),
            Command::Remove(device) => self.input(Input::Command(Wish::Remove(device))),
            Command::SetMuted(muted) => {
                self.muted = muted;
                self.media.set_muted(muted);
                self.input(Input::Command(view::media_command(self.muted, self.camera)));
            }
            Command::SetCamera(on) => {
                self.camera = on;
                self.media.set_camera(on).await;
                self.input(Input::Command(view::media_command(self.muted, self.camera)));
            }
            Command::DismissWarning(id) => self.warnings.retain(|warning| warning.id != id),
            Command::Leave => self.input(Input::Command(Wish::Leave)),
        }
    }

    async fn enter(&mut self, introduction: Introduction) -> Result<(), ClientError> {
        self.name = introduction.name.as_str().to_owned();
        if let Some(meeting) = &mut self.meeting {
            meeting.set_name(introduction.name);
            meeting.handle(Instant::now(), Input::Command(conclave_meeting::Command::Join));
            return Ok(());
        }
        let Entry::Host(server) = &self.options.entry else { return Ok(()) };
        let address = match server {
            Server::At(address) => address.clone(),
            Server::Own => {
                let sidecar = Sidecar::start(([127, 0, 0, 1], 0).into()).await?;
                self.sidecar.insert(sidecar).address().clone()
            }
        };
        let params = HostParams {
            host: address.endpoint.host.clone(),
            port: address.endpoint.port,
            certificate: address.certificate.as_ref().map(|fingerprint| fingerprint.0),
            title: introduction.title,
            waiting_room: self.options.waiting_room,
            lifetime: self.options.lifetime,
        };
        let identity = Identity { name: introduction.name, key: self.options.key.clone() };
        let meeting = Meeting::host(params, identity, self.media_state(), Box::new(fill_random))
            .map_err(|_| ClientError::Crypto)?;
        self.meeting = Some(meeting);
        self.control = Some(ControlLink::open(address));
        Ok(())
    }

    async fn link_event(&mut self, event: Option<LinkEvent>) {
        match event {
            Some(LinkEvent::Up) => self.input(Input::LinkUp),
            Some(LinkEvent::Down) => {
                self.broken_at.get_or_insert_with(Instant::now);
                self.input(Input::LinkDown);
            }
            Some(LinkEvent::Message(message)) => self.input(Input::Message(message)),
            Some(LinkEvent::Failed(error)) => {
                let server = self.control.as_ref().map_or_else(String::new, ControlLink::server);
                self.over = Some((format!("{error} The server is {server}."), true));
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
            MediaEvent::Warning(text) => self.warn(text),
            MediaEvent::SavingFailed(error) => {
                self.input(Input::Command(Wish::Leave));
                self.over = Some((error.to_string(), true));
            }
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
                        control.send(&message).await;
                    }
                }
                Output::Event(event) => self.tell(event).await,
                Output::Keys { keys, senders_move_at } => {
                    self.media.install(*keys, senders_move_at).await;
                }
                Output::Grant { path, token, .. } => self.media.grant(path, token),
                Output::Reconnect => {
                    if let Some(control) = &self.control {
                        control.reconnect().await;
                    }
                }
                // The loop ends once the reason is known, which comes before this.
                Output::Close => {}
            }
        }
    }

    async fn tell(&mut self, event: Event) {
        match event {
            Event::Described { .. } => {}
            Event::Waiting => {
                let snapshot = self.snapshot();
                let title = snapshot.title.map(String::from).unwrap_or_default();
                let host = snapshot.host_name.map(String::from).unwrap_or_default();
                self.send(ClientEvent::Waiting { title, host }).await;
            }
            Event::Knock { device, name } => {
                self.send(ClientEvent::Knock { device, name: name.into() }).await;
            }
            Event::KnockWithdrawn { device } => self.send(ClientEvent::KnockGone { device }).await,
            Event::Admitted => self.admitted().await,
            Event::Roster => self.roster().await,
            Event::Code => self.code().await,
            Event::Recovering => self.warn("You were thrown out of step; getting back in.".into()),
            Event::KeyFrameWanted { track } => self.media.key_frame_wanted(track).await,
            Event::Warning(warning) => self.warn(warning.to_string()),
            Event::Left(reason) => {
                let sentence = view::farewell(reason, &self.host_name);
                self.over.get_or_insert((sentence, !view::is_wish(reason)));
            }
        }
    }

    /// We are in: the host because the meeting is open, everybody else because he let us in.
    async fn admitted(&mut self) {
        let snapshot = self.snapshot();
        if self.is_host() && self.link.is_none() {
            self.link = self.meeting.as_ref().map(|meeting| meeting.link().expose());
            if let Some(link) = self.link.clone() {
                self.send(ClientEvent::Link(link)).await;
            }
        }
        let address = match (&self.options.entry, &self.sidecar) {
            (Entry::Join(link), _) => ServerAddress::of_link(link),
            (Entry::Host(_), Some(sidecar)) => sidecar.address().clone(),
            (Entry::Host(Server::At(address)), None) => address.clone(),
            (Entry::Host(Server::Own), None) => return,
        };
        self.media.connect(address);
        if !self.is_host() {
            let device = snapshot.device;
            self.admitted.insert(device);
            self.send(ClientEvent::Admitted { device, name: self.name.clone() }).await;
        }
    }

    async fn roster(&mut self) {
        let snapshot = self.snapshot();
        if snapshot.phase != Phase::Active {
            return;
        }
        self.tell_recovery(&snapshot).await;
        let members: Vec<_> = snapshot.members.iter().map(|member| {
            (member.device, member.leaf, member.name.clone().map(String::from))
        }).collect();
        self.media.set_members(snapshot.device, &members);
        self.tell_newcomers(&snapshot).await;
        if members.len() > 1 && self.media.has_held_back() && self.release_at.is_none() {
            self.release_at = Some(Instant::now() + FILE_DELAY);
        }
        let reports: Vec<_> = snapshot.members.iter().map(|member| MemberReport {
            device: member.device,
            name: member.name.clone().map(String::from).unwrap_or_default(),
            is_host: member.role == conclave_meeting::Role::Host,
            is_me: member.is_me,
        }).collect();
        if reports != self.last_roster {
            self.last_roster = reports.clone();
            self.send(ClientEvent::Roster { epoch: snapshot.epoch, members: reports }).await;
        }
    }

    async fn tell_newcomers(&mut self, snapshot: &Snapshot) {
        for member in snapshot.members.iter().filter(|member| !member.is_me) {
            if let Some(name) = member.name.clone()
                && self.admitted.insert(member.device)
                && self.is_host()
            {
                self.send(ClientEvent::Admitted { device: member.device, name: name.into() }).await;
            }
        }
    }

    async fn tell_recovery(&mut self, snapshot: &Snapshot) {
        if snapshot.link_up && let Some(broken_at) = self.broken_at.take() {
            let ms = broken_at.elapsed().as_millis() as u64;
            self.send(ClientEvent::Recovered { ms }).await;
        }
    }

    async fn code(&mut self) {
        let snapshot = self.snapshot();
        if let Some(code) = &snapshot.code {
            let digits = view::grouped(code);
            let reason = view::reason(&snapshot.change);
            self.send(ClientEvent::Code { epoch: snapshot.epoch, digits, reason }).await;
        }
    }

    fn warn(&mut self, text: String) {
        if self.warnings.iter().any(|warning| warning.text == text) {
            return;
        }
        self.last_warning += 1;
        self.warnings.push(WarningView { id: self.last_warning, text: text.clone() });
        if self.warnings.len() > MAX_WARNINGS {
            self.warnings.remove(0);
        }
        let _ = self.events.try_send(ClientEvent::Warning(text));
    }

    fn refresh(&mut self) {
        self.refreshes += 1;
        if self.refreshes % REFRESHES_PER_REPORT == 0 && self.snapshot().phase == Phase::Active {
            // Figures of this second are of no use in the next one: a slow reader misses some.
            let _ = self.events.try_send(ClientEvent::Media(self.media.reports()));
        }
    }

    async fn send(&self, event: ClientEvent) {
        // A reader that is gone will end the client by dropping it.
        let _ = self.events.send(event).await;
    }

    fn is_host(&self) -> bool {
        matches!(self.options.entry, Entry::Host(_))
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
                members: Vec::new(),
                knocks: Vec::new(),
                link_up: false,
            },
        }
    }

    /// Draws the view anew, and wakes whoever watches if it is another one.
    fn draw(&mut self) {
        let snapshot = self.snapshot();
        if let Some(name) = &snapshot.host_name {
            self.host_name = name.as_str().to_owned();
        }
        let entering = !self.name.is_empty() && view::phase(&snapshot) == ViewPhase::Lobby;
        let new = MeetingView {
            phase: match (&self.over, entering) {
                (Some(_), _) => ViewPhase::Left,
                (None, true) => ViewPhase::Waiting,
                (None, false) => view::phase(&snapshot),
            },
            title: snapshot.title.clone().map(String::from).unwrap_or_default(),
            host_name: self.host_name.clone(),
            link: self.link.clone(),
            is_host: self.is_host(),
            epoch: snapshot.epoch,
            code: snapshot.code.as_deref().map(view::grouped),
            code_reason: snapshot.code.as_ref().map(|_| view::reason(&snapshot.change)),
            me: MeView {
                device: snapshot.device.to_string(),
                name: self.name.clone(),
                muted: self.muted,
                camera: self.camera,
                level: self.media.microphone_level(),
            },
            members: snapshot.members.iter().map(|member| self.member(member)).collect(),
            knocks: snapshot.knocks.iter().map(|knock| KnockView {
                device: knock.device.to_string(),
                name: knock.name.as_str().to_owned(),
            }).collect(),
            link_up: snapshot.link_up,
            warnings: self.warnings.clone(),
            left: self.over.as_ref().map(|(reason, _)| LeftView { reason: reason.clone() }),
        };
        self.view.send_if_modified(|view| {
            let changed = *view != new;
            *view = new;
            changed
        });
    }

    fn member(&self, member: &conclave_meeting::MemberView) -> MemberView {
        let name = member.name.as_ref().map_or("", |name| name.as_str());
        let shown = if name.is_empty() { "This person" } else { name };
        let problem = match (member.is_me, member.online, member.media.camera) {
            (true, ..) => None,
            (false, false, _) => Some(format!("{shown}'s connection is broken. Waiting for the return.")),
            (false, true, true) => self.media.problem(member.device, shown),
            (false, true, false) => None,
        };
        MemberView {
            device: member.device.to_string(),
            name: name.to_owned(),
            role: view::role(member.role),
            is_me: member.is_me,
            muted: member.media.muted,
            camera: member.media.camera,
            speaking: !member.is_me && self.media.is_speaking(member.device),
            tile: if member.is_me { crate::frames::OWN_TILE } else { self.media.tile(member.device) },
            problem,
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

fn empty_view() -> MeetingView {
    MeetingView {
        phase: ViewPhase::Lobby,
        title: String::new(),
        host_name: String::new(),
        link: None,
        is_host: false,
        epoch: 0,
        code: None,
        code_reason: None,
        me: MeView { device: String::new(), name: String::new(), muted: false, camera: false, level: 0.0 },
        members: Vec::new(),
        knocks: Vec::new(),
        link_up: false,
        warnings: Vec::new(),
        left: None,
    }
}

/// The next event of the control link; never, while there is none.
async fn link_event(control: &mut Option<ControlLink>) -> Option<LinkEvent> {
    match control {
        Some(control) => control.next().await,
        None => std::future::pending().await,
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
