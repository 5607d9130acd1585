//! Audio packets have one size whatever is said, another one where nothing or much
//! is lost and this may show, and garbage is refused.

mod audio_signal;

use audio_signal::speech_like;
use conclave_media::audio::{AudioPacket, BLOCK_SAMPLES, Framer, Loss, PacketError, PacketSize};

/// Of every whole packet, and what of it is for frames.
const ENCODED_LEN: usize = PacketSize::Whole.encoded_len();
const FRAMES_ROOM: usize = PacketSize::Whole.frames_room();

/// Where the frames begin, and the length of the first one.
const FRAMES_AT: usize = 20;
const LENGTH_AT: usize = 13;

fn packets_of(signal: &[f32]) -> Vec<AudioPacket> {
    packets_with(signal, |_| Loss::default())
}

/// Before each block, the framer learns what gets lost.
fn packets_with(signal: &[f32], loss_at: impl Fn(usize) -> Loss) -> Vec<AudioPacket> {
    packets_by(&mut Framer::new().unwrap(), signal, loss_at)
}

fn packets_by(
    framer: &mut Framer,
    signal: &[f32],
    loss_at: impl Fn(usize) -> Loss,
) -> Vec<AudioPacket> {
    let blocks = signal.chunks_exact(BLOCK_SAMPLES).enumerate();
    let packets = blocks.filter_map(|(n, block)| {
        framer.expect_loss(loss_at(n));
        let capture_us = 1_700_000_000_000_000 + n as u64 * 10_000;
        framer.push(block.try_into().unwrap(), capture_us).unwrap()
    });
    packets.collect()
}

/// From little loss to much, to bursts, and back.
fn changing(n: usize) -> Loss {
    let percent = [0, 10, 30, 5, 0][n / 30 % 5];
    let bursts = n / 30 % 5 == 3;
    Loss { percent, bursts }
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
            assert_eq!(packet.payload.len(), FRAMES_ROOM / 2);
            assert_eq!(packet.encode().len(), ENCODED_LEN);
        }
    }
}

#[test]
fn how_much_is_repeated_does_not_change_the_size() {
    let mut counts = std::collections::BTreeSet::new();
    for packet in packets_with(&speech_like(16.0), changing) {
        assert_eq!(packet.encode().len(), ENCODED_LEN);
        counts.insert((packet.payload.len(), packet.copies.len()));
    }
    for plan in [(140, 1), (93, 2), (70, 3)] {
        assert!(counts.contains(&plan), "{plan:?} in {counts:?}");
    }
}

#[test]
fn a_packet_survives_the_way() {
    let all = packets_with(&speech_like(3.0), changing).into_iter();
    for packet in all.chain(spare_packets()).chain(large_packets()) {
        assert_eq!(AudioPacket::decode(&packet.encode()), Ok(packet));
    }
}

/// What is sent where the size may follow the loss.
fn sized_packets(seconds: f32, loss: Loss) -> Vec<AudioPacket> {
    let mut framer = Framer::new().unwrap();
    framer.keep_one_size(false);
    packets_by(&mut framer, &speech_like(seconds), |_| loss)
}

/// After ten seconds without loss.
fn spare_packets() -> Vec<AudioPacket> {
    sized_packets(11.0, Loss::default()).split_off(500)
}

fn assert_all(packets: Vec<AudioPacket>, size: PacketSize, frame_bytes: usize, copies: usize) {
    assert!(packets.len() > 10);
    for packet in packets {
        let held = (packet.payload.len(), packet.copies.len());
        assert_eq!(held, (frame_bytes, copies));
        assert_eq!(packet.encode().len(), size.encoded_len());
    }
}

/// Where much is lost, once there is enough to repeat.
fn large_packets() -> Vec<AudioPacket> {
    let much = Loss {
        percent: 20,
        bursts: false,
    };
    sized_packets(1.0, much).split_off(3)
}

#[test]
fn where_much_is_lost_packets_have_room_for_more_and_one_size() {
    assert_all(large_packets(), PacketSize::Large, 93, 3);
}

#[test]
fn where_nothing_is_lost_packets_are_short_and_of_one_size() {
    assert_all(spare_packets(), PacketSize::Spare, 140, 0);
    assert!(PacketSize::Spare.encoded_len() * 3 < ENCODED_LEN * 2);
}

#[test]
fn each_packet_carries_the_frame_before_it_and_even_capture_times() {
    let packets = packets_of(&speech_like(0.5));
    assert_eq!(packets[0].copies, []);
    for pair in packets.windows(2) {
        let [copy] = pair[1].copies.as_slice() else {
            panic!("{:?}", pair[1]);
        };
        assert_eq!((copy.back, &copy.frame), (1, &pair[0].payload));
        assert_eq!(pair[1].seq, pair[0].seq + 1);
        assert_eq!(pair[1].capture_us, pair[0].capture_us + 20_000);
    }
}

#[test]
fn copies_are_the_frames_they_say_while_their_number_changes() {
    let packets = packets_with(&speech_like(16.0), changing);
    for packet in &packets {
        for copy in &packet.copies {
            let first = &packets[packet.seq as usize - usize::from(copy.back)];
            assert_eq!(copy.frame, first.payload, "{} of {}", copy.back, packet.seq);
        }
    }
}

#[test]
fn garbage_is_refused() {
    let good = packets_of(&speech_like(0.1))[2].encode();
    let spare = spare_packets()[0].encode();
    for len in [0, 1, 12, spare.len() - 1] {
        for cut in [&good[..len], &spare[..len]] {
            assert_eq!(AudioPacket::decode(cut), Err(PacketError::Length(len)));
        }
    }
    for (bytes, layout) in [(&good, 3), (&spare, 2)] {
        let mut other = bytes.clone();
        other[0] = layout;
        assert_eq!(
            AudioPacket::decode(&other),
            Err(PacketError::Length(bytes.len())),
            "of the other size"
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
        wrong[FRAMES_AT] = toc;
        wrong[FRAMES_AT + 1] = 3;
        assert_eq!(
            AudioPacket::decode(&wrong),
            Err(PacketError::NotOneFrame),
            "{toc:#x}"
        );
    }
    // The copy's first byte; more back than any; no back; frames beyond the room.
    let places = [
        (FRAMES_AT + FRAMES_ROOM / 2, 0x70),
        (LENGTH_AT + 1, 9),
        (LENGTH_AT + 1, 0),
        (LENGTH_AT, 255),
        (LENGTH_AT, 0),
        (LENGTH_AT + 2, 141),
    ];
    for (at, value) in places {
        let mut wrong = good.clone();
        wrong[at] = value;
        let read = AudioPacket::decode(&wrong);
        assert_eq!(read, Err(PacketError::NotOneFrame), "{value} at {at}");
    }
}
