//! Two QUIC endpoints without sockets, and a path between them that only takes time.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use moq_noq_proto::congestion::ControllerFactory;
use moq_noq_proto::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use moq_noq_proto::{
    ClientConfig, Connection, ConnectionHandle, DatagramEvent, Endpoint, EndpointConfig, FourTuple,
    ServerConfig, TransportConfig,
};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore as _, SeedableRng as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

const NAME: &str = "localhost";
const SPEAKER: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 1);
const LISTENER: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 2), 2);

/// Each packet takes up to so much longer, as on any real path; they stay in order.
const NOISE_US: u64 = 1500;

/// 50 packets of sound a second, and 30 pictures of three packets.
const SOUND_EVERY: Duration = Duration::from_millis(20);
const SOUND_BYTES: usize = 160;
const PICTURE_EVERY: Duration = Duration::from_micros(33_333);
const PICTURE_BYTES: [usize; 3] = [1100, 1100, 900];

/// A packet of sound; both since the talk began.
pub struct Sound {
    pub said: Duration,
    pub heard: Duration,
}

pub struct Path {
    speaker: Side,
    listener: Side,
    one_way: Duration,
    noise: Xoshiro256PlusPlus,
    now: Instant,
}

struct Side {
    address: SocketAddr,
    endpoint: Endpoint,
    connection: Option<(ConnectionHandle, Connection)>,
    /// What is on its way here, in order of arrival.
    coming: VecDeque<(Instant, Vec<u8>)>,
}

impl Path {
    /// A connection between a speaker, whose controllers these are, and a listener.
    pub fn new(controller: Arc<dyn ControllerFactory + Send + Sync>, one_way: Duration) -> Self {
        let (client, server) = configs(controller);
        let now = Instant::now();
        let mut speaker = Side::new(SPEAKER, None);
        let listener = Side::new(LISTENER, Some(Arc::new(server)));
        let begun = speaker
            .endpoint
            .connect(now, client, listener.address, NAME);
        speaker.connection = Some(begun.expect("a connection begins"));
        let noise = Xoshiro256PlusPlus::seed_from_u64(4);
        let mut path = Self {
            speaker,
            listener,
            one_way,
            noise,
            now,
        };
        path.run(now + Duration::from_secs(1));
        path
    }

    /// Sends sound and pictures for so long, and returns the sound that came.
    pub fn talk(&mut self, lasts: Duration) -> Vec<Sound> {
        let begun = self.now;
        let (mut sound, mut picture) = (begun, begun);
        let mut heard = Vec::new();
        while self.now < begun + lasts {
            if sound <= self.now {
                self.say((self.now - begun).as_micros() as u64, SOUND_BYTES);
                sound += SOUND_EVERY;
            }
            if picture <= self.now {
                PICTURE_BYTES
                    .iter()
                    .for_each(|bytes| self.say(u64::MAX, *bytes));
                picture += PICTURE_EVERY;
            }
            self.step(sound.min(picture));
            self.hear(begun, &mut heard);
        }
        heard
    }

    fn say(&mut self, stamp: u64, bytes: usize) {
        let mut data = vec![0; bytes];
        data[..8].copy_from_slice(&stamp.to_be_bytes());
        let sent = self
            .speaker
            .connection()
            .datagrams()
            .send(Bytes::from(data), false);
        sent.expect("there is room for a datagram");
    }

    fn hear(&mut self, begun: Instant, heard: &mut Vec<Sound>) {
        let now = self.now - begun;
        while let Some(data) = self.listener.connection().datagrams().recv() {
            let stamp = u64::from_be_bytes(data[..8].try_into().expect("a stamp"));
            if stamp != u64::MAX {
                heard.push(Sound {
                    said: Duration::from_micros(stamp),
                    heard: now,
                });
            }
        }
    }

    fn run(&mut self, until: Instant) {
        while self.now < until {
            self.step(until);
        }
    }

