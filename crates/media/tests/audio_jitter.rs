//! The jitter buffer in virtual time: untouched sound on a clean link, healed
//! loss, order restored, delay no longer than needed.

mod audio_likeness;
mod audio_signal;

use audio_likeness::likeness;
use audio_signal::speech_like;
use conclave_media::audio::{AudioPacket, BLOCK_SAMPLES, Framer, JitterBuffer, Loss};

const START_US: u64 = 1_000_000_000;

struct Rng(u64);

impl Rng {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn packets_of(signal: &[f32], expected_loss: u8) -> Vec<AudioPacket> {
    let mut framer = Framer::new().unwrap();
    framer.expect_loss(Loss {
        percent: expected_loss,
        bursts: false,
    });
    packets_by(&mut framer, signal)
}

fn packets_by(framer: &mut Framer, signal: &[f32]) -> Vec<AudioPacket> {
    let push = |(n, block): (usize, &[f32])| {
        let capture_us = START_US + n as u64 * 10_000;
        framer.push(block.try_into().unwrap(), capture_us).unwrap()
    };
    let blocks = signal.chunks_exact(BLOCK_SAMPLES).enumerate();
    blocks.filter_map(push).collect()
}

/// The frame is complete 20 ms after its first sample (26.5 ms after what is
/// heard first, because of Opus's lookahead), then travels for `travel_us`.
fn arrival(packet: &AudioPacket, travel_us: u64) -> u64 {
    packet.capture_us + 26_500 + travel_us
}

struct Outcome {
    played: Vec<f32>,
    lags_us: Vec<u64>,
    buffer: JitterBuffer,
}

/// Plays for as long as the last packet needs, and no longer.
fn play(mut arrivals: Vec<(u64, AudioPacket)>, blocks: u64) -> Outcome {
    arrivals.sort_by_key(|(at, _)| *at);
    let mut arrivals = arrivals.into_iter().peekable();
    let mut buffer = JitterBuffer::new().unwrap();
    let (mut played, mut lags_us) = (Vec::new(), Vec::new());
    for n in 0..blocks {
        let now_us = START_US + 3_000 + n * 10_000;
        while let Some((at, packet)) = arrivals.next_if(|(at, _)| *at <= now_us) {
            buffer.insert(at, packet);
        }
        let pulled = buffer.pull(now_us);
        played.extend_from_slice(&pulled.block);
        lags_us.extend(pulled.capture_us.map(|at| now_us - at));
    }
    Outcome {
        played,
        lags_us,
        buffer,
    }
}

fn plain_decode(packets: &[AudioPacket]) -> Vec<f32> {
    let mut decoder = opus::Decoder::new(48_000, opus::Channels::Mono).unwrap();
    let mut frame = [0.0; 960];
    packets
        .iter()
        .flat_map(|packet| {
            decoder
                .decode_float(&packet.payload, &mut frame, false)
                .unwrap();
            frame
        })
        .collect()
}

#[test]
fn a_clean_link_changes_not_one_sample_and_costs_little_delay() {
    let packets = packets_of(&speech_like(20.0), 0);
    let expected = plain_decode(&packets);
    let mut rng = Rng(1);
    let arrivals = packets
        .into_iter()
        .map(|p| (arrival(&p, rng.below(2_000)), p))
        .collect();
    let outcome = play(arrivals, 2_000);
    let start =
        outcome.played.iter().position(|s| *s != 0.0).unwrap() / BLOCK_SAMPLES * BLOCK_SAMPLES;
    let length = outcome.played.len() - start;
    assert!(length > 47 * 20_000, "starts after {start} samples");
    assert!(
        outcome.played[start..] == expected[..length],
        "sound was altered"
    );
    let stats = outcome.buffer.stats();
    assert_eq!(
        (
            stats.stretches,
            stats.concealed_blocks,
            stats.recovered_frames
        ),
        (0, 0, 0)
    );
    assert!(
        outcome.lags_us.iter().all(|lag| *lag <= 50_000),
        "{:?}",
        outcome.lags_us.iter().max()
    );
}

#[test]
fn a_tenth_of_the_packets_lost_is_healed_from_the_copies() {
    let source = speech_like(20.0);
    let packets = packets_of(&source, 0);
    let mut rng = Rng(5);
    let mut lost = 0;
    let mut arrivals = Vec::new();
    for packet in packets {
        let drop = rng.below(10) == 0;
        lost += u64::from(drop);
        if !drop {
            arrivals.push((arrival(&packet, 1_000), packet));
        }
    }
    let outcome = play(arrivals, 2_000);
    let stats = outcome.buffer.stats();
    assert!(lost > 70, "{lost}");
    assert!(
        stats.recovered_frames * 100 > lost * 80,
        "{stats:?} of {lost} lost"
    );
    assert!(stats.concealed_blocks * 10 < 2_000, "{stats:?}");
    let alike = likeness(&source, &outcome.played, 480_000, 720_000, 9_600);
    assert!(alike > 0.97, "{alike}");
}

#[test]
fn two_losses_in_a_row_are_healed_once_loss_is_expected() {
    let recovered = |expected_loss| {
        let packets = packets_of(&speech_like(10.0), expected_loss);
        let arrivals = packets
            .into_iter()
            .filter(|packet| !matches!(packet.seq % 10, 4 | 5))
            .map(|packet| (arrival(&packet, 1_000), packet))
            .collect();
        play(arrivals, 1_000).buffer.stats()
    };
    let (without, with) = (recovered(0), recovered(20));
    assert!(without.recovered_frames < 60, "{without:?}");
    assert!(with.recovered_frames > 90, "{with:?}");
    assert!(
        with.concealed_blocks < without.concealed_blocks / 2,
        "{with:?} {without:?}"
    );
}

#[test]
fn a_burst_is_healed_from_copies_far_apart() {
    let mut framer = Framer::new().unwrap();
    framer.expect_loss(Loss {
        percent: 5,
        bursts: true,
    });
    let arrivals = packets_by(&mut framer, &speech_like(20.0))
        .into_iter()
        .filter(|packet| packet.seq % 100 < 95)
        .map(|packet| (arrival(&packet, 1_000), packet))
        .collect();
    let stats = play(arrivals, 2_000).buffer.stats();
    // The first burst teaches how long to wait.
    assert!(stats.recovered_frames >= 8 * 5, "{stats:?}");
    assert!(stats.concealed_blocks <= 2 * 10, "{stats:?}");
    assert_eq!(stats.loss.in_bursts, stats.loss.lost);
}

#[test]
fn what_is_lost_is_counted_healed_or_not() {
    let arrivals = packets_of(&speech_like(10.0), 0)
        .into_iter()
        .filter(|packet| packet.seq % 10 != 4)
        .map(|packet| (arrival(&packet, 1_000), packet))
        .collect();
    let loss = play(arrivals, 1_000).buffer.stats().loss;
    assert!((48..=50).contains(&loss.lost), "{loss:?}");
    assert!(loss.due >= 490, "{loss:?}");
    assert_eq!(loss.in_bursts, 0);
}

#[test]
fn jittered_and_reordered_packets_play_in_order() {
    let source = speech_like(20.0);
    let mut rng = Rng(3);
    let arrivals: Vec<_> = packets_of(&source, 0)
        .into_iter()
        .map(|packet| (arrival(&packet, rng.below(60_000)), packet))
        .collect();
    let reordered = arrivals.windows(2).filter(|w| w[1].0 < w[0].0).count();
    assert!(reordered > 100, "{reordered}");
    let outcome = play(arrivals, 2_000);
    let alike = likeness(&source, &outcome.played, 480_000, 720_000, 9_600);
    assert!(alike > 0.97, "{alike}");
    assert!(
        outcome.buffer.stats().concealed_blocks < 20,
        "{:?}",
        outcome.buffer.stats()
    );
    let lag_us = outcome.lags_us.last().unwrap();
    assert!((75_000..125_000).contains(lag_us), "{lag_us}");
}

#[test]
fn the_delay_shrinks_again_when_the_link_calms_down() {
    let mut rng = Rng(9);
    let arrivals = packets_of(&speech_like(40.0), 0)
        .into_iter()
        .map(|packet| {
            let jitter = if packet.seq < 500 {
                rng.below(80_000)
            } else {
                rng.below(2_000)
            };
            (arrival(&packet, jitter), packet)
        })
        .collect();
    let outcome = play(arrivals, 4_000);
    let lags = &outcome.lags_us;
    assert!(lags[900] > 90_000, "{}", lags[900]);
    // Up to a block more than the link needs: frames are taken in whole blocks.
    assert!(lags[lags.len() - 1] < 75_000, "{}", lags[lags.len() - 1]);
}

#[test]
fn a_pause_of_the_link_is_counted_and_playing_resumes_without_extra_delay() {
    let arrivals = packets_of(&speech_like(10.0), 0)
        .into_iter()
        .filter(|packet| !(200..300).contains(&packet.seq))
        .map(|packet| (arrival(&packet, 1_000), packet))
        .collect();
    let outcome = play(arrivals, 1_000);
    let stats = outcome.buffer.stats();
    assert!((195..=205).contains(&stats.concealed_blocks), "{stats:?}");
    assert!(*outcome.lags_us.last().unwrap() < 80_000);
    let silent = outcome.played[48 * 4_800..48 * 5_900]
        .iter()
        .all(|s| s.abs() < 1e-3);
    assert!(silent, "a long gap must fade to silence, not drone");
}

#[test]
fn doubles_are_dropped_and_absurd_packets_do_no_harm() {
    let packets = packets_of(&speech_like(4.0), 0);
    let mut arrivals = Vec::new();
    for packet in packets {
        let at = arrival(&packet, 1_000);
        arrivals.push((at + 500, packet.clone()));
        if packet.seq == 100 {
            for (seq, capture_us) in [(u32::MAX, u64::MAX), (u32::MAX, 0), (0, u64::MAX), (5, 1)] {
                arrivals.push((
                    at,
                    AudioPacket {
                        seq,
                        capture_us,
                        ..packet.clone()
                    },
                ));
            }
        }
        arrivals.push((at, packet));
    }
    let outcome = play(arrivals, 390);
    let stats = outcome.buffer.stats();
    assert!(stats.late >= 190, "{stats:?}");
    let tail = &outcome.played[outcome.played.len() - 24_000..];
    assert!(tail.iter().any(|s| s.abs() > 0.1), "the stream plays on");
}
