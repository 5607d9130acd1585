//! Whether the server is still there, judged by the bytes that move.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// When the server last gave a sign of life. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Activity(Arc<State>);

#[derive(Debug)]
struct State {
    start: Instant,
    last_ms: AtomicU64,
    writing: AtomicBool,
    held: AtomicBool,
}

impl Activity {
    /// The server counts as heard now.
    pub(super) fn new() -> Self {
        Self(Arc::new(State {
            start: Instant::now(),
            last_ms: AtomicU64::new(0),
            writing: AtomicBool::new(false),
            held: AtomicBool::new(false),
        }))
    }

    fn touch(&self) {
        let elapsed = u64::try_from(self.0.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.last_ms.store(elapsed, Ordering::Relaxed);
    }

    /// While a message is being written, bytes that leave count as life too: on a slow link our
    /// ping waits behind the message, so that no answer can come. With no message under way they
    /// do not count, or our own pings into a dead link would keep it alive.
    pub(super) fn set_writing(&self, writing: bool) {
        self.0.writing.store(writing, Ordering::Relaxed);
    }

    /// While the receiver does not take messages the socket is not read: silence is our own.
    pub(super) fn set_held(&self, held: bool) {
        self.touch();
        self.0.held.store(held, Ordering::Relaxed);
    }

    /// Resolves once there has been no sign of life for `limit`.
    pub(super) async fn silent_for(&self, limit: Duration) {
        loop {
            if self.0.held.load(Ordering::Relaxed) {
                tokio::time::sleep(limit).await;
                continue;
            }
            let last = Duration::from_millis(self.0.last_ms.load(Ordering::Relaxed));
            let deadline = self.0.start + last + limit;
            if deadline <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(deadline).await;
        }
    }
}

/// A stream that reports its bytes to an [`Activity`].
#[derive(Debug)]
pub(super) struct Watched<S> {
    inner: S,
    activity: Activity,
}

impl<S> Watched<S> {
    pub(super) fn new(inner: S, activity: Activity) -> Self {
        Self { inner, activity }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.activity.touch();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, buf))?;
        if written > 0 && self.activity.0.writing.load(Ordering::Relaxed) {
            self.activity.touch();
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(3);

    async fn is_silent(activity: &Activity) -> bool {
        tokio::time::timeout(Duration::from_millis(1), activity.silent_for(LIMIT))
            .await
            .is_ok()
    }

    fn pair() -> (
        Watched<tokio::io::DuplexStream>,
        tokio::io::DuplexStream,
        Activity,
    ) {
        let (near, far) = tokio::io::duplex(64);
        let activity = Activity::new();
        (Watched::new(near, activity.clone()), far, activity)
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_that_come_are_a_sign_of_life() {
        let (mut near, mut far, activity) = pair();
        tokio::time::advance(LIMIT / 2).await;
        far.write_all(b"x").await.unwrap();
        near.read_u8().await.unwrap();
        tokio::time::advance(LIMIT * 3 / 4).await;
        assert!(!is_silent(&activity).await);
        tokio::time::advance(LIMIT / 2).await;
        assert!(is_silent(&activity).await);
    }

    #[tokio::test(start_paused = true)]
    async fn our_own_pings_are_no_sign_of_life_but_a_message_that_moves_is() {
        let (mut near, _far, activity) = pair();
        tokio::time::advance(LIMIT * 3 / 4).await;
        near.write_all(b"x").await.unwrap();
        tokio::time::advance(LIMIT / 2).await;
        assert!(is_silent(&activity).await);

        activity.set_writing(true);
        near.write_all(b"x").await.unwrap();
        assert!(!is_silent(&activity).await);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_does_not_count_while_the_receiver_holds_the_socket_back() {
        let (_near, _far, activity) = pair();
        activity.set_held(true);
        tokio::time::advance(LIMIT * 5).await;
        assert!(!is_silent(&activity).await);
        activity.set_held(false);
        assert!(!is_silent(&activity).await);
        tokio::time::advance(LIMIT * 2).await;
        assert!(is_silent(&activity).await);
    }
}
