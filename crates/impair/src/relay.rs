//! The tasks that read sockets, and write streams.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

use crate::direction::Direction;
use crate::engine::{Engine, NewConnection, NewPeer};

/// The largest datagram.
const DATAGRAM: usize = 65_536;
/// What a segment of TCP carries on an Ethernet.
const SEGMENT: usize = 1_448;
/// Bytes of one connection that may be under way, as the window of TCP has it.
const WINDOW: usize = 1 << 20;
/// A socket that fails is tried again after this.
const PAUSE: Duration = Duration::from_millis(50);

/// Reads what clients send; each client gets a task for the answers.
pub(crate) async fn datagrams(engine: Arc<Engine>, front: UdpSocket, idle: Duration) {
    let mut answers = JoinSet::new();
    let mut buffer = vec![0; DATAGRAM];
    loop {
        tokio::select! {
            read = front.recv_from(&mut buffer) => match read {
                Ok((length, client)) => match engine.take_from_client(client, &buffer[..length]) {
                    Ok(Some(peer)) => { answers.spawn(answer(engine.clone(), peer, idle)); }
                    Ok(None) => {}
                    Err(error) => eprintln!("impair: no socket for a new client: {error}"),
                },
                // Where an earlier answer could not be delivered, the next read says so.
                Err(_) => tokio::task::yield_now().await,
            },
            Some(_) = answers.join_next() => {}
        }
    }
}

async fn answer(engine: Arc<Engine>, mut peer: NewPeer, idle: Duration) {
    let mut buffer = vec![0; DATAGRAM];
    let mut socket: Option<UdpSocket> = None;
    let mut look = tokio::time::interval((idle / 4).max(Duration::from_millis(1)));
    loop {
        tokio::select! {
            biased;
            new = peer.sockets.recv() => match new.map(UdpSocket::from_std) {
                Some(Ok(new)) => socket = Some(new),
                Some(Err(error)) => eprintln!("impair: a new address is of no use: {error}"),
                None => return,
            },
            _ = look.tick() => if engine.forget_idle(peer.number, idle) { return },
            read = receive(socket.as_ref(), &mut buffer) => match read {
                Ok(length) => engine.take_from_server(peer.number, &buffer[..length]),
                // The server is down: a network says nothing of that.
                Err(_) => tokio::task::yield_now().await,
            },
        }
    }
}

async fn receive(socket: Option<&UdpSocket>, buffer: &mut [u8]) -> io::Result<usize> {
    match socket {
        Some(socket) => socket.recv(buffer).await,
        None => std::future::pending().await,
    }
}

/// Accepts connections and relays each in a task.
pub(crate) async fn connections(engine: Arc<Engine>, listener: TcpListener, upstream: SocketAddr) {
    let mut relays = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => { relays.spawn(connection(engine.clone(), client, upstream)); }
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
            Some(_) = relays.join_next() => {}
        }
    }
}

async fn connection(engine: Arc<Engine>, client: TcpStream, upstream: SocketAddr) {
    let opened = engine.open();
    let number = opened.number;
    // The system accepted at once; over a network the handshake takes a round trip.
    tokio::time::sleep(engine.round_trip()).await;
    if let Ok(server) = TcpStream::connect(upstream).await {
        relay(&engine, opened, client, server).await;
    }
    engine.close(number);
}

async fn relay(
    engine: &Engine,
    opened: NewConnection,
    mut client: TcpStream,
    mut server: TcpStream,
) {
    // Without, the system would add a delay of its own; a stream that has ended says so later.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let windows = [Semaphore::new(WINDOW), Semaphore::new(WINDOW)];
    let [up, down] = &windows;
    let is_whole = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let number = opened.number;
        let relayed = async {
            tokio::try_join!(
                read(engine, Direction::Up, number, from_client, up),
                read(engine, Direction::Down, number, from_server, down),
                write(opened.up, to_server, up),
                write(opened.down, to_client, down),
            )
        };
        tokio::select! {
            relayed = relayed => relayed.is_ok(),
            () = opened.cut.notified() => false,
        }
    };
    if !is_whole {
        // The other end sees a reset, not an end that looks as if everything had been sent.
        let _ = (client.set_zero_linger(), server.set_zero_linger());
    }
}

async fn read(
    engine: &Engine,
    way: Direction,
    number: u32,
    mut from: ReadHalf<'_>,
    window: &Semaphore,
) -> io::Result<()> {
    let mut buffer = [0; SEGMENT];
    loop {
        let length = from.read(&mut buffer).await?;
        if let Ok(permits) = window.acquire_many(length as u32).await {
            // The writer gives them back.
            permits.forget();
        }
        engine.piece(way, number, buffer[..length].to_vec()).await;
        if length == 0 {
            return Ok(());
        }
    }
}

async fn write(
    mut pieces: UnboundedReceiver<Vec<u8>>,
    mut to: WriteHalf<'_>,
    window: &Semaphore,
) -> io::Result<()> {
    while let Some(piece) = pieces.recv().await {
        if piece.is_empty() {
            return to.shutdown().await;
        }
        to.write_all(&piece).await?;
        window.add_permits(piece.len());
    }
    Ok(())
}
