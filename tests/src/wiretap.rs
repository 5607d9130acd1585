//! A tap on the wire: one port for TCP and UDP that leads to the server's and keeps a copy of
//! every byte of both directions. Certificates are pinned, not addresses, so clients that come
//! through it notice nothing.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How often a waiting thread looks whether the test has ended.
const TICK: Duration = Duration::from_millis(100);
/// The largest UDP datagram.
const DATAGRAM: usize = 65_536;

/// What went over the wire, in the order in which it was read.
#[derive(Default)]
struct Tape {
    tcp: Vec<u8>,
    udp: Vec<u8>,
}

type Shared = Arc<(Mutex<Tape>, AtomicBool)>;

/// A running tap.
pub struct Wiretap {
    port: u16,
    shared: Shared,
}

impl Wiretap {
    /// Taps the server at `port` of the loopback.
    pub fn on(server: u16) -> Self {
        let (listener, socket) = bind_both();
        let port = listener.local_addr().expect("bound").port();
        let shared = Shared::default();
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, server));
        let tape = shared.clone();
        thread::spawn(move || accept(&listener, server, &tape));
        let tape = shared.clone();
        thread::spawn(move || relay_datagrams(&socket, server, &tape));
        Self { port, shared }
    }

    /// The tap's own port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Every byte so far: TCP, then UDP.
    pub fn tape(&self) -> (Vec<u8>, Vec<u8>) {
        let tape = self.shared.0.lock().expect("no thread panics");
        (tape.tcp.clone(), tape.udp.clone())
    }
}

impl Drop for Wiretap {
    fn drop(&mut self) {
        self.shared.1.store(true, Ordering::Relaxed);
    }
}

/// One free port number for both protocols.
fn bind_both() -> (TcpListener, UdpSocket) {
    for _ in 0..50 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        if let Ok(socket) = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)) {
            return (listener, socket);
        }
    }
    panic!("no port is free for both TCP and UDP");
}

fn ended(shared: &Shared) -> bool {
    shared.1.load(Ordering::Relaxed)
}

fn accept(listener: &TcpListener, server: SocketAddr, shared: &Shared) {
    listener.set_nonblocking(true).expect("a listener can wait");
    while !ended(shared) {
        let Ok((client, _)) = listener.accept() else {
            thread::sleep(TICK / 10);
            continue;
        };
        client.set_nonblocking(false).expect("a stream can block");
        // A server that is down refuses: so does the tap, by closing.
        let Ok(upstream) = TcpStream::connect(server) else {
            continue;
        };
        let (Ok(back), Ok(up)) = (client.try_clone(), upstream.try_clone()) else {
            continue;
        };
        let tape = shared.clone();
        thread::spawn(move || copy(client, up, &tape));
        let tape = shared.clone();
        thread::spawn(move || copy(upstream, back, &tape));
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, shared: &Shared) {
    let mut buffer = vec![0; DATAGRAM];
    from.set_read_timeout(Some(TICK)).expect("not zero");
    while !ended(shared) {
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(e)
                if matches!(
                    e.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ) =>
            {
                continue;
            }
            Err(_) => break,
        };
        shared
            .0
            .lock()
            .expect("no thread panics")
            .tcp
            .extend_from_slice(&buffer[..read]);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    if ended(shared) {
        let _ = from.shutdown(Shutdown::Both);
    }
}

/// Each client gets a socket of its own towards the server, which tells them apart by it.
fn relay_datagrams(socket: &UdpSocket, server: SocketAddr, shared: &Shared) {
    let mut clients: HashMap<SocketAddr, UdpSocket> = HashMap::new();
    let mut buffer = vec![0; DATAGRAM];
    socket.set_read_timeout(Some(TICK)).expect("not zero");
    while !ended(shared) {
        let Ok((read, client)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        shared
            .0
            .lock()
            .expect("no thread panics")
            .udp
            .extend_from_slice(&buffer[..read]);
        let upstream = clients
            .entry(client)
            .or_insert_with(|| new_client(socket, client, server, shared));
        // A server that is down loses datagrams, as a network does.
        let _ = upstream.send(&buffer[..read]);
    }
}

fn new_client(
    socket: &UdpSocket,
    client: SocketAddr,
    server: SocketAddr,
    shared: &Shared,
) -> UdpSocket {
    let upstream = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    upstream.connect(server).expect("loopback has a route");
    upstream.set_read_timeout(Some(TICK)).expect("not zero");
    let (downstream, answers, shared) = (
        socket.try_clone().expect("a socket can be cloned"),
        upstream.try_clone().expect("a socket can be cloned"),
        shared.clone(),
    );
    thread::spawn(move || {
        let mut buffer = vec![0; DATAGRAM];
        while !ended(&shared) {
            let Ok(read) = answers.recv(&mut buffer) else {
                continue;
            };
            shared
                .0
                .lock()
                .expect("no thread panics")
                .udp
                .extend_from_slice(&buffer[..read]);
            let _ = downstream.send_to(&buffer[..read], client);
        }
    });
    upstream
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_passes_and_keeps_both_directions_of_both_protocols() {
        let (listener, socket) = bind_both();
        let port = listener.local_addr().expect("bound").port();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client comes");
            let mut word = [0; 4];
            stream.read_exact(&mut word).expect("four bytes");
            stream.write_all(b"tock").expect("the client reads");
        });
        thread::spawn(move || {
            let mut word = [0; 4];
            let (_, client) = socket.recv_from(&mut word).expect("a datagram comes");
            socket.send_to(b"pong", client).expect("loopback sends");
        });

        let tap = Wiretap::on(port);
        let mut answer = [0; 4];
        let mut stream = TcpStream::connect(("127.0.0.1", tap.port())).expect("the tap listens");
        stream.write_all(b"tick").expect("the tap reads");
        stream.read_exact(&mut answer).expect("an answer");
        assert_eq!(&answer, b"tock");
        let client = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        client
            .set_read_timeout(Some(Duration::from_secs(5)))
            .expect("not zero");
        client
            .send_to(b"ping", ("127.0.0.1", tap.port()))
            .expect("loopback sends");
        client.recv(&mut answer).expect("an answer");
        assert_eq!(&answer, b"pong");

        let (tcp, udp) = tap.tape();
        assert_eq!(
            (tcp.as_slice(), udp.as_slice()),
            (b"ticktock".as_slice(), b"pingpong".as_slice())
        );
    }
}
