//! What strangers send: refused without harm, and the picture comes back.

mod video_support;

use std::time::Duration;

use bytes::Bytes;
use conclave_media::video::{
    CameraSource, DecodeError, MAX_PAYLOAD, PacketError, Size, VideoCapture, VideoDecoder,
    VideoPacket,
};
use video_support::{PATIENCE, decode_all, run_of};

/// Two groups of pictures: frames 0 to 9, and 10 to 19, each starting with a key frame.
fn two_groups() -> Vec<VideoPacket> {
    let (capture, mut packets) = VideoCapture::start(CameraSource::Test, &[Size::Low]).unwrap();
    let mut run = run_of(&mut packets, Size::Low, 10);
    capture.request_key_frame(Size::Low);
    run.extend(run_of(&mut packets, Size::Low, 10));
    run
}

#[test]
fn packets_survive_the_journey() {
    for packet in two_groups() {
        assert_eq!(VideoPacket::decode(&packet.encode()).unwrap(), packet);
    }
}

#[test]
fn garbage_packets_are_refused() {
    let good = two_groups()[0].encode();
    assert_eq!(VideoPacket::decode(&[]), Err(PacketError::Truncated));
    for length in 0..27 {
        assert!(
            VideoPacket::decode(&good[..length]).is_err(),
            "{length} bytes"
        );
    }
    let with = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        VideoPacket::decode(&bytes)
    };
    assert_eq!(with(0, 9), Err(PacketError::Version(9)));
    assert_eq!(
        with(1, 0b111),
        Err(PacketError::Contradiction),
        "a fourth size"
    );
    assert_eq!(
        with(1, 0b1000_0100),
        Err(PacketError::Contradiction),
        "an unknown flag"
    );
    assert_eq!(
        with(1, 0),
        Err(PacketError::Contradiction),
        "a key frame that says it is none"
    );
    assert_eq!(
        with(2, 9),
        Err(PacketError::Contradiction),
        "a width that is not the frame's"
    );
    let mut huge = good.clone();
    huge.resize(MAX_PAYLOAD + 100, 0);
    assert_eq!(VideoPacket::decode(&huge), Err(PacketError::TooLarge));

    // A fixed pseudo-random stream: no panic, and nothing of it passes for a frame of ours by luck alone.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for length in 0..2000 {
        let noise: Vec<u8> = (0..length % 200)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state as u8
            })
            .collect();
        if let Ok(packet) = VideoPacket::decode(&noise) {
            assert!(!packet.key, "a key frame's sync code by luck");
        }
    }
}

#[test]
fn a_missing_frame_stops_the_picture_until_a_key_frame() {
    let run = two_groups();
    let mut decoder = VideoDecoder::new().unwrap();
    decoder.push(&run[0]).unwrap();
    assert!(decoder.wait_picture(PATIENCE).is_some());
    assert_eq!(decoder.push(&run[2]), Err(DecodeError::NeedsKeyFrame));
    assert_eq!(
        decoder.push(&run[3]),
        Err(DecodeError::NeedsKeyFrame),
        "not even the one after"
    );
    assert!(decoder.wait_picture(Duration::from_millis(100)).is_none());
    decoder.push(&run[10]).unwrap();
    let picture = decoder.wait_picture(PATIENCE).unwrap();
    assert_eq!(picture.capture_us, run[10].capture_us);
}

#[test]
fn a_decoder_starts_only_at_a_key_frame() {
    let run = two_groups();
    let mut decoder = VideoDecoder::new().unwrap();
    assert_eq!(decoder.push(&run[5]), Err(DecodeError::NeedsKeyFrame));
    assert!(decoder.try_picture().is_none());
}

