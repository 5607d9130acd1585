//! The sound of shared screens, between whole programs.

use std::process::Command;
use std::thread;
use std::time::Duration;

use e2e::event::{Event, Sender};
use e2e::person::{Invitation, Person, meet};
use e2e::programs::sample;
use e2e::server::Server;
use e2e::sound::Sound;
use e2e::wave;

/// Packets of sound, whose counters take two bytes from then on: they have one length.
const WARM_UP: u64 = 300;

fn sees_share(person: &mut Person, who: &str, wanted: bool) {
    person.wait_for(&format!("{who} shares: {wanted}"), |event| match event {
        Event::Share { name, on, .. } => (name == who && *on == wanted).then_some(()),
        _ => None,
    });
}

/// What has come, by the next report.
fn now(person: &mut Person, who: &str) -> Sender {
    person.look_up();
    person.receives(who, |_| true)
}

/// No sound of a share comes any more, while the voice goes on.
fn share_is_silent(person: &mut Person, who: &str) {
    // What was on its way.
    thread::sleep(Duration::from_millis(1500));
    let before = now(person, who);
    let heard = before.audio.opened + 100;
    let later = person.receives(who, |sender| sender.audio.opened > heard);
    assert_eq!(later.screen_audio.received, before.screen_audio.received);
}

fn speech_as_screen_sound() -> [String; 2] {
    let speech = format!("file:{}", sample("speech.flac").display());
    ["--screen-sound".to_owned(), speech]
}

#[test]
fn the_sound_of_a_share_is_heard_with_it_in_packets_of_one_length_and_ends_with_it() {
    let server = Server::start();
    let ana = Invitation::host("Ana", &server.argument())
        .with_tone()
        .with(["--commands"])
        .with(speech_as_screen_sound());
    let (mut ana, mut ben, _) = meet(ana, |link| {
        Invitation::join("Ben", link).with_tone().saving()
    });
    // A screen alone has no sound.
    ana.orders("share test");
    ben.receives("Ana", |ana| ana.screen.opened >= 3);
    assert_eq!(now(&mut ben, "Ana").screen_audio.received, 0);

    // In the place of that one.
    ana.orders("share test sound");
    ben.look_up();
    let begun = ben.receives("Ana", |ana| ana.screen_audio.opened >= WARM_UP);
    let speaks = ben.receives("Ana", |ana| {
        ana.screen_audio.opened >= begun.screen_audio.opened + 250
    });
    // The file has 13.2 s, and eleven have been heard; silence follows it.
    thread::sleep(Duration::from_secs(5));
    let ended = now(&mut ben, "Ana");
    thread::sleep(Duration::from_secs(3));
    let silent = now(&mut ben, "Ana").screen_audio;
    assert!(silent.received >= ended.screen_audio.received + 100);
    let sizes = [(&begun, &speaks.screen_audio), (&ended, &silent)].map(|(before, after)| {
        let before = &before.screen_audio;
        let (bytes, packets) = (after.bytes - before.bytes, after.received - before.received);
        assert_eq!(bytes % packets, 0, "{bytes} bytes in {packets} packets");
        bytes / packets
    });
    assert_eq!(sizes[0], sizes[1], "speech and silence");
    assert_eq!(silent.failed + silent.forged, 0, "{silent:?}");
    assert!(silent.verified > 500, "{silent:?}");
    assert!(silent.played > 500, "{silent:?}");

    ana.orders("share stop");
    sees_share(&mut ben, "Ana", false);
    share_is_silent(&mut ben, "Ana");
    ben.leave();
    ana.leave();

    let saved = wave::read(&ben.saved("Ana", "screen.wav"));
    let heard = wave::find(&wave::read(&sample("speech.flac")), &saved);
    eprintln!("shared sound: {heard:?}");
    assert!(heard.overlap >= 500, "{heard:?}");
    assert!(heard.envelope >= 0.9 && heard.wave >= 0.9, "{heard:?}");
    let end = &saved[saved.len() - wave::RATE..];
    assert!(wave::loudness(end) < 1e-4, "the share was over");
}

