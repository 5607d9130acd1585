//! An opener for each track of each sender, and a guard for each sender. They outlive connections
//! to the relay: the replay windows in them would be worth nothing otherwise.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use conclave_e2ee::{
    FrameMeta, Leaf, MAX_WAIT, MAX_WAITING_BYTES, MAX_WAITING_FRAMES, OpenError, Opener,
    OpeningEpoch, Track,
};
use tokio::sync::watch;

use super::guard::Guard;

/// Epochs that a new opener or guard is given: the present one and those still in grace.
pub(super) const RECENT: usize = 3;

/// One track's opener, shared by the readers that follow each other.
#[derive(Clone)]
pub(super) struct SharedOpener(Arc<Mutex<Opening>>);

struct Opening {
    opener: Opener,
    /// Frames ahead of their keys. The opener keeps such frames too, but gives back what was in
    /// them only, and it is the sealed frame that its sender signs.
    early: VecDeque<Early>,
}

struct Early {
    place: FrameMeta<'static>,
    sealed: Bytes,
    until: Instant,
}

/// A frame that waited: as it came, and what became of it.
pub(super) struct Released {
    pub(super) sealed: Bytes,
    pub(super) outcome: Result<Vec<u8>, OpenError>,
}

impl SharedOpener {
    fn new(leaf: Leaf, track: Track) -> Self {
        Self(Arc::new(Mutex::new(Opening {
            opener: Opener::new(track, leaf),
            early: VecDeque::new(),
        })))
    }

    pub(super) fn open(
        &self,
        place: FrameMeta<'static>,
        sealed: &Bytes,
        out: &mut Vec<u8>,
    ) -> Result<(), OpenError> {
        let now = Instant::now();
        let mut opening = self.lock();
        let outcome = opening.opener.open(now, &place, sealed, out);
        if outcome == Err(OpenError::NotYet) {
            opening.keep(Early {
                place,
                sealed: sealed.clone(),
                until: now + MAX_WAIT,
            });
        }
        outcome
    }

    /// Frames that waited for an epoch that has come.
    pub(super) fn take_ready(&self) -> Vec<Released> {
        self.lock().take_ready(Instant::now())
    }

    fn install(&self, epoch: &OpeningEpoch) {
        if let Err(error) = self.lock().opener.install(epoch, Instant::now()) {
            tracing::error!(%error, "an epoch's media keys could not be derived");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Opening> {
        // An opener is consistent after every call; a panic between calls changes nothing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Opening {
    fn keep(&mut self, early: Early) {
        self.early.push_back(early);
        let bytes = |early: &VecDeque<Early>| early.iter().map(|e| e.sealed.len()).sum::<usize>();
        while self.early.len() > MAX_WAITING_FRAMES || bytes(&self.early) > MAX_WAITING_BYTES {
            self.early.pop_front();
        }
    }

    fn take_ready(&mut self, now: Instant) -> Vec<Released> {
        let mut ready = Vec::new();
        for early in std::mem::take(&mut self.early) {
            if early.until < now {
                continue;
            }
            let mut out = Vec::new();
            match self.opener.open(now, &early.place, &early.sealed, &mut out) {
                Err(OpenError::NotYet) => self.early.push_back(early),
                outcome => ready.push(Released {
                    sealed: early.sealed,
                    outcome: outcome.map(|()| out),
                }),
            }
        }
        // The opener's own copies of the same frames are repeats by now.
        drop(self.opener.take_ready(now));
        ready
    }
}

/// All openers and guards, and the epochs they open.
pub(super) struct Keyring {
    inner: Mutex<Inner>,
    /// Whether what is not verified is muted.
    strict: Arc<AtomicBool>,
    /// Counts installed epochs; readers look for released frames when it changes.
    installed: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    recent: VecDeque<OpeningEpoch>,
    openers: HashMap<(Leaf, Track), SharedOpener>,
    guards: HashMap<Leaf, Arc<Guard>>,
}

impl Keyring {
    pub(super) fn new() -> Self {
        Self {
            inner: Mutex::default(),
            strict: Arc::default(),
            installed: watch::channel(0).0,
        }
    }

    pub(super) fn install(&self, epoch: OpeningEpoch) {
        let mut inner = self.lock();
        // Guards first: they must know an epoch before its frames open.
        inner
            .guards
            .values()
            .for_each(|guard| guard.install(&epoch));
        for opener in inner.openers.values() {
            opener.install(&epoch);
        }
        inner.recent.push_back(epoch);
        if inner.recent.len() > RECENT {
            inner.recent.pop_front();
        }
        drop(inner);
        self.installed.send_modify(|count| *count += 1);
    }

    pub(super) fn opener(&self, leaf: Leaf, track: Track) -> SharedOpener {
        let mut inner = self.lock();
        if let Some(opener) = inner.openers.get(&(leaf, track)) {
            return opener.clone();
        }
        let opener = SharedOpener::new(leaf, track);
        inner.recent.iter().for_each(|epoch| opener.install(epoch));
        inner.openers.insert((leaf, track), opener.clone());
        opener
    }

    pub(super) fn guard(&self, leaf: Leaf) -> Arc<Guard> {
        let mut inner = self.lock();
        if let Some(guard) = inner.guards.get(&leaf) {
            return guard.clone();
        }
        let guard = Arc::new(Guard::new(leaf, self.strict.clone()));
        inner.recent.iter().for_each(|epoch| guard.install(epoch));
        inner.guards.insert(leaf, guard.clone());
        guard
    }

    pub(super) fn set_strict(&self, strict: bool) {
        self.strict.store(strict, Relaxed);
    }

    /// Forgets a sender who has gone; another may get its leaf.
    pub(super) fn forget(&self, leaf: Leaf) {
        let mut inner = self.lock();
        inner.openers.retain(|(whose, _), _| *whose != leaf);
        inner.guards.remove(&leaf);
    }

    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.installed.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
