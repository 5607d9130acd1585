//! Opening the frames of one track of one member.

use std::fmt;
use std::time::{Duration, Instant};

use super::FrameMeta;
use super::epoch::OpeningEpoch;
use super::kid::{Kid, Track};
use super::replay::ReplayWindow;
use super::waiting::{Released, WaitingRoom};
use crate::sframe::{Header, Key, SframeError};
use crate::{CryptoFailure, Leaf};

/// How long the keys of an epoch live on after the next one was installed, for
/// frames that are on their way.
pub const EPOCH_GRACE: Duration = Duration::from_secs(3);

/// Epochs that are kept at most; far fewer than the 256 that a key id tells apart.
const MAX_LIVE_EPOCHS: usize = 8;

/// How far ahead an epoch may be to be waited for. Nobody is so far behind for
/// as short as frames wait; what is further ahead is forged.
const MAX_COMING_EPOCHS: u8 = 16;

/// Opens one track of the member at one leaf.
///
/// When the member at the leaf changes, make another one: this one would take
/// the newcomer for its predecessor.
pub struct Opener {
    track: Track,
    leaf: Leaf,
    live: Vec<Live>,
    /// The highest epoch installed so far, which outlives its key.
    newest: Option<u64>,
    waiting: WaitingRoom,
}

/// An epoch whose frames open.
struct Live {
    epoch: u64,
    key: Key,
    window: ReplayWindow,
    /// End of the grace; `None` for the newest epoch.
    until: Option<Instant>,
}

/// Why a frame did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not a fault: its epoch is still to come. The frame is kept and comes out
    /// of [`Opener::take_ready`].
    #[error("A frame is ahead of this device's keys. It waits for them.")]
    NotYet,
    /// Server: it was opened before, or is too old to tell.
    #[error("A frame was repeated. It was thrown away.")]
    Replay,
    /// Server: its epoch is over for more than [`EPOCH_GRACE`].
    #[error("A frame was sealed with keys that are out of date. It was thrown away.")]
    Expired,
    /// Peer or server: of another track, another member, or no epoch of ours.
    #[error("A frame was sealed with a key that does not belong here. It was thrown away.")]
    UnknownKey,
    /// Peer or server: altered, moved, or not sealed by a member.
    #[error("A frame is forged. It was thrown away.")]
    Forged,
    /// Peer or server: not a frame.
    #[error("A frame cannot be read. It was thrown away.")]
    Malformed,
    /// Peer: too long to let it wait.
    #[error("A frame is too long to wait for its keys. It was thrown away.")]
    TooLong,
}

impl Opener {
    /// An opener that waits for its first epoch.
    pub fn new(track: Track, leaf: Leaf) -> Self {
        Self {
            track,
            leaf,
            live: Vec::new(),
            newest: None,
            waiting: WaitingRoom::default(),
        }
    }

    /// Moves to an epoch. The keys of all older ones live for [`EPOCH_GRACE`]
    /// from `now`, or less if it has begun already.
    ///
    /// An epoch that is not newer than the newest so far changes nothing: if it
    /// could come back, it would come with an empty replay window.
    ///
    /// # Errors
    /// [`CryptoFailure`] when the library fails; the opener is as before.
    pub fn install(&mut self, epoch: &OpeningEpoch, now: Instant) -> Result<(), CryptoFailure> {
        let number = epoch.epoch();
        if self.newest.is_some_and(|newest| number <= newest) {
            return Ok(());
        }
        let key = epoch.key(self.track, self.leaf)?;
        self.newest = Some(number);
        for live in &mut self.live {
            live.until.get_or_insert(now + EPOCH_GRACE);
        }
        // RFC 9605 §5.2: an old epoch with the same low bits must go.
        self.live
            .retain(|live| live.epoch as u8 != number as u8 && live.is_in_time(now));
        self.live.extend(key.map(|key| Live {
            epoch: number,
            key,
            window: ReplayWindow::default(),
            until: None,
        }));
        let surplus = self.live.len().saturating_sub(MAX_LIVE_EPOCHS);
        self.live.drain(..surplus);
        Ok(())
    }