#[test]
fn who_may_not_share_any_more_is_not_heard_any_more() {
    let server = Server::start();
    let ana = Invitation::host("Ana", &server.argument())
        .with_test_signals()
        .with(["--commands"]);
    let (mut ana, mut ben, _) = meet(ana, |link| {
        Invitation::join("Ben", link).with_test_signals().with([
            "--commands",
            "--screen",
            "test",
            "--screen-sound",
            "test",
        ])
    });
    ana.receives("Ben", |ben| ben.screen_audio.played >= 100);
    ana.orders("sharing hosts");
    sees_share(&mut ana, "Ben", false);
    share_is_silent(&mut ana, "Ben");
    ben.orders("share test sound");
    ben.is_told_no(&["only hosts and co-hosts may share"]);
    share_is_silent(&mut ana, "Ben");
    ben.leave();
    ana.leave();
}

#[test]
fn other_programs_are_shared_and_the_voices_of_the_meeting_do_not_come_back() {
    let server = Server::start();
    let sound = Sound::start();
    let with_sound = |mut person: Invitation| {
        for (name, value) in sound.environment() {
            person = person.env(name, value);
        }
        person
    };
    // Ana hears Ben by her loudspeaker, where the other program plays too.
    let ana = with_sound(Invitation::host("Ana", &server.argument())).with([
        "--camera",
        "off",
        "--microphone",
        "off",
        "--speaker",
        "default",
        "--commands",
    ]);
    let (mut ana, mut ben, _) = meet(ana, |link| {
        Invitation::join("Ben", link).with_test_signals().saving()
    });
    ana.orders("share test sound");
    ben.receives("Ana", |ana| ana.screen_audio.played >= 150);
    let ben_is_heard = |ben: &Sender| ben.audio.played >= 250;
    ana.receives("Ben", ben_is_heard);
    let played = Command::new("paplay")
        .envs(sound.environment().iter().cloned())
        .arg(sample("speech.flac"))
        .status()
        .expect("paplay runs");
    assert!(played.success(), "{played}");
    ben.leave();
    ana.leave();

    let saved = wave::read(&ben.saved("Ana", "screen.wav"));
    let heard = wave::find(&wave::read(&sample("speech.flac")), &saved);
    eprintln!("another program: {heard:?}");
    assert!(heard.envelope >= 0.9 && heard.wave >= 0.9, "{heard:?}");
    // Before the other program began, nothing of Ben's voice.
    let before = usize::try_from(heard.offset).expect("all of it is heard") * wave::RATE / 50;
    let before = &saved[..before - wave::RATE / 10];
    assert!(before.len() > 2 * wave::RATE, "{} samples", before.len());
    assert!(
        wave::loudness(before) < 1e-4,
        "an echo: {}",
        wave::loudness(before)
    );
}

#[test]
fn without_a_sound_server_the_person_is_told_and_the_screen_is_shared_all_the_same() {
    let server = Server::start();
    let nowhere = tempfile::tempdir().expect("a temporary folder");
    let nowhere = nowhere.path().to_str().expect("plain letters");
    let ana = Invitation::host("Ana", &server.argument())
        .with_test_signals()
        .with(["--commands"])
        .env("XDG_RUNTIME_DIR", nowhere)
        .env("PULSE_RUNTIME_PATH", nowhere)
        .env("PULSE_SERVER", "unix:/nonexistent");
    let (mut ana, mut ben, _) = meet(ana, |link| {
        Invitation::join("Ben", link).with_test_signals()
    });
    ana.orders("share test sound");
    ana.is_told_no(&["shared without sound", "no sound server", "pipewire"]);
    sees_share(&mut ben, "Ana", true);
    let seen = ben.receives("Ana", |ana| ana.screen.opened >= 10);
    assert_eq!(seen.screen_audio.received, 0);
    ben.leave();
    ana.leave();
}
