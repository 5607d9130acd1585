//! Looking for a code in the pictures of a running camera, beside its encoders.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use conclave_media::video::{CameraSource, Glance, Size, VideoCapture};
use qrcodegen::{QrCode, QrCodeEcc, QrSegment};
use tokio::sync::mpsc::Receiver;

const WIDTH: u32 = 1280;
const HEIGHT: u32 = 720;
/// Pixels on a side of a module.
const SCALE: i32 = 8;

/// A code as long as a safety number on a grey wall, turned by a few degrees.
fn photograph(content: &[u8], file: &Path) {
    let segments = [QrSegment::make_bytes(content)];
    let code = QrCode::encode_segments(&segments, QrCodeEcc::Medium).unwrap();
    let (sin, cos) = 7.0_f64.to_radians().sin_cos();
    let middle = f64::from(code.size()) / 2.0;
    let grey = (0..HEIGHT)
        .flat_map(|y| (0..WIDTH).map(move |x| (x, y)))
        .map(|(x, y)| {
            let (x, y) = (f64::from(x) - 500.0, f64::from(y) - 340.0);
            let module = |at: f64| (at / f64::from(SCALE) + middle).floor() as i32;
            let (column, row) = (module(x * cos + y * sin), module(y * cos - x * sin));
            let card = -4..code.size() + 4;
            match card.contains(&column) && card.contains(&row) {
                true if code.get_module(column, row) => 40,
                true => 210,
                false => 120,
            }
        });
    let mut encoder = png::Encoder::new(File::create(file).unwrap(), WIDTH, HEIGHT);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&grey.collect::<Vec<u8>>()).unwrap();
    writer.finish().unwrap();
}

fn next(pictures: &mut Receiver<Glance>) -> Option<Glance> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match pictures.try_recv() {
            Ok(picture) => return Some(picture),
            Err(tokio::sync::mpsc::error::TryRecvError::Disconnected) => return None,
            Err(_) => assert!(Instant::now() < deadline, "no picture to look at"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_code_before_the_camera_is_found_while_its_picture_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("code.png");
    let content: Vec<u8> = (0..69_u8).map(|at| at.wrapping_mul(151)).collect();
    photograph(&content, &file);
    let (capture, mut packets) =
        VideoCapture::start(CameraSource::File(file), &[Size::Low]).unwrap();
    let mut pictures = capture.look().unwrap();
    let started = Instant::now();
    let picture = next(&mut pictures).unwrap();
    let came = started.elapsed();
    let codes = picture.codes();
    eprintln!(
        "{picture:?} after {came:?}, read within {:?}",
        started.elapsed() - came
    );
    assert_eq!(codes, std::slice::from_ref(&content));

    // Who looks next takes over; the one before gets no more.
    let mut others = capture.look().unwrap();
    assert_eq!(
        next(&mut others).unwrap().codes(),
        std::slice::from_ref(&content)
    );
    while next(&mut pictures).is_some() {}
    // Who looks no more can look again.
    drop(others);
    std::thread::sleep(Duration::from_millis(200));
    let mut again = capture.look().unwrap();
    assert_eq!(next(&mut again).unwrap().codes(), [content]);
    assert!(
        packets.try_recv().is_ok(),
        "the picture goes out all the while"
    );
    drop(capture);
    while next(&mut again).is_some() {}
}

#[test]
fn there_is_nothing_to_look_at_without_a_camera() {
    let (capture, _packets) = VideoCapture::start(CameraSource::Off, &[]).unwrap();
    assert!(capture.look().is_none());
}