#[test]
fn garbage_inside_a_frame_is_survived() {
    let run = two_groups();
    let mut decoder = VideoDecoder::new().unwrap();
    for packet in &run[..3] {
        decoder.push(packet).unwrap();
        assert!(decoder.wait_picture(PATIENCE).is_some());
    }
    // Not VP9 at all.
    let noise = VideoPacket {
        payload: Bytes::from_static(&[0x17; 300]),
        ..run[3].clone()
    };
    assert!(matches!(decoder.push(&noise), Err(DecodeError::Refused(_))));

    // Right heads, ruined bodies: only the codec itself can notice.
    for packet in [&run[0], &run[1], &run[2]] {
        let mut bytes = packet.payload.to_vec();
        let body = if packet.key { 12 } else { 8 };
        bytes
            .iter_mut()
            .skip(body)
            .for_each(|byte| *byte = byte.wrapping_mul(31) ^ 0xa5);
        let last = bytes.len() - 1;
        bytes[last] = 0;
        // Refusing is as good as trying: neither may harm what follows.
        let _ = decoder.push(&VideoPacket {
            payload: Bytes::from(bytes),
            ..packet.clone()
        });
    }
    decoder.wait_picture(Duration::from_millis(200));

    let mut shown = Vec::new();
    for packet in &run[10..] {
        match decoder.push(packet) {
            Ok(()) => shown.extend(
                decoder
                    .wait_picture(PATIENCE)
                    .map(|picture| picture.capture_us),
            ),
            // A codec that broke is started anew, and the stream needs its next key frame.
            Err(DecodeError::Restarted { .. }) => assert!(packet.key),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(
        shown.last(),
        Some(&run[19].capture_us),
        "the picture is back"
    );
}

#[test]
fn the_size_may_change_at_a_key_frame() {
    let (capture, mut packets) = VideoCapture::start(CameraSource::Test, &Size::ALL).unwrap();
    let mut decoder = VideoDecoder::new().unwrap();
    for size in [Size::Low, Size::High, Size::Medium, Size::Low] {
        capture.request_key_frame(size);
        for packet in run_of(&mut packets, size, 4) {
            decoder.push(&packet).unwrap();
            let picture = decoder.wait_picture(PATIENCE).unwrap();
            assert_eq!(
                (picture.width, picture.height),
                (packet.width.into(), packet.height.into())
            );
            assert_eq!(
                picture.i420.len() as u32,
                picture.width * picture.height * 3 / 2
            );
        }
    }
}

/// What §6.2 calls refresh_frame_flags, of an error-resilient inter frame.
fn replaces_no_reference(packet: &VideoPacket) -> bool {
    !packet.key && packet.payload[0] & 1 == 1 && packet.payload[1] == 0
}

#[test]
fn every_second_frame_can_be_left_out_without_a_trace() {
    let (_capture, mut packets) = VideoCapture::start(CameraSource::Test, &[Size::Low]).unwrap();
    let run = run_of(&mut packets, Size::Low, 40);
    let base = |index: &usize| !replaces_no_reference(&run[*index]);
    let kept: Vec<usize> = (0..run.len()).filter(base).collect();
    assert!(
        (18..=24).contains(&kept.len()),
        "{} of 40 frames are needed",
        kept.len()
    );
    let whole = decode_all(&run);
    let renumbered = |(seq, index): (usize, &usize)| VideoPacket {
        seq: seq as u32,
        ..run[*index].clone()
    };
    let thinned: Vec<VideoPacket> = kept.iter().enumerate().map(renumbered).collect();
    for (picture, index) in decode_all(&thinned).iter().zip(&kept) {
        assert!(
            picture.i420 == whole[*index].i420,
            "picture {index} differs"
        );
    }
}

#[test]
fn decoding_adds_little_delay() {
    let run = two_groups();
    let mut decoder = VideoDecoder::new().unwrap();
    decoder.push(&run[0]).unwrap();
    decoder.wait_picture(PATIENCE).unwrap();
    let mut times: Vec<Duration> = run[1..10]
        .iter()
        .map(|packet| {
            let started = std::time::Instant::now();
            decoder.push(packet).unwrap();
            decoder.wait_picture(PATIENCE).unwrap();
            started.elapsed()
        })
        .collect();
    times.sort();
    assert!(
        times[times.len() / 2] < Duration::from_millis(20),
        "{times:?}"
    );
}
