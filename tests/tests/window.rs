//! The real window: a meeting is opened in it, a CLI client with the sample voice and picture
//! joins, and what the window shows and plays resembles the sample.

use std::thread;
use std::time::Duration;

use e2e::event::Event;
use e2e::person::{Invitation, Person};
use e2e::picture::{self, Picture};
use e2e::programs::sample;
use e2e::wave;
use e2e::webdriver::Element;
use e2e::window::{PATIENCE, Window};

/// Pictures are compared at this size: a window scales, crops and writes a name over them.
const SIZE: picture::Size = (64, 36);

#[test]
fn a_meeting_in_the_window() {
    let window = Window::open(&[
        "--profile",
        "e2e",
        "--camera",
        "test",
        "--microphone",
        "default",
    ]);
    let link = window.hosts_as("Ana");
    copies(&window, &link);
    let recording = window.sound().record_speaker(&window.file("heard.raw"));

    let mut ben = Invitation::join("Ben", &link)
        .with_samples()
        .saving()
        .come();
    let device = admit(&window, "Ben");
    let epoch = ben.wait_for("a room of two", |event| match event {
        Event::Roster { epoch, members } => (members.len() == 2).then_some(*epoch),
        _ => None,
    });
    let tile = window.part(&format!("tile-{device}"));
    shows_the_sample(&window, &tile);
    same_code(&window, &mut ben, epoch);

    // The sample voice to its end, then what the speaker played.
    thread::sleep(Duration::from_secs(12));
    let heard = wave::find(&wave::read(&sample("speech.flac")), &recording.finish());
    eprintln!("the window plays: {heard:?}");
    assert!(
        heard.overlap >= 250 && heard.envelope >= 0.8 && heard.wave >= 0.8,
        "{heard:?}"
    );
    ben.receives("Ana", |ana| {
        ana.video.opened >= 30 && ana.audio.opened >= 100 && ana.video.failed == 0
    });

    // Ana speaks into her microphone.
    window.sound().speak(&sample("speech.flac"));
    leave(&window);
    ben.wait_for("a room of one, or the end", |event| match event {
        Event::Roster { members, .. } => (members.len() == 1).then_some(()),
        Event::Left { .. } => Some(()),
        _ => None,
    });
    ben.leave();
    let heard = wave::find(
        &wave::read(&sample("speech.flac")),
        &wave::read(&ben.saved("Ana", "wav")),
    );
    eprintln!("Ben hears: {heard:?}");
    // Noise suppression and gain change the wave, not the words.
    assert!(heard.overlap >= 250 && heard.envelope >= 0.75, "{heard:?}");
}

/// The button copies the link that is shown.
fn copies(window: &Window, shown: &str) {
    window.press("copy-link");
    let copied = window.wait_until("the link on the clipboard", PATIENCE, || {
        Some(window.clipboard()).filter(|text| text.starts_with("conclave://"))
    });
    assert_eq!(copied, shown);
}

/// Waits for the knock, reads who it is, lets him in; gives his device.
fn admit(window: &Window, who: &str) -> String {
    let (knock, device) = window.part_beginning("knock-");
    let text = window.text(&knock).unwrap_or_default();
    assert!(text.contains(who), "{who} knocks: {text:?}");
    window.press(&format!("admit-{device}"));
    device
}

/// The tile shows the sample, and it moves.
fn shows_the_sample(window: &Window, tile: &Element) {
    let film = picture::read_colour(&sample("person.webm"), SIZE);
    let first = window.wait_until("the sample in the tile", PATIENCE, || {
        let seen = look_at(window, tile)?;
        let likeness = film
            .iter()
            .step_by(3)
            .map(|picture| seen.likeness(picture))
            .fold(-1.0, f64::max);
        (likeness >= 0.8).then_some(seen)
    });
    let moved = window.wait_until("movement in the tile", PATIENCE, || {
        let difference = look_at(window, tile)?.difference(&first);
        (difference >= 1.0).then_some(difference)
    });
    eprintln!("the tile moves by {moved:.1}");
}

/// What a person sees on the tile; `None` while there is nothing to see.
fn look_at(window: &Window, tile: &Element) -> Option<Picture> {
    let file = window.file("tile.png");
    window.picture_of(tile, &file).ok()?;
    picture::read_colour(&file, SIZE).into_iter().next()
}

/// The code in the window is that of the other side.
fn same_code(window: &Window, ben: &mut Person, first_epoch: u64) {
    window.press("security");
    let in_window = window.reads("code", |text| {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        (digits.len() == 30).then_some(digits)
    });
    let at_ben = ben.wait_for("the window's code", |event| match event {
        Event::Code { epoch, digits } if *epoch >= first_epoch => {
            let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
            (digits == in_window).then_some(digits)
        }
        _ => None,
    });
    assert_eq!(at_ben, in_window);
}

/// Leaves; a host is asked whether he means it.
fn leave(window: &Window) {
    window.press("leave");
    window.press("confirm");
    window.press("home");
    window.part("new-meeting");
}
