//! The whole engine in real time without a sound card: file to packets to
//! jitter buffer to null sink.

mod audio_likeness;
mod audio_signal;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use audio_likeness::likeness;
use audio_signal::speech_like;
use conclave_media::DeviceKind;
use conclave_media::audio::{
    AudioEngine, AudioEvent, AudioOptions, AudioPacket, MicrophoneSource, PacketSize, SourceId,
    SpeakerSink, WavWriter,
};
use tokio::sync::mpsc::Receiver;

const VOICE: SourceId = SourceId(7);

fn start(microphone: MicrophoneSource) -> (AudioEngine, Receiver<AudioPacket>) {
    AudioEngine::start(AudioOptions {
        microphone,
        speaker: SpeakerSink::Null,
        ..AudioOptions::default()
    })
    .unwrap()
}

fn write_wav(path: &Path, samples: &[f32]) {
    let mut wav = WavWriter::create(path).unwrap();
    wav.write(samples).unwrap();
    wav.finish().unwrap();
}

/// Sends every packet back as if it came from another person, for some time.
fn loop_back(engine: &AudioEngine, packets: &mut Receiver<AudioPacket>, for_ms: u64) -> usize {
    let end = Instant::now() + Duration::from_millis(for_ms);
    let mut count = 0;
    while Instant::now() < end {
        let packet = packets.blocking_recv().unwrap();
        let bytes = packet.encode();
        assert_eq!(bytes.len(), PacketSize::Whole.encoded_len());
        engine.push(VOICE, AudioPacket::decode(&bytes).unwrap());
        count += 1;
    }
    count
}

fn drain(tap: &mut Receiver<Vec<f32>>) -> Vec<f32> {
    let mut played = Vec::new();
    while let Ok(block) = tap.try_recv() {
        assert_eq!(block.len(), 480);
        played.extend(block);
    }
    played
}

#[test]
fn a_file_is_heard_as_it_is_then_silence_and_soon_after_it_was_captured() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("speech.wav");
    let source = speech_like(3.0);
    write_wav(&path, &source);
    let (mut engine, mut packets) = start(MicrophoneSource::File(path));
    let mut events = engine.take_events().unwrap();
    engine.add_source(VOICE);
    let mut tap = engine.tap(VOICE);

    let count = loop_back(&engine, &mut packets, 2_500);
    assert!(count.abs_diff(125) < 8, "{count} packets in 2.5 s");
    let stats = engine.source_stats(VOICE).unwrap();
    assert!(stats.speaking && stats.level > 0.2, "{stats:?}");
    assert!(engine.microphone_level() > 0.2);
    let mut latencies = stats.latency_us_recent;
    latencies.sort_unstable();
    let middle = latencies[latencies.len() / 2];
    // 26.5 ms is the least possible: one frame and what Opus looks ahead.
    assert!(
        (26_500..150_000).contains(&middle),
        "{middle} us from capture to play"
    );

    let more = loop_back(&engine, &mut packets, 1_500);
    assert!(
        more > 60,
        "silence is sent after the end of the file: {more}"
    );
    assert_eq!(events.try_recv(), Ok(AudioEvent::FileEnded));
    assert!(!engine.source_stats(VOICE).unwrap().speaking);

    let stats = engine.source_stats(VOICE).unwrap();
    assert!(stats.concealed_ms < 200, "{stats:?}");
    let played = drain(&mut tap);
    let alike = likeness(&source, &played, 12_000, source.len(), 24_000);
    assert!(alike > 0.95, "{alike} {stats:?}");
}

#[test]
fn muting_sends_silence_of_the_same_size_at_the_same_pace() {
    let (engine, mut packets) = start(MicrophoneSource::Test);
    engine.add_source(VOICE);
    loop_back(&engine, &mut packets, 600);
    assert!(engine.microphone_level() > 0.0);
    engine.set_muted(true);
    assert!(engine.is_muted());
    loop_back(&engine, &mut packets, 1_000);
    let mut tap = engine.tap(VOICE);
    let count = loop_back(&engine, &mut packets, 500);
    assert!(count.abs_diff(25) < 5, "{count} packets in 0.5 s");
    assert_eq!(engine.microphone_level(), 0.0);
    let played = drain(&mut tap);
    assert!(played.len() > 10_000 && played.iter().all(|s| s.abs() < 1e-3));
    engine.set_muted(false);
    // Longer than the pauses of the test signal.
    loop_back(&engine, &mut packets, 1_600);
    assert!(drain(&mut tap).iter().any(|s| s.abs() > 0.05));
}

#[test]
fn sources_and_sinks_are_switched_while_running() {
    let (engine, mut packets) = start(MicrophoneSource::Off);
    assert_eq!(engine.in_use(DeviceKind::Microphone).name, "No microphone");
    engine.add_source(VOICE);
    let mut tap = engine.tap(VOICE);
    loop_back(&engine, &mut packets, 400);
    assert!(drain(&mut tap).iter().all(|s| s.abs() < 1e-3));
    engine.switch_microphone(MicrophoneSource::Test).unwrap();
    engine.switch_speaker(SpeakerSink::Null).unwrap();
    assert_eq!(engine.in_use(DeviceKind::Microphone).name, "Test signal");
    loop_back(&engine, &mut packets, 1_600);
    assert!(drain(&mut tap).iter().any(|s| s.abs() > 0.05));
    let missing = MicrophoneSource::File("/nowhere.wav".into());
    assert!(engine.switch_microphone(missing).is_err());
    assert_eq!(
        engine.in_use(DeviceKind::Microphone).name,
        "Test signal",
        "a failed switch changes nothing"
    );
}

#[test]
fn a_removed_source_ends_its_tap_and_its_figures() {
    let (engine, mut packets) = start(MicrophoneSource::Test);
    engine.add_source(VOICE);
    let mut tap = engine.tap(VOICE);
    loop_back(&engine, &mut packets, 200);
    engine.remove_source(VOICE);
    assert_eq!(engine.source_stats(VOICE), None);
    loop_back(&engine, &mut packets, 100);
    drain(&mut tap);
    assert!(tap.is_closed() && tap.blocking_recv().is_none());
    assert_eq!(
        engine.tap(SourceId(99)).blocking_recv(),
        None,
        "an unknown source has no sound"
    );
}

#[test]
fn two_voices_are_played_apart_and_a_dropped_engine_ends_the_packets() {
    let (engine, mut packets) = start(MicrophoneSource::Test);
    let silent = SourceId(8);
    engine.add_source(VOICE);
    engine.add_source(silent);
    let mut tap = engine.tap(silent);
    loop_back(&engine, &mut packets, 500);
    assert!(engine.source_stats(VOICE).unwrap().played_frames > 10);
    assert_eq!(engine.source_stats(silent).unwrap().played_frames, 0);
    assert!(drain(&mut tap).iter().all(|s| *s == 0.0));
    drop(engine);
    thread::sleep(Duration::from_millis(50));
    while packets.blocking_recv().is_some() {}
}
