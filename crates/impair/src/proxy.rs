//! A network between clients and a server.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::thread::JoinHandle;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::direction::Direction;
use crate::engine::Engine;
use crate::plan::Plan;
use crate::relay;
use crate::settings::{Settings, SettingsError};
use crate::stats::Stats;

/// How many ports are tried for one that is free for both UDP and TCP.
const PORTS_TRIED: usize = 50;

/// A running network; it ends when this is dropped.
pub struct Proxy {
    engine: Arc<Engine>,
    address: SocketAddr,
    thread: Option<JoinHandle<()>>,
    _tasks: JoinSet<()>,
}

/// Why there is no network.
#[derive(Debug, Error)]
pub enum StartError {
    /// The plan makes no sense.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The address is not to be had.
    #[error(
        "cannot listen at {address} for UDP and TCP: {error}; choose another port, or 0 for any"
    )]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The computer gives no thread.
    #[error("cannot start a thread: {0}; end other programs")]
    Thread(io::Error),
}

impl Proxy {
    /// Listens at `listen` (port 0: any that is free for UDP and TCP) for clients of `upstream`.
    /// Must be called within a runtime of tokio with net and time, which reads the sockets.
    ///
    /// # Errors
    /// When the plan makes no sense or the computer does not let it.
    pub fn start(
        listen: SocketAddr,
        upstream: SocketAddr,
        plan: &Plan,
    ) -> Result<Self, StartError> {
        plan.check()?;
        let refuse = |error| StartError::Listen {
            address: listen,
            error,
        };
        let (listener, front) = bind(listen).map_err(refuse)?;
        let address = listener.local_addr().map_err(refuse)?;
        let sending = front.try_clone().map_err(refuse)?;
        let listener = TcpListener::from_std(listener).map_err(refuse)?;
        let front = tokio::net::UdpSocket::from_std(front).map_err(refuse)?;
        let engine = Arc::new(Engine::new(plan, sending, upstream));
        let thread = std::thread::Builder::new()
            .name("impair".to_owned())
            .spawn({
                let engine = engine.clone();
                move || engine.run()
            })
            .map_err(StartError::Thread)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(relay::datagrams(engine.clone(), front, plan.idle));
        tasks.spawn(relay::connections(engine.clone(), listener, upstream));
        Ok(Self {
            engine,
            address,
            thread: Some(thread),
            _tasks: tasks,
        })
    }

    /// Where it listens, for UDP and TCP.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The settings in force.
    pub fn settings(&self, direction: Direction) -> Settings {
        self.engine.settings(direction)
    }

    /// Changes the settings now; what the plan says of later still comes.
    ///
    /// # Errors
    /// When they make no sense.
    pub fn set(&self, direction: Direction, settings: Settings) -> Result<(), SettingsError> {
        settings.check()?;
        self.engine.set(direction, settings);
        Ok(())
    }

    /// Gives every client of datagrams a new address, as a new NAT binding would. From here on the
    /// server sees the new one alone; what it sends to the old one is lost.
    ///
    /// # Errors
    /// When the computer gives no socket.
    pub fn rebind(&self) -> io::Result<()> {
        self.engine.rebind()
    }

    /// Cuts all TCP connections; both ends see a reset.
    pub fn cut(&self) {
        self.engine.cut();
    }

    /// What happened so far.
    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }

    /// Ends it and says what happened.
    pub fn stop(self) -> Stats {
        self.engine.stop()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.engine.stop();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

fn bind(listen: SocketAddr) -> io::Result<(std::net::TcpListener, UdpSocket)> {
    let mut tried = 0;
    loop {
        let listener = std::net::TcpListener::bind(listen)?;
        match UdpSocket::bind(listener.local_addr()?) {
            Ok(socket) => {
                listener.set_nonblocking(true)?;
                socket.set_nonblocking(true)?;
                return Ok((listener, socket));
            }
            Err(_) if listen.port() == 0 && tried < PORTS_TRIED => tried += 1,
            Err(error) => return Err(error),
        }
    }
}
