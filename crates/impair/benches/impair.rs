//! What the proxy adds and costs: `./dev bench impair`.
//!
//! The program runs as a process of its own. Delay: one datagram each 3 ms, what it takes beyond
//! the planned delay, against the same without a proxy. Cost: datagrams at a steady rate, the CPU
//! time of the proxy's process alone.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const DATAGRAM: usize = 1200;
const ROUNDS: usize = 1000;
const RATES_MBIT: [f64; 3] = [10.0, 50.0, 100.0];
const LASTING: Duration = Duration::from_secs(5);
/// Of `/proc/PID/stat`, where Linux says so on all its platforms.
const TICKS_PER_SECOND: f64 = 100.0;

struct Proxy {
    child: Child,
    address: SocketAddr,
}

impl Proxy {
    fn start(server: &UdpSocket, settings: &str) -> Self {
        let to = server.local_addr().expect("bound").to_string();
        let mut child = Command::new(env!("CARGO_BIN_EXE_impair"))
            .args(["--to", &to, "--both", settings, "--exit-with-stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("impair starts");
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let address = line
            .trim()
            .strip_prefix("listen ")
            .expect("where it listens");
        let address = address.parse().expect("an address");
        Self { child, address }
    }

    /// CPU time so far, in user and system; none where the system does not tell.
    fn cpu_seconds(&self) -> Option<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
        let ticks: f64 =
            fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
        Some(ticks / TICKS_PER_SECOND)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // An error says that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn sockets() -> (UdpSocket, UdpSocket) {
    let server = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let client = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    server
        .set_read_timeout(Some(Duration::from_secs(1)))
        .expect("not zero");
    (server, client)
}

/// What each datagram took beyond `planned`, sorted, in ms.
fn delays(server: &UdpSocket, client: &UdpSocket, to: SocketAddr, planned: Duration) -> Vec<f64> {
    client.connect(to).expect("loopback has a route");
    let started = Instant::now();
    let mut took: Vec<f64> = thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..ROUNDS {
                let mut datagram = [0; DATAGRAM];
                datagram[..8].copy_from_slice(&(started.elapsed().as_nanos() as u64).to_le_bytes());
                client.send(&datagram).expect("sends");
                let next = Duration::from_millis(3) * (n as u32 + 1);
                thread::sleep(next.saturating_sub(started.elapsed()));
            }
        });
        let mut buffer = [0; 2048];
        let receive = |_| {
            server.recv(&mut buffer).ok()?;
            let now = started.elapsed();
            let sent = u64::from_le_bytes(buffer[..8].try_into().expect("eight bytes"));
            let took = now.saturating_sub(Duration::from_nanos(sent));
            Some((took.as_secs_f64() - planned.as_secs_f64()) * 1e3)
        };
        (0..ROUNDS).map_while(receive).collect()
    });
    took.sort_by(f64::total_cmp);
    took
}

fn print_delays(name: &str, sorted: &[f64]) {
    let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share) as usize];
    println!(
        "{name:<22}{:>8} arrived{:>9.3} p50{:>9.3} p95{:>9.3} max",
        sorted.len(),
        at(0.5),
        at(0.95),
        at(1.0)
    );
}

fn print_cost(mbit: f64) {
    let (server, client) = sockets();
    let proxy = Proxy::start(&server, "delay=25ms,loss=1%");
    client.connect(proxy.address).expect("loopback has a route");
    let before = proxy.cpu_seconds();
    let started = Instant::now();
    let gap = Duration::from_secs_f64(DATAGRAM as f64 * 8.0 / (mbit * 1e6));
    let (sent, arrived) = thread::scope(|scope| {
        let receiver = scope.spawn(|| {
            let mut buffer = [0; 2048];
            (0_u64..)
                .take_while(|_| server.recv(&mut buffer).is_ok())
                .count()
        });
        let mut sent = 0_u32;
        while started.elapsed() < LASTING {
            while gap * sent <= started.elapsed() {
                client.send(&[0; DATAGRAM]).expect("sends");
                sent += 1;
            }
            thread::sleep(Duration::from_millis(1));
        }
        (sent, receiver.join().expect("no panic"))
    });
    let cost = before.zip(proxy.cpu_seconds()).map_or_else(
        || "unknown".to_owned(),
        |(before, after)| format!("{:.1} %", 100.0 * (after - before) / LASTING.as_secs_f64()),
    );
    let lost = 100.0 * (1.0 - arrived as f64 / f64::from(sent));
    println!("{mbit:>5} Mbit/s{sent:>12} sent{lost:>9.2} % lost (1 % planned){cost:>12} of a core");
}

fn main() {
    println!("== beyond the planned delay, ms");
    let (server, client) = sockets();
    let direct = server.local_addr().expect("bound");
    print_delays(
        "without a proxy",
        &delays(&server, &client, direct, Duration::ZERO),
    );
    for (settings, planned) in [("delay=0ms", 0), ("delay=25ms", 25)] {
        let (server, client) = sockets();
        let proxy = Proxy::start(&server, settings);
        let planned = Duration::from_millis(planned);
        print_delays(settings, &delays(&server, &client, proxy.address, planned));
    }
    println!("\n== cost, one way, delay=25ms,loss=1%");
    for mbit in RATES_MBIT {
        print_cost(mbit);
    }
}
