//! The mixer thread: one jitter buffer per remote voice, their sum to the
//! loudspeaker, and the figures of what was played when.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, Mutex, TryLockError};

use rtrb::Producer;
use tokio::sync::mpsc;

use super::engine::SourceId;
use super::holes::HoleCounters;
use super::jitter::JitterBuffer;
use super::keeper::{Report, Reporter};
use super::level::LevelMeter;
use super::mixer::Mixer;
use super::packet::AudioPacket;
use super::playout::{Sink, Taken, Turn};
use super::stats::SourceStats;
use super::tone::TestTone;
use super::urgency::{self, Pauses};
use super::{BLOCK_US, Block};
use crate::clock::{self, now_us};

/// Latencies kept per voice: one second of blocks.
const RECENT: usize = 100;
/// Blocks written to a device whose time of playing is not known yet.
const MOST_PENDING: usize = 4096;
/// Figures are published every so many blocks, 50 ms.
const PUBLISH_BLOCKS: u32 = 5;

/// Figures of every voice, shared with whoever asks.
pub(super) type Board = Arc<Mutex<HashMap<SourceId, SourceStats>>>;

/// What the mixer thread is told.
pub(super) enum Command {
    Add(SourceId, Box<JitterBuffer>),
    Remove(SourceId),
    Packet {
        source: SourceId,
        arrival_us: u64,
        packet: AudioPacket,
    },
    Tap(SourceId, mpsc::Sender<Vec<f32>>),
    /// Play there from now on; the number is for reports about it.
    Sink(Sink, u64),
    /// Play the melody that tells whether the loudspeaker works.
    Tone,
}

/// Everything the mixer thread owns.
pub(super) struct MixerThread {
    pub(super) commands: Receiver<Command>,
    pub(super) sink: Sink,
    pub(super) board: Board,
    pub(super) reporter: Reporter,
    /// What is played, for echo cancellation.
    pub(super) render: Producer<Block>,
    pub(super) render_delay_ms: Arc<AtomicU32>,
    pub(super) holes: Arc<HoleCounters>,
    pub(super) stop: Arc<AtomicBool>,
}

struct Voice {
    jitter: Box<JitterBuffer>,
    meter: LevelMeter,
    taps: Vec<mpsc::Sender<Vec<f32>>>,
    latencies_us: VecDeque<i64>,
}

/// A block on its way through the device.
struct Pending {
    position: u64,
    source: SourceId,
    capture_us: u64,
}

impl MixerThread {
    /// Runs until told to stop.
    pub(super) fn run(mut self) {
        let mut mixing = Mixing {
            voices: BTreeMap::new(),
            pending: VecDeque::new(),
            mixer: Mixer::new(),
            tone: None,
            blocks: 0,
        };
        let mut pauses = Pauses::new();
        urgency::claim();
        while !self.stop.load(Ordering::Relaxed) {
            pauses.take();
            let turn = self.sink.turn();
            if !self.obey(&mut mixing) {
                return;
            }
            while let Some(taken) = self.sink.taken() {
                mixing.settle(taken);
            }
            match turn {
                Turn::Mix => self.mix(&mut mixing),
                Turn::Idle => {}
                Turn::Lost => {
                    // What was lost is released before another is opened.
                    self.replace_sink(Sink::null(), &mut mixing);
                    self.reporter.tell(Report::Lost);
                    continue;
                }
            }
            if self.sink.take_moved() {
                self.reporter.tell(Report::Moved);
            }
            if self.sink.has_begun() {
                self.reporter.works();
            }
        }
    }

    /// False when nobody can command any more.
    fn obey(&mut self, mixing: &mut Mixing) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Sink(sink, generation)) => {
                    self.replace_sink(sink, mixing);
                    self.reporter.begin(generation);
                }
                Ok(command) => mixing.obey(command),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn replace_sink(&mut self, sink: Sink, mixing: &mut Mixing) {
        std::mem::replace(&mut self.sink, sink).let_go();
        mixing.pending.clear();
    }

    fn mix(&mut self, mixing: &mut Mixing) {
        let (block, stamps) = mixing.next_block(now_us());
        // Full when nobody cancels echoes; then nobody misses it.
        let _ = self.render.push(block);
        let position = self.sink.write(&block);
        self.render_delay_ms
            .store(self.sink.delay_ms(), Ordering::Relaxed);
        mixing.note_written(position, stamps);
        if mixing.blocks.is_multiple_of(PUBLISH_BLOCKS) {
            self.publish(mixing);
        }
    }

    fn publish(&mut self, mixing: &Mixing) {
        let (holes, silence_us) = (self.sink.take_holes(), self.sink.take_silence_us());
        self.holes.speaker.fetch_add(holes, Ordering::Relaxed);
        self.holes
            .unmixed_us
            .fetch_add(silence_us, Ordering::Relaxed);
        // Whoever reads figures must not hold up sound: these come a moment later.
        let mut board = match self.board.try_lock() {
            Ok(board) => board,
            Err(TryLockError::Poisoned(board)) => board.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        for (source, voice) in &mixing.voices {
            // Only those the engine still lists: a removal wins.
            if let Some(entry) = board.get_mut(source) {
                *entry = voice.stats();
            }
        }
    }
}

