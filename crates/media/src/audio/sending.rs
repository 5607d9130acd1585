//! The capture thread: input, cleaning, mute, level, Opus, packets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};

use rtrb::Consumer;
use tokio::sync::mpsc;

use super::capture::{Captured, Input};
use super::error::AudioEvent;
use super::framer::Framer;
use super::holes::HoleCounters;
use super::keeper::{Report, Reporter};
use super::level::LevelMeter;
use super::loss_meter::Loss;
use super::packet::AudioPacket;
use super::processing::{Cleaning, EchoCancelling, Passthrough, Processing, Processor};
use super::urgency::{self, Pauses};
use super::{BLOCK_SAMPLES, Block};
use crate::clock::now_us;

/// What the capture thread is told.
pub(super) enum Command {
    /// Take sound from here; the number is for reports about it.
    Input(Input, u64),
    /// Clean in these cases.
    Processing(Processing),
    /// Clean like this.
    Cleaning(Cleaning),
    /// This gets lost on the way.
    ExpectLoss(Loss),
    /// Packets have one size whatever gets lost, or not.
    KeepOneSize(bool),
}

/// What the engine and the capture thread both see.
#[derive(Debug, Default)]
pub(super) struct Microphone {
    pub(super) muted: AtomicBool,
    /// Whether somebody speaks into it, muted or not.
    speaking: AtomicBool,
    /// Bits of an `f32`, 0 to 1.
    level: AtomicU32,
}

impl Microphone {
    pub(super) fn level(&self) -> f32 {
        f32::from_bits(self.level.load(Ordering::Relaxed))
    }

    pub(super) fn speaking(&self) -> bool {
        self.speaking.load(Ordering::Relaxed)
    }
}

/// Everything the capture thread owns.
pub(super) struct CaptureThread {
    pub(super) commands: Receiver<Command>,
    pub(super) input: Input,
    pub(super) processing: Processing,
    pub(super) cleaning: Cleaning,
    pub(super) processor: Box<dyn Processor>,
    pub(super) framer: Framer,
    pub(super) packets: mpsc::Sender<AudioPacket>,
    pub(super) microphone: Arc<Microphone>,
    pub(super) events: mpsc::Sender<AudioEvent>,
    pub(super) reporter: Reporter,
    /// What is being played, for echo cancellation.
    pub(super) render: Consumer<Block>,
    pub(super) render_delay_ms: Arc<AtomicU32>,
    pub(super) holes: Arc<HoleCounters>,
    pub(super) stop: Arc<AtomicBool>,
}

impl CaptureThread {
    /// Runs until told to stop.
    pub(super) fn run(mut self) {
        let mut block = [0.0; BLOCK_SAMPLES];
        let mut mute = MuteRamp::default();
        let mut meter = LevelMeter::default();
        let mut heard = LevelMeter::default();
        let mut pauses = Pauses::new();
        urgency::claim();
        while !self.stop.load(Ordering::Relaxed) && self.obey() {
            pauses.take();
            let capture_us = match self.input.next(&mut block) {
                Captured::Block { capture_us } => capture_us,
                Captured::LastOfFile { capture_us } => {
                    self.tell(AudioEvent::FileEnded);
                    capture_us
                }
                Captured::Nothing => continue,
                Captured::Lost => {
                    // What was lost is released before another is opened.
                    self.replace(Input::silence());
                    self.reporter.tell(Report::Lost);
                    continue;
                }
            };
            self.report();
            let holes = self.input.take_holes();
            self.holes.microphone.fetch_add(holes, Ordering::Relaxed);
            self.clean(&mut block, capture_us);
            heard.observe(&block);
            self.microphone
                .speaking
                .store(heard.speaking(), Ordering::Relaxed);
            mute.apply(&mut block, self.microphone.muted.load(Ordering::Relaxed));
            meter.observe(&block);
            self.microphone
                .level
                .store(meter.level().to_bits(), Ordering::Relaxed);
            match self.framer.push(&block, capture_us) {
                Ok(Some(packet)) => self.send(packet),
                Ok(None) => {}
                Err(error) => tracing::error!("a frame of sound is lost: {error}"),
            }
        }
    }

    /// False when nobody can command any more.
    fn obey(&mut self) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Input(input, generation)) => {
                    self.replace(input);
                    self.reporter.begin(generation);
                    self.renew_processor();
                }
                Ok(Command::Processing(processing)) => {
                    self.processing = processing;
                    self.renew_processor();
                }
                Ok(Command::Cleaning(cleaning)) => {
                    self.cleaning = cleaning;
                    self.processor.set_cleaning(cleaning);
                }
                Ok(Command::ExpectLoss(loss)) => self.framer.expect_loss(loss),
                Ok(Command::KeepOneSize(one_size)) => self.framer.keep_one_size(one_size),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn replace(&mut self, input: Input) {
        std::mem::replace(&mut self.input, input).let_go();
    }

    fn report(&mut self) {
        if self.input.take_moved() {
            self.reporter.tell(Report::Moved);
        }
        if self.input.is_real() {
            self.reporter.works();
        }
    }

    /// Another microphone is in another place of the room: what was learnt of it is void.
    fn renew_processor(&mut self) {
        let clean = match self.processing {
            Processing::Auto => self.input.is_real(),
            Processing::On => true,
            Processing::Off => false,
        };
        self.processor = match clean {
            true => Box::new(EchoCancelling::new(self.cleaning)),
            false => Box::new(Passthrough),
        };
    }

    fn clean(&mut self, block: &mut Block, capture_us: u64) {
        while let Ok(played) = self.render.pop() {
            self.processor.observe_render(&played);
        }
        let capture_ms = now_us().saturating_sub(capture_us) / 1000;
        let render_ms = self.render_delay_ms.load(Ordering::Relaxed);
        let delay_ms = capture_ms.min(500) as i32 + render_ms.min(500) as i32;
        self.processor.process_capture(block, delay_ms);
    }

    fn send(&self, packet: AudioPacket) {
        // Full when the receiver hangs: old sound is worth nothing to it, and
        // the gap in the count tells the far end.
        if self.packets.try_send(packet).is_err() {
            tracing::trace!("a packet of sound found its queue full or closed");
        }
    }

    fn tell(&self, event: AudioEvent) {
        // A full queue of events already says enough.
        let _ = self.events.try_send(event);
    }
}

/// Mutes and unmutes over one block, so that neither clicks.
#[derive(Debug, Default)]
struct MuteRamp {
    was_muted: bool,
}

impl MuteRamp {
    fn apply(&mut self, block: &mut Block, muted: bool) {
        match (self.was_muted, muted) {
            (false, false) => {}
            (true, true) => block.fill(0.0),
            (_, muted) => {
                for (i, sample) in block.iter_mut().enumerate() {
                    let share = i as f32 / BLOCK_SAMPLES as f32;
                    *sample *= if muted { 1.0 - share } else { share };
                }
            }
        }
        self.was_muted = muted;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn muting_fades_out_and_is_complete_from_the_next_block_on() {
        let mut ramp = MuteRamp::default();
        let mut block = [0.5; BLOCK_SAMPLES];
        ramp.apply(&mut block, true);
        assert!(block[0] > 0.49 && block[BLOCK_SAMPLES - 1] < 0.01);
        let mut block = [0.5; BLOCK_SAMPLES];
        ramp.apply(&mut block, true);
        assert_eq!(block, [0.0; BLOCK_SAMPLES]);
        let mut block = [0.5; BLOCK_SAMPLES];
        ramp.apply(&mut block, false);
        assert!(block[0] < 0.01 && block[BLOCK_SAMPLES - 1] > 0.49);
    }
}
