//! Meetings over bad networks: real clients and a real server with the program `impair` between.

use std::thread;
use std::time::{Duration, Instant};

use e2e::event::{Event, Sender};
use e2e::impair::Network;
use e2e::person::{Invitation, Person, meet};
use e2e::programs::sample;
use e2e::server::{Certificate, Server, ServerOptions};
use e2e::wave;

/// How long people may take to hear and see each other again.
const BACK: Duration = Duration::from_secs(30);
/// What the client logs of each connection to the relay.
const CONNECTED: &str = "media session connected";
/// The same when one is lost.
const GONE: &str = "the media relay is gone";

#[test]
fn two_people_hear_each_other_over_a_link_that_loses_a_tenth() {
    let server = Server::start();
    let mut network = Network::before(server.port(), "loss=10%,delay=25ms,jitter=10ms");
    let ana = Invitation::host("Ana", &server.argument_through(network.port()))
        .with(["--camera", "off", "--microphone", "test"])
        .with(["--speaker", "null"])
        .saving();
    let (mut ana, mut ben, _) = meet(ana, |link| {
        Invitation::join("Ben", link).with_samples().saving()
    });
    // Fourteen seconds, less what is lost for good: the sample voice to its end.
    let of_ben = ana.receives("Ben", |ben| ben.audio.opened >= 600);
    let of_ana = ben.receives("Ana", |ana| ana.audio.opened >= 500);
    assert_eq!((of_ben.audio.failed, of_ana.audio.failed), (0, 0));
    assert!(of_ben.video.opened > 0, "{of_ben:?}");
    ana.look_up();
    ben.leave();
    ana.meets(&["Ana"]);
    ana.leave();

    let heard = wave::find(
        &wave::read(&sample("speech.flac")),
        &wave::read(&ana.saved("Ben", "wav")),
    );
    eprintln!("sound: {heard:?}");
    assert!(heard.overlap >= 300, "six seconds at the least: {heard:?}");
    // Piece by piece: the jitter buffer stretches time, which the envelope as a whole shows.
    assert!(heard.wave >= 0.8, "{heard:?}");
    let tone = wave::loudness(&wave::read(&ben.saved("Ana", "wav")));
    assert!(tone > 0.003, "Ana's test signal is heard: {tone}");
    let stats = network.stats();
    assert!(
        stats.up.dropped.loss > 100 && stats.down.dropped.loss > 100,
        "{stats:?}"
    );
}

#[test]
fn a_new_address_does_not_interrupt_a_meeting() {
    let server = Server::start();
    let mut network = Network::before(server.port(), "delay=10ms");
    let (mut ana, mut ben) = two_talkers(&server, &network);
    network.rebind();
    ana.look_up();
    ben.look_up();
    ana.flows("Ben", BACK);
    ben.flows("Ana", BACK);

    // What the server sends to the old address is lost, so it knows the new one; and neither made
    // another connection: QUIC took this one along.
    assert_eq!(network.stats().rebinds, 2);
    for person in [&mut ana, &mut ben] {
        let log = person.log();
        let counts = [CONNECTED, GONE].map(|what| log.matches(what).count());
        assert_eq!(counts, [1, 0], "{}: {log}", person.name());
        assert!(log.contains("quic=true"), "{log}");
        assert!(!recovered(person), "{} was cut off", person.name());
    }
}

#[test]
fn both_come_back_by_themselves_after_an_outage() {
    /// Longer than either end waits for the other.
    const OUTAGE: Duration = Duration::from_secs(5);
    let server = Server::start();
    let mut network = Network::before(server.port(), "delay=10ms");
    let (mut ana, mut ben) = two_talkers(&server, &network);
    let before = [entries(&mut ana), entries(&mut ben)];
    network.becomes("outage=on");
    thread::sleep(OUTAGE);
    ana.look_up();
    ben.look_up();
    network.becomes("outage=off");
    ana.flows("Ben", BACK);
    ben.flows("Ana", BACK);

    // The session broke, though TCP may have borne it.
    for person in [&ana, &ben] {
        assert!(person.log().contains(GONE), "{}", person.log());
    }
    // Nobody was thrown out and let in again.
    assert_eq!([entries(&mut ana), entries(&mut ben)], before);
}

#[test]
fn both_come_back_when_the_server_behind_the_network_is_replaced() {
    let certificate = Certificate::make();
    let mut server = Server::start_with(ServerOptions {
        certificate: Some(&certificate),
        ..ServerOptions::default()
    });
    let port = server.port();
    let network = Network::before(port, "delay=10ms");
    let (mut ana, mut ben) = two_talkers(&server, &network);
    server.kill();
    ana.look_up();
    ben.look_up();
    let _server = Server::start_with(ServerOptions {
        port,
        certificate: Some(&certificate),
        ..ServerOptions::default()
    });
    come_back(&mut ana, &mut ben);
}

