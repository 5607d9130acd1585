//! The control channel's socket: a WebSocket on `/v1/control`, thin around a [`Session`].

use std::sync::Arc;

use axum::Router;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Extension, State};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use conclave_wire::ErrorCode;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite;

use crate::activity::Activity;
use crate::delivery::{DeliveryService, Log, Next, Session};
use crate::limits::{
    CONTROL_SILENCE, MAX_FRAME, PING_EVERY, READ_BUFFER, SEND_TIMEOUT, WRITE_BATCH,
};

/// Frames up to this size are read, so that one over the bound can still be answered; anything
/// longer ends the connection while its header is read.
const MAX_READ: usize = 2 * MAX_FRAME;

/// Time for the other side to read a goodbye before the connection is torn down.
const GOODBYE: std::time::Duration = std::time::Duration::from_secs(1);

/// RFC 6455 §7.4.1: the endpoint is going away.
const GOING_AWAY: u16 = 1001;
/// RFC 6455 §7.4.1: the purpose of the connection is fulfilled.
const NORMAL: u16 = 1000;

struct Control<L: Log> {
    service: Arc<DeliveryService<L>>,
    stop: watch::Receiver<bool>,
}

impl<L: Log> Clone for Control<L> {
    fn clone(&self) -> Self {
        Self {
            service: self.service.clone(),
            stop: self.stop.clone(),
        }
    }
}

/// The route of the control channel. Connections end when `stop` turns true. Each request must
/// carry its connection's [`Activity`] as an extension.
pub fn routes<L: Log>(service: Arc<DeliveryService<L>>, stop: watch::Receiver<bool>) -> Router {
    Router::new()
        .route("/v1/control", get(upgrade::<L>))
        .with_state(Control { service, stop })
}

async fn upgrade<L: Log>(
    State(control): State<Control<L>>,
    Extension(activity): Extension<Activity>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade
        .max_message_size(MAX_READ)
        .max_frame_size(MAX_READ)
        .read_buffer_size(READ_BUFFER)
        .on_upgrade(move |socket| serve(socket, control, activity))
}

async fn serve<L: Log>(socket: WebSocket, mut control: Control<L>, activity: Activity) {
    let mut session = Session::new(control.service);
    let (mut out, mut incoming) = socket.split();
    let code = pump(
        &mut session,
        &mut out,
        &mut incoming,
        &mut control.stop,
        &activity,
    )
    .await;
    session.close().await;
    if let Some(code) = code {
        say_goodbye(out, incoming, code).await;
    }
}

/// Carries frames both ways until one side ends it; returns the code to close with, or none when
/// the connection is dead.
async fn pump<L: Log>(
    session: &mut Session<L>,
    out: &mut SplitSink<WebSocket, Message>,
    incoming: &mut SplitStream<WebSocket>,
    stop: &mut watch::Receiver<bool>,
    activity: &Activity,
) -> Option<u16> {
    let mut ping = interval(PING_EVERY);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stranger_since = Instant::now();
    loop {
        tokio::select! {
            message = incoming.next(), if session.wants_input() => take(session, message?).await?,
            next = session.next() => match next {
                Next::Frame(frame) => send_ready(session, out, frame).await?,
                Next::Close => return Some(NORMAL),
            },
            _ = ping.tick() => {
                if activity.silence() > CONTROL_SILENCE {
                    return None;
                }
                if !session.is_stranger() {
                    stranger_since = Instant::now();
                } else if stranger_since.elapsed() > session.patience() {
                    return Some(NORMAL);
                }
                send(out, Message::Ping(Bytes::new())).await?;
            }
            () = stopped(stop) => {
                // What is in the log goes out first: the end of a meeting must not be lost with
                // the server that its host takes along.
                while let Some(Next::Frame(frame)) = session.next().now_or_never() {
                    send(out, Message::Binary(frame)).await?;
                }
                return Some(GOING_AWAY);
            }
        }
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that whoever could say stop is gone, which is the same.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Hands what came to the session; none when the connection is dead.
async fn take<L: Log>(
    session: &mut Session<L>,
    message: Result<Message, axum::Error>,
) -> Option<()> {
    match message {
        Ok(Message::Binary(frame)) => session.handle(&frame).await,
        Ok(Message::Text(_)) => session.fail(ErrorCode::Malformed),
        Ok(Message::Ping(_) | Message::Pong(_)) => {}
        Ok(Message::Close(_)) => return None,
        Err(error) => session.fail(over_size(error)?),
    }
    Some(())
}

/// What to answer to a frame that is far over the bound; any other error is the connection's end.
fn over_size(error: axum::Error) -> Option<ErrorCode> {
    let inner = error.into_inner();
    matches!(inner.downcast_ref(), Some(tungstenite::Error::Capacity(_)))
        .then_some(ErrorCode::TooLarge)
}

/// Sends a frame and those that are ready behind it: in a large meeting something always is, and a
/// write for each would be most of what the connection costs.
async fn send_ready<L: Log>(
    session: &mut Session<L>,
    out: &mut SplitSink<WebSocket, Message>,
    first: Bytes,
) -> Option<()> {
    in_time(out.feed(Message::Binary(first))).await?;
    for _ in 1..WRITE_BATCH {
        // A close that comes here comes again.
        let Some(Next::Frame(frame)) = session.next().now_or_never() else {
            break;
        };
        in_time(out.feed(Message::Binary(frame))).await?;
    }
    in_time(out.flush()).await
}

async fn send(out: &mut SplitSink<WebSocket, Message>, message: Message) -> Option<()> {
    in_time(out.send(message)).await
}

/// None when the connection is dead, or takes nothing any more.
async fn in_time(sending: impl Future<Output = Result<(), axum::Error>>) -> Option<()> {
    timeout(SEND_TIMEOUT, sending).await.ok()?.ok()
}

/// Closes in order. What the other side still sends is read and dropped: a socket closed with
/// unread bytes is reset, and the reset would overtake our last words.
async fn say_goodbye(
    mut out: SplitSink<WebSocket, Message>,
    mut incoming: SplitStream<WebSocket>,
    code: u16,
) {
    let frame = CloseFrame {
        code,
        reason: "".into(),
    };
    let _ = timeout(GOODBYE, async {
        out.send(Message::Close(Some(frame))).await.ok()?;
        while incoming.next().await.is_some_and(|message| message.is_ok()) {}
        Some(())
    })
    .await;
}
