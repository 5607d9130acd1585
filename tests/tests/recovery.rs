//! A server is killed in the middle of a meeting and started again: nobody has to do anything.

use std::thread;
use std::time::{Duration, Instant};

use e2e::event::Event;
use e2e::person::{Invitation, meet};
use e2e::server::{Certificate, Server, ServerOptions};

/// How long the server is away.
const AWAY: Duration = Duration::from_secs(2);
/// How long after the server's return both must hear and see each other again.
const BACK: Duration = Duration::from_secs(20);

#[test]
fn both_come_back_by_themselves_after_the_server_was_killed() {
    let certificate = Certificate::make();
    let mut server = Server::start_with(ServerOptions {
        certificate: Some(&certificate),
        ..ServerOptions::default()
    });
    let port = server.port();
    let ana = Invitation::host("Ana", &server.argument()).with_test_signals();
    let (mut ana, mut ben, link) = meet(ana, |link| {
        Invitation::join("Ben", link).with_test_signals()
    });
    ana.flows("Ben", BACK);
    ben.flows("Ana", BACK);

    server.kill();
    thread::sleep(AWAY);
    ana.look_up();
    ben.look_up();
    let _server = Server::start_with(ServerOptions {
        port,
        certificate: Some(&certificate),
        ..ServerOptions::default()
    });
    let started = Instant::now();
    ana.flows("Ben", BACK);
    ben.flows("Ana", BACK);
    eprintln!(
        "both back {:.1} s after the server's start, by events once a second",
        started.elapsed().as_secs_f32()
    );

    for person in [&mut ana, &mut ben] {
        let ms = person.wait_for("word of the recovery", |event| match event {
            Event::Recovered { ms } => Some(*ms),
            _ => None,
        });
        let name = person.name();
        eprintln!(
            "{name} was attached again {ms} ms after the break, {AWAY:?} of it without a server"
        );
    }

    // The room is whole: it takes a third person, and all three read one code.
    ana.look_up();
    ben.look_up();
    let mut cleo = Invitation::join("Cleo", &link).without_media().come();
    let (epoch, _) = cleo.meets(&["Ana", "Ben", "Cleo"]);
    let code = cleo.code(epoch);
    assert_eq!((ana.code(epoch), ben.code(epoch)), (code.clone(), code));
}
