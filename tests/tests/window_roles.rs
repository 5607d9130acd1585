//! A host at work in the real window, with people at the command line: the door, roles, removal, the
//! link, the code, safety numbers, a changed key; and an identity that was kept nowhere.

use std::fs;
use std::path::PathBuf;

use e2e::event::Event;
use e2e::person::{Invitation, Person, WITHOUT_MEDIA};
use e2e::server::Server;
use e2e::webdriver::{ENTER, TAB};
use e2e::window::{PATIENCE, Window};
use tempfile::TempDir;

fn window(more: &[&str]) -> Window {
    Window::open(&[&WITHOUT_MEDIA[..], more].concat())
}

fn guest(name: &str, link: &str) -> Invitation {
    Invitation::join(name, link)
        .without_media()
        .with(["--commands"])
}

/// Somebody who can be met again.
fn kept(folder: &TempDir) -> Vec<PathBuf> {
    let passphrase = folder.path().join("passphrase");
    fs::write(&passphrase, "correct horse battery\n").expect("a folder of our own");
    vec![
        "--identity".into(),
        folder.path().join("identity"),
        "--passphrase-file".into(),
        passphrase,
    ]
}

/// Waits for the knock and holds the mark that is shown beside the name; gives the device.
fn knocks(window: &Window, name: &str, mark: &str) -> String {
    let (knock, device) = window.part_beginning("knock-");
    let text = window.text(&knock).unwrap_or_default();
    assert!(text.contains(name) && text.contains(mark), "{text:?}");
    device
}

