//! The control connection, made again whenever it breaks.

use std::sync::Arc;
use std::time::Duration;

use conclave_transport::{ConnectError, ControlChannel, Proxies};
use conclave_wire::{ClientMessage, ServerMessage};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::options::ServerAddress;

/// Messages that wait in either direction.
const QUEUE: usize = 256;
/// Pauses between tries; the last one repeats.
const PAUSES_MS: [u64; 4] = [0, 100, 250, 500];

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
    /// Where the proxy is that leads there, if one does.
    proxy: Option<String>,
    /// Told when an order found no room.
    choked: Arc<Notify>,
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
    pub(crate) fn open(address: ServerAddress, proxies: Proxies) -> Self {
        let (commands, orders) = mpsc::channel(QUEUE);
        let (reports, events) = mpsc::channel(QUEUE);
        let server = address.endpoint.to_string();
        let proxy = proxies.proxy_for(&address.endpoint).ok().flatten();
        let proxy = proxy.map(ToString::to_string);
        let choked = Arc::new(Notify::new());
        let worker = Worker {
            address,
            proxies,
            orders,
            reports,
            choked: choked.clone(),
        };
        Self {
            server,
            proxy,
            choked,
            commands,
            events,
            task: tokio::spawn(worker.run()),
        }
    }

    /// Where those are with whom `error` has to do, as a sentence for a person.
    pub(crate) fn place(&self, error: &ConnectError) -> String {
        let server = &self.server;
        match (error, &self.proxy) {
            (ConnectError::Proxy(_), Some(proxy)) => {
                format!("The proxy is {proxy}, the server is {server}.")
            }
            _ => format!("The server is {server}."),
        }
    }

    /// Queues a message. It never waits: the driver that would wait here is the one that makes
    /// room on the other side. A connection that takes nothing more is given up, and the machine
    /// says again what counts once there is a new one.
    pub(crate) fn send(&self, message: &ClientMessage) {
        match message.encode() {
            Ok(bytes) => self.order(LinkCommand::Send(bytes)),
            Err(error) => tracing::error!(%error, "a message could not be encoded"),
        }
    }

    pub(crate) fn reconnect(&self) {
        self.order(LinkCommand::Reconnect);
    }

    fn order(&self, order: LinkCommand) {
        // A worker that is gone reports it by its events.
        if let Err(mpsc::error::TrySendError::Full(_)) = self.commands.try_send(order) {
            self.choked.notify_one();
        }
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
    proxies: Proxies,
    orders: mpsc::Receiver<LinkCommand>,
    reports: mpsc::Sender<LinkEvent>,
    choked: Arc<Notify>,
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
            match self.connect().await {
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

    async fn connect(&self) -> Result<ControlChannel, ConnectError> {
        let (server, trust) = (&self.address.endpoint, self.address.trust());
        ControlChannel::connect(server, &trust, &self.proxies).await
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
                () = self.choked.notified() => break End::Broken,
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
            Ok(message) => self
                .reports
                .send(LinkEvent::Message(Box::new(message)))
                .await
                .is_ok(),
            Err(error) => {
                tracing::warn!(%error, "the server sent what is no message");
                false
            }
        }
    }
}

/// Errors that another try does not mend.
fn is_final(error: &ConnectError) -> bool {
    match error {
        ConnectError::Proxy(error) => error.is_final(),
        ConnectError::CertificateMismatch { .. }
        | ConnectError::CertificateInvalid { .. }
        | ConnectError::InvalidEndpoint => true,
        _ => false,
    }
}