    /// On to the next moment at which something happens, `until` at the latest.
    fn step(&mut self, until: Instant) {
        self.carry(|path| (&mut path.speaker, &mut path.listener));
        self.carry(|path| (&mut path.listener, &mut path.speaker));
        let next = [self.speaker.next(), self.listener.next()];
        let next = next.into_iter().flatten().min().unwrap_or(until);
        self.now = next.min(until).max(self.now + Duration::from_micros(1));
    }

    /// Sends on its way what one side has for the other.
    fn carry(&mut self, way: impl Fn(&mut Self) -> (&mut Side, &mut Side)) {
        let (now, one_way) = (self.now, self.one_way);
        let (from, to) = way(self);
        let packets = from.drive(now, to.address);
        for packet in packets {
            let noise = Duration::from_micros(self.noise.next_u64() % NOISE_US);
            let (_, to) = way(self);
            let before = to.coming.back().map_or(now, |(at, _)| *at);
            to.coming
                .push_back((before.max(now + one_way + noise), packet));
        }
    }
}

impl Side {
    fn new(address: (Ipv4Addr, u16), server: Option<Arc<ServerConfig>>) -> Self {
        let mut config = EndpointConfig::default();
        config.rng_seed(Some([address.1 as u8; 32]));
        Self {
            address: address.into(),
            endpoint: Endpoint::new(Arc::new(config), server, false),
            connection: None,
            coming: VecDeque::new(),
        }
    }

    fn connection(&mut self) -> &mut Connection {
        &mut self.connection.as_mut().expect("a connection").1
    }

    fn next(&mut self) -> Option<Instant> {
        let timer = self
            .connection
            .as_mut()
            .and_then(|(_, connection)| connection.poll_timeout());
        let packet = self.coming.front().map(|(at, _)| *at);
        [timer, packet].into_iter().flatten().min()
    }

    /// Takes in what is there by now; what goes out.
    fn drive(&mut self, now: Instant, peer: SocketAddr) -> Vec<Vec<u8>> {
        while self.coming.front().is_some_and(|(at, _)| *at <= now) {
            let (_, packet) = self.coming.pop_front().expect("a packet");
            self.take_in(now, peer, &packet);
        }
        let Some((handle, connection)) = &mut self.connection else {
            return Vec::new();
        };
        if connection.poll_timeout().is_some_and(|at| at <= now) {
            connection.handle_timeout(now);
        }
        while let Some(event) = connection.poll_endpoint_events() {
            if let Some(event) = self.endpoint.handle_event(*handle, event) {
                connection.handle_event(event);
            }
        }
        while connection.poll().is_some() {}
        let mut packets = Vec::new();
        let mut packet = Vec::new();
        while connection
            .poll_transmit(now, NonZeroUsize::MIN, &mut packet)
            .is_some()
        {
            packets.push(std::mem::take(&mut packet));
        }
        packets
    }

    fn take_in(&mut self, now: Instant, peer: SocketAddr, packet: &[u8]) {
        let way = FourTuple::from_remote(peer);
        let mut reply = Vec::new();
        match self
            .endpoint
            .handle(now, way, None, BytesMut::from(packet), &mut reply)
        {
            Some(DatagramEvent::NewConnection(incoming)) => {
                let accepted = self.endpoint.accept(incoming, now, &mut reply, None);
                self.connection = Some(accepted.map_err(|error| error.cause).expect("accepted"));
            }
            Some(DatagramEvent::ConnectionEvent(_, event)) => self.connection().handle_event(event),
            _ => {}
        }
    }
}

fn configs(controller: Arc<dyn ControllerFactory + Send + Sync>) -> (ClientConfig, ServerConfig) {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).expect("a certificate");
    let certificate = CertificateDer::from(made.cert);
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls13 = [&rustls::version::TLS13];

    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.clone()).expect("a root");
    let client = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&tls13)
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&tls13)
        .expect("TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a server's certificate");

    let mut transport = TransportConfig::default();
    transport.congestion_controller_factory(controller);
    let client = QuicClientConfig::try_from(client).expect("QUIC");
    let mut client = ClientConfig::new(Arc::new(client));
    client.transport_config(Arc::new(transport));
    let server = QuicServerConfig::try_from(server).expect("QUIC");
    (client, ServerConfig::with_crypto(Arc::new(server)))
}
