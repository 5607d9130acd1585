//! Signals on their way to a connection: bounded, and the first thing to be lost.
//!
//! They wait in a queue of their own. So, however many come, they neither fill the queue whose
//! overflow ends a connection nor hold up the log.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::limits::Limits;

/// Bytes of signals that may wait in the whole service.
#[derive(Debug)]
pub struct SignalMemory(Arc<Semaphore>);

/// An encoded signal, which counts against the service's memory for as long as it waits anywhere.
#[derive(Debug, Clone)]
pub struct Signal(Arc<Held>);

#[derive(Debug)]
struct Held {
    frame: Bytes,
    _memory: OwnedSemaphorePermit,
}

/// A signal and its share of what one connection may let wait.
type Waiting = (Signal, OwnedSemaphorePermit);

/// The meeting's end of the queue.
#[derive(Debug)]
pub struct SignalSender {
    queue: mpsc::Sender<Waiting>,
    bytes: Arc<Semaphore>,
}

/// The connection's end of the queue.
#[derive(Debug)]
pub struct SignalReceiver(mpsc::Receiver<Waiting>);

impl SignalMemory {
    /// All of it free.
    pub fn new(limits: &Limits) -> Self {
        Self(budget(limits.all_signal_bytes))
    }

    /// A signal that may wait; none when the memory is spent.
    pub fn hold(&self, frame: Bytes) -> Option<Signal> {
        let memory = take(&self.0, frame.len())?;
        Some(Signal(Arc::new(Held {
            frame,
            _memory: memory,
        })))
    }
}

/// The queue of one connection.
pub fn queue(limits: &Limits) -> (SignalSender, SignalReceiver) {
    let (queue, waiting) = mpsc::channel(limits.signals.max(1));
    let bytes = budget(limits.signal_bytes);
    (SignalSender { queue, bytes }, SignalReceiver(waiting))
}

impl SignalSender {
    /// Hands a signal over, or loses it when the connection is gone or has not kept up.
    pub fn send(&self, signal: &Signal) {
        if let Some(share) = take(&self.bytes, signal.0.frame.len()) {
            let _ = self.queue.try_send((signal.clone(), share));
        }
    }
}

impl SignalReceiver {
    /// The next signal, encoded; none when the meeting has dropped its end.
    pub async fn recv(&mut self) -> Option<Bytes> {
        let (signal, _share) = self.0.recv().await?;
        Some(signal.0.frame.clone())
    }
}

fn budget(bytes: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS)))
}

fn take(budget: &Arc<Semaphore>, bytes: usize) -> Option<OwnedSemaphorePermit> {
    let bytes = u32::try_from(bytes).ok()?;
    budget.clone().try_acquire_many_owned(bytes).ok()
}
