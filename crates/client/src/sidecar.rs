//! A server of our own: the same program that an operator runs, as a process beside the client.
//!
//! It listens on the loopback by default, says on its standard output where, and ends when its
//! standard input does, so that no server outlives a client that crashed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use conclave_transport::Fingerprint;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

use crate::error::ClientError;
use crate::options::ServerAddress;

const PROGRAM: &str = "conclave-server";
/// How long the server may take to say where it listens.
const PATIENCE: Duration = Duration::from_secs(15);
/// How much of its complaints is passed on.
const MAX_COMPLAINT: u64 = 4096;

/// A running server; it ends when this is dropped.
pub struct Sidecar {
    address: ServerAddress,
    child: Child,
    /// Its end is the sign to stop.
    stdin: Option<ChildStdin>,
}

impl Sidecar {
    /// Starts a server on `listen`; port 0 takes a free one.
    ///
    /// # Errors
    /// [`ClientError::NoServerProgram`] or [`ClientError::ServerProgram`].
    pub async fn start(listen: SocketAddr) -> Result<Self, ClientError> {
        let path = program();
        let mut command = Command::new(&path);
        command
            .args(["--listen", &listen.to_string(), "--exit-with-stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => ClientError::NoServerProgram { path },
            kind => ClientError::ServerProgram {
                reason: kind.to_string(),
            },
        })?;
        let stdin = child.stdin.take();
        match tokio::time::timeout(PATIENCE, read_address(&mut child)).await {
            Ok(Some(address)) => {
                drain(&mut child);
                Ok(Self {
                    address,
                    child,
                    stdin,
                })
            }
            Ok(None) => Err(ClientError::ServerProgram {
                reason: complaint(&mut child).await,
            }),
            Err(_) => Err(ClientError::ServerProgram {
                reason: "it said nothing".into(),
            }),
        }
    }

    /// Where it listens and how it is recognised.
    pub fn address(&self) -> &ServerAddress {
        &self.address
    }

    /// Its process id, for measurements.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Asks it to end and waits, at most three seconds, before it is killed.
    pub async fn stop(mut self) {
        drop(self.stdin.take());
        let ended = tokio::time::timeout(Duration::from_secs(3), self.child.wait()).await;
        if ended.is_err() {
            tracing::warn!("the server program did not end by itself");
        }
    }
}

/// The server program lies beside our own.
fn program() -> PathBuf {
    let name = format!("{PROGRAM}{}", std::env::consts::EXE_SUFFIX);
    match std::env::current_exe() {
        Ok(own) => own.with_file_name(name),
        Err(_) => PathBuf::from(name),
    }
}

/// Reads `url …` and `fingerprint …`; `None` if the output ends before both have come.
async fn read_address(child: &mut Child) -> Option<ServerAddress> {
    let mut lines = BufReader::new(child.stdout.as_mut()?).lines();
    let (mut url, mut fingerprint) = (None, None);
    while url.is_none() || fingerprint.is_none() {
        let line = lines.next_line().await.ok()??;
        match line.split_once(' ') {
            Some(("url", value)) => url = value.parse::<ServerAddress>().ok(),
            Some(("fingerprint", value)) => fingerprint = value.parse::<Fingerprint>().ok(),
            _ => {}
        }
    }
    url.map(|address| ServerAddress {
        certificate: fingerprint,
        ..address
    })
}

/// A pipe that nobody reads would stop the server once it is full.
fn drain(child: &mut Child) {
    if let Some(mut out) = child.stdout.take() {
        tokio::spawn(async move { tokio::io::copy(&mut out, &mut tokio::io::sink()).await });
    }
    if let Some(mut err) = child.stderr.take() {
        tokio::spawn(async move { tokio::io::copy(&mut err, &mut tokio::io::sink()).await });
    }
}

async fn complaint(child: &mut Child) -> String {
    let mut text = String::new();
    if let Some(stderr) = child.stderr.take() {
        let reading = async { stderr.take(MAX_COMPLAINT).read_to_string(&mut text).await };
        let _ = tokio::time::timeout(Duration::from_secs(2), reading).await;
    }
    match text.trim() {
        "" => "it ended without a word".into(),
        text => text
            .lines()
            .last()
            .unwrap_or(text)
            .trim_end_matches('.')
            .to_owned(),
    }
}
