//! Matroska files and PNG pictures that other programs read.

mod video_support;

use std::path::Path;
use std::process::Command;

use conclave_media::video::{
    CameraSource, MkvWriter, RecordingError, Size, VideoCapture, VideoPacket,
};
use video_support::{decode_all, raw_pictures, run_of};

fn recorded(size: Size, count: usize) -> Vec<VideoPacket> {
    let (_capture, mut packets) = VideoCapture::start(CameraSource::Test, &[size]).unwrap();
    run_of(&mut packets, size, count)
}

fn pictures_in(path: &Path, size: Size) -> Vec<Vec<u8>> {
    raw_pictures(
        &format!(
            "filesrc location={} ! matroskademux ! vp9dec",
            path.display()
        ),
        size,
    )
}

/// What ffprobe counts and measures, where it is installed.
fn ffprobe(path: &Path) -> Option<(usize, f64)> {
    let output = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-count_frames",
            "-select_streams",
            "v:0",
            "-of",
            "csv=p=0",
        ])
        .args(["-show_entries", "stream=nb_read_frames:format=duration"])
        .arg(path)
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    let mut values = text.split([',', '\n']).filter(|value| !value.is_empty());
    Some((values.next()?.parse().ok()?, values.next()?.parse().ok()?))
}

#[test]
fn a_recording_has_every_frame_at_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("Ada.mkv");
    let run = recorded(Size::Medium, 60);
    let mut writer = MkvWriter::create(&path).unwrap();
    // What comes before the first key frame cannot be decoded and is left out.
    writer.write(&run[5]).unwrap();
    for packet in &run {
        writer.write(packet).unwrap();
    }
    writer.finish().unwrap();

    let pictures = pictures_in(&path, Size::Medium);
    assert_eq!(pictures.len(), 60);
    assert_eq!(
        pictures[59],
        decode_all(&run)[59].i420,
        "bit for bit what was received"
    );
    if let Some((frames, seconds)) = ffprobe(&path) {
        assert_eq!(frames, 60);
        let captured = (run[59].capture_us - run[0].capture_us) as f64 / 1e6;
        assert!(
            (seconds - captured).abs() < 0.1,
            "{seconds} s, captured {captured} s"
        );
    }
}

#[test]
fn a_recording_goes_on_when_the_size_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("Ada.mkv");
    let (capture, mut packets) = VideoCapture::start(CameraSource::Test, &Size::ALL).unwrap();
    let mut writer = MkvWriter::create(&path).unwrap();
    for size in [Size::Low, Size::High] {
        capture.request_key_frame(size);
        for packet in run_of(&mut packets, size, 10) {
            writer.write(&packet).unwrap();
        }
    }
    writer.finish().unwrap();
    assert_eq!(pictures_in(&path, Size::Low).len(), 20);
    if let Some((frames, _)) = ffprobe(&path) {
        assert_eq!(frames, 20);
    }
}

#[test]
fn a_missing_frame_leaves_a_gap_that_decodes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("Ada.mkv");
    let (capture, mut packets) = VideoCapture::start(CameraSource::Test, &[Size::Low]).unwrap();
    let mut run = run_of(&mut packets, Size::Low, 10);
    capture.request_key_frame(Size::Low);
    run.extend(run_of(&mut packets, Size::Low, 10));
    let mut writer = MkvWriter::create(&path).unwrap();
    for (index, packet) in run.iter().enumerate() {
        if index != 4 {
            writer.write(packet).unwrap();
        }
    }
    writer.finish().unwrap();
    assert_eq!(
        pictures_in(&path, Size::Low).len(),
        14,
        "0 to 3, then 10 to 19"
    );
}

#[test]
fn a_recording_without_a_picture_finishes_empty() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("Ada.mkv");
    MkvWriter::create(&path).unwrap().finish().unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
}

#[test]
fn a_folder_that_is_not_there_is_named_at_once() {
    let error = MkvWriter::create(Path::new("/nowhere/at/all/Ada.mkv"))
        .err()
        .unwrap();
    let text = error.to_string();
    assert!(
        text.contains("/nowhere/at/all/Ada.mkv") && text.contains("choose another folder"),
        "{text}"
    );
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_a_sentence() {
    // Two frames wait in a buffer until the end, forty do not.
    for run in [recorded(Size::Medium, 2), recorded(Size::Medium, 40)] {
        let mut writer = MkvWriter::create(Path::new("/dev/full")).unwrap();
        // A full disk may show at any packet, and again at the end.
        for packet in &run {
            let _ = writer.write(packet);
        }
        assert_is_full_disk(&writer.finish().unwrap_err());
    }
}

#[cfg(target_os = "linux")]
fn assert_is_full_disk(error: &RecordingError) {
    assert!(
        matches!(error, RecordingError::Unwritable { .. }),
        "{error:?}"
    );
    let text = error.to_string();
    assert!(
        text.contains("/dev/full") && text.contains("Free some space"),
        "{text}"
    );
    assert!(
        text.to_lowercase().contains("disk is full"),
        "the cause is named: {text}"
    );
}

#[test]
fn the_last_picture_is_saved_as_a_png_in_true_colours() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("Ada.png");
    let picture = decode_all(&recorded(Size::Low, 5)).pop().unwrap();
    picture.save_png(&path).unwrap();

    let file = std::io::BufReader::new(std::fs::File::open(&path).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut rgb).unwrap();
    assert_eq!((info.width, info.height), (320, 180));
    assert_eq!(rgb, picture.to_rgb());
    // The bars hold pure red, green and blue somewhere.
    for colour in [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]] {
        let near = |pixel: &[u8]| {
            pixel
                .iter()
                .zip(colour)
                .all(|(a, b): (&u8, u8)| a.abs_diff(b) < 24)
        };
        assert!(
            rgb.chunks(3).filter(|pixel| near(pixel)).count() > 500,
            "{colour:?} is missing"
        );
    }

    let text = picture
        .save_png(Path::new("/nowhere/Ada.png"))
        .unwrap_err()
        .to_string();
    assert!(text.contains("/nowhere/Ada.png"), "{text}");
    if cfg!(target_os = "linux") {
        let text = picture
            .save_png(Path::new("/dev/full"))
            .unwrap_err()
            .to_string();
        assert!(text.contains("No space left"), "{text}");
    }
}
