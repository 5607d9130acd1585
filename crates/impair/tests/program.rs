//! `impair` as a program.

use std::io::{BufRead, BufReader, Write};
use std::net::UdpSocket;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

fn impair(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_impair"));
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn refused(arguments: &[&str]) -> String {
    let Output { status, stderr, .. } = impair(arguments).output().expect("impair runs");
    assert_eq!(status.code(), Some(2));
    String::from_utf8_lossy(&stderr).into_owned()
}

/// Ends the program when a test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // An error says that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn it_follows_orders_and_ends_with_its_statistics() {
    let server = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    server
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("not zero");
    let to = server.local_addr().expect("bound").to_string();
    let started = impair(&["--to", &to, "--up", "udp=off", "--exit-with-stdin"]).spawn();
    let mut running = Running(started.expect("impair starts"));
    let mut orders = running.0.stdin.take().expect("piped");
    let mut lines = BufReader::new(running.0.stdout.take().expect("piped")).lines();
    let mut line = || lines.next().expect("a line").expect("text");

    let listen = line();
    let address = listen
        .strip_prefix("listen ")
        .expect("where it listens")
        .to_owned();
    let client = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    client.connect(&address).expect("loopback has a route");
    client.send(b"blocked").expect("sends");
    let blocked = |stats: &str| {
        let stats: serde_json::Value = serde_json::from_str(stats).expect("JSON");
        stats["up"]["dropped"]["blocked"].as_u64() == Some(1)
    };
    loop {
        writeln!(orders, "stats").expect("it reads");
        if blocked(&line()) {
            break;
        }
    }
    let mut buffer = [0; 16];
    let mut addresses = Vec::new();
    for order in ["up udp=on", "rebind"] {
        writeln!(orders, "{order}").expect("it reads");
        assert_eq!(line(), "ok", "{order}");
        client.send(b"through").expect("sends");
        let (length, from) = server.recv_from(&mut buffer).expect("a datagram");
        assert_eq!(&buffer[..length], b"through");
        addresses.push(from);
    }
    assert_ne!(addresses[0], addresses[1]);
    drop(orders);
    let last = line();
    assert!(blocked(&last), "{last}");
    let stats: serde_json::Value = serde_json::from_str(&last).expect("JSON");
    assert_eq!(stats["up"]["packets_out"], 2);
    assert_eq!(stats["rebinds"], 1);
    assert!(running.0.wait().expect("it ends").success());
}

#[cfg(unix)]
#[test]
fn sigterm_ends_it_with_its_statistics() {
    let started = impair(&["--to", "127.0.0.1:9"]).spawn();
    let mut running = Running(started.expect("impair starts"));
    let mut lines = BufReader::new(running.0.stdout.take().expect("piped")).lines();
    lines.next().expect("a line").expect("where it listens");
    let id = running.0.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .expect("kill runs")
            .success()
    );
    let last = lines.next().expect("a line").expect("text");
    let stats: serde_json::Value = serde_json::from_str(&last).expect("JSON");
    assert_eq!(stats["clients"], 0);
    assert!(running.0.wait().expect("it ends").success());
}

#[test]
fn what_makes_no_sense_ends_it_with_a_sentence() {
    let error = refused(&["--to", "127.0.0.1:9", "--down-at", "10s los=5%"]);
    assert!(
        error.contains("down-at") && error.contains("'los'"),
        "{error}"
    );
    let error = refused(&["--to", "127.0.0.1:9", "--plan", "no-such-file"]);
    assert!(error.contains("no-such-file"), "{error}");
}
