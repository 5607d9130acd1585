//! Screens and windows of an X server in memory, from what another program draws there to a decoded
//! picture.
#![cfg(target_os = "linux")]

mod video_support;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use conclave_media::video::{
    CaptureEvent, Picture, PictureSource, ScreenSource, ShareMode, Size, VideoCapture,
    VideoDecoder, VideoError, VideoPacket, screens,
};
use tokio::sync::mpsc::Receiver;
use video_support::{PATIENCE, collect, decode_all, next_packet, psnr, raw_pictures, run_of};

/// Set in the process that has a display.
const INSIDE: &str = "CONCLAVE_TEST_DISPLAY";

/// An X server in memory.
struct Display(Child);

impl Display {
    /// Gives its name too, as `DISPLAY` has it.
    fn start() -> (Self, String) {
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1280x720x24"])
            .args(["-nolisten", "tcp", "-noreset"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb runs");
        let mut number = String::new();
        let out = server.stdout.take().expect("its output");
        BufReader::new(out)
            .read_line(&mut number)
            .expect("a number");
        (Self(server), format!(":{}", number.trim()))
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs `body` where `DISPLAY` names an X server of its own: in this test again, as another process.
fn on_a_display(test: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let (_server, name) = Display::start();
    run_again(test, &name);
}

fn run_again(test: &str, display: &str) {
    let itself = std::env::current_exe().expect("a path");
    let ended = Command::new(itself)
        .args([test, "--exact", "--nocapture"])
        .env(INSIDE, "1")
        .env("DISPLAY", display)
        .env("WAYLAND_DISPLAY", "")
        .status()
        .expect("it runs");
    assert!(ended.success(), "{test}: {ended}");
}

/// A program that draws GStreamer's test picture `pattern` in a window of its own.
struct Drawing(Child);

impl Drawing {
    fn start(pattern: &str, (width, height): (u32, u32)) -> Self {
        let shape = format!("video/x-raw,width={width},height={height},framerate=10/1");
        let child = Command::new("gst-launch-1.0")
            .args(["-q", "videotestsrc", &format!("pattern={pattern}")])
            .args(["!", &shape, "!", "ximagesink", "sync=true"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("gst-launch-1.0 runs");
        Self(child)
    }

    fn close(mut self) {
        self.0.kill().expect("it runs");
        self.0.wait().expect("it ends");
    }
}

impl Drop for Drawing {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The ids of the windows that are listed, once there are so many.
fn windows(count: usize) -> Vec<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let listed = screens().expect("an X server");
        let windows: Vec<_> = listed.into_iter().filter(|one| one.is_window).collect();
        if windows.len() >= count {
            assert!(windows.iter().all(|window| !window.name.is_empty()));
            return windows.into_iter().map(|window| window.id).collect();
        }
        assert!(Instant::now() < deadline, "{windows:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn share(id: &str, mode: ShareMode) -> (VideoCapture, Receiver<VideoPacket>) {
    let source = PictureSource::Screen(ScreenSource::Screen(id.into()), mode);
    VideoCapture::start(source, &[Size::High]).expect("it is shared")
}

/// The newest picture of the share that satisfies `enough`.
fn picture_of(
    packets: &mut Receiver<VideoPacket>,
    enough: impl Fn(&Picture) -> bool,
) -> Option<Picture> {
    let mut decoder = VideoDecoder::new().unwrap();
    let mut found = None;
    next_packet(packets, PATIENCE, |packet| {
        decoder.push(packet).unwrap();
        let picture = decoder.wait_picture(PATIENCE).expect("a picture");
        if enough(&picture) {
            found = Some(picture);
        }
        found.is_some()
    });
    found
}

/// What the colour bars look like at 640×360, brought there by other means.
fn bars() -> Vec<u8> {
    let bars = "videotestsrc pattern=smpte100 num-buffers=1 ! video/x-raw,format=BGRx,width=640,height=360";
    raw_pictures(bars, Size::Medium).swap_remove(0)
}

#[test]
fn a_window_is_shown_as_it_was_drawn() {
    on_a_display("a_window_is_shown_as_it_was_drawn", || {
        let _drawing = Drawing::start("smpte100", (640, 360));
        let window = windows(1).swap_remove(0);
        let (_capture, mut packets) = share(&window, ShareMode::Text);
        let bars = bars();
        let sharp = |picture: &Picture| {
            (picture.width, picture.height) == (640, 360) && psnr(&picture.i420, &bars) > 35.0
        };
        assert!(picture_of(&mut packets, sharp).is_some(), "the bars");
    });
}

#[test]
fn a_window_is_shown_without_what_lies_above_it() {
    on_a_display("a_window_is_shown_without_what_lies_above_it", || {
        let _below = Drawing::start("smpte100", (640, 360));
        let window = windows(1).swap_remove(0);
        // Without a window manager a second window lies at the same place, above the first one.
        let _above = Drawing::start("checkers-8", (640, 360));
        windows(2);
        std::thread::sleep(Duration::from_secs(1));
        let bars = bars();
        let (_capture, mut packets) = share(&window, ShareMode::Text);
        for packet in decode_all(&run_of(&mut packets, Size::High, 8))
            .iter()
            .skip(2)
        {
            let alike = psnr(&packet.i420, &bars);
            assert!(alike > 25.0, "something else shows: {alike:.1} dB");
        }
    });
}

#[test]
fn a_whole_screen_is_shown_with_its_windows() {
    on_a_display("a_whole_screen_is_shown_with_its_windows", || {
        let _drawing = Drawing::start("white", (640, 360));
        windows(1);
        let listed = screens().unwrap();
        assert_eq!(
            (listed[0].id.as_str(), listed[0].is_window),
            ("screen", false)
        );
        assert!(listed[0].name.contains("1280×720"), "{}", listed[0].name);
        let (_capture, mut packets) = share("screen", ShareMode::Motion);
        // The window stands in the upper left corner of a black screen.
        let seen = picture_of(&mut packets, |picture| {
            let luma = |x: usize, y: usize| picture.i420[y * 1280 + x];
            (picture.width, picture.height) == (1280, 720)
                && luma(100, 100) > 220
                && luma(1000, 600) < 30
        });
        assert!(seen.is_some());
    });
}

#[test]
fn a_window_that_is_closed_ends_the_share_with_a_sentence() {
    on_a_display(
        "a_window_that_is_closed_ends_the_share_with_a_sentence",
        || {
            let drawing = Drawing::start("smpte100", (640, 360));
            let window = windows(1).swap_remove(0);
            let (mut capture, mut packets) = share(&window, ShareMode::Text);
            let mut events = capture.take_events().unwrap();
            run_of(&mut packets, Size::High, 2);
            drawing.close();
            let deadline = Instant::now() + PATIENCE;
            let event = loop {
                match events.try_recv() {
                    Ok(event) => break event,
                    Err(_) => assert!(Instant::now() < deadline, "nothing is said"),
                }
                std::thread::sleep(Duration::from_millis(20));
            };
            let CaptureEvent::Failed(error) = event else {
                panic!("{event:?}");
            };
            let text = error.to_string();
            assert!(text.contains("the window was closed"), "{text}");
            assert!(text.contains("choose something else"), "{text}");
            let gone = ScreenSource::Screen(window);
            let again = VideoCapture::start(PictureSource::Screen(gone, ShareMode::Text), &[]);
            assert!(matches!(
                again.err(),
                Some(VideoError::UnknownScreen { .. })
            ));
        },
    );
}

#[test]
fn a_screen_that_does_not_change_costs_little_and_goes_on() {
    on_a_display(
        "a_screen_that_does_not_change_costs_little_and_goes_on",
        || {
            let _drawing = Drawing::start("smpte100", (640, 360));
            windows(1);
            drop(_drawing);
            std::thread::sleep(Duration::from_millis(500));
            let (mut capture, mut packets) = share("screen", ShareMode::Text);
            let mut events = capture.take_events().unwrap();
            run_of(&mut packets, Size::High, 2);
            let idle = collect(&mut packets, Duration::from_secs(6));
            assert!((4..=8).contains(&idle.len()), "{} pictures", idle.len());
            let bytes: usize = idle.iter().map(|packet| packet.payload.len()).sum();
            assert!(bytes < 60_000, "{bytes} bytes for nothing new");
            // It is black, which is said; it is not silent.
            while let Ok(event) = events.try_recv() {
                assert!(
                    matches!(&event, CaptureEvent::Silent(VideoError::ScreenBlack { .. })),
                    "{event:?}"
                );
            }
        },
    );
}

#[test]
fn a_black_share_is_told_of_and_its_end_too() {
    on_a_display("a_black_share_is_told_of_and_its_end_too", || {
        let (mut capture, mut packets) = share("screen", ShareMode::Text);
        let mut events = capture.take_events().unwrap();
        let mut next = || {
            let deadline = Instant::now() + PATIENCE;
            loop {
                while packets.try_recv().is_ok() {}
                match events.try_recv() {
                    Ok(event) => return event,
                    Err(_) => assert!(Instant::now() < deadline, "nothing is said"),
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        };
        let CaptureEvent::Silent(error) = next() else {
            panic!("not told");
        };
        assert!(error.to_string().contains("all black"), "{error}");
        let _drawing = Drawing::start("smpte100", (640, 360));
        assert_eq!(next(), CaptureEvent::Resumed);
    });
}

#[test]
fn a_computer_without_a_screen_says_so() {
    if std::env::var_os(INSIDE).is_none() {
        let (server, name) = Display::start();
        drop(server);
        return run_again("a_computer_without_a_screen_says_so", &name);
    }
    let gone = screens().unwrap_err().to_string();
    assert!(gone.contains("does not let this program in"), "{gone}");
}

#[test]
fn the_test_picture_is_shared_in_both_modes_and_sizes() {
    for (mode, largest) in [
        (ShareMode::Text, (1920, 1080)),
        (ShareMode::Motion, (1280, 720)),
    ] {
        let source = PictureSource::Screen(ScreenSource::Test, mode);
        let both = [Size::Low, Size::High];
        let (_capture, mut packets) = VideoCapture::start(source, &both).unwrap();
        let came = collect(&mut packets, Duration::from_secs(4));
        for (size, shape) in [(Size::High, largest), (Size::Low, (640, 360))] {
            let of_size: Vec<_> = came.iter().filter(|p| p.size == size).collect();
            assert!(
                of_size.iter().all(|p| (p.width, p.height) == shape),
                "{size:?}"
            );
            let rate = of_size.len() / 4;
            let most = if mode == ShareMode::Text { 9 } else { 31 };
            assert!(
                (2..=most).contains(&rate),
                "{mode:?} {size:?}: {rate} a second"
            );
        }
    }
}
