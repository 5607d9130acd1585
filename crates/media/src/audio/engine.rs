//! The one handle to all of sound: starts it, steers it, and stops it when
//! dropped.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc as std_mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rtrb::RingBuffer;
use tokio::sync::mpsc::{self, Receiver};

use super::capture::Input;
use super::error::{AudioError, AudioEvent};
use super::framer::Framer;
use super::holes::{HoleCounters, Holes};
use super::jitter::JitterBuffer;
use super::keeper::{self, InUse, Keeper, MicrophoneDesk, Notice, Reporter, SpeakerDesk, Wanted};
use super::loss_meter::Loss;
use super::packet::AudioPacket;
use super::playout::{Sink, SpeakerSink};
use super::processing::{Cleaning, Passthrough, Processing};
use super::sending::{self, CaptureThread, Microphone};
use super::source::MicrophoneSource;
use super::stats::SourceStats;
use super::voices::{self, Board, MixerThread};
use crate::clock::now_us;
use crate::{DeviceInUse, DeviceKind};

/// Packets that may wait to be sealed and sent, 320 ms.
const MOST_PACKETS_OUT: usize = 16;
/// Packets and commands that may wait for the mixer thread.
const MOST_COMMANDS: usize = 4096;
/// Events that may wait to be shown.
const MOST_EVENTS: usize = 32;
/// Blocks that may wait in a tap, 10 s: a disk may hesitate.
const MOST_TAPPED: usize = 1000;
/// Blocks that may wait for echo cancellation, 500 ms.
const MOST_RENDERED: usize = 50;
/// How long stopping may take before a hanging sound system is left behind.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// Names one remote voice; chosen by the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub u64);

/// How to start.
#[derive(Debug, Clone, Default)]
pub struct AudioOptions {
    /// What is sent.
    pub microphone: MicrophoneSource,
    /// Where the others are heard.
    pub speaker: SpeakerSink,
    /// Whether microphone sound is cleaned.
    pub processing: Processing,
    /// What cleaning does.
    pub cleaning: Cleaning,
    /// Start although a device does not open, and try it again and again. Until then the system's
    /// default stands in for a chosen device, and silence for the default.
    pub patient: bool,
}

/// The running sound engine: one capture thread, one mixer thread, one that keeps devices.
#[derive(Debug)]
pub struct AudioEngine {
    microphone: Arc<Microphone>,
    capture: std_mpsc::Sender<sending::Command>,
    mixer: std_mpsc::SyncSender<voices::Command>,
    board: Board,
    holes: Arc<HoleCounters>,
    events: Option<Receiver<AudioEvent>>,
    notices: std_mpsc::SyncSender<Notice>,
    in_use: Arc<InUse>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl AudioEngine {
    /// Opens both devices and starts all threads. The receiver yields a
    /// packet every 20 ms, muted or not.
    ///
    /// Waits for the sound system, at most some seconds.
    ///
    /// # Errors
    /// [`AudioError`] if a device or file cannot be used.
    pub fn start(options: AudioOptions) -> Result<(Self, Receiver<AudioPacket>), AudioError> {
        let (packets_out, packets) = mpsc::channel(MOST_PACKETS_OUT);
        let (events_out, events) = mpsc::channel(MOST_EVENTS);
        let (rendered_out, rendered) = RingBuffer::new(MOST_RENDERED);
        let (capture, capture_commands) = std_mpsc::channel();
        let (mixer, mixer_commands) = std_mpsc::sync_channel(MOST_COMMANDS);
        let render_delay_ms = Arc::new(AtomicU32::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let (notices, notices_in) = keeper::notices();
        let desks = (
            MicrophoneDesk {
                capture: capture.clone(),
                opened: 0,
            },
            SpeakerDesk {
                mixer: mixer.clone(),
                opened: 0,
            },
        );
        let mut engine = Self {
            microphone: Arc::default(),
            capture,
            mixer,
            board: Arc::new(Mutex::new(HashMap::new())),
            holes: Arc::default(),
            events: Some(events),
            notices: notices.clone(),
            in_use: Arc::default(),
            stop: Arc::clone(&stop),
            threads: Vec::new(),
        };
        let capturing = CaptureThread {
            commands: capture_commands,
            input: Input::silence(),
            processing: options.processing,
            cleaning: options.cleaning,
            processor: Box::new(Passthrough),
            framer: Framer::new()?,
            packets: packets_out,
            microphone: Arc::clone(&engine.microphone),
            events: events_out.clone(),
            reporter: Reporter::new(DeviceKind::Microphone, notices.clone()),
            render: rendered,
            render_delay_ms: Arc::clone(&render_delay_ms),
            holes: Arc::clone(&engine.holes),
            stop: Arc::clone(&stop),
        };
        let mixing = MixerThread {
            commands: mixer_commands,
            sink: Sink::null(),
            board: Arc::clone(&engine.board),
            reporter: Reporter::new(DeviceKind::Speaker, notices),
            render: rendered_out,
            render_delay_ms,
            holes: Arc::clone(&engine.holes),
            stop,
        };
        let wanted = Wanted {
            microphone: options.microphone,
            speaker: options.speaker,
            patient: options.patient,
        };
        let in_use = Arc::clone(&engine.in_use);
        let keeper = Keeper::start(wanted, desks, notices_in, events_out, in_use)?;
        engine.spawn("sound-capture", move || capturing.run())?;
        engine.spawn("sound-mixer", move || mixing.run())?;
        engine.spawn("sound-keeper", move || keeper.run())?;
        Ok((engine, packets))
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), AudioError> {
        self.threads.push(super::spawn(name, run)?);
        Ok(())
    }

    /// What happens to devices from now on, once: later calls yield none.
    pub fn take_events(&mut self) -> Option<Receiver<AudioEvent>> {
        self.events.take()
    }

    /// Sends silence, or the microphone again. Packets go on either way, all
    /// of one size.
    pub fn set_muted(&self, muted: bool) {
        self.microphone.muted.store(muted, Ordering::Relaxed);
    }

    /// Whether silence is sent.
    pub fn is_muted(&self) -> bool {
        self.microphone.muted.load(Ordering::Relaxed)
    }

    /// Level of what is sent, for a meter, 0 to 1. Zero while muted.
    pub fn microphone_level(&self) -> f32 {
        self.microphone.level()
    }

    /// Begins to play a remote voice. Does nothing if it is played already.
    pub fn add_source(&self, source: SourceId) {
        let jitter = match JitterBuffer::new() {
            Ok(jitter) => Box::new(jitter),
            Err(error) => {
                tracing::error!("a voice cannot be played: {error}");
                return;
            }
        };
        self.board().entry(source).or_default();
        self.tell_mixer(voices::Command::Add(source, jitter));
    }

    /// Ceases to play a remote voice and forgets its figures.
    pub fn remove_source(&self, source: SourceId) {
        self.board().remove(&source);
        self.tell_mixer(voices::Command::Remove(source));
    }

    /// Takes a packet that has just arrived. Packets of unknown sources are
    /// dropped, and so is one that finds the mixer thread hanging.
    pub fn push(&self, source: SourceId, packet: AudioPacket) {
        let command = voices::Command::Packet {
            source,
            arrival_us: now_us(),
            packet,
        };
        if self.mixer.try_send(command).is_err() {
            tracing::trace!("a packet of sound found the mixer busy");
        }
    }

    /// Figures of a voice, at most 50 ms old; none if it was not added.
    pub fn source_stats(&self, source: SourceId) -> Option<SourceStats> {
        self.board().get(&source).cloned()
    }

    /// What is played of one voice from now on, in blocks of 10 ms, invented
    /// sound and silence included. Ends when the source is removed; ends at
    /// once if it was not added. A reader more than 10 s behind misses blocks.
    pub fn tap(&self, source: SourceId) -> Receiver<Vec<f32>> {
        let (tap, blocks) = mpsc::channel(MOST_TAPPED);
        self.tell_mixer(voices::Command::Tap(source, tap));
        blocks
    }

    /// Whether somebody speaks into the microphone, muted or not. What was captured stays here.
    pub fn hears_speech(&self) -> bool {
        self.microphone.speaking()
    }

    /// Holes in the sound that this computer itself has made.
    pub fn holes(&self) -> Holes {
        self.holes.read()
    }

    /// The microphone or loudspeaker that is truly in use.
    pub fn in_use(&self, device: DeviceKind) -> DeviceInUse {
        self.in_use.of(device)
    }

    /// Sends from another source from now on, without a gap: the old one goes on until the new one
    /// is open. On failure the old one stays. Waits for the sound system, at most some seconds.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub fn switch_microphone(&self, microphone: MicrophoneSource) -> Result<(), AudioError> {
        self.ask_keeper(|reply| Notice::Microphone(microphone, reply))
    }

    /// Plays elsewhere from now on, likewise.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub fn switch_speaker(&self, speaker: SpeakerSink) -> Result<(), AudioError> {
        self.ask_keeper(|reply| Notice::Speaker(speaker, reply))
    }

