//! A server process, and certificates that outlive it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::process::Process;
use crate::programs::program;

/// How long a server may take to listen or to end.
const PATIENCE: Duration = Duration::from_secs(15);

/// A running `conclave-server` on loopback.
pub struct Server {
    process: Process,
    port: u16,
    fingerprint: String,
}

/// How to start one.
#[derive(Default)]
pub struct ServerOptions<'a> {
    /// 0 for any free one.
    pub port: u16,
    /// Without: a self-signed certificate of its own, new at each start.
    pub certificate: Option<&'a Certificate>,
    /// A further host name.
    pub name: Option<&'a str>,
}

impl Server {
    /// Any free port and a new self-signed certificate.
    pub fn start() -> Self {
        Self::start_with(ServerOptions::default())
    }

    /// Starts it and waits until it says where it listens.
    pub fn start_with(options: ServerOptions<'_>) -> Self {
        let mut command = Command::new(program("conclave-server"));
        command
            .arg("--listen")
            .arg(format!("127.0.0.1:{}", options.port))
            // Whatever is said at any level must name nobody.
            .args(["--log", "trace", "--exit-with-stdin"]);
        if let Some(certificate) = options.certificate {
            command
                .arg("--cert")
                .arg(certificate.chain())
                .arg("--key")
                .arg(certificate.key());
        }
        if let Some(name) = options.name {
            command.arg("--name").arg(name);
        }
        let mut process = Process::start("the server", command);
        let deadline = Instant::now() + PATIENCE;
        let url = announced(&mut process, "url", deadline);
        let fingerprint = announced(&mut process, "fingerprint", deadline);
        let port = url
            .trim_end_matches('/')
            .rsplit(':')
            .next()
            .and_then(|port| port.parse().ok());
        let port = port.unwrap_or_else(|| panic!("the server's url has no port: {url}"));
        Self {
            process,
            port,
            fingerprint,
        }
    }

    /// The port, the same for TCP and UDP.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What `conclave host --server` takes: the address with the certificate's fingerprint.
    pub fn argument(&self) -> String {
        self.argument_through(self.port)
    }

    /// The same, through another port that leads here.
    pub fn argument_through(&self, port: u16) -> String {
        format!("https://127.0.0.1:{port}#{}", self.fingerprint)
    }

    /// Ends it without a word to anybody.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Asks it to end, and gives back the exit code and what it said on standard error.
    pub fn stop(mut self) -> (Option<i32>, String) {
        self.process.signal(Signal::TERM);
        let status = self.process.wait(PATIENCE);
        (status.code(), self.process.errors())
    }

    /// Closes its standard input, as the end of the app that started it does.
    pub fn orphan(mut self) -> Option<i32> {
        self.process.close_input();
        self.process.wait(PATIENCE).code()
    }
}

/// Reads on to the line `KEY VALUE`.
fn announced(process: &mut Process, key: &str, deadline: Instant) -> String {
    while let Some(line) = process.line(deadline, key) {
        if let Some(value) = line
            .strip_prefix(key)
            .and_then(|rest| rest.strip_prefix(' '))
        {
            return value.to_owned();
        }
    }
    panic!(
        "the server ended before it said its {key}: {}",
        process.errors()
    );
}

/// A certificate for loopback in files, as an administrator would have one.
pub struct Certificate {
    folder: TempDir,
}

impl Certificate {
    /// Makes a new one.
    pub fn make() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let certificate = Self { folder };
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ])
            .args(["-days", "10", "-subj", "/CN=localhost"])
            .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
            .arg("-keyout")
            .arg(certificate.key())
            .arg("-out")
            .arg(certificate.chain())
            .output()
            .expect("openssl runs");
        assert!(
            made.status.success(),
            "openssl: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        assert!(
            fs::metadata(certificate.key()).is_ok_and(|file| file.len() > 0),
            "openssl wrote no key"
        );
        certificate
    }

    /// The chain, PEM.
    pub fn chain(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// The private key, PEM.
    pub fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }
}
