//! A machine without a camera says so.

use conclave_media::video::{CameraSource, Size, VideoCapture, VideoError, cameras};

#[test]
fn an_unknown_camera_is_named() {
    let source = CameraSource::Device("/dev/video-that-is-not-there".to_owned());
    let error = VideoCapture::start(source, &[Size::Low]).err().unwrap();
    let text = error.to_string();
    assert!(matches!(error, VideoError::UnknownCamera { .. }));
    assert!(
        text.contains("/dev/video-that-is-not-there") && text.contains("choose another one"),
        "{text}"
    );
    assert!(!text.contains("--"), "a window shows it too: {text}");
}

#[test]
fn a_machine_without_a_camera_says_what_to_do() {
    let listed = cameras();
    match VideoCapture::start(CameraSource::Default, &[Size::Low]) {
        Err(VideoError::NoCamera) => {
            assert!(listed.is_empty(), "{listed:?}");
            let text = VideoError::NoCamera.to_string();
            assert!(text.contains("Connect one, or go on without"), "{text}");
            assert!(!text.contains("--"), "a window shows it too: {text}");
        }
        outcome => {
            // A developer's machine: whatever happens with a real camera, it was listed first.
            assert_eq!(
                listed.iter().filter(|camera| camera.is_default).count(),
                1,
                "{listed:?}"
            );
            drop(outcome);
        }
    }
}
