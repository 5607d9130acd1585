//! Where nothing gets out but through an HTTP proxy: two whole programs meet, one of them behind it.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use e2e::needles::Needles;
use e2e::person::{Invitation, Person, meet};
use e2e::proxy::{Conduct, ConnectProxy, Tunnel};
use e2e::server::Server;
use e2e::wiretap::Wiretap;

const HOST: &str = "Philomena Quackenbush";
const GUEST: &str = "Bartholomew Zwingli";
const TITLE: &str = "The beekeepers' secret ballot";
/// A name that leads nowhere but through the proxy. RFC 6761 §6.2
const NAME: &str = "meet.example.test";
/// `ben` with the password `swordfish`, as a header has them.
const BEN: &str = "YmVuOnN3b3JkZmlzaA==";

#[test]
fn who_names_a_proxy_is_heard_through_it_and_sends_nothing_past_it() {
    let server = Server::start();
    // Where the link leads, so that whatever Ben sends past the proxy is on its tape.
    let past = Wiretap::on(server.port());
    let direct = format!("127.0.0.1:{}", past.port());
    let proxy = ConnectProxy::start(Conduct::Guarded(BEN), &[(&direct, server.port())]);
    let url = format!("http://ben:swordfish@{}", proxy.place());
    let (mut ana, mut ben) = meet_behind(&server, &direct, |ben| ben.with(["--proxy", &url]));

    assert!(ben.log().contains("quic=false"), "{}", ben.log());
    let (tcp, udp) = past.tape();
    assert_eq!((tcp.len(), udp.len()), (0, 0), "past the proxy: TCP, UDP");
    keeps_what_comes(&past);
    // One for messages, one for media, or more if one had to be made anew.
    let tunnels = proxy.tunnels();
    assert!(tunnels.len() >= 2, "{} tunnels", tunnels.len());
    let asked = format!("CONNECT {direct} HTTP/1.1\r\n");
    for request in proxy.requests() {
        assert!(request.starts_with(&asked), "{request}");
    }
    tunnels.iter().for_each(is_tls);

    let mut secrets = Needles::default();
    secrets.add_text("the password", "swordfish");
    secrets.add_text("the credentials", BEN);
    secrets.add_text("the proxy", &proxy.place());
    let log = ben.log();
    let found = secrets.found_in([log.as_bytes()]);
    assert!(found.is_empty(), "in the log: {found:?}: {log}");
    ben.leave();
    ana.leave();
}

#[test]
fn a_proxy_of_the_environment_leads_to_a_server_that_is_nowhere_else() {
    let server = Server::start();
    let way = format!("{NAME}:4433");
    let proxy = ConnectProxy::start(Conduct::Open, &[(&way, server.port())]);
    let url = format!("http://{}", proxy.place());
    let (mut ana, mut ben) = meet_behind(&server, &way, |ben| ben.env("HTTPS_PROXY", &url));

    assert!(ben.log().contains("quic=false"), "{}", ben.log());
    let tunnels = proxy.tunnels();
    tunnels.iter().for_each(is_tls);
    let mut names = Needles::default();
    names.add_text("the host", HOST);
    names.add_text("the guest", GUEST);
    names.add_text("the title", TITLE);
    names.add_text("a path", "/v1/control");
    names.add_text("a header", "Sec-WebSocket-Key");
    // What TLS says in the clear: the search would find the others too.
    names.add_bytes("the server", NAME.as_bytes());
    let tapes = tunnels.iter().flat_map(|tunnel| [&tunnel.up, &tunnel.down]);
    assert_eq!(names.found_in(tapes.map(Vec::as_slice)), ["the server"]);
    ben.leave();
    ana.leave();
}

#[test]
fn a_proxy_that_does_not_help_is_named_without_its_password() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let nowhere = closed.local_addr().expect("bound").to_string();
    drop(closed);
    fails_at(&nowhere, &["proxy cannot be reached"]);
    for (conduct, words) in [
        (Conduct::Guarded("another"), ["name and password", "basic"]),
        (Conduct::Says("HTTP/1.1 403 No\r\n\r\n"), ["allow", "403"]),
        (Conduct::Says("220 mail\r\n"), ["unexpected", "not http"]),
        (Conduct::Open, ["proxy cannot reach the server", "502"]),
    ] {
        let proxy = ConnectProxy::start(conduct, &[]);
        fails_at(&proxy.place(), &words);
        assert_eq!(proxy.requests().len(), 1, "{words:?}: it tried again");
    }
}

