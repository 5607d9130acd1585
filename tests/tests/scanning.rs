//! A safety number scanned with the camera: what is held before it is a picture of the code that
//! the other program shows.

use std::path::Path;
use std::time::Duration;

use e2e::event::Event;
use e2e::home::Home;
use e2e::person::{Invitation, Person};
use e2e::picture::half_blocks;
use e2e::server::Server;

/// The flags of somebody who lives at `home` and holds a picture before the camera, or has none.
fn seat(home: &Home, invitation: Invitation, camera: Option<&Path>) -> Invitation {
    let camera = camera.map_or("off".to_owned(), |file| format!("file:{}", file.display()));
    let silent = [
        "--microphone",
        "off",
        "--speaker",
        "null",
        "--camera",
        &camera,
    ];
    home.seat(invitation).with(silent)
}

/// Ana and Ben in one room, with what each camera sees.
fn meet(
    server: &Server,
    (ana, anas_camera): (&Home, Option<&Path>),
    (ben, bens_camera): (&Home, Option<&Path>),
) -> (Person, Person) {
    let invitation = Invitation::host("Ana", &server.argument()).with(["--admit", "all"]);
    let mut ana = seat(ana, invitation, anas_camera).come();
    let link = ana.link();
    let mut ben = seat(ben, Invitation::join("Ben", &link), bens_camera).come();
    ana.meets(&["Ana", "Ben"]);
    ben.meets(&["Ana", "Ben"]);
    (ana, ben)
}

fn end(mut ana: Person, mut ben: Person) {
    ana.types("end");
    assert_eq!(ben.end().code, Some(0));
    assert_eq!(ana.end().code, Some(0));
}

/// The code that `person` is shown for comparing with `other`, as a photograph in `file`.
fn photograph(person: &mut Person, other: &str, file: &Path) {
    person.orders(&format!("safety-number {other}"));
    let qr = person.wait_for("a safety number", |event| match event {
        Event::SafetyNumber { qr, .. } => Some(qr.clone()),
        _ => None,
    });
    half_blocks(
        &qr,
        8,
        "rotate=5*PI/180:ow=1280:oh=720:c=gray,noise=alls=18",
        file,
    );
}

/// How the look for the code of `other` ends.
fn scan(person: &mut Person, other: &str) -> String {
    person.orders(&format!("verify {other} scan"));
    outcome(person, other)
}

fn outcome(person: &mut Person, other: &str) -> String {
    person.wait_for("the end of a scan", |event| match event {
        Event::Scan { name, outcome } => {
            assert_eq!(name, other);
            Some(outcome.clone())
        }
        _ => None,
    })
}

#[test]
fn the_code_before_the_camera_verifies_its_person_and_nobody_else() {
    let server = Server::start();
    let (anas, bens, eves) = (Home::new(), Home::new(), Home::new());
    let (bens_code, own_code, eves_code) = (
        anas.path("of-ben.png"),
        anas.path("own.png"),
        anas.path("of-eve.png"),
    );
    // What each of them shows is the same in every meeting, so it is photographed in a first one.
    let (mut ana, mut ben) = meet(&server, (&anas, None), (&bens, None));
    photograph(&mut ben, "Ana", &bens_code);
    photograph(&mut ana, "Ben", &own_code);
    ana.orders("verify Ben scan");
    ana.is_told_no(&["no camera is chosen"]);
    end(ana, ben);
    // Somebody else, who says to be Ben.
    let (ana, mut eve) = meet(&server, (&anas, None), (&eves, None));
    photograph(&mut eve, "Ana", &eves_code);
    end(ana, eve);

    // With the camera that everybody sees.
    let (mut ana, mut ben) = meet(&server, (&anas, Some(&bens_code)), (&bens, None));
    assert_eq!(scan(&mut ana, "Ben"), "matches");
    ana.sees("Ben", "as verified", |ben| ben.trust == "verified");
    ana.orders("verify Ben off");
    ana.sees("Ben", "as known", |ben| ben.trust == "known");
    // With one that is off, opened for that alone: Ben gets no more of it.
    ana.orders("camera off");
    let opened = frames_of(&mut ben, "Ana");
    assert_eq!(scan(&mut ana, "Ben"), "matches");
    ana.sees("Ben", "as verified", |ben| ben.trust == "verified");
    assert_eq!(frames_of(&mut ben, "Ana"), opened);
    // And it can be opened again.
    ana.orders("camera on");
    ben.receives("Ana", |ana| ana.video.opened > opened);
    end(ana, ben);

    // Her own code says nothing.
    let (mut ana, ben) = meet(&server, (&anas, Some(&own_code)), (&bens, None));
    assert_eq!(scan(&mut ana, "Ben"), "ownCode");
    end(ana, ben);

    // Somebody else's says that it is not Ben who shows it, and a mark that was given goes.
    let (mut ana, ben) = meet(&server, (&anas, Some(&eves_code)), (&bens, None));
    assert_eq!(scan(&mut ana, "Ben"), "differs");
    ana.sees("Ben", "as known", |ben| ben.trust == "known");
    end(ana, ben);
}

/// Pictures of `name` that have come, once no more come for two seconds.
fn frames_of(person: &mut Person, name: &str) -> u64 {
    let mut last = None;
    let mut still = 0;
    person.look_up();
    person.wait_for("a second without pictures", |event| {
        let Event::Media { senders } = event else {
            return None;
        };
        let sender = senders.iter().find(|sender| sender.name == name)?;
        let now = sender.video.opened;
        still = if last == Some(now) { still + 1 } else { 0 };
        last = Some(now);
        (still == 2).then_some(now)
    })
}

#[test]
fn a_scan_ends_when_it_is_stopped_when_another_begins_and_after_a_minute() {
    let server = Server::start();
    let (anas, bens) = (Home::new(), Home::new());
    let nothing = anas.path("wall.png");
    let wall = "████\n████\n";
    half_blocks(wall, 200, "noise=alls=18", &nothing);
    let (mut ana, ben) = meet(&server, (&anas, Some(&nothing)), (&bens, None));
    ana.orders("verify Ben scan");
    ana.types("stop-scan");
    assert_eq!(outcome(&mut ana, "Ben"), "stopped");
    ana.orders("verify Ben scan");
    ana.types("verify Ben scan");
    assert_eq!(outcome(&mut ana, "Ben"), "stopped");
    ana.look_up();
    let seen = ana.wait_within(
        Duration::from_secs(90),
        "the end of the minute",
        |event| match event {
            Event::Scan { outcome, .. } => Some(outcome.clone()),
            _ => None,
        },
    );
    assert_eq!(seen, "nothingSeen");
    end(ana, ben);
}
