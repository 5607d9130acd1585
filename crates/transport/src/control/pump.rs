//! The channel's one task: it moves messages, pings, and notices silence.

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::{self, Bytes, Message};

use super::activity::Activity;
use super::dial::Socket;
use super::{DEAD_AFTER, PING_INTERVAL, ReceiveError};

/// What the sender asks for.
#[derive(Debug)]
pub(super) enum Command {
    Message(Vec<u8>),
    Close,
}

/// The socket and the pump's ends of the two queues.
pub(super) struct Pump {
    pub(super) socket: Socket,
    pub(super) activity: Activity,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) messages: mpsc::Sender<Result<Vec<u8>, ReceiveError>>,
}

impl Pump {
    /// Runs until the connection ends or both halves are gone.
    pub(super) async fn run(self) {
        let (sink, stream) = self.socket.split();
        let ended = tokio::select! {
            ended = read(stream, &self.messages, &self.activity) => ended,
            error = write(sink, self.commands, &self.activity) => Err(error),
            () = self.activity.silent_for(DEAD_AFTER) => Err(ReceiveError::Silent),
        };
        if let Err(error) = ended {
            // With no receiver left there is nobody to tell.
            let _ = self.messages.send(Err(error)).await;
        }
    }
}

/// Delivers messages until the server closes the channel.
async fn read(
    mut stream: SplitStream<Socket>,
    messages: &mpsc::Sender<Result<Vec<u8>, ReceiveError>>,
    activity: &Activity,
) -> Result<(), ReceiveError> {
    loop {
        let message = match stream.next().await {
            Some(Ok(Message::Binary(bytes))) => Vec::from(bytes),
            // Pongs are the point of pinging; pings are answered by the WebSocket layer.
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Text(_) | Message::Frame(_))) => {
                return Err(ReceiveError::Protocol {
                    reason: "a text message".into(),
                });
            }
            Some(Ok(Message::Close(_))) => {
                // The next read sends the answer to the goodbye; what it reads is of no interest.
                let _ = stream.next().now_or_never();
                return Ok(());
            }
            None => return Ok(()),
            Some(Err(error)) => return receive_error(error),
        };
        let permit = match messages.try_reserve() {
            Ok(permit) => permit,
            Err(mpsc::error::TrySendError::Closed(())) => {
                // Nobody listens, but the sender may still have something to say.
                continue;
            }
            Err(mpsc::error::TrySendError::Full(())) => {
                activity.set_held(true);
                let permit = messages.reserve().await;
                activity.set_held(false);
                match permit {
                    Ok(permit) => permit,
                    Err(_) => continue,
                }
            }
        };
        permit.send(Ok(message));
    }
}

/// Sends what is asked for and pings in between; returns only when the connection is lost.
async fn write(
    mut sink: SplitSink<Socket, Message>,
    mut commands: mpsc::Receiver<Command>,
    activity: &Activity,
) -> ReceiveError {
    let mut ping = tokio::time::interval(PING_INTERVAL);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut open = true;
    loop {
        let message = tokio::select! {
            command = commands.recv(), if open => match command {
                Some(Command::Message(bytes)) => Message::Binary(bytes.into()),
                Some(Command::Close) => {
                    open = false;
                    Message::Close(None)
                }
                None => {
                    open = false;
                    continue;
                }
            },
            _ = ping.tick() => Message::Ping(Bytes::new()),
        };
        let is_ping = message.is_ping();
        activity.set_writing(!is_ping);
        let sent = sink.send(message).await;
        activity.set_writing(false);
        match sent {
            Ok(()) => {}
            // One side has said goodbye: the reading side sees the end.
            Err(
                tungstenite::Error::ConnectionClosed
                | tungstenite::Error::AlreadyClosed
                | tungstenite::Error::Protocol(ProtocolError::SendAfterClosing),
            ) => std::future::pending().await,
            Err(error) => return lost(error),
        }
    }
}

/// What a failed read says about the connection.
fn receive_error(error: tungstenite::Error) -> Result<(), ReceiveError> {
    match error {
        tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => Ok(()),
        tungstenite::Error::Capacity(_) => Err(ReceiveError::TooLarge),
        tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            Err(ReceiveError::Lost {
                reason: "closed without a goodbye".into(),
            })
        }
        tungstenite::Error::Protocol(error) => Err(ReceiveError::Protocol {
            reason: error.to_string(),
        }),
        error => Err(lost(error)),
    }
}

fn lost(error: tungstenite::Error) -> ReceiveError {
    let reason = match error {
        tungstenite::Error::Io(error) => error.kind().to_string(),
        error => error.to_string(),
    };
    ReceiveError::Lost { reason }
}