#[test]
fn a_proxy_of_another_kind_is_refused_and_not_gone_past() {
    let join = || Invitation::join("Ben", &link()).without_media();
    let url = "socks5://ben:swordfish@127.0.0.1:9";
    for (ending, name) in [
        (join().with(["--proxy", url]).fail(), "--proxy"),
        (join().env("CONCLAVE_PROXY", url).fail(), "conclave_proxy"),
        (join().env("ALL_PROXY", url).fail(), "all_proxy"),
    ] {
        ending.is_a_sentence_with(&[name, "http proxies only"]);
        assert!(!ending.errors.contains("swordfish"), "{}", ending.errors);
    }
}

/// Ana hosts on `server`; Ben follows the link with `place` in it for the server's, `behind` a
/// proxy. Each hears the other.
fn meet_behind(
    server: &Server,
    place: &str,
    behind: impl FnOnce(Invitation) -> Invitation,
) -> (Person, Person) {
    let ana = Invitation::host(HOST, &server.argument()).with(["--title", TITLE]);
    let ana = ana.with_tone();
    let own = format!("127.0.0.1:{}", server.port());
    let (mut ana, mut ben, _) = meet(ana, |link| {
        let elsewhere = link.replacen(&own, place, 1);
        assert_ne!(elsewhere, link, "the link leads elsewhere");
        let ben = Invitation::join(GUEST, &elsewhere).tracing();
        behind(ben.with_samples().env("NO_COLOR", "1"))
    });
    ana.receives(GUEST, |ben| {
        ben.audio.opened >= 100 && ben.video.opened >= 20
    });
    let of_ana = ben.receives(HOST, |ana| ana.audio.opened >= 100);
    assert_eq!(of_ana.audio.failed, 0);
    (ana, ben)
}

/// A link of the right form to a place that only a proxy finds.
fn link() -> String {
    let part = |bytes: usize| "A".repeat((bytes * 8).div_ceil(6));
    let secrets = [32, 16, 32].map(part).join(".");
    format!("conclave://{NAME}:4433/j/{}#v1.{secrets}", part(16))
}

/// Ben is told of the proxy at `place` in a sentence with `words`.
fn fails_at(place: &str, words: &[&str]) {
    let url = format!("http://ben:swordfish@{place}");
    let ben = Invitation::join("Ben", &link()).without_media().tracing();
    let ending = ben.with(["--proxy", &url]).fail();
    eprintln!("{}", ending.errors.trim());
    ending.is_a_sentence_with(words);
    ending.is_a_sentence_with(&[&format!("http://{place}"), NAME]);
    assert!(!ending.errors.contains("swordfish"), "{}", ending.errors);
}

/// Holds that both ways are records of TLS from the first byte to the last. RFC 8446 §5.1
fn is_tls(tunnel: &Tunnel) {
    for mut rest in [tunnel.up.as_slice(), &tunnel.down] {
        assert!(rest.len() > 500, "{} bytes", rest.len());
        // The last one may still be under way.
        while let Some((head, after)) = rest.split_at_checked(5) {
            let length = usize::from(u16::from_be_bytes([head[3], head[4]]));
            let known = (20..=23).contains(&head[0]) && head[1] == 3 && length <= 16_640;
            assert!(known, "no record of TLS: {head:?}");
            rest = after.get(length..).unwrap_or_default();
        }
    }
}

/// The control: what goes past the proxy would be on the tape.
fn keeps_what_comes(past: &Wiretap) {
    let mut stream = TcpStream::connect(("127.0.0.1", past.port())).expect("the tap listens");
    stream.write_all(b"a word").expect("the tap reads");
    let deadline = Instant::now() + Duration::from_secs(10);
    while past.tape().0.is_empty() {
        assert!(Instant::now() < deadline, "the tap keeps nothing");
        sleep(Duration::from_millis(50));
    }
}
