//! Two people meet: a real server process, two real clients, a sample voice and picture.

use std::collections::BTreeSet;
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use e2e::event::Event;
use e2e::person::{Invitation, PATIENCE, Person, meet};
use e2e::picture;
use e2e::programs::sample;
use e2e::server::Server;
use e2e::wave;

/// The bar for pictures against their source, dB.
const LEAST_PSNR: f64 = 30.0;

#[test]
fn two_people_see_and_hear_each_other() {
    let server = Server::start();
    let ana = Invitation::host("Ana", &server.argument())
        .with_test_signals()
        .saving();
    let (mut ana, mut ben, _) = meet(ana, |link| {
        Invitation::join("Ben", link).with_samples().saving()
    });
    same_room(&mut ana, &mut ben);

    // Fourteen seconds: the sample voice to its end.
    let of_ben = ana.receives("Ben", |ben| {
        ben.audio.opened >= 700 && ben.video.opened >= 200
    });
    let of_ana = ben.receives("Ana", |ana| {
        ana.audio.opened >= 500 && ana.video.opened >= 150
    });
    for sender in [&of_ben, &of_ana] {
        assert_eq!(
            (sender.audio.failed, sender.video.failed),
            (0, 0),
            "{sender:?}"
        );
        assert!(
            sender.audio.played > 0 && sender.video.played > 0,
            "{sender:?}"
        );
        assert!(
            sender.audio.latency_ms.is_some() && sender.video.latency_ms.is_some(),
            "{sender:?}"
        );
    }
    ana.look_up();
    ben.leave();
    ana.meets(&["Ana"]);
    ana.leave();

    sounds_like_the_sample(&ana.saved("Ben", "wav"));
    looks_like_the_sample(&ana.saved("Ben", "png"), &ana.saved("Ben", "mkv"));
    assert!(
        wave::loudness(&wave::read(&ben.saved("Ana", "wav"))) > 0.003,
        "Ana's test signal is heard"
    );
    let film = picture::read_brightness(&ben.saved("Ana", "mkv"), (160, 90));
    assert!(
        film.len() >= 100 && film[5] != film[film.len() - 5],
        "Ana's test picture moves"
    );
}

/// One epoch, one code, one roster.
fn same_room(ana: &mut Person, ben: &mut Person) {
    let (epoch, roster) = ben.meets(&["Ana", "Ben"]);
    let roles: BTreeSet<_> = roster
        .iter()
        .map(|member| (member.name.as_str(), member.role.as_str()))
        .collect();
    assert_eq!(
        roles,
        BTreeSet::from([("Ana", "host"), ("Ben", "participant")])
    );
    let devices: BTreeSet<_> = roster.iter().map(|member| &member.device).collect();
    assert_eq!(devices.len(), 2, "{roster:?}");
    let code = ben.code(epoch);
    assert_eq!(code.len(), 30, "{code}");
    assert_eq!(ana.code(epoch), code);
}

fn sounds_like_the_sample(saved: &Path) {
    let heard = wave::find(&wave::read(&sample("speech.flac")), &wave::read(saved));
    eprintln!("sound: {heard:?}");
    assert!(heard.overlap >= 300, "six seconds at the least: {heard:?}");
    assert!(heard.envelope >= 0.9 && heard.wave >= 0.9, "{heard:?}");
}

fn looks_like_the_sample(last: &Path, film: &Path) {
    let size = picture::size(last);
    let picture = picture::read_colour(last, size).swap_remove(0);
    let (_, psnr) = picture.best_of(&picture::read_colour(&sample("person.webm"), size));
    eprintln!("last picture: {size:?}, {psnr:.1} dB");
    assert!(psnr >= LEAST_PSNR, "the last picture: {psnr:.1} dB");

    // Beside the codec's loss there is that of scaling: both are compared at one small size.
    let size = (320, 180);
    let source = picture::read_brightness(&sample("person.webm"), size);
    let film = picture::read_brightness(film, size);
    assert!(film.len() >= 150, "{} pictures were saved", film.len());
    let seen: BTreeSet<usize> = film
        .iter()
        .step_by(30)
        .map(|picture| {
            let (index, psnr) = picture.best_of(&source);
            assert!(psnr >= LEAST_PSNR, "a picture of the film: {psnr:.1} dB");
            index
        })
        .collect();
    assert!(seen.len() >= 3, "the film stands still: {seen:?}");
}

