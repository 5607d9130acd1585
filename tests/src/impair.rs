//! A bad network between people and their server: the program `impair`, told by orders.

use std::process::Command;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::process::Process;
use crate::programs::program;

/// How long it may take to listen or to answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// A running network in front of a server. It ends with this.
pub struct Network {
    process: Process,
    port: u16,
}

/// What became of the packets, as far as tests ask.
#[derive(Debug, Clone, Deserialize)]
pub struct Stats {
    /// From the people to the server.
    pub up: LinkStats,
    /// From the server to the people.
    pub down: LinkStats,
    /// New addresses that people were given.
    pub rebinds: u32,
}

/// One direction.
#[derive(Debug, Clone, Deserialize)]
pub struct LinkStats {
    /// Delivered.
    pub packets_out: u64,
    /// Dropped, by cause.
    pub dropped: Dropped,
}

/// Dropped packets by cause.
#[derive(Debug, Clone, Deserialize)]
pub struct Dropped {
    /// By chance.
    pub loss: u64,
    /// In a burst.
    pub burst: u64,
    /// Because UDP does not pass.
    pub blocked: u64,
}

impl Network {
    /// Puts a network before the server at `port` of the loopback; `settings` hold in both
    /// directions, such as `delay=25ms,loss=10%`, from a fixed seed.
    pub fn before(port: u16, settings: &str) -> Self {
        let mut command = Command::new(program("impair"));
        command.args(["--to", &format!("127.0.0.1:{port}")]);
        command.args(["--both", settings, "--seed", "4", "--exit-with-stdin"]);
        let mut process = Process::start("the network", command);
        let line = process.line(Instant::now() + PATIENCE, "address");
        let line = line.unwrap_or_else(|| panic!("no network: {}", process.errors()));
        let port = line
            .strip_prefix("listen ")
            .and_then(|address| address.rsplit(':').next())
            .and_then(|port| port.parse().ok());
        let port = port.unwrap_or_else(|| panic!("the network listens nowhere: {line}"));
        Self { process, port }
    }

    /// Where people come in, for TCP and UDP.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes both directions from now on.
    pub fn becomes(&mut self, settings: &str) {
        let answer = self.order(&format!("both {settings}"));
        assert_eq!(answer, "ok", "{settings}: {}", self.process.errors());
    }

    /// Gives everybody's datagrams a new address, as a change of the network does.
    pub fn rebind(&mut self) {
        assert_eq!(self.order("rebind"), "ok", "{}", self.process.errors());
    }

    /// What happened so far.
    pub fn stats(&mut self) -> Stats {
        let answer = self.order("stats");
        serde_json::from_str(&answer).unwrap_or_else(|e| panic!("no statistics ({e}): {answer}"))
    }

    fn order(&mut self, order: &str) -> String {
        self.process.type_line(order);
        let answer = self.process.line(Instant::now() + PATIENCE, "answer");
        answer.unwrap_or_else(|| panic!("the network ended: {}", self.process.errors()))
    }
}
