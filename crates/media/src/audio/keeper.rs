//! The thread that opens devices, hears what becomes of them, and keeps sound running.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc as std_mpsc};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::capture::Input;
use super::error::{AudioError, AudioEvent};
use super::keeping::{Choice, Desk, Keeping, Opened};
use super::playout::{Sink, SpeakerSink};
use super::source::MicrophoneSource;
use super::{listing, sending, voices};
use crate::{DeviceInUse, DeviceInfo, DeviceKind};

/// Notices that may wait for this thread.
const MOST_NOTICES: usize = 64;
/// Longest sleep when nothing is due.
const IDLE: Duration = Duration::from_secs(3600);

/// What the keeper is told.
pub(super) enum Notice {
    /// Use this microphone.
    Microphone(MicrophoneSource, Reply),
    /// Use this loudspeaker.
    Speaker(SpeakerSink, Reply),
    /// What became of the device put into use as so many-th.
    Report(DeviceKind, u64, Report),
    /// The engine ends.
    Stop,
}

pub(super) type Reply = SyncSender<Result<(), AudioError>>;

/// What the thread that captures or plays has to say about its device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    /// Sound comes or goes through it.
    Works,
    /// The system moved it elsewhere.
    Moved,
    /// It is gone.
    Lost,
}

/// How a thread that captures or plays reports on the device it has.
pub(super) struct Reporter {
    kind: DeviceKind,
    notices: SyncSender<Notice>,
    generation: u64,
    works: bool,
}

impl Reporter {
    pub(super) fn new(kind: DeviceKind, notices: SyncSender<Notice>) -> Self {
        Self {
            kind,
            notices,
            generation: 0,
            works: false,
        }
    }

    /// Another device was put into use.
    pub(super) fn begin(&mut self, generation: u64) {
        self.generation = generation;
        self.works = false;
    }

    /// Sound went through it.
    pub(super) fn works(&mut self) {
        if !self.works {
            self.works = true;
            self.tell(Report::Works);
        }
    }

    pub(super) fn tell(&self, report: Report) {
        let notice = Notice::Report(self.kind, self.generation, report);
        if self.notices.try_send(notice).is_err() {
            tracing::warn!("the keeper of devices is too busy to hear of one");
        }
    }
}

/// What is in use, shared with whoever asks.
#[derive(Debug, Default)]
pub(super) struct InUse(Mutex<(DeviceInUse, DeviceInUse)>);