struct Mixing {
    voices: BTreeMap<SourceId, Voice>,
    pending: VecDeque<Pending>,
    mixer: Mixer,
    tone: Option<TestTone>,
    blocks: u32,
}

impl Mixing {
    fn obey(&mut self, command: Command) {
        match command {
            Command::Add(source, jitter) => {
                self.voices.entry(source).or_insert_with(|| Voice {
                    jitter,
                    meter: LevelMeter::default(),
                    taps: Vec::new(),
                    latencies_us: VecDeque::with_capacity(RECENT),
                });
            }
            Command::Remove(source) => {
                self.voices.remove(&source);
                self.pending.retain(|pending| pending.source != source);
            }
            Command::Packet {
                source,
                arrival_us,
                packet,
            } => {
                if let Some(voice) = self.voices.get_mut(&source) {
                    voice.jitter.insert(arrival_us, packet);
                }
            }
            Command::Tap(source, tap) => {
                if let Some(voice) = self.voices.get_mut(&source) {
                    voice.taps.push(tap);
                }
            }
            Command::Tone => self.tone = Some(TestTone::default()),
            Command::Sink(..) => {}
        }
    }

    /// The mix of all voices to be played now, and the capture times in it.
    fn next_block(&mut self, now_us: u64) -> (Block, Vec<(SourceId, u64)>) {
        let mut stamps = Vec::with_capacity(self.voices.len());
        for (source, voice) in &mut self.voices {
            let pulled = voice.jitter.pull(now_us);
            voice.meter.observe(&pulled.block);
            voice.feed_taps(&pulled.block);
            self.mixer.add(&pulled.block);
            stamps.extend(pulled.capture_us.map(|at| (*source, at)));
        }
        match self.tone.as_mut().map(TestTone::next) {
            Some(Some(block)) => self.mixer.add(&block),
            Some(None) => self.tone = None,
            None => {}
        }
        self.blocks = self.blocks.wrapping_add(1);
        (self.mixer.take(), stamps)
    }

    fn note_written(&mut self, position: Option<u64>, stamps: Vec<(SourceId, u64)>) {
        let played_us = now_us();
        for (source, capture_us) in stamps {
            match position {
                None => self.note_played(source, capture_us, played_us),
                Some(position) => self.pending.push_back(Pending {
                    position,
                    source,
                    capture_us,
                }),
            }
        }
        while self.pending.len() > MOST_PENDING {
            self.pending.pop_front();
        }
    }

    /// Works out when the blocks that the device has reached were played.
    fn settle(&mut self, taken: Taken) {
        while let Some(first) = self.pending.front()
            && first.position < taken.position + taken.count
        {
            let Some(block) = self.pending.pop_front() else {
                return;
            };
            let into = block.position.saturating_sub(taken.position);
            let played_us = taken.at_us + into * 1_000_000 / u64::from(taken.rate_hz.max(1));
            self.note_played(block.source, block.capture_us, played_us);
        }
    }

    fn note_played(&mut self, source: SourceId, capture_us: u64, played_us: u64) {
        if let Some(voice) = self.voices.get_mut(&source) {
            if voice.latencies_us.len() == RECENT {
                voice.latencies_us.pop_front();
            }
            let latency_us = clock::difference(played_us, capture_us);
            voice.latencies_us.push_back(latency_us);
        }
    }
}

impl Voice {
    fn feed_taps(&mut self, block: &Block) {
        self.taps.retain(|tap| match tap.try_send(block.to_vec()) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Closed(_)) => false,
            Err(mpsc::error::TrySendError::Full(_)) => {
                tracing::warn!(
                    "a recording is too slow; {} ms are missing in it",
                    BLOCK_US / 1000
                );
                true
            }
        });
    }

    fn stats(&self) -> SourceStats {
        let counts = self.jitter.stats();
        SourceStats {
            packets: counts.packets,
            played_frames: counts.played_frames,
            recovered_frames: counts.recovered_frames,
            loss: counts.loss,
            concealed_ms: counts.concealed_blocks * BLOCK_US / 1000,
            stretches: counts.stretches,
            buffer_ms: self.jitter.buffer_ms(),
            latency_us_recent: self.latencies_us.iter().copied().collect(),
            speaking: self.meter.speaking(),
            level: self.meter.level(),
        }
    }
}
