//! Shared screens in the real window: somebody else's on the stage, and one's own by the picker.

use e2e::event::{Event, Shape};
use e2e::person::Invitation;
use e2e::picture::{self, Picture};
use e2e::window::{PATIENCE, Window};

/// Pictures are compared at this size: a window scales them and writes a name over them.
const SIZE: picture::Size = (64, 36);

#[test]
fn screens_are_shared_to_and_from_the_window() {
    let window = Window::open(&[
        "--profile",
        "e2e",
        "--camera",
        "off",
        "--microphone",
        "off",
        "--screen",
        "test",
        "--screen-sound",
        "test",
    ]);
    let link = window.hosts_as("Ana");
    let mut ben = Invitation::join("Ben", &link)
        .with_test_signals()
        .with(["--commands"])
        .come();
    let (_, device) = window.part_beginning("knock-");
    window.press(&format!("admit-{device}"));
    window.part(&format!("tile-{device}"));

    // Ben's screen takes the stage, and moves: bars that wander.
    ben.orders("share test");
    let screen = window.part(&format!("screen-{device}"));
    let look = || -> Option<Picture> {
        let file = window.file("screen.png");
        window.picture_of(&screen, &file).ok()?;
        picture::read_colour(&file, SIZE).into_iter().next()
    };
    let colours = |picture: &Picture| {
        let mut seen: Vec<_> = picture
            .samples
            .chunks_exact(3)
            .map(|pixel| [pixel[0] >> 6, pixel[1] >> 6, pixel[2] >> 6])
            .collect();
        seen.sort_unstable();
        seen.dedup();
        seen.len()
    };
    let first = window.wait_until("bars of many colours", PATIENCE, || {
        look().filter(|picture| colours(picture) >= 8)
    });
    window.wait_until("wandering bars", PATIENCE, || {
        (look()?.difference(&first) > 5.0).then_some(())
    });
    // His camera went into the strip, smaller than before: its bars still go from top to bottom.
    let tile = window.part(&format!("tile-{device}"));
    window.wait_until("whole bars in the strip", PATIENCE, || {
        let file = window.file("tile.png");
        window.picture_of(&tile, &file).ok()?;
        let seen = picture::read_colour(&file, SIZE).into_iter().next()?;
        let line = |row: usize| Picture {
            row: seen.row,
            samples: seen.samples[row * seen.row + 30..(row + 1) * seen.row - 30].to_vec(),
        };
        (line(6).difference(&line(22)) < 20.0).then_some(())
    });
    window.show("shared-screen");

    // Ana shares by the picker, and is told so until she stops.
    window.press("share");
    window.press("share-test");
    window.press("share-sound");
    window.press("share-start");
    window.part("sharing");
    let whole = Shape {
        width: 1920,
        height: 1080,
    };
    ben.receives("Ana", |ana| {
        ana.screen_picture == Some(whole) && ana.screen_audio.played >= 100
    });
    window.show("sharing");
    window.press("stop-sharing");
    ben.wait_for("Ana's share to end", |event| match event {
        Event::Share { name, on, .. } => (name == "Ana" && !on).then_some(()),
        _ => None,
    });

    // Ben's ends, and the stage is the people's again.
    ben.orders("share stop");
    window.wait_until("no screen", PATIENCE, || look().is_none().then_some(()));
    ben.leave();
}
