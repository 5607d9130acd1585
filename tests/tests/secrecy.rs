//! The server handles a whole meeting and can read nothing of it: neither what goes over the
//! wire nor what lies in its memory shows a name, a title, a key, a code or a frame.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use e2e::aes_keys;
use e2e::memory::dump;
use e2e::needles::Needles;
use e2e::person::{Invitation, Person, meet};
use e2e::server::{Server, ServerOptions};
use e2e::wiretap::Wiretap;

const HOST: &str = "Philomena Quackenbush";
const GUEST: &str = "Bartholomew Zwingli";
const TITLE: &str = "The beekeepers' secret ballot";
/// What the server may know, to prove that the search would find it.
const PLANTED_NAME: &str = "planted-by-the-test.example";
const PLANTED_WORDS: &str = "words sent in the clear by the test";

/// The bytes of a frame that are searched for.
const PIECE: usize = 32;

#[test]
fn neither_the_wire_nor_the_servers_memory_shows_a_secret() {
    let server = Server::start_with(ServerOptions {
        name: Some(PLANTED_NAME),
        ..ServerOptions::default()
    });
    let tap = Wiretap::on(server.port());
    let host = Invitation::host(HOST, &server.argument_through(tap.port()));
    let host = host.with(["--title", TITLE]);
    let host = host.with_samples().saving().tracing();
    let (mut host, mut guest, link) = meet(host, |link| {
        let guest = Invitation::join(GUEST, link);
        guest.with_samples().saving().tracing()
    });
    host.receives(GUEST, |guest| {
        guest.audio.opened >= 250 && guest.video.opened >= 90
    });
    guest.receives(HOST, |host| {
        host.audio.opened >= 250 && host.video.opened >= 90
    });

    let (_, roster) = guest.meets(&[HOST, GUEST]);
    let devices: Vec<String> = roster.into_iter().map(|member| member.device).collect();
    let memory = dump(server.id());
    let (of_host, of_guest) = (dump(host.id()), dump(guest.id()));
    let mut needles = texts(&mut host, &mut guest, &link);
    the_search_finds_what_is_there(&needles, &memory, &of_host, &of_guest);
    let keys = shared_keys(&of_host, &of_guest);
    for key in &keys {
        needles.add_key("a key that both clients hold", key);
    }
    eprintln!(
        "{} keys of the clients', {} MB of the server's memory",
        keys.len(),
        megabytes(&memory)
    );
    guest.leave();
    host.leave();
    let frames = frames_of(&host.saved(GUEST, "mkv"));
    for frame in &frames {
        needles.add_bytes("a frame", frame);
    }

    let found = needles.found_in(memory.iter().map(Vec::as_slice));
    assert!(found.is_empty(), "in the server's memory: {found:?}");
    let (tcp, udp) = wire_with_a_plant(&tap);
    assert!(
        udp.len() > 200_000,
        "the meeting went through the tap: {} bytes of UDP",
        udp.len()
    );
    let found = needles.found_in([tcp.as_slice(), &udp]);
    assert!(found.is_empty(), "on the wire: {found:?}");
    the_log_names_nobody(server, &mut needles, &link, &devices);
    for person in [&host, &guest] {
        let log = person.log();
        assert!(
            log.contains("TRACE") || log.contains("DEBUG"),
            "no log: {log}"
        );
        let found = needles.found_in([log.as_bytes()]);
        assert!(found.is_empty(), "in a client's log: {found:?}: {log}");
    }
}

/// Neither what the server cannot know nor what it must not remember: who met, from where.
fn the_log_names_nobody(server: Server, needles: &mut Needles, link: &str, devices: &[String]) {
    let meeting = link
        .split("/j/")
        .nth(1)
        .and_then(|rest| rest.split('#').next());
    let meeting = BASE64URL
        .decode(meeting.expect("a link names its meeting"))
        .expect("base64url");
    needles.add_key("the meeting's id", &meeting);
    devices
        .iter()
        .for_each(|device| needles.add_text("a device", device));
    needles.add_text("an address", "127.0.0.1:");
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    let found = needles.found_in([log.as_bytes()]);
    assert!(found.is_empty(), "in the server's log: {found:?}: {log}");
}

