//! Audio packets have one size whatever is said, and garbage is refused.

mod audio_signal;

use audio_signal::speech_like;
use conclave_media::audio::{
    AudioPacket, BLOCK_SAMPLES, ENCODED_LEN, FRAME_BYTES, Framer, PacketError,
};

fn packets_of(signal: &[f32]) -> Vec<AudioPacket> {
    let mut framer = Framer::new().unwrap();
    signal
        .chunks_exact(BLOCK_SAMPLES)
        .enumerate()
        .filter_map(|(n, block)| {
            let capture_us = 1_700_000_000_000_000 + n as u64 * 10_000;
            framer.push(block.try_into().unwrap(), capture_us).unwrap()
        })
        .collect()
}

#[test]
fn speech_silence_and_noise_have_the_same_size() {
    let mut seed = 1_u32;
    let noise: Vec<f32> = (0..48_000)
        .map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as f32 / 8_388_608.0 - 1.0
        })
        .collect();
    for signal in [
        speech_like(1.0),
        vec![0.0; 48_000],
        noise,
        vec![1.0; 48_000],
    ] {
        let packets = packets_of(&signal);
        assert_eq!(packets.len(), 50);
        for packet in packets {
            assert_eq!(packet.payload.len(), FRAME_BYTES);
            assert_eq!(packet.encode().len(), ENCODED_LEN);
        }
    }
}

#[test]
fn a_packet_survives_the_way() {
    for packet in packets_of(&speech_like(0.2)) {
        assert_eq!(AudioPacket::decode(&packet.encode()), Ok(packet));
    }
}

#[test]
fn each_packet_carries_the_frame_before_it_and_even_capture_times() {
    let packets = packets_of(&speech_like(0.5));
    assert_eq!(packets[0].redundant, None);
    for pair in packets.windows(2) {
        assert_eq!(pair[1].redundant.as_ref(), Some(&pair[0].payload));
        assert_eq!(pair[1].seq, pair[0].seq + 1);
        assert_eq!(pair[1].capture_us, pair[0].capture_us + 20_000);
    }
}

#[test]
fn garbage_is_refused() {
    let good = packets_of(&speech_like(0.1))[2].encode();
    for len in [0, 1, 12, ENCODED_LEN - 1] {
        assert_eq!(
            AudioPacket::decode(&good[..len]),
            Err(PacketError::Length(len))
        );
    }
    let longer = [good.as_slice(), &[0]].concat();
    assert!(matches!(
        AudioPacket::decode(&longer),
        Err(PacketError::Length(_))
    ));

    let mut unknown = good.clone();
    unknown[0] = 7;
    assert_eq!(AudioPacket::decode(&unknown), Err(PacketError::Layout(7)));

    // Three frames of 20 ms, then an Opus frame of 10 ms (RFC 6716 §3.1).
    for toc in [0xfb, 0x70] {
        let mut wrong = good.clone();
        wrong[13] = toc;
        wrong[14] = 3;
        assert_eq!(
            AudioPacket::decode(&wrong),
            Err(PacketError::NotOneFrame),
            "{toc:#x}"
        );
    }
    let mut wrong_copy = good;
    wrong_copy[13 + FRAME_BYTES] = 0x70;
    assert_eq!(
        AudioPacket::decode(&wrong_copy),
        Err(PacketError::NotOneFrame)
    );
}
