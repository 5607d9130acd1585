//! The sender's signatures over its own frames.
//!
//! Every member can compute the key of every track, so a frame that opens
//! proves only that some member sealed it. Its sender proves the rest behind
//! it: about five times a second it signs which frames were its own.

use std::collections::BTreeMap;
use std::fmt;

use super::batch::{Batch, FrameId, MAX_BATCH_FRAMES, MAX_RUNS, Run};
use super::kid::Track;
use crate::Leaf;
use crate::signer::LeafSigner;

/// Epochs for which frames are still signed: the newest, and those whose last
/// frames have just been sent.
const MAX_EPOCHS: usize = 3;
/// Frames that wait to be signed at most, for each epoch.
const MAX_UNSIGNED: usize = 4 * MAX_BATCH_FRAMES;

/// Signs this device's frames of one epoch. It exists once and is used up by
/// [`Attestor::install`].
pub struct AttestKey {
    pub(super) epoch: u64,
    pub(super) leaf: Leaf,
    pub(super) signer: LeafSigner,
    pub(super) context: [u8; 32],
}

impl fmt::Debug for AttestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AttestKey(epoch {}, redacted)", self.epoch)
    }
}

/// Collects what this device sends, and signs it in batches.
///
/// It promises receivers that batches are numbered without a gap and that, taken
/// together, they cover every frame that was sent. A receiver may conclude from
/// a frame that they pass over that it is forged. So note every frame, in the
/// order of its track and before it is sent.
#[derive(Debug, Default)]
pub struct Attestor {
    /// Oldest first.
    epochs: Vec<Attesting>,
}

struct Attesting {
    key: AttestKey,
    next_number: u32,
    runs: Vec<Run>,
    frames: usize,
    /// Up to which counter each key's frames were signed.
    signed_to: BTreeMap<u64, u64>,
}

impl Attestor {
    /// An attestor that waits for its first key.
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves to a newer epoch. Frames that were sealed before still get their
    /// signature from their own epoch's key. A key that is not newer changes
    /// nothing: its numbers would begin again.
    pub fn install(&mut self, key: AttestKey) {
        if self
            .epochs
            .last()
            .is_some_and(|newest| key.epoch <= newest.key.epoch)
        {
            return;
        }
        self.epochs.push(Attesting {
            key,
            next_number: 0,
            runs: Vec::new(),
            frames: 0,
            signed_to: BTreeMap::new(),
        });
        let surplus = self.epochs.len().saturating_sub(MAX_EPOCHS);
        self.epochs.drain(..surplus);
    }

    /// Remembers a sealed frame of this device, whole as it is sent, so that the
    /// next batch covers it. A frame that goes out twice is noted once. Frames
    /// of [`Track::AUTH`], of others, and of epochs without a key are passed over.
    pub fn note(&mut self, sealed: &[u8]) {
        let Some(frame) = FrameId::of(sealed) else {
            return;
        };
        let attesting = self.epochs.iter_mut().find(|attesting| {
            attesting.key.epoch as u8 == frame.kid.epoch_low
                && attesting.key.leaf.0 == u32::from(frame.kid.leaf)
        });
        if let Some(attesting) = attesting.filter(|_| frame.kid.track != Track::AUTH) {
            attesting.note(&frame);
        }
    }

    /// A signed batch over what was noted and not signed yet, for the AUTH
    /// track; `None` when there is nothing. It has at most
    /// [`super::MAX_BATCH_LEN`] bytes and is of one epoch, so call this until it
    /// gives `None`, about every 200 ms.
    ///
    /// What cannot be signed because the library fails stays without a
    /// signature, and receivers say so.
    pub fn batch(&mut self) -> Option<Vec<u8>> {
        self.epochs
            .iter_mut()
            .find(|attesting| attesting.frames > 0)?
            .batch()
    }
}

impl Attesting {
    fn note(&mut self, frame: &FrameId) {
        let kid = frame.kid.to_u64();
        if self.signed_to.get(&kid).is_some_and(|end| frame.ctr < *end) {
            return;
        }
        let of_key = |run: &&mut Run| run.kid == kid;
        match self.runs.iter_mut().rev().find(of_key) {
            Some(run) if run.digest(frame.ctr) == Some(&frame.digest) => return,
            Some(run) if run.end() == frame.ctr => run.digests.push(frame.digest),
            _ => self.runs.push(Run {
                kid,
                first: frame.ctr,
                digests: vec![frame.digest],
            }),
        }
        self.frames += 1;
        if self.frames > MAX_UNSIGNED {
            self.give_up();
        }
    }

    /// Frames that nobody fetches a signature for are given up, and a number
    /// with them: receivers must not take them for forged.
    fn give_up(&mut self) {
        self.runs.clear();
        self.frames = 0;
        self.next_number = self.next_number.saturating_add(1);
    }

    fn batch(&mut self) -> Option<Vec<u8>> {
        let runs = self.take_runs();
        let batch = Batch {
            epoch: self.key.epoch,
            leaf: self.key.leaf,
            number: self.next_number,
            runs,
        };
        // A number is used up whether or not signing succeeds.
        self.next_number = self.next_number.checked_add(1)?;
        batch.sign(&self.key.signer, &self.key.context).ok()
    }

    /// As many of the oldest runs as fit, the last one cut if need be.
    fn take_runs(&mut self) -> Vec<Run> {
        let mut taken = Vec::new();
        let mut room = MAX_BATCH_FRAMES;
        let mut rest = Vec::new();
        for mut run in std::mem::take(&mut self.runs) {
            if room == 0 || taken.len() == MAX_RUNS {
                rest.push(run);
                continue;
            }
            let later = run.digests.split_off(run.digests.len().min(room));
            if !later.is_empty() {
                rest.push(Run {
                    kid: run.kid,
                    first: run.end(),
                    digests: later,
                });
            }
            room -= run.digests.len();
            taken.push(run);
        }
        for run in &taken {
            self.signed_to.insert(run.kid, run.end());
        }
        self.frames = rest.iter().map(|run| run.digests.len()).sum();
        self.runs = rest;
        taken
    }
}

impl fmt::Debug for Attesting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} at batch {}, {} frames unsigned",
            self.key, self.next_number, self.frames
        )
    }
}
