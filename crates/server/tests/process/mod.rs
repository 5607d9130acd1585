//! The real server as a process, and clients that pin its certificate.
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use conclave_wire::{ClientMessage, ServerMessage};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

pub const FAR: Duration = Duration::from_secs(10);

/// A running server. Dropping it kills the process.
pub struct Server {
    child: Child,
    log: Option<std::thread::JoinHandle<String>>,
    pub url: String,
    pub address: SocketAddr,
    pub fingerprint: String,
    pub dir: tempfile::TempDir,
}

impl Server {
    pub fn start() -> Self {
        Self::start_with(&["--listen", "127.0.0.1:0"])
    }

    pub fn start_with(arguments: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let temporary = dir.path().join("tmp");
        std::fs::create_dir(&temporary).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_conclave-server"))
            .args(["--exit-with-stdin", "--log", "trace"])
            .args(arguments)
            .current_dir(dir.path())
            .env("TMPDIR", &temporary)
            .env("HOME", dir.path())
            // What libraries would say if the server let them.
            .env("RUST_LOG", "trace")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut value = |word: &str| {
            let line = lines.next().expect("the server ended").unwrap();
            line.strip_prefix(word)
                .unwrap_or_else(|| panic!("{word}? {line}"))
                .trim()
                .to_owned()
        };
        let (url, fingerprint) = (value("url "), value("fingerprint "));
        let mut stderr = child.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        });
        let port = url.rsplit_once(':').unwrap().1.parse().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Self {
            child,
            log: Some(log),
            url,
            address,
            fingerprint,
            dir,
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends standard input, waits, and returns status and log.
    pub fn stop(mut self) -> (ExitStatus, String) {
        drop(self.child.stdin.take());
        self.wait()
    }

    pub fn signal(mut self, name: &str) -> (ExitStatus, String) {
        let sent = Command::new("kill")
            .args([format!("-{name}"), self.pid().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
        self.wait()
    }

    fn wait(&mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + FAR;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, self.log.take().unwrap().join().unwrap());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the server does not stop");
    }

    pub fn fingerprint_hex(&self) -> String {
        hex::encode(URL_SAFE_NO_PAD.decode(&self.fingerprint).unwrap())
    }

    /// TLS that accepts exactly the announced certificate.
    pub fn pinned_tls(&self) -> Arc<rustls::ClientConfig> {
        pinned(&self.fingerprint_hex())
    }

    /// A TLS stream to the TCP side.
    pub async fn tls(&self) -> TlsStream<TcpStream> {
        self.try_tls(self.pinned_tls()).await.unwrap()
    }

    pub async fn try_tls(
        &self,
        config: Arc<rustls::ClientConfig>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        let name = "localhost".try_into().unwrap();
        tokio_rustls::TlsConnector::from(config)
            .connect(name, stream)
            .await
    }

    /// The whole answer to a request for a page.
    pub async fn get(&self, path: &str) -> String {
        let mut stream = self.tls().await;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        tokio::time::timeout(FAR, stream.read_to_string(&mut response))
            .await
            .unwrap()
            .unwrap();
        response
    }

    pub async fn control(&self) -> Control {
        let url = format!("wss://localhost:{}/v1/control", self.address.port());
        let (socket, _) = tokio_tungstenite::client_async(url, self.tls().await)
            .await
            .unwrap();
        Control { socket }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn pinned(fingerprint_hex: &str) -> Arc<rustls::ClientConfig> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut tls = moq_tokio::tls::Connect::default();
    tls.fingerprint = vec![fingerprint_hex.to_owned()];
    let mut config = tls.build().unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

/// A control channel.
pub struct Control {
    pub socket: WebSocketStream<TlsStream<TcpStream>>,
}

impl Control {
    pub async fn send(&mut self, message: ClientMessage) {
        self.send_raw(Message::Binary(message.encode().unwrap().into()))
            .await;
    }

    pub async fn send_raw(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// The next message that is no presence; none when the server has closed.
    pub async fn next(&mut self) -> Option<ServerMessage> {
        loop {
            let message = tokio::time::timeout(FAR, self.socket.next())
                .await
                .expect("the server says nothing");
            match message? {
                Ok(Message::Binary(frame)) => match ServerMessage::decode(&frame).unwrap() {
                    ServerMessage::Presence { .. } => {}
                    message => return Some(message),
                },
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(other) => panic!("{other:?}"),
            }
        }
    }

    pub async fn expect(&mut self) -> ServerMessage {
        self.next().await.expect("the server closed the connection")
    }
}
