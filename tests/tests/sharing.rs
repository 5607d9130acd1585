//! Shared screens: what one person's X server shows, as it comes to another person.

use std::thread;
use std::time::{Duration, Instant};

use e2e::display::Display;
use e2e::event::{Event, Sender, Shape};
use e2e::person::{Invitation, PATIENCE, Person, meet};
use e2e::picture;
use e2e::server::Server;

/// The bar for a shared screen against what is on it, dB.
const LEAST_PSNR: f64 = 30.0;
/// Xvfb's screen, scaled to fit 1920×1080: not at all.
const SCREEN: Shape = Shape {
    width: 1280,
    height: 860,
};
const WINDOW: (u32, u32) = (640, 360);

/// Waits until `who` begins or ceases to share.
fn sees_share(person: &mut Person, who: &str, wanted: bool) {
    person.wait_for(&format!("{who} shares: {wanted}"), |event| match event {
        Event::Share { name, on, .. } => (name == who && *on == wanted).then_some(()),
        _ => None,
    });
}

fn comes(shape: Shape) -> impl Fn(&Sender) -> bool {
    move |sender| sender.screen_picture == Some(shape) && sender.screen.opened >= 10
}

/// Nothing of the screen comes any more, while sound goes on.
fn is_dark(person: &mut Person, who: &str) {
    person.look_up();
    let before = person.receives(who, |sender| sender.screen_picture.is_none());
    person.look_up();
    let heard = before.audio.opened + 100;
    let later = person.receives(who, |sender| sender.audio.opened > heard);
    assert_eq!(later.screen.received, before.screen.received, "{later:?}");
}

/// A display with one window on it; its id too.
fn a_drawing() -> (Display, e2e::process::Process, String) {
    let display = Display::start();
    let drawing = display.draw("Clause 4.2: the seller warrants", WINDOW);
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(window) = display.windows().pop() {
            // Time to draw.
            thread::sleep(Duration::from_secs(1));
            return (display, drawing, window);
        }
        assert!(Instant::now() < deadline, "no window: {}", drawing.errors());
        thread::sleep(Duration::from_millis(100));
    }
}

fn ana(server: &Server, display: &Display) -> Invitation {
    Invitation::host("Ana", &server.argument())
        .with_test_signals()
        .with(["--commands"])
        .env("DISPLAY", display.name())
        .env("WAYLAND_DISPLAY", "")
}

#[test]
fn a_screen_is_seen_as_it_is_until_it_is_shared_no_more() {
    let server = Server::start();
    let (display, _drawing, window) = a_drawing();
    let ana = ana(&server, &display).with(["--screen", "screen"]);
    let (mut ana, mut ben, _) = meet(ana, |link| {
        Invitation::join("Ben", link)
            .with_test_signals()
            .saving()
            .with(["--commands"])
    });
    sees_share(&mut ben, "Ana", true);
    let seen = ben.receives("Ana", comes(SCREEN));
    assert_eq!(seen.screen.failed, 0, "{seen:?}");
    assert!(seen.picture.is_some(), "the camera goes on beside it");
    // The encoder sharpens what does not change.
    thread::sleep(Duration::from_secs(3));
    let file = tempfile::tempdir().expect("a temporary folder");
    let file = file.path().join("screen.png");
    display.picture(&file).expect("a picture of the screen");

    // One window of it, from now on: the shape of what comes tells.
    ana.orders(&format!("share window:{window} motion"));
    ben.look_up();
    let shape = Shape {
        width: WINDOW.0 as u16,
        height: WINDOW.1 as u16,
    };
    ben.receives("Ana", |sender| sender.screen_picture == Some(shape));
    ana.orders("share screen text");
    ben.look_up();
    ben.receives("Ana", |sender| sender.screen_picture == Some(SCREEN));
    thread::sleep(Duration::from_secs(3));

    ana.orders("share stop");
    sees_share(&mut ben, "Ana", false);
    is_dark(&mut ben, "Ana");
    ben.leave();
    ana.leave();

    let last = ben.saved("Ana", "screen.png");
    let size = (usize::from(SCREEN.width), usize::from(SCREEN.height));
    assert_eq!(picture::size(&last), size);
    let seen = picture::read_brightness(&last, size).swap_remove(0);
    let truth = picture::read_brightness(&file, size).swap_remove(0);
    let psnr = seen.psnr(&truth);
    eprintln!("the shared screen: {psnr:.1} dB");
    assert!(psnr >= LEAST_PSNR, "{psnr:.1} dB");
}

