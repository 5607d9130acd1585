//! Whether the frames that were played are their sender's own.
//!
//! Frames are played at once and verified behind. The sender signs which frames
//! it sent, in batches that are numbered from 0 in each epoch and cover every
//! frame that it sends (see [`super::Attestor`]). From that follows:
//!
//! * A frame that a batch covers is the sender's own if the digest is the same,
//!   and *forged* if it is not: a sender uses no counter twice.
//! * A frame that lies between two runs of its key, of which no batch is
//!   missing, is *forged*: the sender says that it did not send it.
//! * Every other frame is not known to be either. [`BATCH_DEADLINE`] after it
//!   came it is *unverified*. A batch that comes later still can decide it.
//!
//! A batch that is lost, withheld, delayed or reordered leads to unverified
//! frames only. The same holds for a frame whose counter lies beyond all
//! batches, however many of them keep coming: the server could have delayed all
//! batches by a second, and an honest frame looks the same then. It would gain
//! nobody anything to call that forged, because whoever controls what arrives
//! can withhold the batches in the first place. As soon as the sender's own
//! counters reach the frame it shows for what it is.
//!
//! So the server alone can make a sender look unverified, but never forged. A
//! member who forges with the server's help looks forged or unverified, but
//! never verified.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use super::batch::{Batch, FrameId};
use super::covered::{Covered, Finding};
use super::kid::Track;
use super::{EPOCH_GRACE, OpeningEpoch};
use crate::Leaf;

/// How long a frame may wait for the batch that covers it.
pub const BATCH_DEADLINE: Duration = Duration::from_millis(600);
/// How long [`Verdict::Unverified`] stays after the last unverified frame, so
/// that people see it.
pub const UNVERIFIED_HOLD: Duration = Duration::from_secs(2);

/// How long a frame that nothing is known about is kept.
const MAX_AGE: Duration = Duration::from_secs(10);
/// Frames that nothing is known about, at most.
const MAX_OPEN_FRAMES: usize = 2048;
/// Epochs that are kept at most.
const MAX_LIVE_EPOCHS: usize = 8;

/// What to say about a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing was verified yet, and nothing is overdue.
    Pending,
    /// All frames of late are its own, as far as their batches are due.
    Verified,
    /// A frame of late is in no batch that came in time.
    Unverified,
    /// Somebody else spoke as this sender. It stays: make another verifier when
    /// people choose to go on.
    Forged,
}

/// Why a batch was of no use. A batch that came over the network proves nothing
/// against its sender when it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Peer or server: not a batch of this version.
    #[error("A sender's signature cannot be read. It was thrown away.")]
    Malformed,
    /// Peer or server: of another sender.
    #[error("A sender's signature is on another sender's track. It was thrown away.")]
    OtherLeaf,
    /// Peer or server: not signed by the member at this leaf.
    #[error("A sender's signature is forged. It was thrown away.")]
    Forged,
    /// Server: it came before, or is too old to tell.
    #[error("A sender's signature was repeated. It was thrown away.")]
    Repeated,
    /// Server: of an epoch whose keys are not here any more, or not yet.
    #[error("A sender's signature is of another moment of the meeting. It was thrown away.")]
    OtherEpoch,
}

/// Verifies one sender: the member at one leaf.
///
/// When the member at the leaf changes, make another one.
pub struct Verifier {
    leaf: Leaf,
    live: Vec<Live>,
    /// The highest epoch installed so far, which outlives its batches.
    newest: Option<u64>,
    /// Frames that nothing is known about, as they came.
    open: VecDeque<Open>,
    verified: bool,
    forged: bool,
    unverified_until: Option<Instant>,
}

/// An epoch whose batches count.
struct Live {
    epoch: u64,
    leaf_key: [u8; 32],
    context: [u8; 32],
    covered: Covered,
    end: End,
}

/// When an epoch is over.
#[derive(Clone, Copy)]
enum End {
    Open,
    /// A newer one was installed; the clock was not read since.
    Superseded,
    At(Instant),
}

struct Open {
    epoch: u64,
    frame: FrameId,
    came: Instant,
    overdue: bool,
}

impl Verifier {
    /// A verifier that waits for its first epoch.
    pub fn new(leaf: Leaf) -> Self {
        Self {
            leaf,
            live: Vec::new(),
            newest: None,
            open: VecDeque::new(),
            verified: false,
            forged: false,
            unverified_until: None,
        }
    }

    /// Moves to an epoch; install it before frames of it are opened. All older
    /// ones live on for [`EPOCH_GRACE`]. One that is not newer changes nothing,
    /// and so does one in which nobody is at the leaf, except that it ends the
    /// older ones.
    pub fn install(&mut self, epoch: &OpeningEpoch) {
        let number = epoch.epoch();
        if self.newest.is_some_and(|newest| number <= newest) {
            return;
        }
        self.newest = Some(number);
        for live in &mut self.live {
            if matches!(live.end, End::Open) {
                live.end = End::Superseded;
            }
        }
        self.live
            .extend(epoch.leaf_key(self.leaf).map(|leaf_key| Live {
                epoch: number,
                leaf_key,
                context: epoch.batch_context(),
                covered: Covered::default(),
                end: End::Open,
            }));
    }

