//! The control channel: binary messages over WebSocket over TLS.
//!
//! ```text
//!   ControlSender ──[bounded]──▶ pump ──▶ wss://host:port/v1/control
//!   ControlReceiver ◀─[bounded]─ pump ◀──
//! ```
//!
//! One task, the pump, belongs to the channel: it pings every [`PING_INTERVAL`] whether or not
//! anybody sends or receives, and gives up when the server has been silent for [`DEAD_AFTER`].
//! It is aborted when both halves are dropped.

mod activity;
mod dial;
mod pump;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::task::OwnedTask;
use crate::{ConnectError, Endpoint, Proxies, Trust};
use pump::{Command, Pump};

/// Largest message in either direction, bytes.
pub const MAX_MESSAGE: usize = 4 * 1024 * 1024;
/// How often the channel pings the server.
pub const PING_INTERVAL: Duration = Duration::from_secs(1);
/// How long the server may be silent before the channel counts as dead.
pub const DEAD_AFTER: Duration = Duration::from_secs(3);
/// Time for TCP, a proxy, TLS and the WebSocket upgrade together.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Messages that wait to be sent before [`ControlSender::send`] waits.
pub const OUTGOING_QUEUE: usize = 64;
/// Received messages that wait to be taken before the socket is no longer read.
pub const INCOMING_QUEUE: usize = 64;
/// How long [`ControlChannel::close`] waits for the server's answer.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A connected control channel.
#[derive(Debug)]
pub struct ControlChannel {
    sender: ControlSender,
    receiver: ControlReceiver,
}

/// The sending half of a [`ControlChannel`].
#[derive(Debug)]
pub struct ControlSender {
    queue: mpsc::Sender<Command>,
    _pump: Arc<OwnedTask>,
}

/// The receiving half of a [`ControlChannel`].
#[derive(Debug)]
pub struct ControlReceiver {
    queue: mpsc::Receiver<Result<Vec<u8>, ReceiveError>>,
    _pump: Arc<OwnedTask>,
}

/// Why a message was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The caller: longer than [`MAX_MESSAGE`].
    #[error(
        "The message of {size} bytes is longer than the control channel carries. Send a shorter one."
    )]
    TooLarge {
        /// The message's size, bytes.
        size: usize,
    },
    /// The network or the server: the connection has ended; the receiver says why.
    #[error("The connection to the server has ended. Connect again.")]
    Closed,
}

/// Why the channel ended. Said once; afterwards the channel is closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiveError {
    /// The network or the server: nothing came for [`DEAD_AFTER`].
    #[error("The server has been silent for too long. Check the network and connect again.")]
    Silent,
    /// The network or the server: the connection broke.
    #[error("The connection to the server broke ({reason}). Connect again.")]
    Lost {
        /// What the system said.
        reason: String,
    },
    /// The server: a message longer than [`MAX_MESSAGE`].
    #[error(
        "The server sent a message that is too long. Check that client and server have the same version."
    )]
    TooLarge,
    /// The server: something that is no binary WebSocket message.
    #[error(
        "The server broke the control protocol ({reason}). Check that client and server have the same version."
    )]
    Protocol {
        /// What was wrong.
        reason: String,
    },
}

impl ControlChannel {
    /// Connects to `wss://host:port/v1/control`, through the proxy that leads there if one does.
    ///
    /// # Errors
    /// See [`ConnectError`]; a certificate other than the pinned one is
    /// [`ConnectError::CertificateMismatch`].
    pub async fn connect(
        endpoint: &Endpoint,
        trust: &Trust,
        proxies: &Proxies,
    ) -> Result<Self, ConnectError> {
        let dialing = dial::connect(endpoint, trust, proxies);
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, dialing).await;
        let (socket, activity) = connected.map_err(|_| ConnectError::Timeout)??;

        let (outgoing, commands) = mpsc::channel(OUTGOING_QUEUE);
        let (messages, incoming) = mpsc::channel(INCOMING_QUEUE);
        let pump = Pump {
            socket,
            activity,
            commands,
            messages,
        };
        let pump = Arc::new(OwnedTask::spawn(pump.run()));
        Ok(Self {
            sender: ControlSender {
                queue: outgoing,
                _pump: pump.clone(),
            },
            receiver: ControlReceiver {
                queue: incoming,
                _pump: pump,
            },
        })
    }

    /// See [`ControlSender::send`].
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn send(&mut self, message: Vec<u8>) -> Result<(), SendError> {
        self.sender.send(message).await
    }

    /// See [`ControlReceiver::recv`].
    ///
    /// # Errors
    /// See [`ReceiveError`].
    pub async fn recv(&mut self) -> Result<Option<Vec<u8>>, ReceiveError> {
        self.receiver.recv().await
    }

    /// Splits the channel, so that one task may send while another receives.
    pub fn split(self) -> (ControlSender, ControlReceiver) {
        (self.sender, self.receiver)
    }

    /// Sends what is queued, says goodbye and waits up to a second for the server to do so too.
    /// Messages that still come meanwhile are lost.
    pub async fn close(mut self) {
        if self.sender.queue.send(Command::Close).await.is_err() {
            return;
        }
        let drained = async { while let Ok(Some(_)) = self.receiver.recv().await {} };
        // A server that does not answer is left behind: the pump is aborted on drop.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, drained).await;
    }
}

impl ControlSender {
    /// Queues one message, waiting while [`OUTGOING_QUEUE`] messages wait already.
    ///
    /// Success means queued, not received. Cancelling the future queues nothing.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn send(&mut self, message: Vec<u8>) -> Result<(), SendError> {
        let size = message.len();
        if size > MAX_MESSAGE {
            return Err(SendError::TooLarge { size });
        }
        let queued = self.queue.send(Command::Message(message)).await;
        queued.map_err(|_| SendError::Closed)
    }
}

impl ControlReceiver {
    /// The next message, or `None` when the server closed the channel in order.
    ///
    /// Cancelling the future loses nothing. Messages that came before an error are delivered
    /// before it; after an error it returns `None`.
    ///
    /// # Errors
    /// See [`ReceiveError`].
    pub async fn recv(&mut self) -> Result<Option<Vec<u8>>, ReceiveError> {
        self.queue.recv().await.transpose()
    }
}