#[test]
fn a_window_that_is_closed_is_shared_no_more_and_its_owner_is_told() {
    let server = Server::start();
    let (display, mut drawing, window) = a_drawing();
    let (mut ana, mut ben, _) = meet(ana(&server, &display), |link| {
        Invitation::join("Ben", link).with_test_signals()
    });
    ana.orders("share window:0x7fffff");
    ana.is_told_no(&["no screen or window", "choose another"]);
    ana.orders(&format!("share window:{window}"));
    sees_share(&mut ben, "Ana", true);
    ben.receives("Ana", |sender| sender.screen.opened >= 3);
    ana.look_up();
    drawing.kill();
    ana.is_told_no(&["the window was closed"]);
    sees_share(&mut ben, "Ana", false);
    is_dark(&mut ben, "Ana");
    ben.leave();
    ana.leave();
}

#[test]
fn who_may_not_share_is_told_and_not_shown() {
    let server = Server::start();
    let ana = Invitation::host("Ana", &server.argument())
        .with_test_signals()
        .with(["--commands"]);
    let (mut ana, mut ben, _) = meet(ana, |link| {
        Invitation::join("Ben", link)
            .with_test_signals()
            .with(["--commands"])
    });
    ben.orders("sharing hosts");
    ben.is_told_no(&["role", "not allow"]);
    ana.orders("sharing hosts");
    ben.has_rules("only hosts share", |rules| rules.hosts_share);
    ben.orders("share test");
    ben.is_told_no(&["only hosts and co-hosts may share"]);
    is_dark(&mut ana, "Ben");

    // A host may, and then a participant too.
    ana.orders("share test");
    sees_share(&mut ben, "Ana", true);
    ben.receives("Ana", |ana| ana.screen_picture.is_some());
    ana.orders("share stop");
    sees_share(&mut ben, "Ana", false);
    ana.orders("sharing everyone");
    ben.has_rules("all share", |rules| !rules.hosts_share);
    ben.orders("share test");
    sees_share(&mut ana, "Ben", true);
    ana.receives("Ben", |ben| ben.screen_picture.is_some());

    // The rules change while he shares.
    ben.look_up();
    ana.orders("sharing hosts");
    ben.is_told_no(&["not shared any more", "a host decided"]);
    sees_share(&mut ana, "Ben", false);
    is_dark(&mut ana, "Ben");
    ben.leave();
    ana.leave();
}

#[test]
fn a_screen_is_made_only_while_somebody_looks() {
    let server = Server::start();
    let ana = Invitation::host("Ana", &server.argument())
        .with_test_signals()
        .with(["--screen", "test"]);
    let (mut ana, mut ben, _) = meet(ana, |link| {
        Invitation::join("Ben", link)
            .with_test_signals()
            .with(["--commands"])
    });
    let shape = |width, height| Shape { width, height };
    ben.receives("Ana", comes(shape(1920, 1080)));
    ben.orders("watch low");
    ben.receives("Ana", |ana| ana.screen_picture == Some(shape(640, 360)));
    ben.orders("watch off");
    is_dark(&mut ben, "Ana");
    ben.orders("watch high");
    ben.receives("Ana", |ana| ana.screen_picture == Some(shape(1920, 1080)));
    ben.leave();
    ana.leave();
}