    /// Opens a frame into `out`, which is emptied first.
    ///
    /// # Errors
    /// See [`OpenError`]; `out` is empty then.
    pub fn open(
        &mut self,
        now: Instant,
        meta: &FrameMeta<'_>,
        frame: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), OpenError> {
        out.clear();
        let kid = self.kid_of(frame)?;
        if self.is_coming(kid.epoch_low) {
            self.waiting.push(now, meta, kid.epoch_low, frame)?;
            return Err(OpenError::NotYet);
        }
        self.open_now(now, kid.epoch_low, meta, frame, out)
    }

    /// The frames that waited and whose epoch is here by now, in the order in
    /// which they came. Call it after [`Opener::install`].
    pub fn take_ready(&mut self, now: Instant) -> Vec<Released> {
        let newest = self.newest;
        let ready = self
            .waiting
            .take(now, |epoch_low| !is_coming(newest, epoch_low));
        ready
            .iter()
            .map(|waited| {
                let meta = waited.meta();
                let mut out = Vec::new();
                let opened = self.open_now(now, waited.epoch_low, &meta, &waited.sealed, &mut out);
                Released {
                    group: meta.group,
                    frame: meta.frame,
                    outcome: opened.map(|()| out),
                }
            })
            .collect()
    }

    /// The key id of a frame, if it is one of this track and leaf.
    fn kid_of(&self, frame: &[u8]) -> Result<Kid, OpenError> {
        let (header, _) = Header::read(frame).ok_or(OpenError::Malformed)?;
        Kid::from_u64(header.kid)
            .filter(|kid| kid.track == self.track && u32::from(kid.leaf) == self.leaf.0)
            .ok_or(OpenError::UnknownKey)
    }

    fn is_coming(&self, epoch_low: u8) -> bool {
        is_coming(self.newest, epoch_low)
    }

    fn open_now(
        &mut self,
        now: Instant,
        epoch_low: u8,
        meta: &FrameMeta<'_>,
        frame: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), OpenError> {
        self.live.retain(|live| live.is_in_time(now));
        let newest = self.newest;
        let live = self
            .live
            .iter_mut()
            .find(|live| live.epoch as u8 == epoch_low)
            .ok_or_else(|| absent(newest, epoch_low))?;
        let metadata = meta.encode().ok_or(OpenError::Malformed)?;
        let (header, _) = Header::read(frame).ok_or(OpenError::Malformed)?;
        if !live.window.is_fresh(header.ctr) {
            return Err(OpenError::Replay);
        }
        let ctr = live
            .key
            .open(&metadata, frame, out)
            .map_err(|error| match error {
                SframeError::Malformed => OpenError::Malformed,
                SframeError::OtherKey => OpenError::UnknownKey,
                SframeError::Forged => OpenError::Forged,
            })?;
        live.window.record(ctr);
        Ok(())
    }
}

impl Live {
    fn is_in_time(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| now <= until)
    }
}

/// Whether these low bits are those of an epoch shortly ahead. Before the first
/// epoch every one is.
fn is_coming(newest: Option<u64>, epoch_low: u8) -> bool {
    newest.is_none_or(|newest| {
        (1..=MAX_COMING_EPOCHS).contains(&epoch_low.wrapping_sub(newest as u8))
    })
}

/// What to say of an epoch that has no key: behind us, or nowhere near us.
fn absent(newest: Option<u64>, epoch_low: u8) -> OpenError {
    let behind = newest.map(|newest| (newest as u8).wrapping_sub(epoch_low));
    match behind {
        Some(1..=127) => OpenError::Expired,
        _ => OpenError::UnknownKey,
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Opener(track {}, leaf {}, newest epoch {:?}, redacted)",
            self.track.number(),
            self.leaf.0,
            self.newest
        )
    }
}
