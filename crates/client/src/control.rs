//! The control connection, made again whenever it breaks.

use std::time::Duration;

use conclave_transport::{ConnectError, ControlChannel};
use conclave_wire::{ClientMessage, ServerMessage};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::options::ServerAddress;

/// Messages that wait in either direction.
const QUEUE: usize = 64;
/// Pauses between tries; the last one repeats.
const PAUSES_MS: [u64; 5] = [0, 100, 250, 500, 1000];

/// What the connection reports.
pub(crate) enum LinkEvent {
    Up,
    Down,
    Message(Box<ServerMessage>),
    /// Could not be made, and trying again is of no use or was never wanted.
    Failed(ConnectError),
}

enum LinkCommand {
    Send(Vec<u8>),
    Reconnect,
    Close,
}

/// The connection; its task ends with it.
pub(crate) struct ControlLink {
    server: String,
    commands: mpsc::Sender<LinkCommand>,
    events: mpsc::Receiver<LinkEvent>,
    task: JoinHandle<()>,
}

impl Drop for ControlLink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ControlLink {
    pub(crate) fn open(address: ServerAddress) -> Self {
        let (commands, orders) = mpsc::channel(QUEUE);
        let (reports, events) = mpsc::channel(QUEUE);
        let server = address.endpoint.to_string();
        let task = tokio::spawn(Worker { address, orders, reports }.run());
        Self { server, commands, events, task }
    }

    /// Where the server is, for a person to read.
    pub(crate) fn server(&self) -> String {
        self.server.clone()
    }

    pub(crate) async fn send(&self, message: &ClientMessage) {
        match message.encode() {
            // A worker that is gone reports it by its events.
            Ok(bytes) => drop(self.commands.send(LinkCommand::Send(bytes)).await),
            Err(error) => tracing::error!(%error, "a message could not be encoded"),
        }
    }

    pub(crate) async fn reconnect(&self) {
        let _ = self.commands.send(LinkCommand::Reconnect).await;
    }

    /// The next event; `None` once the link is closed.
    pub(crate) async fn next(&mut self) -> Option<LinkEvent> {
        self.events.recv().await
    }

    /// Sends what is queued and says goodbye, within two seconds.
    pub(crate) async fn close(mut self) {
        let _ = self.commands.send(LinkCommand::Close).await;
        let drained = async { while self.events.recv().await.is_some() {} };
        let _ = tokio::time::timeout(Duration::from_secs(2), drained).await;
    }
}

struct Worker {
    address: ServerAddress,
    orders: mpsc::Receiver<LinkCommand>,
    reports: mpsc::Sender<LinkEvent>,
}

/// Why a connection ended.
enum End {
    Broken,
    Closed,
}

impl Worker {
    async fn run(mut self) {
        let mut tries = 0;
        let mut was_up = false;
        loop {
            let pause = PAUSES_MS[tries.min(PAUSES_MS.len() - 1)];
            sleep(Duration::from_millis(pause)).await;
            tries += 1;
            match ControlChannel::connect(&self.address.endpoint, &self.address.trust()).await {
                Ok(channel) => {
                    tries = 1;
                    was_up = true;
                    if matches!(self.serve(channel).await, End::Closed) {
                        return;
                    }
                }
                Err(error) if is_final(&error) || !was_up => {
                    let _ = self.reports.send(LinkEvent::Failed(error)).await;
                    return;
                }
                Err(error) => tracing::debug!(%error, "the control connection could not be made"),
            }
            // Orders of a time without a connection are void: the machine says again what counts.
            while let Ok(order) = self.orders.try_recv() {
                if matches!(order, LinkCommand::Close) {
                    return;
                }
            }
        }
    }

    async fn serve(&mut self, mut channel: ControlChannel) -> End {
        if self.reports.send(LinkEvent::Up).await.is_err() {
            return End::Closed;
        }
        let end = loop {
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(LinkCommand::Send(bytes)) => {
                        if channel.send(bytes).await.is_err() {
                            break End::Broken;
                        }
                    }
                    Some(LinkCommand::Reconnect) => break End::Broken,
                    Some(LinkCommand::Close) | None => {
                        channel.close().await;
                        return End::Closed;
                    }
                },
                message = channel.recv() => match message {
                    Ok(Some(bytes)) => {
                        if !self.deliver(&bytes).await {
                            break End::Broken;
                        }
                    }
                    Ok(None) => break End::Broken,
                    Err(error) => {
                        tracing::debug!(%error, "the control connection broke");
                        break End::Broken;
                    }
                },
            }
        };
        match self.reports.send(LinkEvent::Down).await {
            Ok(()) => end,
            Err(_) => End::Closed,
        }
    }

    /// Whether the connection is fit to go on.
    async fn deliver(&self, bytes: &[u8]) -> bool {
        match ServerMessage::decode(bytes) {
            Ok(message) => self.reports.send(LinkEvent::Message(Box::new(message))).await.is_ok(),
            Err(error) => {
                tracing::warn!(%error, "the server sent what is no message");
                false
            }
        }
    }
}

/// Errors that another try does not mend.
fn is_final(error: &ConnectError) -> bool {
    matches!(
        error,
        ConnectError::CertificateMismatch { .. }
            | ConnectError::CertificateInvalid { .. }
            | ConnectError::InvalidEndpoint
    )
}
