//! An HTTP proxy that opens tunnels (`CONNECT`) and remembers what it was asked and what went
//! through, or one that misbehaves.
//!
//! It leads where the test says, whatever the name is: a server can then be where nothing else finds
//! it. The tests of the transport read this file too, so it knows nothing of the other instruments.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How often a waiting thread looks whether the test has ended.
const TICK: Duration = Duration::from_millis(100);
/// The longest head of a request.
const MAX_HEAD: usize = 16 * 1024;

/// How the proxy behaves.
#[derive(Clone)]
pub enum Conduct {
    /// Opens tunnels for everybody.
    Open,
    /// Opens tunnels for who shows this in `Proxy-Authorization`, and answers 407 to others.
    Guarded(&'static str),
    /// Answers this to everybody and hangs up.
    Says(&'static str),
    /// Begins with this, and goes on for ever with that.
    Babbles {
        /// First.
        start: &'static str,
        /// Then, again and again.
        again: &'static str,
        /// Before each time.
        pause: Duration,
    },
}

/// What went through one tunnel.
#[derive(Clone, Default)]
pub struct Tunnel {
    /// To the server.
    pub up: Vec<u8>,
    /// From the server.
    pub down: Vec<u8>,
}

#[derive(Default)]
struct Seen {
    requests: Vec<String>,
    tunnels: Vec<Tunnel>,
}

struct Shared {
    conduct: Conduct,
    ways: Vec<(String, u16)>,
    seen: Mutex<Seen>,
    ended: AtomicBool,
}

/// A running proxy on loopback. It ends with this.
pub struct ConnectProxy {
    port: u16,
    shared: Arc<Shared>,
}

impl ConnectProxy {
    /// `ways` are the hosts with ports that may be asked for, and the ports of the loopback behind
    /// them.
    pub fn start(conduct: Conduct, ways: &[(&str, u16)]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let ways = ways.iter().map(|(name, port)| ((*name).to_owned(), *port));
        let shared = Arc::new(Shared {
            conduct,
            ways: ways.collect(),
            seen: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        let all = shared.clone();
        thread::spawn(move || all.accept(&listener));
        Self { port, shared }
    }

    /// Host and port.
    pub fn place(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The heads of all requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.shared.seen().requests.clone()
    }

    /// What went through each tunnel so far.
    pub fn tunnels(&self) -> Vec<Tunnel> {
        self.shared.seen().tunnels.clone()
    }
}

impl Drop for ConnectProxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().expect("no thread panics")
    }

    fn goes_on(&self) -> bool {
        !self.ended.load(Ordering::Relaxed)
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        listener.set_nonblocking(true).expect("a listener can wait");
        while self.goes_on() {
            let Ok((client, _)) = listener.accept() else {
                thread::sleep(TICK / 10);
                continue;
            };
            client.set_nonblocking(false).expect("a stream can block");
            let shared = self.clone();
            // Either side may go at any time.
            thread::spawn(move || shared.serve(client).ok());
        }
    }

    fn serve(self: &Arc<Self>, mut client: TcpStream) -> std::io::Result<()> {
        client.set_nodelay(true)?;
        let request = head(&mut client)?;
        self.seen().requests.push(request.clone());
        match &self.conduct {
            Conduct::Open => self.open(client, &request),
            Conduct::Guarded(credentials) => {
                let shown = format!("\r\nProxy-Authorization: Basic {credentials}\r\n");
                match request.contains(&shown) {
                    true => self.open(client, &request),
                    false => client.write_all(
                        b"HTTP/1.1 407 Proxy Authentication Required\r\n\
                          Proxy-Authenticate: Basic realm=\"out\"\r\ncontent-length: 0\r\n\r\n",
                    ),
                }
            }
            Conduct::Says(answer) => client.write_all(answer.as_bytes()),
            Conduct::Babbles {
                start,
                again,
                pause,
            } => {
                client.write_all(start.as_bytes())?;
                while self.goes_on() {
                    thread::sleep(*pause);
                    client.write_all(again.as_bytes())?;
                }
                Ok(())
            }
        }
    }

    fn open(self: &Arc<Self>, mut client: TcpStream, request: &str) -> std::io::Result<()> {
        let asked = request.split(' ').nth(1).unwrap_or_default();
        let way = self.ways.iter().find(|(name, _)| name == asked);
        let server = way.map(|(_, port)| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)));
        let Some(Ok(server)) = server else {
            return client.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n");
        };
        server.set_nodelay(true)?;
        let tunnel = {
            let mut seen = self.seen();
            seen.tunnels.push(Tunnel::default());
            seen.tunnels.len() - 1
        };
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
        let (back, up) = (client.try_clone()?, server.try_clone()?);
        let shared = self.clone();
        thread::spawn(move || shared.copy(server, back, |seen| &mut seen.tunnels[tunnel].down));
        self.copy(client, up, |seen| &mut seen.tunnels[tunnel].up);
        Ok(())
    }

    fn copy(
        &self,
        mut from: TcpStream,
        mut to: TcpStream,
        tape: impl Fn(&mut Seen) -> &mut Vec<u8>,
    ) {
        let mut buffer = vec![0; 65_536];
        from.set_read_timeout(Some(TICK)).expect("not zero");
        while self.goes_on() {
            let read = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    continue;
                }
                Err(_) => break,
            };
            tape(&mut self.seen()).extend_from_slice(&buffer[..read]);
            if to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    }
}

/// Everything up to and with the empty line.
fn head(from: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && head.len() < MAX_HEAD {
        from.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}