/// What the list says of somebody, once it has these words.
fn is_listed(window: &Window, device: &str, words: &str) {
    window.reads(&format!("member-{device}"), |text| {
        text.contains(words).then_some(())
    });
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

#[test]
fn a_host_keeps_the_door_and_the_rules() {
    let server = Server::start();
    let window = window(&["--server", &server.argument()]);
    let first = window.hosts_as("Ana");
    window.show("alone");

    // Admitted and refused, with what is known of them.
    let mut ben = guest("Ben", &first).come();
    let bens = knocks(&window, "Ben", "New person");
    window.show("knock");
    window.press(&format!("admit-{bens}"));
    ben.meets(&["Ana", "Ben"]);
    let mut cleo = guest("Cleo", &first).come();
    let cleos = knocks(&window, "Cleo", "New person");
    window.press(&format!("refuse-{cleos}"));
    cleo.end().is_a_sentence_with(&["not let in"]);
    window.lacks(&format!("knock-{cleos}"));

    // Locked, and opened again.
    window.press("lock");
    ben.has_rules("a locked meeting", |rules| rules.locked);
    window.part("badge-locked");
    window.show("locked");
    guest("Cleo", &first)
        .fail()
        .is_a_sentence_with(&["locked", "ana"]);
    ben.look_up();
    window.press("lock");
    ben.has_rules("an open meeting", |rules| !rules.locked);

    // A co-host and successor.
    window.press(&format!("actions-{bens}"));
    window.press(&format!("role-coHost-{bens}"));
    ben.sees("Ben", "as co-host", |ben| ben.role == "coHost");
    window.press(&format!("successor-{bens}"));
    is_listed(&window, &bens, "Co-host, Successor");
    window.show("co-host");
    window.press(&format!("actions-{bens}"));

    // One who came and is removed.
    let mut eve = guest("Eve", &first).come();
    let eves = knocks(&window, "Eve", "New person");
    window.press(&format!("admit-{eves}"));
    eve.meets(&["Ana", "Ben", "Eve"]);
    ben.meets(&["Ana", "Ben", "Eve"]);
    window.press(&format!("actions-{eves}"));
    window.press(&format!("remove-{eves}"));
    window.part("confirm");
    window.show("remove");
    window.press("confirm");
    eve.end().is_a_sentence_with(&["removed you"]);
    ben.look_up();
    window.lacks(&format!("member-{eves}"));

    // The link: revoked, and another one for one person.
    window.press("new-link");
    window.press("single-use");
    window.press("expiry-hour");
    window.show("new-link");
    window.press("make-link");
    let second = window.wait_until("another link", PATIENCE, || {
        Some(window.link()).filter(|link| *link != first)
    });
    window.reads("link-limits", |text| {
        (text.contains("one person") && text.contains("Ends")).then_some(())
    });
    window.show("renewed");
    guest("Mallory", &first)
        .fail()
        .is_a_sentence_with(&["revoked"]);
    let mut dan = guest("Dan", &second).come();
    let dans = knocks(&window, "Dan", "New person");
    window.press(&format!("admit-{dans}"));
    dan.meets(&["Ana", "Ben", "Dan"]);
    window.wait_until("a link for the next one", PATIENCE, || {
        Some(window.link()).filter(|link| *link != second)
    });

    // Rules that are not of the door, where the code is.
    window.press("security");
    dan.look_up();
    window.press("high-secrecy");
    dan.has_rules("high secrecy", |rules| rules.high_secrecy && !rules.strict);
    window.press("strict");
    dan.has_rules("strictness", |rules| rules.high_secrecy && rules.strict);
    window.part("badge-high-secrecy");
    same_code(&window, &mut dan, "rules of the meeting changed");
    window.show("security");
    dan.look_up();
    dan.leave();
    window.reads("code-reason", |text| {
        text.contains("Dan left").then_some(())
    });

    // She leaves, and Ben goes on as host.
    window.press("leave");
    window.part("confirm-other");
    window.show("leave");
    ben.look_up();
    window.press("confirm");
    ben.sees("Ben", "as host", |ben| ben.role == "host");
    window.press("home");
    window.part("new-meeting");
}

/// The window shows the code that a member has, and why it is a new one.
fn same_code(window: &Window, person: &mut Person, reason: &str) {
    window.reads("code-reason", |text| text.contains(reason).then_some(()));
    let shown = window.reads("code", |text| {
        Some(digits(text)).filter(|code| code.len() == 30)
    });
    person.wait_for("the window's code", |event| match event {
        Event::Code { digits: code, .. } => (digits(code) == shown).then_some(()),
        _ => None,
    });
}

#[test]
fn a_number_is_compared_and_a_changed_key_accepted() {
    let server = Server::start();
    let window = window(&["--server", &server.argument()]);
    let link = window.hosts_as("Ana");
    let mut ben = guest("Ben", &link).come();
    let bens = knocks(&window, "Ben", "New person");
    window.press(&format!("admit-{bens}"));
    ben.meets(&["Ana", "Ben"]);

    // Both read the same digits.
    window.press(&format!("actions-{bens}"));
    window.press(&format!("compare-{bens}"));
    let shown = window.reads("safety-digits", |text| {
        Some(digits(text)).filter(|digits| digits.len() == 60)
    });
    window.part("qr");
    window.show("safety");
    ben.orders("safety-number Ana");
    ben.wait_for("the window's number", |event| match event {
        Event::SafetyNumber { digits: number, .. } => (digits(number) == shown).then_some(()),
        _ => None,
    });
    window.press("match");
    window.reads("safety-outcome", |text| {
        text.contains("Ben is verified").then_some(())
    });
    window.show("matched");
    window.press("close-safety");
    is_listed(&window, &bens, "Verified by you");
    ben.leave();
    window.lacks(&format!("member-{bens}"));

    // Somebody with Ben's name and another key is let in by a second step, and nothing more.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut other = guest("Ben", &link).with(kept(&folder)).come();
    let others = knocks(&window, "Ben", "Not the key you know as Ben");
    window.show("changed-knock");
    window.press(&format!("admit-{others}"));
    window.part("confirm");
    window.show("changed-admit");
    window.press("confirm");
    other.meets(&["Ana", "Ben"]);
    window.part(&format!("changed-{others}"));
    is_listed(&window, &others, "Not the key you know as Ben");
    window.press(&format!("actions-{others}"));
    is_listed(&window, &others, "does not mean that the key was accepted");
    window.show("changed-inside");

    // It is accepted by keyboard: what has the focus first keeps the warning.
    accept_by_keyboard(&window, &others);
    window.lacks(&format!("changed-{others}"));
    is_listed(&window, &others, "Met before");
    other.leave();
    window.lacks(&format!("member-{others}"));
    let _back = guest("Ben", &link).with(kept(&folder)).come();
    knocks(&window, "Ben", "Met before");
    window.show("accepted");
}

fn accept_by_keyboard(window: &Window, device: &str) {
    let accept = window.part(&format!("changed-accept-{device}"));
    window.keys(&accept, ENTER);
    let focused = |words: &str| {
        window.wait_until(words, PATIENCE, || {
            let element = window.focused()?;
            (window.text(&element)? == words).then_some(element)
        })
    };
    window.keys(&focused("Keep the warning"), TAB);
    let confirm = focused("Accept this key");
    window.show("accept");
    window.keys(&confirm, ENTER);
}

#[test]
fn an_identity_that_was_kept_nowhere_is_kept_and_opened_again() {
    const PASSPHRASE: &str = "correct horse battery";
    let mut window = window(&["--profile", "kept"]);
    window.part("ephemeral");
    window.show("home");
    window.press("ephemeral-keep");
    let fingerprint = |window: &Window| {
        window.reads("fingerprint", |text| {
            text.contains(char::is_numeric).then(|| text.to_owned())
        })
    };
    let before = fingerprint(&window);
    window.fill(&window.part("protect-passphrase"), PASSPHRASE);
    window.fill(&window.part("protect-again"), PASSPHRASE);
    window.show("protect");
    window.press("protect");
    window.reads("protected", |text| text.contains("kept").then_some(()));
    assert_eq!(fingerprint(&window), before);
    window.show("protected");

    window.restart();
    window.fill(&window.part("unlock-passphrase"), PASSPHRASE);
    window.show("locked-home");
    window.press("unlock");
    window.lacks("unlock-form");
    window.press("identity-page");
    assert_eq!(fingerprint(&window), before);
}
