//! The proxy between real sockets.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use conclave_impair::{Direction, Plan, PlanText, Proxy, StartError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::timeout;

const ANY: &str = "127.0.0.1:0";
/// For what must come.
const PATIENCE: Duration = Duration::from_secs(10);

fn any() -> SocketAddr {
    ANY.parse().expect("an address")
}

fn plan(both: &str) -> Plan {
    let text = PlanText {
        both: vec![both.to_owned()],
        seed: Some(7),
        ..PlanText::default()
    };
    text.read().expect("a plan")
}

async fn socket() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind(ANY).await.expect("a free port");
    let address = socket.local_addr().expect("bound");
    (socket, address)
}

async fn client_of(proxy: &Proxy) -> UdpSocket {
    let (client, _) = socket().await;
    client
        .connect(proxy.local_addr())
        .await
        .expect("loopback has a route");
    client
}

async fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 2048];
    let received = timeout(PATIENCE, socket.recv_from(&mut buffer)).await;
    let (length, from) = received.expect("in time").expect("a datagram");
    (buffer[..length].to_vec(), from)
}

#[tokio::test]
async fn datagrams_go_both_ways_and_clients_stay_apart() {
    let (server, address) = socket().await;
    let proxy = Proxy::start(any(), address, &plan("delay=1ms")).expect("starts");
    let (one, other) = (client_of(&proxy).await, client_of(&proxy).await);
    one.send(b"one").await.expect("sends");
    let (word, from_one) = receive(&server).await;
    assert_eq!(word, b"one");
    other.send(b"other").await.expect("sends");
    let (_, from_other) = receive(&server).await;
    assert_ne!(from_one, from_other, "the server tells them apart");
    server
        .send_to(b"to other", from_other)
        .await
        .expect("sends");
    server.send_to(b"to one", from_one).await.expect("sends");
    assert_eq!(receive(&one).await.0, b"to one");
    assert_eq!(receive(&other).await.0, b"to other");
    let stats = proxy.stop();
    assert_eq!(
        (stats.clients, stats.up.packets_out, stats.down.packets_out),
        (2, 2, 2)
    );
    assert_eq!(stats.up.bytes_in, 3 + 5 + 2 * 28);
}

#[tokio::test]
async fn nothing_arrives_before_its_time() {
    let (server, address) = socket().await;
    let proxy = Proxy::start(any(), address, &plan("delay=30ms")).expect("starts");
    let client = client_of(&proxy).await;
    let started = Instant::now();
    client.send(b"ping").await.expect("sends");
    let (_, from) = receive(&server).await;
    assert!(started.elapsed() >= Duration::from_millis(30));
    server.send_to(b"pong", from).await.expect("sends");
    receive(&client).await;
    assert!(started.elapsed() >= Duration::from_millis(60));
}

#[tokio::test]
async fn the_same_packets_are_lost_in_each_run() {
    let run = async || {
        let (server, address) = socket().await;
        let proxy = Proxy::start(any(), address, &plan("loss=30%")).expect("starts");
        let client = client_of(&proxy).await;
        for n in 0..100_u8 {
            client.send(&[n]).await.expect("sends");
        }
        while proxy.stats().up.packets_in < 100 {
            tokio::task::yield_now().await;
        }
        // Everything before this one has arrived when it has.
        proxy
            .set(Direction::Up, "".parse().expect("settings"))
            .expect("sense");
        client.send(b"end").await.expect("sends");
        let mut come = Vec::new();
        loop {
            match receive(&server).await.0.as_slice() {
                [n] => come.push(*n),
                _ => return come,
            }
        }
    };
    let first = timeout(PATIENCE, run()).await.expect("in time");
    let second = timeout(PATIENCE, run()).await.expect("in time");
    assert_eq!(first, second);
    assert!((50..90).contains(&first.len()), "{}", first.len());
}

#[tokio::test]
async fn a_client_moves_to_a_new_address_and_keeps_its_own() {
    let (server, address) = socket().await;
    let proxy = Proxy::start(any(), address, &plan("")).expect("starts");
    let client = client_of(&proxy).await;
    client.send(b"before").await.expect("sends");
    let (_, before) = receive(&server).await;
    proxy.rebind().expect("a socket");
    client.send(b"after").await.expect("sends");
    let (word, after) = receive(&server).await;
    assert_eq!(word, b"after");
    assert_ne!(before, after);
    server.send_to(b"found", after).await.expect("sends");
    assert_eq!(receive(&client).await.0, b"found");
    let stats = proxy.stop();
    assert_eq!((stats.clients, stats.rebinds), (1, 1));
}