    /// Remembers a frame of this sender that **opened**, whole as it came. A
    /// frame that did not open proves nothing about anybody: do not note it.
    pub fn note(&mut self, now: Instant, sealed: &[u8]) {
        self.advance(now);
        let Some(frame) = FrameId::of(sealed) else {
            return;
        };
        if u32::from(frame.kid.leaf) != self.leaf.0 || frame.kid.track == Track::AUTH {
            return;
        }
        let of_epoch = |live: &&Live| live.epoch as u8 == frame.kid.epoch_low;
        let Some(live) = self.live.iter().find(of_epoch) else {
            // It opened, so its epoch was over a moment ago.
            self.see_unverified(now);
            return;
        };
        match live.covered.judge(&frame) {
            Finding::Own => self.verified = true,
            Finding::Forged => self.forged = true,
            Finding::Unknown => {
                let epoch = live.epoch;
                self.keep(now, epoch, frame);
            }
        }
    }

    /// Takes in a batch from the sender's AUTH track, as it was opened.
    ///
    /// # Errors
    /// See [`BatchError`]; nothing changes then.
    pub fn batch(&mut self, now: Instant, batch: &[u8]) -> Result<(), BatchError> {
        self.advance(now);
        let unverified = Batch::read(batch).ok_or(BatchError::Malformed)?;
        if unverified.leaf() != self.leaf {
            return Err(BatchError::OtherLeaf);
        }
        let live = self
            .live
            .iter_mut()
            .find(|live| live.epoch == unverified.epoch())
            .ok_or(BatchError::OtherEpoch)?;
        if live.covered.has(unverified.number()) {
            return Err(BatchError::Repeated);
        }
        let batch = unverified
            .verify(&live.leaf_key, &live.context)
            .ok_or(BatchError::Forged)?;
        live.covered.insert(batch);
        let (epoch, covered) = (live.epoch, &live.covered);
        let (mut verified, mut forged) = (false, false);
        self.open.retain(|open| {
            if open.epoch != epoch {
                return true;
            }
            let finding = covered.judge(&open.frame);
            verified |= finding == Finding::Own;
            forged |= finding == Finding::Forged;
            finding == Finding::Unknown
        });
        self.verified |= verified;
        self.forged |= forged;
        Ok(())
    }

    /// What to say about the sender now.
    pub fn verdict(&mut self, now: Instant) -> Verdict {
        self.advance(now);
        if self.forged {
            Verdict::Forged
        } else if self.unverified_until.is_some_and(|until| now < until) {
            Verdict::Unverified
        } else if self.verified {
            Verdict::Verified
        } else {
            Verdict::Pending
        }
    }

    fn keep(&mut self, now: Instant, epoch: u64, frame: FrameId) {
        if self.open.len() >= MAX_OPEN_FRAMES && self.open.pop_front().is_some() {
            self.see_unverified(now);
        }
        self.open.push_back(Open {
            epoch,
            frame,
            came: now,
            overdue: false,
        });
    }

    /// Nothing that came may vanish without having been decided or said.
    fn see_unverified(&mut self, at: Instant) {
        let until = at + UNVERIFIED_HOLD;
        if self.unverified_until.is_none_or(|other| other < until) {
            self.unverified_until = Some(until);
        }
    }

    /// Lets time pass: epochs end, and frames become overdue.
    fn advance(&mut self, now: Instant) {
        self.end_epochs(now);
        // Frames stand as they came, so the overdue ones stand in front.
        let first = self.open.partition_point(|open| open.overdue);
        let mut newest = None;
        for open in self.open.range_mut(first..) {
            let due = open.came + BATCH_DEADLINE;
            if due > now {
                break;
            }
            open.overdue = true;
            newest = Some(due);
        }
        if let Some(due) = newest {
            self.see_unverified(due);
        }
        let is_old = |open: &Open| now.saturating_duration_since(open.came) > MAX_AGE;
        while self.open.front().is_some_and(is_old) {
            self.open.pop_front();
        }
    }

    fn end_epochs(&mut self, now: Instant) {
        for live in &mut self.live {
            if matches!(live.end, End::Superseded) {
                live.end = End::At(now + EPOCH_GRACE);
            }
        }
        let surplus = self.live.len().saturating_sub(MAX_LIVE_EPOCHS);
        let is_over = |live: &Live| matches!(live.end, End::At(end) if end < now);
        if surplus == 0 && !self.live.iter().any(is_over) {
            return;
        }
        self.live.drain(..surplus);
        self.live.retain(|live| !is_over(live));
        let live = &self.live;
        let mut undecided = false;
        self.open.retain(|open| {
            let stays = live.iter().any(|live| live.epoch == open.epoch);
            undecided |= !stays && !open.overdue;
            stays
        });
        if undecided {
            self.see_unverified(now);
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Verifier(leaf {}, {} frames open)",
            self.leaf.0,
            self.open.len()
        )
    }
}