/// Names, title, code and link secret.
fn texts(host: &mut Person, guest: &mut Person, link: &str) -> Needles {
    let mut needles = Needles::default();
    needles.add_text("the host's name", HOST);
    needles.add_text("the guest's name", GUEST);
    needles.add_text("the title", TITLE);
    let secret = link
        .split("#v1.")
        .nth(1)
        .and_then(|rest| rest.split('.').next());
    let secret = secret
        .and_then(|secret| BASE64URL.decode(secret).ok())
        .expect("a link has a secret");
    assert_eq!(secret.len(), 32);
    needles.add_key("the link's secret", &secret);
    let (epoch, _) = guest.meets(&[HOST, GUEST]);
    let code = guest.code(epoch);
    assert_eq!(host.code(epoch), code);
    needles.add_text("the code", &code);
    needles.add_text(
        "the code in groups",
        &format!("{} {}", &code[..5], &code[5..10]),
    );
    needles
}

/// The controls: the same search finds the names where they belong, in the clients, and what the
/// server does know, in the server.
fn the_search_finds_what_is_there(
    needles: &Needles,
    server: &[Vec<u8>],
    host: &[Vec<u8>],
    guest: &[Vec<u8>],
) {
    for (who, memory) in [("host", host), ("guest", guest)] {
        let found: BTreeSet<_> = needles
            .found_in(memory.iter().map(Vec::as_slice))
            .into_iter()
            .collect();
        for name in ["the host's name", "the guest's name", "the title"] {
            assert!(
                found.contains(name),
                "the {who}'s memory must show {name}: {found:?}"
            );
        }
    }
    let mut planted = Needles::default();
    planted.add_text("planted", PLANTED_NAME);
    assert_eq!(
        planted.found_in(server.iter().map(Vec::as_slice)),
        ["planted"]
    );
    let own = aes_keys::find(server.iter().map(Vec::as_slice));
    assert!(
        !own.is_empty(),
        "the server's own transport keys are found in its memory"
    );
}

/// Keys in use in both clients. Each client shares its transport's keys with the server alone, so
/// these are the meeting's: the frames', the descriptor's, the handshake's.
fn shared_keys(host: &[Vec<u8>], guest: &[Vec<u8>]) -> BTreeSet<aes_keys::Key> {
    let host = aes_keys::find(host.iter().map(Vec::as_slice));
    let guest = aes_keys::find(guest.iter().map(Vec::as_slice));
    let shared: BTreeSet<_> = host.intersection(&guest).copied().collect();
    // Two people send sound and pictures: at the least a key for each track.
    assert!(
        shared.len() >= 4,
        "keys in the host {}, the guest {}, both {}",
        host.len(),
        guest.len(),
        shared.len()
    );
    shared
}

/// A piece from the middle of each larger frame that was received, as the codec made it.
fn frames_of(film: &Path) -> Vec<Vec<u8>> {
    let ivf = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(film)
        .args(["-c", "copy", "-f", "ivf", "-"])
        .output()
        .expect("ffmpeg runs");
    assert!(
        ivf.status.success(),
        "ffmpeg: {}",
        String::from_utf8_lossy(&ivf.stderr)
    );
    // IVF: a header of 32 bytes, then frames of 4 bytes length, 8 bytes time and the data.
    let mut rest = &ivf.stdout[32..];
    let mut pieces = Vec::new();
    while let Some((header, after)) = rest.split_at_checked(12) {
        let length = u32::from_le_bytes(header[..4].try_into().expect("four bytes")) as usize;
        let Some((frame, after)) = after.split_at_checked(length) else {
            break;
        };
        if length >= 8 * PIECE {
            pieces.push(frame[length / 2..length / 2 + PIECE].to_vec());
        }
        rest = after;
    }
    assert!(pieces.len() >= 20, "{} frames to look for", pieces.len());
    let mut needles = Needles::default();
    pieces
        .iter()
        .for_each(|piece| needles.add_bytes("a frame", piece));
    let found = needles.found_in([fs::read(film).expect("just read").as_slice()]);
    assert_eq!(found.len(), pieces.len(), "the film holds its own frames");
    pieces
}

/// The tape, after proof that it keeps what is sent in the clear.
fn wire_with_a_plant(tap: &Wiretap) -> (Vec<u8>, Vec<u8>) {
    let mut stream = TcpStream::connect(("127.0.0.1", tap.port())).expect("the tap listens");
    stream
        .write_all(PLANTED_WORDS.as_bytes())
        .expect("the tap reads");
    let mut planted = Needles::default();
    planted.add_text("planted", PLANTED_WORDS);
    for _ in 0..50 {
        let (tcp, udp) = tap.tape();
        if planted.found_in([tcp.as_slice()]) == ["planted"] {
            return (tcp, udp);
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("the tape does not keep what is sent in the clear");
}

fn megabytes(memory: &[Vec<u8>]) -> usize {
    memory.iter().map(Vec::len).sum::<usize>() >> 20
}