#[test]
fn where_no_datagram_passes_sound_and_pictures_come_over_tcp() {
    let server = Server::start();
    let mut network = Network::before(server.port(), "delay=10ms,udp=off");
    let (mut ana, mut ben) = two_talkers(&server, &network);
    assert!(ben.log().contains("quic=false"), "{}", ben.log());
    let stats = network.stats();
    assert!(stats.up.dropped.blocked > 0, "nobody tried: {stats:?}");
    // A connection that is cut under the relay's hands must not trip it.
    ben.vanish();
    drop(network);
    ana.vanish();
    let (code, errors) = server.stop();
    assert_eq!(code, Some(0), "{errors}");
    assert!(!errors.contains("panicked"), "{errors}");
}

#[test]
fn a_listener_on_a_good_link_does_not_notice_anothers_bad_one() {
    let server = Server::start();
    // A fifth of the time nothing comes, for longer than copies reach back.
    let mut network = Network::before(server.port(), "delay=10ms,burst-every=2s/400ms");
    let ana = Invitation::host("Ana", &server.argument())
        .with(["--camera", "off", "--microphone", "test"])
        .with(["--speaker", "null"]);
    let listener = |name: &str, link: &str| Invitation::join(name, link).without_media();
    let (mut ana, mut ben, link) = meet(ana, |link| listener("Ben", link));
    let bad = link.replacen(
        &format!(":{}", server.port()),
        &format!(":{}", network.port()),
        1,
    );
    assert_ne!(bad, link, "the link leads elsewhere");
    let mut cleo = listener("Cleo", &bad).come();
    ana.meets(&["Ana", "Ben", "Cleo"]);
    let of_ana = |sender: &Sender| sender.audio.opened >= 25;
    cleo.receives("Ana", of_ana);
    ben.look_up();
    let before = ben.receives("Ana", of_ana).audio.concealed_ms;
    let at_cleo = cleo.receives("Ana", |ana| ana.audio.concealed_ms >= 1500);
    ben.look_up();
    let at_ben = ben.receives("Ana", of_ana);
    let noticed = at_ben.audio.concealed_ms - before;
    eprintln!(
        "concealed: {noticed} ms on the good link, {} ms on the bad one",
        at_cleo.audio.concealed_ms
    );
    assert!(noticed < 150, "{at_ben:?} beside {at_cleo:?}");
    assert!(network.stats().down.dropped.burst > 0);
}

#[test]
fn media_go_over_to_datagrams_once_these_pass() {
    let server = Server::start();
    let mut network = Network::before(server.port(), "delay=10ms,udp=off");
    let (mut ana, mut ben) = two_talkers(&server, &network);
    network.becomes("udp=on");
    for person in [&mut ana, &mut ben] {
        until_logged(person, "quic=true");
        assert!(person.log().contains("quic=false"), "{}", person.log());
        person.look_up();
    }
    ana.flows("Ben", BACK);
    ben.flows("Ana", BACK);
    for person in [&mut ana, &mut ben] {
        assert!(!recovered(person), "{} was cut off", person.name());
    }
}

fn until_logged(person: &Person, what: &str) {
    let begun = Instant::now();
    while !person.log().contains(what) {
        assert!(begun.elapsed() < BACK, "no {what}: {}", person.log());
        thread::sleep(Duration::from_millis(50));
    }
}

/// Ana hosts, Ben comes, both through `network`, with test signals and a log.
fn two_talkers(server: &Server, network: &Network) -> (Person, Person) {
    let ana = Invitation::host("Ana", &server.argument_through(network.port()))
        .with_test_signals()
        .env("CONCLAVE_LOG", "debug")
        .env("NO_COLOR", "1");
    let (mut ana, mut ben, _) = meet(ana, |link| {
        Invitation::join("Ben", link)
            .with_test_signals()
            .env("CONCLAVE_LOG", "debug")
            .env("NO_COLOR", "1")
    });
    ana.flows("Ben", BACK);
    ben.flows("Ana", BACK);
    (ana, ben)
}

/// Waits until both say that they are back, and hear and see each other.
fn come_back(ana: &mut Person, ben: &mut Person) {
    for person in [&mut *ana, &mut *ben] {
        person.wait_within(BACK, "word of the recovery", |event| {
            matches!(event, Event::Recovered { .. }).then_some(())
        });
    }
    ana.flows("Ben", BACK);
    ben.flows("Ana", BACK);
}

/// How often somebody knocked or was let in, by what `person` heard, and the epoch.
fn entries(person: &mut Person) -> (usize, u64) {
    let is_entry = |event: &&Event| {
        matches!(
            event,
            Event::Knock { .. } | Event::Waiting { .. } | Event::Admitted { .. }
        )
    };
    let epoch = |event: &Event| match event {
        Event::Roster { epoch, .. } => Some(*epoch),
        _ => None,
    };
    let heard = person.heard();
    let entries = heard.iter().filter(is_entry).count();
    (entries, heard.iter().filter_map(epoch).max().unwrap_or(0))
}

fn recovered(person: &mut Person) -> bool {
    let is_word = |event: &Event| matches!(event, Event::Recovered { .. });
    person.heard().iter().any(is_word)
}
