//! What cannot work says so: a sentence on standard error, exit code 2, no panic.

use std::net::TcpListener;
use std::os::unix::fs::symlink;

use e2e::person::{Invitation, meet};
use e2e::server::{Certificate, Server, ServerOptions};

/// A link of the right form to a place where nothing is.
fn link_to(port: u16) -> String {
    let part = |bytes: usize| "A".repeat((bytes * 8).div_ceil(6));
    format!(
        "conclave://127.0.0.1:{port}/j/{}#v1.{}.{}.{}",
        part(16),
        part(32),
        part(16),
        part(32)
    )
}

fn join_fails(link: &str, words: &[&str]) {
    let ending = Invitation::join("Ben", link).without_media().fail();
    eprintln!("{link}: {}", ending.errors.trim());
    ending.is_a_sentence_with(words);
}

/// The link with the letter at `from_its_part` of the secret changed: still well formed.
fn with_another_secret(link: &str) -> String {
    let secret = link.find("#v1.").expect("a link has a secret") + 6;
    let other = if link.as_bytes()[secret] == b'Q' {
        "R"
    } else {
        "Q"
    };
    format!("{}{other}{}", &link[..secret], &link[secret + 1..])
}

#[test]
fn a_wrong_link_is_explained() {
    let whole = link_to(9);
    join_fails("example.org", &["link"]);
    join_fails("https://example.org/meeting", &["link"]);
    join_fails(&whole[..whole.find('#').expect("has a secret")], &["link"]);
    join_fails(&whole[..whole.len() - 50], &["link"]);
    join_fails(&whole.replace("#v1.", "#v9."), &["update"]);
}

#[test]
fn an_unreachable_server_is_explained() {
    // Bound and let go again: nothing listens there.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    drop(listener);
    join_fails(&link_to(port), &["127.0.0.1", "reach"]);
    let ending = Invitation::host("Ana", &format!("https://127.0.0.1:{port}"))
        .without_media()
        .fail();
    ending.is_a_sentence_with(&["127.0.0.1", "reach"]);
}

#[test]
fn another_certificate_than_the_pinned_one_is_refused() {
    let mut server = Server::start();
    let port = server.port();
    let mut ana = Invitation::host("Ana", &server.argument())
        .without_media()
        .come();
    let link = ana.link();
    ana.vanish();
    server.kill();
    // The same address, a certificate of its own making: what an impostor has.
    let _impostor = Server::start_with(ServerOptions {
        port,
        ..ServerOptions::default()
    });
    join_fails(&link, &["certificate"]);
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused_without_a_pin() {
    let server = Server::start();
    let ending = Invitation::host("Ana", &format!("https://127.0.0.1:{}", server.port()))
        .without_media()
        .fail();
    ending.is_a_sentence_with(&["certificate"]);
}

#[test]
fn a_meeting_that_has_ended_is_explained() {
    let certificate = Certificate::make();
    let mut server = Server::start_with(ServerOptions {
        certificate: Some(&certificate),
        ..ServerOptions::default()
    });
    let port = server.port();
    let mut ana = Invitation::host("Ana", &server.argument())
        .without_media()
        .come();
    let link = ana.link();
    ana.vanish();
    server.kill();
    // A server keeps nothing: after its restart the meeting is unknown, as an expired one is.
    let _server = Server::start_with(ServerOptions {
        port,
        certificate: Some(&certificate),
        ..ServerOptions::default()
    });
    join_fails(&link, &["meeting"]);
}

#[test]
fn a_link_with_another_secret_does_not_even_knock() {
    let server = Server::start();
    let mut ana = Invitation::host("Ana", &server.argument())
        .without_media()
        .come();
    let link = ana.link();
    join_fails(&with_another_secret(&link), &["link"]);
}

#[test]
fn a_missing_camera_is_explained() {
    let server = Server::start();
    for camera in ["/dev/video97", "file:/nowhere/film.webm"] {
        let ending = Invitation::host("Ana", &server.argument())
            .with([
                "--camera",
                camera,
                "--microphone",
                "off",
                "--speaker",
                "null",
            ])
            .fail();
        eprintln!("{camera}: {}", ending.errors.trim());
        ending.is_a_sentence_with(&["camera"]);
    }
}

#[test]
fn a_missing_microphone_is_explained() {
    let server = Server::start();
    for microphone in ["no-such-microphone", "file:/nowhere/voice.flac"] {
        let ending = Invitation::host("Ana", &server.argument())
            .with([
                "--camera",
                "off",
                "--microphone",
                microphone,
                "--speaker",
                "null",
            ])
            .fail();
        eprintln!("{microphone}: {}", ending.errors.trim());
        ending.is_a_sentence_with(&["microphone"]);
    }
}

#[test]
fn a_missing_speaker_is_explained() {
    let server = Server::start();
    let ending = Invitation::host("Ana", &server.argument())
        .with([
            "--camera",
            "off",
            "--microphone",
            "off",
            "--speaker",
            "no-such-speaker",
        ])
        .fail();
    ending.is_a_sentence_with(&["speaker"]);
}

#[test]
fn a_full_disk_is_explained() {
    let server = Server::start();
    for file in ["Ben.wav", "Ben.mkv"] {
        let ana = Invitation::host("Ana", &server.argument())
            .without_media()
            .saving();
        // Writing there fails as on a full disk, with "No space left on device".
        symlink("/dev/full", ana.folder().join(file)).expect("a folder of our own");
        let (mut ana, _ben, _) = meet(ana, |link| {
            Invitation::join("Ben", link).with_test_signals()
        });
        let ending = ana.end();
        eprintln!("{file}: {}", ending.errors.trim());
        ending.is_a_sentence_with(&["disk", "full"]);
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_explained() {
    let server = Server::start();
    let ending = Invitation::host("Ana", &server.argument())
        .without_media()
        .with(["--save", "/proc/nowhere/folder"])
        .fail();
    ending.is_a_sentence_with(&["/proc/nowhere/folder"]);
}