#[tokio::test]
async fn a_plan_moves_clients_by_itself() {
    let (server, address) = socket().await;
    let plan = Plan {
        rebind_at: vec![Duration::from_millis(20)],
        ..plan("")
    };
    let proxy = Proxy::start(any(), address, &plan).expect("starts");
    let client = client_of(&proxy).await;
    client.send(b"1").await.expect("sends");
    let (_, first) = receive(&server).await;
    let moved = async {
        loop {
            client.send(b"2").await.expect("sends");
            if receive(&server).await.1 != first {
                return;
            }
        }
    };
    timeout(PATIENCE, moved).await.expect("moved");
}

#[tokio::test]
async fn a_silent_client_is_forgotten_and_comes_back_as_a_new_one() {
    let (server, address) = socket().await;
    let plan = Plan {
        idle: Duration::from_millis(20),
        ..plan("")
    };
    let proxy = Proxy::start(any(), address, &plan).expect("starts");
    let client = client_of(&proxy).await;
    client.send(b"1").await.expect("sends");
    let (_, first) = receive(&server).await;
    let forgotten = async {
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            client.send(b"2").await.expect("sends");
            if receive(&server).await.1 != first {
                return;
            }
        }
    };
    timeout(PATIENCE, forgotten).await.expect("forgotten");
    assert!(proxy.stats().clients >= 2);
}

async fn echo_server() -> SocketAddr {
    let listener = TcpListener::bind(ANY).await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                // A cut connection ends with an error.
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
                let _ = writer.shutdown().await;
            });
        }
    });
    address
}

#[tokio::test]
async fn a_stream_arrives_whole_through_loss_a_rate_and_an_end() {
    let address = echo_server().await;
    let bad = plan("loss=5%,delay=2ms,rate=20Mbit/s,queue=16KB");
    let proxy = Proxy::start(any(), address, &bad).expect("starts");
    let stream = TcpStream::connect(proxy.local_addr())
        .await
        .expect("listens");
    let sent: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    let (mut reader, mut writer) = stream.into_split();
    let all = sent.clone();
    tokio::spawn(async move {
        writer.write_all(&all).await.expect("the proxy reads");
        writer.shutdown().await.expect("an end");
    });
    let mut got = Vec::new();
    let read = timeout(PATIENCE * 3, reader.read_to_end(&mut got)).await;
    read.expect("in time").expect("whole");
    assert!(got == sent, "{} of {} bytes", got.len(), sent.len());
    let stats = proxy.stop();
    assert!(
        stats.up.retransmitted > 0 && stats.down.retransmitted > 0,
        "{stats:?}"
    );
    assert_eq!(stats.up.dropped.total(), 0);
    assert_eq!(stats.connections, 1);
}

async fn next_byte(stream: &mut TcpStream) -> u8 {
    let byte = timeout(PATIENCE, stream.read_u8()).await;
    byte.expect("in time").expect("a byte")
}

#[tokio::test]
async fn a_stream_stalls_in_an_outage_and_goes_on() {
    let address = echo_server().await;
    let proxy = Proxy::start(any(), address, &plan("")).expect("starts");
    let mut stream = TcpStream::connect(proxy.local_addr())
        .await
        .expect("listens");
    stream.write_all(b"a").await.expect("sends");
    assert_eq!(next_byte(&mut stream).await, b'a');
    proxy
        .set(Direction::Up, "outage=on".parse().expect("settings"))
        .expect("sense");
    stream.write_all(b"b").await.expect("sends");
    let silence = timeout(Duration::from_millis(100), stream.read_u8()).await;
    assert!(silence.is_err(), "nothing passes");
    proxy
        .set(Direction::Up, "".parse().expect("settings"))
        .expect("sense");
    assert_eq!(next_byte(&mut stream).await, b'b');
}

#[tokio::test]
async fn a_cut_connection_breaks_and_a_new_one_comes_through() {
    let address = echo_server().await;
    let proxy = Proxy::start(any(), address, &plan("")).expect("starts");
    for _ in 0..2 {
        let mut stream = TcpStream::connect(proxy.local_addr())
            .await
            .expect("listens");
        stream.write_all(b"a").await.expect("sends");
        assert_eq!(next_byte(&mut stream).await, b'a');
        proxy.cut();
        let end = timeout(PATIENCE, stream.read(&mut [0]))
            .await
            .expect("in time");
        assert!(end.is_err(), "a reset, no peaceful end: {end:?}");
    }
    assert_eq!(proxy.stop().connections, 2);
}

#[tokio::test]
async fn a_plan_that_makes_no_sense_is_refused() {
    let mut bad = Plan::default();
    bad.down.first.loss = 2.0;
    let refused = Proxy::start(any(), any(), &bad);
    assert!(matches!(refused, Err(StartError::Settings(_))));
    let taken = TcpListener::bind(ANY).await.expect("a free port");
    let address = taken.local_addr().expect("bound");
    let refused = Proxy::start(address, any(), &Plan::default())
        .err()
        .expect("refused");
    assert!(
        refused.to_string().contains(&address.to_string()),
        "{refused}"
    );
}
