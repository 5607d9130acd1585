//! Recordings are valid WAV files, and a full disk is told in a sentence.

use conclave_media::audio::{WavError, WavWriter};

#[test]
fn a_recording_parses() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("voice.wav");
    let mut wav = WavWriter::create(&path).unwrap();
    wav.write(&[0.0, 0.5, -0.5]).unwrap();
    wav.write(&[1.0, 7.0, -7.0]).unwrap();
    wav.finish().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let half = |at: usize| u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap());
    assert_eq!(&bytes[..4], b"RIFF");
    assert_eq!(word(4) as usize, bytes.len() - 8);
    assert_eq!(&bytes[8..16], b"WAVEfmt ");
    assert_eq!((half(20), half(22), word(24), half(34)), (1, 1, 48_000, 16));
    assert_eq!((word(28), half(32)), (96_000, 2));
    assert_eq!(&bytes[36..40], b"data");
    assert_eq!(word(40), 12);
    let samples: Vec<i16> = bytes[44..]
        .chunks_exact(2)
        .map(|b| i16::from_le_bytes([b[0], b[1]]))
        .collect();
    assert_eq!(samples, [0, 16_384, -16_384, 32_767, 32_767, -32_767]);
}

#[test]
fn a_missing_folder_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let error = WavWriter::create(&dir.path().join("no/voice.wav")).unwrap_err();
    assert!(matches!(error, WavError::Write { .. }));
    assert!(error.to_string().contains("no/voice.wav"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_in_a_sentence() {
    let mut wav = WavWriter::create("/dev/full".as_ref()).unwrap();
    let error = (0..100)
        .find_map(|_| wav.write(&[0.1; 4_800]).err())
        .expect("writing to a full disk must fail");
    assert!(matches!(error, WavError::DiskFull { .. }), "{error:?}");
    assert!(error.to_string().starts_with("The disk is full"), "{error}");

    // A short recording fits the buffer, so its end must tell.
    let mut wav = WavWriter::create("/dev/full".as_ref()).unwrap();
    wav.write(&[0.1; 48]).unwrap();
    assert!(matches!(wav.finish(), Err(WavError::DiskFull { .. })));
}