impl InUse {
    pub(super) fn of(&self, kind: DeviceKind) -> DeviceInUse {
        let both = self.lock();
        match kind {
            DeviceKind::Microphone => both.0.clone(),
            DeviceKind::Speaker => both.1.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, (DeviceInUse, DeviceInUse)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The queue of notices.
pub(super) fn notices() -> (SyncSender<Notice>, Receiver<Notice>) {
    sync_channel(MOST_NOTICES)
}

/// Everything the keeper owns.
pub(super) struct Keeper {
    microphone: Keeping<MicrophoneDesk>,
    speaker: Keeping<SpeakerDesk>,
    notices: Receiver<Notice>,
    events: mpsc::Sender<AudioEvent>,
    in_use: Arc<InUse>,
}

/// What is wanted at the start.
pub(super) struct Wanted {
    pub(super) microphone: MicrophoneSource,
    pub(super) speaker: SpeakerSink,
    pub(super) patient: bool,
}

impl Keeper {
    /// Opens both devices and puts them into use.
    pub(super) fn start(
        wanted: Wanted,
        desks: (MicrophoneDesk, SpeakerDesk),
        notices: Receiver<Notice>,
        events: mpsc::Sender<AudioEvent>,
        in_use: Arc<InUse>,
    ) -> Result<Self, AudioError> {
        let (now, patient) = (Instant::now(), wanted.patient);
        let (kind, choice) = (DeviceKind::Microphone, wanted.microphone);
        let (microphone, first) = Keeping::start(kind, desks.0, choice, patient, now)?;
        let (kind, choice) = (DeviceKind::Speaker, wanted.speaker);
        let (speaker, second) = Keeping::start(kind, desks.1, choice, patient, now)?;
        let keeper = Self {
            microphone,
            speaker,
            notices,
            events,
            in_use,
        };
        keeper.tell(first);
        keeper.tell(second);
        keeper.publish();
        Ok(keeper)
    }

    /// Runs until told to stop.
    pub(super) fn run(mut self) {
        loop {
            let due = [self.microphone.deadline(), self.speaker.deadline()];
            let due = due.into_iter().flatten().min();
            let wait = due.map_or(IDLE, |at| at.saturating_duration_since(Instant::now()));
            match self.notices.recv_timeout(wait) {
                Ok(Notice::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(notice) => self.heed(notice),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = Instant::now();
            let event = self.microphone.tick(now);
            self.tell(event);
            let event = self.speaker.tick(now);
            self.tell(event);
            self.publish();
        }
    }

    fn heed(&mut self, notice: Notice) {
        let now = Instant::now();
        let event = match notice {
            Notice::Stop => None,
            Notice::Microphone(choice, reply) => {
                let chosen = self.microphone.choose(choice, now);
                self.publish();
                // Nobody waits when the engine ends.
                let _ = reply.send(chosen);
                None
            }
            Notice::Speaker(choice, reply) => {
                let chosen = self.speaker.choose(choice, now);
                self.publish();
                let _ = reply.send(chosen);
                None
            }
            Notice::Report(DeviceKind::Microphone, generation, report) => {
                heed_report(&mut self.microphone, generation, report, now)
            }
            Notice::Report(DeviceKind::Speaker, generation, report) => {
                heed_report(&mut self.speaker, generation, report, now)
            }
        };
        self.tell(event);
    }

    fn tell(&self, event: Option<AudioEvent>) {
        if let Some(event) = event {
            // A full queue of events already says enough.
            let _ = self.events.try_send(event);
        }
    }

    fn publish(&self) {
        *self.in_use.lock() = (self.microphone.in_use(), self.speaker.in_use());
    }
}

fn heed_report<D: Desk>(
    keeping: &mut Keeping<D>,
    generation: u64,
    report: Report,
    now: Instant,
) -> Option<AudioEvent> {
    match report {
        Report::Works => keeping.works(generation),
        Report::Lost => keeping.lost(generation, now),
        Report::Moved => {
            keeping.moved(now);
            None
        }
    }
}

/// Opens microphones and hands them to the capture thread.
pub(super) struct MicrophoneDesk {
    pub(super) capture: std_mpsc::Sender<sending::Command>,
    pub(super) opened: u64,
}

impl Desk for MicrophoneDesk {
    type Choice = MicrophoneSource;

    fn open(&mut self, choice: &MicrophoneSource) -> Result<Opened, AudioError> {
        let input = Input::open(choice)?;
        self.opened += 1;
        let opened = Opened {
            name: input.name(),
            id: input.id(),
            generation: self.opened,
        };
        // The thread ends only with the engine.
        let _ = self
            .capture
            .send(sending::Command::Input(input, self.opened));
        Ok(opened)
    }

    fn devices(&mut self) -> Vec<DeviceInfo> {
        listing::list(DeviceKind::Microphone).unwrap_or_default()
    }

    fn default_device(&mut self) -> Option<DeviceInfo> {
        listing::find_default(DeviceKind::Microphone)
    }
}

/// Opens loudspeakers and hands them to the mixer thread.
pub(super) struct SpeakerDesk {
    pub(super) mixer: SyncSender<voices::Command>,
    pub(super) opened: u64,
}

impl Desk for SpeakerDesk {
    type Choice = SpeakerSink;

    fn open(&mut self, choice: &SpeakerSink) -> Result<Opened, AudioError> {
        let sink = Sink::open(choice)?;
        self.opened += 1;
        let opened = Opened {
            name: sink.name(),
            id: sink.id(),
            generation: self.opened,
        };
        // The thread ends only with the engine.
        let _ = self.mixer.send(voices::Command::Sink(sink, self.opened));
        Ok(opened)
    }

    fn devices(&mut self) -> Vec<DeviceInfo> {
        listing::list(DeviceKind::Speaker).unwrap_or_default()
    }

    fn default_device(&mut self) -> Option<DeviceInfo> {
        listing::find_default(DeviceKind::Speaker)
    }
}

impl Choice for MicrophoneSource {
    fn device(&self) -> Option<&str> {
        match self {
            Self::Device(id) => Some(id),
            _ => None,
        }
    }

    fn is_real(&self) -> bool {
        matches!(self, Self::Default | Self::Device(_))
    }
}

impl Choice for SpeakerSink {
    fn device(&self) -> Option<&str> {
        match self {
            Self::Device(id) => Some(id),
            _ => None,
        }
    }

    fn is_real(&self) -> bool {
        !matches!(self, Self::Null)
    }
}
