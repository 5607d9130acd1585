//! What other programs play is heard, and what this one plays is not, on a real sound server with
//! virtual cards.

mod audio_cards;

use std::f32::consts::TAU;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use audio_cards::{LEVEL, LoopBack, RATE_HZ, Running, tone, with_virtual_sound};
use conclave_media::audio::{
    AudioEngine, AudioOptions, AudioPacket, JitterBuffer, MicrophoneSource, Processing,
    SharedSound, SoundShare, SpeakerSink,
};
use conclave_media::clock::now_us;
use tokio::sync::mpsc::Receiver;

/// How long anything may take before the test has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Tones, none a multiple of another: of this program to the loudspeaker and into the microphone,
/// and of two others.
const OWN: f32 = 500.0;
const MICROPHONE: f32 = 2300.0;
const FIRST: f32 = 1100.0;
const SECOND: f32 = 3700.0;

/// This program, playing a file as the voice of somebody else.
fn own_voice(file: PathBuf, speaker: SpeakerSink) -> LoopBack {
    let started = AudioEngine::start(AudioOptions {
        microphone: MicrophoneSource::File(file),
        speaker,
        processing: Processing::Off,
        ..AudioOptions::default()
    });
    let (engine, packets) = started.unwrap();
    LoopBack::start(Arc::new(engine), packets)
}

/// Who hears what is shared.
struct Listener {
    packets: Receiver<AudioPacket>,
    jitter: JitterBuffer,
}

impl Listener {
    /// The next 100 ms; shorter at the end.
    fn listen(&mut self) -> Vec<f32> {
        let mut heard = Vec::new();
        while heard.len() < RATE_HZ / 10
            && let Some(packet) = self.packets.blocking_recv()
        {
            self.jitter.insert(now_us(), packet);
            for _ in 0..2 {
                heard.extend_from_slice(&self.jitter.pull(now_us()).block);
            }
        }
        heard
    }

    /// Listens until these tones, and no others, have been heard for a second.
    #[track_caller]
    fn hears(&mut self, wanted: &[f32]) {
        let deadline = Instant::now() + PATIENCE;
        let mut times = 0;
        while times < 10 {
            let heard = self.listen();
            let levels = [OWN, MICROPHONE, FIRST, SECOND].map(|hz| (hz, level(&heard, hz)));
            for hz in [OWN, MICROPHONE] {
                let level = level(&heard, hz);
                assert!(level < LEVEL / 30.0, "{hz} Hz is heard: {levels:?}");
            }
            let is_so = |(hz, level): &(f32, f32)| match wanted.contains(hz) {
                true => (LEVEL * 0.7..LEVEL * 1.3).contains(level),
                false => *level < LEVEL / 30.0,
            };
            times = if levels.iter().all(is_so) {
                times + 1
            } else {
                0
            };
            assert!(Instant::now() < deadline, "not {wanted:?}: {levels:?}");
        }
    }
}

/// Amplitude of a tone (Goertzel).
fn level(sound: &[f32], hz: f32) -> f32 {
    let step = hz / RATE_HZ as f32 * TAU;
    let sums = sound.iter().enumerate().map(|(i, sample)| {
        let angle = step * i as f32;
        (sample * angle.cos(), sample * angle.sin())
    });
    let (re, im) = sums.fold((0.0, 0.0), |(re, im), (a, b)| (re + a, im + b));
    2.0 * f32::hypot(re, im) / sound.len().max(1) as f32
}

#[test]
fn other_programs_are_heard_from_their_begin_to_their_end_and_this_one_never() {
    if !with_virtual_sound(
        "other_programs_are_heard_from_their_begin_to_their_end_and_this_one_never",
    ) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = |hz| tone(folder.path(), hz);
    // The voices of a meeting; and somebody who talks, for the default microphone hears this.
    let _voices = own_voice(file(OWN), SpeakerSink::Default);
    let into_microphone = SpeakerSink::Device("pipewire:conclave_voice".to_owned());
    let _talk = own_voice(file(MICROPHONE), into_microphone);
    let before = Running::play(&file(FIRST));
    thread::sleep(Duration::from_secs(1));

    let (_share, packets) = SoundShare::start(&SharedSound::Computer).unwrap();
    let jitter = JitterBuffer::new().unwrap();
    let mut listener = Listener { packets, jitter };
    listener.hears(&[FIRST]);
    let later = Running::play(&file(SECOND));
    listener.hears(&[FIRST, SECOND]);
    drop(before);
    listener.hears(&[SECOND]);
    drop(later);
    listener.hears(&[]);
    let _again = Running::play(&file(FIRST));
    listener.hears(&[FIRST]);

    // The server goes: the share of sound ends, and cannot begin.
    let server = std::env::var("CONCLAVE_SOUND_SERVER").unwrap();
    let killed = Command::new("kill").arg(server).status().unwrap();
    assert!(killed.success());
    let deadline = Instant::now() + PATIENCE;
    while !listener.listen().is_empty() {
        assert!(Instant::now() < deadline, "it goes on without a server");
    }
    let error = SoundShare::start(&SharedSound::Computer).unwrap_err();
    assert!(error.to_string().contains("no sound server"), "{error}");
}
