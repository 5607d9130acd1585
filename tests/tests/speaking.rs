//! Hands and turns with whole programs: who has no place is heard by nobody, until he is let speak.

use std::time::{Duration, Instant};

use e2e::event::Event;
use e2e::person::{Invitation, Person};
use e2e::server::Server;

/// Sound that was on its way when it was ended.
const ON_ITS_WAY: Duration = Duration::from_millis(1500);
/// How long nothing may come.
const SILENCE: Duration = Duration::from_secs(2);

fn has_turn(person: &mut Person, wanted: &str, wanted_muted: bool) {
    person.wait_for(&format!("turn {wanted}"), |event| match event {
        Event::Speaking { turn, muted } => (turn == wanted && *muted == wanted_muted).then_some(()),
        _ => None,
    });
}

fn has_hands(person: &mut Person, wanted: &[&str]) {
    person.wait_for(&format!("hands of {wanted:?}"), |event| match event {
        Event::Hands { hands } => {
            let names: Vec<_> = hands.iter().map(|hand| hand.name.as_str()).collect();
            (names == wanted).then_some(())
        }
        _ => None,
    });
}

/// Packets of sound that have come of somebody, by the next report.
fn heard_of(person: &mut Person, name: &str) -> u64 {
    person.look_up();
    person.receives(name, |_| true).audio.received
}

/// Waits until more sound of `name` has come.
fn hears(person: &mut Person, name: &str) {
    let before = heard_of(person, name);
    person.receives(name, |sender| sender.audio.opened >= before + 50);
}

/// Holds that no sound of `name` comes once what was on its way is there.
#[track_caller]
fn does_not_hear(person: &mut Person, name: &str) {
    std::thread::sleep(ON_ITS_WAY);
    let before = heard_of(person, name);
    let until = Instant::now() + SILENCE;
    while Instant::now() < until {
        let now = heard_of(person, name);
        assert_eq!(now, before, "{} hears {name}", person.name());
    }
}

#[test]
fn who_has_no_place_is_not_heard_until_let_speak() {
    let server = Server::start();
    let mut ana = Invitation::host("Ana", &server.argument())
        .with_tone()
        .with(["--commands", "--admit", "all"])
        .come();
    let link = ana.link();
    let guest = |name: &str| {
        Invitation::join(name, &link)
            .with_tone()
            .with(["--commands"])
    };
    let mut ben = guest("Ben").come();
    ben.meets(&["Ana", "Ben"]);
    let mut cleo = guest("Cleo").come();
    cleo.meets(&["Ana", "Ben", "Cleo"]);
    // At or under the bound everybody is heard, and nobody hears of turns.
    hears(&mut ana, "Cleo");
    hears(&mut ana, "Ben");

    ana.orders("open-microphones 2");
    ana.has_rules("two microphones", |rules| rules.open_microphones == 2);
    has_turn(&mut cleo, "lost", true);
    does_not_hear(&mut ana, "Cleo");
    does_not_hear(&mut ben, "Cleo");
    hears(&mut cleo, "Ben");
    cleo.orders("mute off");
    has_turn(&mut cleo, "full", true);

    let mut dan = guest("Dan").come();
    has_turn(&mut dan, "audience", true);
    hears(&mut dan, "Ana");
    dan.orders("hand up");
    has_hands(&mut ana, &["Dan"]);
    cleo.orders("hand up");
    for person in [&mut ana, &mut ben, &mut cleo, &mut dan] {
        has_hands(person, &["Dan", "Cleo"]);
    }
    ben.orders("let-speak Cleo");
    ben.is_told_no(&["role", "not allow"]);
    ana.orders("let-speak Cleo");
    has_turn(&mut cleo, "letSpeak", false);
    has_hands(&mut dan, &["Dan"]);
    // Nobody opens her microphone for her.
    does_not_hear(&mut ana, "Cleo");
    cleo.orders("mute off");
    has_turn(&mut ben, "lost", true);
    hears(&mut ana, "Cleo");
    hears(&mut dan, "Cleo");
    does_not_hear(&mut dan, "Ben");

    // With a place free nobody needs a host.
    ana.orders("mute on");
    has_turn(&mut dan, "room", false);
    dan.orders("mute off");
    hears(&mut cleo, "Dan");
    has_hands(&mut ana, &[]);
    ana.orders("ask-to-mute Dan");
    has_turn(&mut dan, "ended", true);
    does_not_hear(&mut cleo, "Dan");
    ana.orders("open-microphones 0");
    ana.is_told_no(&["from 1 to 500"]);
}

#[test]
fn in_a_small_meeting_hands_are_raised_and_nothing_else_changes() {
    let server = Server::start();
    let mut ana = Invitation::host("Ana", &server.argument())
        .with_tone()
        .with(["--commands", "--admit", "all"])
        .come();
    let link = ana.link();
    let mut ben = Invitation::join("Ben", &link)
        .with_tone()
        .with(["--commands"])
        .come();
    ben.meets(&["Ana", "Ben"]);
    hears(&mut ana, "Ben");
    ben.orders("mute on");
    ben.orders("hand up");
    has_hands(&mut ana, &["Ben"]);
    ana.orders("lower Ben");
    has_hands(&mut ben, &[]);
    ben.orders("hand up");
    has_hands(&mut ana, &["Ben"]);
    ana.orders("let-speak Ben");
    has_turn(&mut ben, "letSpeak", false);
    does_not_hear(&mut ana, "Ben");
    ben.orders("mute off");
    hears(&mut ana, "Ben");
    ana.orders("ask-to-mute Ben");
    has_turn(&mut ben, "askedToMute", false);
    // Asked is not muted.
    hears(&mut ana, "Ben");
}
