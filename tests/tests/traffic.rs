//! What somebody on the wire can tell from the sizes of datagrams: under high secrecy not whether
//! a person speaks, is silent or is muted; under standard secrecy a muted microphone sends nothing.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use e2e::person::{Invitation, Person, meet};
use e2e::programs::sample;
use e2e::server::Server;

const HOST: &str = "Ana";
const GUEST: &str = "Ben";

/// How long each state of the microphone is watched.
const WINDOW: Duration = Duration::from_secs(5);
/// Sealed sound is longer than this, and whatever else somebody without a camera sends is shorter,
/// but for a batch of signatures five times a second.
const SOUND: usize = 150;
/// Packets of sound in [`WINDOW`].
const PACKETS: usize = 250;

#[test]
fn under_high_secrecy_the_wire_does_not_tell_who_speaks() {
    let mut meeting = Watched::begin("high");
    let speech = meeting.watch();
    // The changes are watched too: they must not show either.
    meeting.host.types("mute on");
    let muted = meeting.watch();
    meeting.host.types("mute off");
    let silence = meeting.watch();
    eprintln!("speech {speech:?}\nmuted {muted:?}\nsilence {silence:?}");
    assert!(speech.is_sound(), "{speech:?}");
    for other in [&muted, &silence] {
        assert_eq!(
            speech.usual_size(),
            other.usual_size(),
            "{speech:?} {other:?}"
        );
        assert!(
            is_near(speech.count(), other.count()),
            "{speech:?} {other:?}"
        );
        assert!(
            is_near(speech.bytes(), other.bytes()),
            "{speech:?} {other:?}"
        );
    }
    meeting.end();
}

#[test]
fn under_standard_secrecy_a_muted_microphone_sends_nothing() {
    let mut meeting = Watched::begin("standard");
    let speech = meeting.watch();
    assert!(speech.is_sound(), "{speech:?}");
    meeting.host.types("mute on");
    meeting.watch_until("nothing is sent", |seen| seen.count() == 0);
    meeting.host.types("mute off");
    meeting.watch_until("sound is sent again", Seen::is_sound);
    meeting.end();
}

/// A tenth more or less: threads of a busy machine are late, secrets are not that small.
fn is_near(one: usize, other: usize) -> bool {
    one.abs_diff(other) * 10 <= one
}

/// A meeting of two whose host is watched.
struct Watched {
    host: Person,
    guest: Person,
    scale: Scale,
    _server: Server,
}

impl Watched {
    fn begin(secrecy: &str) -> Self {
        let server = Server::start();
        let scale = Scale::before(server.port());
        let speech = format!("file:{}", sample("speech.flac").display());
        let seat = ["--camera", "off", "--speaker", "null", "--microphone"];
        let host = Invitation::host(HOST, &server.argument_through(scale.port));
        let host = host
            .with(seat)
            .with([&speech, "--commands", "--secrecy", secrecy]);
        let (host, mut guest, _) = meet(host, |link| {
            // Its sound would show in what the host acknowledges.
            Invitation::join(GUEST, link).with(seat).with(["off"])
        });
        // So many that the counter in each has its later length, and that the speech has begun.
        guest.receives(HOST, |host| host.audio.opened >= 400);
        Self {
            host,
            guest,
            scale,
            _server: server,
        }
    }

    fn watch(&self) -> Seen {
        self.scale.take();
        thread::sleep(WINDOW);
        Seen(self.scale.take())
    }

    fn watch_until(&self, what: &str, enough: impl Fn(&Seen) -> bool) {
        let windows: Vec<Seen> = (0..4)
            .map(|_| self.watch())
            .take_while(|seen| !enough(seen))
            .collect();
        assert!(windows.len() < 4, "never so that {what}: {windows:?}");
    }

    fn end(mut self) {
        self.guest.leave();
        self.host.leave();
    }
}

/// How many datagrams of which size the host sent, from [`SOUND`] on.
#[derive(Debug)]
struct Seen(BTreeMap<usize, usize>);

impl Seen {
    fn count(&self) -> usize {
        self.0.values().sum()
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|(size, count)| size * count).sum()
    }

    fn usual_size(&self) -> Option<usize> {
        let most = self.0.iter().max_by_key(|(_, count)| **count);
        most.map(|(size, _)| *size)
    }

    fn is_sound(&self) -> bool {
        self.count() >= PACKETS * 9 / 10
    }
}

/// Leads to a server, and notes the sizes of datagrams of whoever came first.
struct Scale {
    port: u16,
    sizes: Arc<Mutex<BTreeMap<usize, usize>>>,
}

impl Scale {
    fn before(server: u16) -> Self {
        let (listener, socket) = bind_both();
        let port = listener.local_addr().expect("bound").port();
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, server));
        let sizes = Arc::default();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(upstream) = TcpStream::connect(server) else {
                    continue;
                };
                join(client, upstream);
            }
        });
        let noted = Arc::clone(&sizes);
        thread::spawn(move || relay(&socket, server, &noted));
        Self { port, sizes }
    }

    fn take(&self) -> BTreeMap<usize, usize> {
        std::mem::take(&mut *self.sizes.lock().expect("no thread panics"))
    }
}

fn bind_both() -> (TcpListener, UdpSocket) {
    (0..50)
        .find_map(|_| {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
            let port = listener.local_addr().ok()?.port();
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
            Some((listener, socket))
        })
        .expect("a port that is free for both")
}

/// Copies both ways until either end closes.
fn join(client: TcpStream, server: TcpStream) {
    let twin = |stream: &TcpStream| stream.try_clone().expect("a stream can be cloned");
    for (mut from, mut to) in [(twin(&client), twin(&server)), (server, client)] {
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(std::net::Shutdown::Write);
        });
    }
}

fn relay(socket: &UdpSocket, server: SocketAddr, sizes: &Mutex<BTreeMap<usize, usize>>) {
    let mut upstreams: HashMap<SocketAddr, UdpSocket> = HashMap::new();
    let mut first = None;
    let mut buffer = vec![0; 65_536];
    while let Ok((read, client)) = socket.recv_from(&mut buffer) {
        if *first.get_or_insert(client) == client && read >= SOUND {
            let mut sizes = sizes.lock().expect("no thread panics");
            *sizes.entry(read).or_default() += 1;
        }
        let upstream = upstreams
            .entry(client)
            .or_insert_with(|| answer(socket, client, server));
        let _ = upstream.send(&buffer[..read]);
    }
}

/// A socket towards the server for one client, whose answers go back to it.
fn answer(socket: &UdpSocket, client: SocketAddr, server: SocketAddr) -> UdpSocket {
    let upstream = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    upstream.connect(server).expect("loopback has a route");
    let twin = |socket: &UdpSocket| socket.try_clone().expect("a socket can be cloned");
    let (down, answers) = (twin(socket), twin(&upstream));
    thread::spawn(move || {
        let mut buffer = vec![0; 65_536];
        while let Ok(read) = answers.recv(&mut buffer) {
            let _ = down.send_to(&buffer[..read], client);
        }
    });
    upstream
}
