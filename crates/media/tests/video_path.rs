//! From the test picture through encoder, packet and decoder, as in a meeting.

mod video_support;

use std::time::{Duration, Instant};

use conclave_media::clock::now_us;
use conclave_media::video::{CameraSource, MkvWriter, Picture, Size, VideoCapture, VideoDecoder};
use video_support::{PATIENCE, collect, decode_all, make_film, next_packet, run_of};

#[test]
fn all_three_sizes_arrive_as_moving_pictures() {
    let (capture, mut packets) = VideoCapture::start(CameraSource::Test, &Size::ALL).unwrap();
    for size in Size::ALL {
        capture.request_key_frame(size);
        let run = run_of(&mut packets, size, 8);
        let pictures = decode_all(&run);
        for (packet, picture) in run.iter().zip(&pictures) {
            assert_eq!((packet.width, packet.height), size.dimensions());
            assert_eq!(
                (picture.width, picture.height),
                (packet.width.into(), packet.height.into())
            );
            assert_eq!(picture.capture_us, packet.capture_us);
        }
        for pair in pictures.windows(2) {
            let moved = pair[0]
                .i420
                .iter()
                .zip(&pair[1].i420)
                .filter(|(a, b)| a.abs_diff(**b) > 20)
                .count();
            assert!(
                moved > pair[0].i420.len() / 500,
                "{size:?}: only {moved} bytes changed"
            );
        }
    }
}

#[test]
fn capture_stamps_are_true() {
    let (_capture, mut packets) = VideoCapture::start(CameraSource::Test, &[Size::Low]).unwrap();
    collect(&mut packets, Duration::from_millis(300));
    let mut ages = Vec::new();
    let mut last = 0;
    for _ in 0..30 {
        let packet = next_packet(&mut packets, PATIENCE, |_| true).unwrap();
        let age = now_us()
            .checked_sub(packet.capture_us)
            .expect("not from the future");
        assert!(packet.capture_us > last, "each later than the one before");
        last = packet.capture_us;
        ages.push(age);
    }
    ages.sort_unstable();
    let median = ages[ages.len() / 2];
    assert!(median < 60_000, "encoding took {median} µs");
}

#[test]
fn a_forced_key_frame_comes_promptly() {
    let (capture, mut packets) = VideoCapture::start(CameraSource::Test, &[Size::Medium]).unwrap();
    run_of(&mut packets, Size::Medium, 5);
    capture.request_key_frame(Size::Medium);
    let asked = now_us();
    let key = next_packet(&mut packets, PATIENCE, |packet| packet.key).unwrap();
    let waited = key.capture_us.saturating_sub(asked);
    assert!(
        waited < 200_000,
        "the key frame was captured {waited} µs after it was asked for"
    );
}

/// Each one holds up the sound on a narrow link.
#[test]
fn without_a_wish_a_key_frame_comes_every_fifteen_seconds_and_no_sooner() {
    let (_capture, mut packets) = VideoCapture::start(CameraSource::Test, &[Size::Low]).unwrap();
    let collected = collect(&mut packets, Duration::from_secs(17));
    let keys: Vec<u64> = collected
        .iter()
        .filter(|packet| packet.key)
        .map(|packet| packet.capture_us)
        .collect();
    assert_eq!(keys.len(), 2, "{keys:?}");
    let apart = keys[1] - keys[0];
    assert!((14_900_000..15_900_000).contains(&apart), "{apart}");
}

#[test]
fn an_inactive_size_sends_nothing_and_starts_again_with_a_key_frame() {
    let (capture, mut packets) = VideoCapture::start(CameraSource::Test, &[Size::Low]).unwrap();
    let early = collect(&mut packets, Duration::from_secs(1));
    assert!(!early.is_empty() && early.iter().all(|packet| packet.size == Size::Low));

    capture.set_active(Size::High, true);
    let first = next_packet(&mut packets, PATIENCE, |packet| packet.size == Size::High).unwrap();
    assert!(first.key);

    capture.set_active(Size::High, false);
    // One frame may be on its way out while the switch is thrown.
    collect(&mut packets, Duration::from_millis(100));
    let after = collect(&mut packets, Duration::from_secs(1));
    assert!(
        after.iter().all(|packet| packet.size == Size::Low),
        "High is off"
    );
    assert!(after.len() > 10, "Low goes on");

    capture.set_active(Size::High, true);
    let again = next_packet(&mut packets, PATIENCE, |packet| packet.size == Size::High).unwrap();
    assert!(again.key, "a viewer can start here");
    assert!(
        again.payload.len() < 120_000,
        "a pause must not swell the key frame: {}",
        again.payload.len()
    );
}

#[test]
fn a_slow_consumer_finds_a_decodable_stream() {
    let (_capture, mut packets) = VideoCapture::start(CameraSource::Test, &[Size::Low]).unwrap();
    // The queue holds a second of one size; the rest is dropped.
    std::thread::sleep(Duration::from_secs(3));
    let collected = collect(&mut packets, Duration::from_secs(2));
    let mut expected = None;
    let mut gaps = 0;
    for packet in &collected {
        if expected.is_some_and(|seq| seq != packet.seq) {
            gaps += 1;
            assert!(packet.key, "after a gap the stream starts with a key frame");
        }
        expected = Some(packet.seq + 1);
    }
    assert_eq!(gaps, 1);
}

#[test]
fn the_bitrate_follows_live() {
    let folder = tempfile::tempdir().unwrap();
    // Noise costs whatever is allowed.
    let film = folder.path().join("noise.mkv");
    make_film(&film, "videotestsrc pattern=snow", 30);
    let (capture, mut packets) =
        VideoCapture::start(CameraSource::File(film), &[Size::Low]).unwrap();
    let mut bits_per_second = |bitrate_bps: u32| {
        capture.set_bitrate(Size::Low, bitrate_bps);
        collect(&mut packets, Duration::from_secs(2));
        let settled = collect(&mut packets, Duration::from_secs(3));
        settled
            .iter()
            .map(|packet| packet.payload.len() * 8)
            .sum::<usize>()
            / 3
    };
    let rich = bits_per_second(2_000_000);
    assert!(
        (1_000_000..3_000_000).contains(&rich),
        "{rich} bit/s at 2 Mbit/s"
    );
    let poor = bits_per_second(400_000);
    assert!(
        (200_000..700_000).contains(&poor),
        "{poor} bit/s at 400 kbit/s"
    );
}

#[test]
fn a_capture_stops_when_dropped() {
    let (capture, mut packets) = VideoCapture::start(CameraSource::Test, &Size::ALL).unwrap();
    run_of(&mut packets, Size::Low, 2);
    let started = Instant::now();
    drop(capture);
    assert!(started.elapsed() < Duration::from_secs(2));
    while packets.try_recv().is_ok() {}
    assert!(packets.is_closed() || packets.try_recv().is_err());
    assert!(collect(&mut packets, Duration::from_millis(200)).is_empty());
}

#[test]
fn off_is_a_capture_that_never_sends() {
    let (capture, mut packets) = VideoCapture::start(CameraSource::Off, &Size::ALL).unwrap();
    capture.request_key_frame(Size::Low);
    capture.set_active(Size::High, true);
    assert!(collect(&mut packets, Duration::from_millis(300)).is_empty());
    assert!(
        !packets.is_closed(),
        "the channel stays open while the capture lives"
    );
}

#[test]
fn the_parts_may_move_between_threads() {
    fn is_send<T: Send + 'static>() {}
    is_send::<VideoCapture>();
    is_send::<VideoDecoder>();
    is_send::<MkvWriter>();
    is_send::<Picture>();
}