    /// Plays a short melody to whoever sits here, and to nobody else.
    pub fn play_tone(&self) {
        self.tell_mixer(voices::Command::Tone);
    }

    /// Cleans more or less of the microphone's sound from now on, where it is cleaned.
    pub fn set_cleaning(&self, cleaning: Cleaning) {
        self.tell_capture(sending::Command::Cleaning(cleaning));
    }

    /// Cleans microphone sound, or leaves it, from now on.
    pub fn set_processing(&self, processing: Processing) {
        self.tell_capture(sending::Command::Processing(processing));
    }

    /// Whether packets have one size whatever the link loses, as they have until
    /// this is told. Otherwise they are short where nothing gets lost.
    pub fn keep_one_size(&self, one_size: bool) {
        self.tell_capture(sending::Command::KeepOneSize(one_size));
    }

    /// Says what gets lost of the packets sent. The more, the more earlier
    /// frames each packet repeats, at the cost of their bit rate.
    pub fn expect_loss(&self, loss: Loss) {
        self.tell_capture(sending::Command::ExpectLoss(loss));
    }

    fn ask_keeper(&self, ask: impl FnOnce(keeper::Reply) -> Notice) -> Result<(), AudioError> {
        let gone = || AudioError::Internal("The keeper of devices has ended.".to_owned());
        let (reply, answer) = std_mpsc::sync_channel(1);
        self.notices.send(ask(reply)).map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())?
    }

    fn tell_capture(&self, command: sending::Command) {
        // The thread ends only with the engine.
        let _ = self.capture.send(command);
    }

    fn tell_mixer(&self, command: voices::Command) {
        // The thread ends only with the engine.
        let _ = self.mixer.send(command);
    }

    fn board(&self) -> MutexGuard<'_, HashMap<SourceId, SourceStats>> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AudioEngine {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // A keeper too busy to hear of it finds its devices of no use a moment later.
        let _ = self.notices.try_send(Notice::Stop);
        let started = Instant::now();
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            while !thread.is_finished() && started.elapsed() < STOP_LIMIT {
                thread::sleep(Duration::from_millis(2));
            }
            if thread.is_finished() {
                // A thread that panicked has nothing left to tell.
                let _ = thread.join();
            }
        }
    }
}
