//! An axum WebSocket in the types of the WebSocket library below it, which qmux speaks.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes};
use bytes::Bytes;
use futures_util::{Sink, Stream};
use qmux::ws::tungstenite;

/// Translates both ways. Unlike `sink_map_err` it bears a second error: a session whose write
/// failed closes the socket all the same, and that fails too.
pub struct Adapter<S>(S);

/// axum wraps the same WebSocket library that qmux speaks to, in types of its own.
pub fn adapt<S>(socket: S) -> Adapter<S> {
    Adapter(socket)
}

impl<S> Stream for Adapter<S>
where
    S: Stream<Item = Result<Message, axum::Error>> + Unpin,
{
    type Item = Result<tungstenite::Message, tungstenite::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = Pin::new(&mut self.0).poll_next(cx);
        next.map(|message| message.map(|message| message.map(incoming).map_err(closed)))
    }
}

impl<S> Sink<tungstenite::Message> for Adapter<S>
where
    S: Sink<Message, Error = axum::Error> + Unpin,
{
    type Error = tungstenite::Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Pin::new(&mut self.0).poll_ready(cx).map_err(closed)
    }

    fn start_send(
        mut self: Pin<&mut Self>,
        message: tungstenite::Message,
    ) -> Result<(), Self::Error> {
        let sent = Pin::new(&mut self.0).start_send(outgoing(message));
        sent.map_err(closed)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Pin::new(&mut self.0).poll_flush(cx).map_err(closed)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Pin::new(&mut self.0).poll_close(cx).map_err(closed)
    }
}

/// How the peer went away is nobody's business.
fn closed(_: axum::Error) -> tungstenite::Error {
    tungstenite::Error::ConnectionClosed
}

fn incoming(message: Message) -> tungstenite::Message {
    match message {
        Message::Binary(bytes) => tungstenite::Message::Binary(bytes),
        Message::Ping(bytes) => tungstenite::Message::Ping(bytes),
        Message::Pong(bytes) => tungstenite::Message::Pong(bytes),
        Message::Text(text) => tungstenite::Message::Text(text.as_str().into()),
        Message::Close(close) => {
            tungstenite::Message::Close(close.map(|close| tungstenite::protocol::CloseFrame {
                code: close.code.into(),
                reason: close.reason.as_str().into(),
            }))
        }
    }
}

fn outgoing(message: tungstenite::Message) -> Message {
    match message {
        tungstenite::Message::Binary(bytes) => Message::Binary(bytes),
        tungstenite::Message::Ping(bytes) => Message::Ping(bytes),
        tungstenite::Message::Pong(bytes) => Message::Pong(bytes),
        tungstenite::Message::Text(text) => Message::Text(text.as_str().into()),
        tungstenite::Message::Close(close) => Message::Close(close.map(|close| CloseFrame {
            code: close.code.into(),
            reason: Utf8Bytes::from(close.reason.as_str()),
        })),
        // Raw frames exist only below this interface.
        tungstenite::Message::Frame(_) => Message::Ping(Bytes::new()),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::SinkExt as _;

    use super::*;

    /// A socket whose peer is gone.
    struct Broken;

    fn error<T>() -> Poll<Result<T, axum::Error>> {
        Poll::Ready(Err(axum::Error::new(std::io::Error::other("gone"))))
    }

    impl Sink<Message> for Broken {
        type Error = axum::Error;

        fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            error()
        }

        fn start_send(self: Pin<&mut Self>, _: Message) -> Result<(), Self::Error> {
            Ok(())
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            error()
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            error()
        }
    }

    #[tokio::test]
    async fn a_socket_that_failed_can_fail_again() {
        let mut socket = adapt(Broken);
        let bytes = tungstenite::Message::Binary(Bytes::new());
        assert!(socket.send(bytes).await.is_err());
        assert!(socket.close().await.is_err());
    }
}
