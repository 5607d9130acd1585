//! An opener for each track of each sender. They outlive connections to the relay: the replay
//! windows in them would be worth nothing otherwise.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use conclave_e2ee::{FrameMeta, Leaf, OpenError, Opener, OpeningEpoch, Track};
use tokio::sync::watch;

/// Epochs that a new opener is given: the present one and those still in grace.
const RECENT: usize = 3;

/// One track's opener, shared by the readers that follow each other.
#[derive(Clone)]
pub(super) struct SharedOpener(Arc<Mutex<Opener>>);

impl SharedOpener {
    pub(super) fn open(
        &self,
        meta: &FrameMeta<'_>,
        frame: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), OpenError> {
        self.lock().open(Instant::now(), meta, frame, out)
    }

    /// Frames that waited for an epoch that has come.
    pub(super) fn take_ready(&self) -> Vec<Result<Vec<u8>, OpenError>> {
        self.lock()
            .take_ready(Instant::now())
            .into_iter()
            .map(|released| released.outcome)
            .collect()
    }

    fn install(&self, epoch: &OpeningEpoch) {
        if let Err(error) = self.lock().install(epoch, Instant::now()) {
            tracing::error!(%error, "an epoch's media keys could not be derived");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Opener> {
        // An opener is consistent after every call; a panic between calls changes nothing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All openers, and the epochs they open.
pub(super) struct Keyring {
    inner: Mutex<Inner>,
    /// Counts installed epochs; readers look for released frames when it changes.
    installed: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    recent: VecDeque<OpeningEpoch>,
    openers: HashMap<(Leaf, Track), SharedOpener>,
}

impl Keyring {
    pub(super) fn new() -> Self {
        Self {
            inner: Mutex::default(),
            installed: watch::channel(0).0,
        }
    }

    pub(super) fn install(&self, epoch: OpeningEpoch) {
        let mut inner = self.lock();
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
        let opener = SharedOpener(Arc::new(Mutex::new(Opener::new(track, leaf))));
        inner.recent.iter().for_each(|epoch| opener.install(epoch));
        inner.openers.insert((leaf, track), opener.clone());
        opener
    }

    /// Forgets a sender who has gone; another may get its leaf.
    pub(super) fn forget(&self, leaf: Leaf) {
        self.lock().openers.retain(|(whose, _), _| *whose != leaf);
    }

    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.installed.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
