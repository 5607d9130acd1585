//! Films and pictures as a camera.

mod video_support;

use std::path::Path;
use std::time::Duration;

use conclave_media::video::{CameraSource, CaptureEvent, Size, VideoCapture, VideoError};
use video_support::{collect, decode_all, make_film, run_of, run_pipeline};

fn refusal(path: &Path) -> VideoError {
    match VideoCapture::start(CameraSource::File(path.to_owned()), &[Size::Low]) {
        Ok(_) => panic!("{} was played", path.display()),
        Err(error) => error,
    }
}

#[test]
fn a_film_goes_on_beyond_its_length() {
    let folder = tempfile::tempdir().unwrap();
    let film = folder.path().join("film.mkv");
    make_film(&film, "videotestsrc pattern=ball", 30);
    let (mut capture, mut packets) =
        VideoCapture::start(CameraSource::File(film), &[Size::Medium]).unwrap();
    let packets = collect(&mut packets, Duration::from_secs(5));
    assert!(
        packets.len() > 100,
        "five times its length gave {} frames",
        packets.len()
    );
    let gap = packets
        .windows(2)
        .map(|pair| pair[1].capture_us - pair[0].capture_us)
        .max()
        .unwrap();
    assert!(gap < 500_000, "{gap} µs without a picture at the seam");
    let pictures = decode_all(&packets);
    // The ball comes back to where it was: a late picture equals one of the first second.
    let (first, late) = pictures.split_at(30);
    let nearest = first
        .iter()
        .map(|picture| video_support::psnr(&picture.i420, &late[60].i420));
    assert!(
        nearest.fold(0.0, f64::max) > 28.0,
        "the second round shows the same film"
    );
    let mut events = capture.take_events().unwrap();
    assert!(events.try_recv().is_err(), "nothing to complain about");
}

#[test]
fn a_film_without_an_index_goes_on_too() {
    let folder = tempfile::tempdir().unwrap();
    let film = folder.path().join("film.y4m");
    run_pipeline(&format!(
        "videotestsrc pattern=ball num-buffers=20 ! video/x-raw,format=I420,width=320,height=180,framerate=20/1 \
         ! y4menc ! filesink location={}",
        film.display()
    ));
    let (_capture, mut packets) =
        VideoCapture::start(CameraSource::File(film), &[Size::Medium]).unwrap();
    let packets = collect(&mut packets, Duration::from_secs(4));
    assert!(
        packets.len() > 50,
        "four times its length gave {} frames",
        packets.len()
    );
}

#[test]
fn a_film_with_sound_shows_its_picture() {
    let folder = tempfile::tempdir().unwrap();
    let film = folder.path().join("film.mkv");
    run_pipeline(&format!(
        "matroskamux name=m ! filesink location={} \
         videotestsrc num-buffers=45 ! video/x-raw,width=640,height=360,framerate=30/1 ! jpegenc ! m. \
         audiotestsrc num-buffers=65 ! audio/x-raw,rate=44100 ! m.",
        film.display()
    ));
    let (_capture, mut packets) =
        VideoCapture::start(CameraSource::File(film), &[Size::Medium]).unwrap();
    decode_all(&run_of(&mut packets, Size::Medium, 90));
}

#[test]
fn files_that_cannot_be_shown_are_refused_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.mkv");
    let text = refusal(&missing).to_string();
    assert!(
        text.contains("missing.mkv") && text.contains("No such file"),
        "{text}"
    );

    let text = refusal(folder.path()).to_string();
    assert!(text.contains("it is not a file"), "{text}");

    let noise = folder.path().join("noise.bin");
    std::fs::write(&noise, b"this is not a film ".repeat(500)).unwrap();
    assert!(
        matches!(refusal(&noise), VideoError::FileFailed { .. }),
        "{}",
        refusal(&noise)
    );

    let empty = folder.path().join("empty.mkv");
    std::fs::write(&empty, b"").unwrap();
    assert!(
        matches!(refusal(&empty), VideoError::FileFailed { .. }),
        "{}",
        refusal(&empty)
    );

    let sound = folder.path().join("sound.wav");
    run_pipeline(&format!(
        "audiotestsrc num-buffers=20 ! wavenc ! filesink location={}",
        sound.display()
    ));
    let text = refusal(&sound).to_string();
    assert!(text.contains("no picture"), "{text}");
    assert!(
        text.contains("Choose a film or picture that gst-play-1.0 can play"),
        "it says what to do: {text}"
    );
    assert!(!text.contains("--"), "a window shows it too: {text}");
}

#[test]
fn a_film_that_breaks_off_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let film = folder.path().join("film.mkv");
    make_film(&film, "videotestsrc pattern=ball", 60);
    let (mut capture, mut packets) =
        VideoCapture::start(CameraSource::File(film.clone()), &[Size::Low]).unwrap();
    run_of(&mut packets, Size::Low, 5);
    // At the next round there is nothing left to play.
    std::fs::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(&film)
        .unwrap();
    let mut events = capture.take_events().unwrap();
    let deadline = std::time::Instant::now() + video_support::PATIENCE;
    let event = loop {
        match events.try_recv() {
            // A busy machine.
            Ok(CaptureEvent::Strained(_)) => {}
            Ok(event) => break event,
            Err(_) if std::time::Instant::now() > deadline => panic!("nothing was reported"),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    match event {
        CaptureEvent::Failed(error @ VideoError::FileFailed { .. })
        | CaptureEvent::Silent(error @ VideoError::Silent { .. }) => {
            assert!(error.to_string().contains("film.mkv"), "{error}");
        }
        other => panic!("{other:?}"),
    }
}
