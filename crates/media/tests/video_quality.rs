//! How much of the source is left after encoding: peak signal to noise against the pictures it gave.

mod video_support;

use std::time::Duration;

use conclave_media::video::{CameraSource, Size, VideoCapture};
use video_support::{
    PATIENCE, collect, decode_all, next_packet, psnr, raw_pictures, run_of, run_pipeline,
};

/// What the issue asks of a picture at Medium, in decibels.
const LEAST_DB: f64 = 30.0;

#[test]
fn a_photograph_is_recognised_at_medium() {
    let folder = tempfile::tempdir().unwrap();
    let photograph = folder.path().join("photograph.png");
    // Bars, ramps, and a field of noise that never comes back.
    run_pipeline(&format!(
        "videotestsrc pattern=smpte num-buffers=1 ! video/x-raw,width=1280,height=720 ! pngenc \
         ! filesink location={}",
        photograph.display()
    ));
    let file = format!("filesrc location={} ! decodebin", photograph.display());
    let reference = raw_pictures(&file, Size::Medium).remove(0);

    let (capture, mut packets) =
        VideoCapture::start(CameraSource::File(photograph), &[Size::Medium]).unwrap();
    collect(&mut packets, Duration::from_secs(2));
    capture.request_key_frame(Size::Medium);
    let pictures = decode_all(&run_of(&mut packets, Size::Medium, 30));
    let quality = psnr(&pictures.last().unwrap().i420, &reference);
    assert!(quality >= LEAST_DB, "{quality:.1} dB");
}

#[test]
fn the_moving_test_picture_is_the_source_picture_at_medium() {
    // The same pattern, made apart from the capture: picture n is n steps along.
    let pattern = "videotestsrc pattern=smpte100 horizontal-speed=4 num-buffers=150 \
                   ! video/x-raw,format=I420,width=1280,height=720,framerate=30/1,colorimetry=bt601";
    let reference = raw_pictures(pattern, Size::Medium);

    let (_capture, mut packets) = VideoCapture::start(CameraSource::Test, &[Size::Medium]).unwrap();
    let pictures = decode_all(&run_of(&mut packets, Size::Medium, 45));
    let mut shown = Vec::new();
    for picture in &pictures {
        let rated = reference
            .iter()
            .enumerate()
            .map(|(index, source)| (psnr(&picture.i420, source), index));
        let (quality, index) = rated.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
        assert!(
            quality >= LEAST_DB,
            "{quality:.1} dB against source picture {index}"
        );
        shown.push((index, picture.capture_us));
    }
    // The stamp says which source picture it is: steps of the pattern and of time agree.
    let (first, first_us) = shown[0];
    for (index, capture_us) in &shown {
        let elapsed = (capture_us - first_us) as f64 / 1e6 * 30.0;
        let steps = *index as f64 - first as f64;
        assert!(
            (steps - elapsed).abs() < 1.5,
            "{steps} steps in the time of {elapsed:.2}"
        );
    }
}

#[test]
fn a_wide_film_keeps_its_shape_between_black_borders() {
    let folder = tempfile::tempdir().unwrap();
    let photograph = folder.path().join("square.png");
    run_pipeline(&format!(
        "videotestsrc pattern=white num-buffers=1 ! video/x-raw,width=400,height=400 ! pngenc \
         ! filesink location={}",
        photograph.display()
    ));
    let (_capture, mut packets) =
        VideoCapture::start(CameraSource::File(photograph), &[Size::Low]).unwrap();
    let packet = next_packet(&mut packets, PATIENCE, |packet| packet.key).unwrap();
    let picture = decode_all(&[packet]).remove(0);
    let rgb = picture.to_rgb();
    let at = |x: usize, y: usize| rgb[(y * 320 + x) * 3];
    assert!(at(10, 90) < 40, "border {}", at(10, 90));
    assert!(at(310, 90) < 40, "border {}", at(310, 90));
    assert!(at(160, 90) > 215, "picture {}", at(160, 90));
    assert!(
        at(80, 5) > 215 && at(60, 5) < 40,
        "180 of 320 columns are picture"
    );
}
