//! Another camera during the meeting: what the other side sees of the change.

use std::path::Path;

use e2e::event::Event;
use e2e::person::{Invitation, Person, meet};
use e2e::picture;
use e2e::server::Server;

/// The bar for a picture of one colour, dB.
const LEAST_PSNR: f64 = 30.0;
/// Seconds without a picture while cameras change.
const LONGEST_GAP: f64 = 0.5;
/// Enough to tell colours apart.
const SIZE: (usize, usize) = (32, 18);
const COLOURS: [&str; 2] = ["blue", "orange"];

/// So many pictures of Ana come from now on.
fn sees_more(person: &mut Person, pictures: u64) {
    person.look_up();
    let before = person.receives("Ana", |_| true).video.opened;
    person.receives("Ana", |ana| ana.video.opened >= before + pictures);
}

/// Waits until the camera of this name is in use; none, if the name is empty.
fn uses(person: &mut Person, name: &str) {
    person.wait_for(&format!("the camera {name:?}"), |event| match event {
        Event::Devices { camera } => (camera.name == name).then_some(()),
        _ => None,
    });
}

#[test]
fn the_other_side_sees_each_camera_from_a_whole_picture_on_and_no_other() {
    let server = Server::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = COLOURS.map(|colour| {
        let file = folder.path().join(format!("{colour}.png"));
        picture::plain(colour, &file);
        file
    });
    let [blue, orange] = files
        .each_ref()
        .map(|file| format!("file:{}", file.display()));
    let ana = Invitation::host("Ana", &server.argument())
        .with(["--camera", &blue, "--microphone", "test"])
        .with(["--speaker", "null", "--commands"]);
    let (mut ana, mut ben, _) = meet(ana, |link| {
        Invitation::join("Ben", link).with_test_signals().saving()
    });
    uses(&mut ana, "blue.png");
    sees_more(&mut ben, 30);

    // One that does not open changes nothing.
    ana.orders("camera file:/nowhere/film.mkv");
    ana.is_told_no(&["/nowhere/film.mkv", "cannot be shown"]);
    sees_more(&mut ben, 30);
    ana.orders(&format!("camera {orange}"));
    uses(&mut ana, "orange.png");
    sees_more(&mut ben, 60);

    // While the camera is off it is only the one that is opened next.
    ana.orders("camera off");
    uses(&mut ana, "");
    ana.orders(&format!("camera {blue}"));
    ana.orders("camera on");
    uses(&mut ana, "blue.png");
    sees_more(&mut ben, 30);
    ben.leave();
    ana.leave();
    is_seen(&ben.saved("Ana", "mkv"), &files);
}

/// Blue, orange and blue again came, each from its first picture on, with hardly a pause between the
/// first two.
fn is_seen(film: &Path, files: &[std::path::PathBuf; 2]) {
    let truth = files
        .each_ref()
        .map(|file| picture::read_colour(file, SIZE).swap_remove(0));
    let moments = picture::moments(film);
    let pictures = picture::read_colour(film, SIZE);
    assert_eq!(pictures.len(), moments.len(), "each can be decoded");
    assert!(
        moments.windows(2).all(|pair| pair[0] < pair[1]),
        "{moments:?}"
    );
    let colours: Vec<usize> = pictures
        .iter()
        .map(|picture| {
            let (colour, psnr) = picture.best_of(&truth);
            assert!(psnr >= LEAST_PSNR, "neither colour: {psnr:.1} dB");
            colour
        })
        .collect();
    let mut changes = Vec::new();
    for (index, pair) in colours.windows(2).enumerate() {
        if pair[0] != pair[1] {
            changes.push(index + 1);
        }
    }
    assert_eq!((colours[0], changes.len()), (0, 2), "{colours:?}");
    let gap = moments[changes[0]] - moments[changes[0] - 1];
    eprintln!("without a picture for {gap:.3} s");
    assert!(gap < LONGEST_GAP, "{gap} s");
}