#[test]
fn a_picture_comes_in_the_size_that_is_watched_and_only_while_it_is() {
    let server = Server::start();
    let ana = Invitation::host("Ana", &server.argument()).with_test_signals();
    let (mut ana, mut ben, _) = meet(ana, |link| {
        let ben = Invitation::join("Ben", link).with_test_signals();
        ben.with(["--commands"])
    });
    let comes =
        |size: &'static str| move |ana: &e2e::event::Sender| ana.picture.as_deref() == Some(size);
    ben.receives("Ana", comes("medium"));
    ben.orders("watch high");
    ben.receives("Ana", comes("high"));
    ben.orders("watch low");
    let before = ben.receives("Ana", comes("low"));
    // Sound goes on for the whole time.
    ben.orders("watch off");
    let dark = ben.receives("Ana", |ana| ana.picture.is_none());
    assert!(dark.audio.opened > before.audio.opened + 100, "{dark:?}");
    ben.look_up();
    let later = ben.receives("Ana", |ana| ana.audio.opened > dark.audio.opened + 100);
    assert_eq!(later.video.received, dark.video.received, "nobody watches");
    ben.orders("watch high");
    ben.receives("Ana", comes("high"));
    ben.leave();
    ana.leave();
}

#[test]
fn a_host_without_a_server_brings_one_and_takes_it_away() {
    let ana = Invitation::host_alone("Ana").without_media();
    let (mut ana, mut ben, link) = meet(ana, |link| Invitation::join("Ben", link).without_media());
    same_room(&mut ana, &mut ben);
    ben.leave();
    ana.leave();

    let address = link
        .trim_start_matches("conclave://")
        .split("/j/")
        .next()
        .expect("a link has an address");
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(address).is_ok() {
        assert!(
            Instant::now() < deadline,
            "the server outlives its host at {address}"
        );
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn the_host_decides_who_comes_in() {
    let server = Server::start();
    let mut ana = Invitation::host("Ana", &server.argument())
        .without_media()
        .with(["--admit", "ask"])
        .come();
    let link = ana.link();

    let mut eve = Invitation::join("Eve", &link).without_media().come();
    knocks(&mut ana, "Eve");
    ana.types("n");
    eve.end().is_a_sentence_with(&["ana"]);

    let mut ben = Invitation::join("Ben", &link).without_media().come();
    let (title, host) = ben.wait_for("waiting", |event| match event {
        Event::Waiting { title, host } => Some((title.clone(), host.clone())),
        _ => None,
    });
    assert_eq!(
        host, "Ana",
        "who decides is named while one waits, in {title:?}"
    );
    knocks(&mut ana, "Ben");
    ana.types("y");
    same_room(&mut ana, &mut ben);
}

fn knocks(host: &mut Person, who: &str) {
    host.wait_for("knock", |event| match event {
        Event::Knock { name, .. } => (name == who).then_some(()),
        _ => None,
    });
}

#[test]
fn a_third_person_changes_the_code_for_all() {
    let server = Server::start();
    let ana = Invitation::host("Ana", &server.argument()).without_media();
    let (mut ana, mut ben, link) = meet(ana, |link| Invitation::join("Ben", link).without_media());
    let (before, _) = ben.meets(&["Ana", "Ben"]);
    let old = ben.code(before);

    let mut cleo = Invitation::join("Cleo", &link).without_media().come();
    let all = ["Ana", "Ben", "Cleo"];
    let (epoch, _) = cleo.meets(&all);
    ana.meets(&all);
    ben.meets(&all);
    let code = cleo.code(epoch);
    assert_ne!(code, old);
    assert_eq!((ana.code(epoch), ben.code(epoch)), (code.clone(), code));

    // Cleo leaves, and the two are among themselves again under a new key.
    ana.look_up();
    ben.look_up();
    cleo.leave();
    let (after, _) = ben.meets(&["Ana", "Ben"]);
    assert!(after > epoch);
    assert_eq!(ben.code(after), ana.code(after));
}

#[test]
fn a_meeting_ends_by_itself_after_its_seconds() {
    let server = Server::start();
    let started = Instant::now();
    let mut ana = Invitation::host("Ana", &server.argument())
        .without_media()
        .with(["--seconds", "2"])
        .come();
    let ending = ana.end();
    assert_eq!(ending.code, Some(0), "{}", ending.errors);
    assert!(started.elapsed() < PATIENCE / 2);
}

#[test]
fn a_server_ends_well_when_asked_and_when_its_parent_ends() {
    let (code, errors) = Server::start().stop();
    assert_eq!(code, Some(0), "{errors}");
    assert_eq!(Server::start().orphan(), Some(0));
}
