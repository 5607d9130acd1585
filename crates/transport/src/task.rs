//! A spawned task that belongs to a handle.

use std::future::Future;

use tokio::task::JoinHandle;

/// A task that ends when this is dropped.
#[derive(Debug)]
pub(crate) struct OwnedTask<T = ()>(JoinHandle<T>);

impl<T: Send + 'static> OwnedTask<T> {
    /// Runs `future` on the caller's runtime until it is done or the owner is dropped.
    pub(crate) fn spawn(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self(tokio::spawn(future))
    }

    /// What it came to; `None` for one that panicked. There is one answer: do not ask again.
    pub(crate) async fn end(&mut self) -> Option<T> {
        (&mut self.0).await.ok()
    }
}

impl<T> Drop for OwnedTask<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
