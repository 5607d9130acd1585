//! What other programs play is heard, and what this one plays is not, on a real sound server with
//! virtual cards.

use std::f32::consts::TAU;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use conclave_media::audio::{
    AudioEngine, AudioOptions, AudioPacket, JitterBuffer, MicrophoneSource, Processing,
    SharedSound, SoundShare, SourceId, SpeakerSink, WavWriter,
};
use conclave_media::clock::now_us;
use tokio::sync::mpsc::Receiver;

const CHILD: &str = "CONCLAVE_TEST_WITH_VIRTUAL_SOUND";
const VOICE: SourceId = SourceId(7);
/// How long anything may take before the test has failed.
const PATIENCE: Duration = Duration::from_secs(20);
const RATE_HZ: usize = 48_000;

/// Tones, none a multiple of another: of this program to the loudspeaker and into the microphone,
/// and of two others.
const OWN: f32 = 500.0;
const MICROPHONE: f32 = 2300.0;
const FIRST: f32 = 1100.0;
const SECOND: f32 = 3700.0;
/// Amplitude of each.
const LEVEL: f32 = 0.3;

/// Runs the test of this name again inside a sound system of its own. True in there.
fn with_virtual_sound(test: &str) -> bool {
    if std::env::var_os(CHILD).is_some() {
        return true;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/with-virtual-sound");
    let output = Command::new(script)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    eprintln!("{said}");
    assert!(output.status.success(), "{said}");
    false
}

fn tone(folder: &Path, hz: f32) -> PathBuf {
    let path = folder.join(format!("{hz}.wav"));
    let mut wav = WavWriter::create(&path).unwrap();
    let sample = |i: usize| LEVEL * (i as f32 / RATE_HZ as f32 * hz * TAU).sin();
    let samples: Vec<f32> = (0..RATE_HZ * 60).map(sample).collect();
    wav.write(&samples).unwrap();
    wav.finish().unwrap();
    path
}

/// Another program that plays a file, until this is dropped.
struct Player(Child);

impl Player {
    fn start(file: &Path) -> Self {
        let mut command = Command::new("paplay");
        command.arg(file).stdout(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// This program, playing a file as the voice of somebody else.
struct OwnVoice {
    stop: Arc<AtomicBool>,
    looping: Option<JoinHandle<()>>,
}

impl OwnVoice {
    fn start(file: PathBuf, speaker: SpeakerSink) -> Self {
        let started = AudioEngine::start(AudioOptions {
            microphone: MicrophoneSource::File(file),
            speaker,
            processing: Processing::Off,
            ..AudioOptions::default()
        });
        let (engine, mut packets) = started.unwrap();
        engine.add_source(VOICE);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let looping = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                if let Some(packet) = packets.blocking_recv() {
                    engine.push(VOICE, packet);
                }
            }
        });
        Self {
            stop,
            looping: Some(looping),
        }
    }
}

impl Drop for OwnVoice {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.looping.take().map(JoinHandle::join);
    }
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
    let _voices = OwnVoice::start(file(OWN), SpeakerSink::Default);
    let into_microphone = SpeakerSink::Device("pipewire:conclave_voice".to_owned());
    let _talk = OwnVoice::start(file(MICROPHONE), into_microphone);
    let before = Player::start(&file(FIRST));
    thread::sleep(Duration::from_secs(1));

    let (_share, packets) = SoundShare::start(&SharedSound::Computer).unwrap();
    let jitter = JitterBuffer::new().unwrap();
    let mut listener = Listener { packets, jitter };
    listener.hears(&[FIRST]);
    let later = Player::start(&file(SECOND));
    listener.hears(&[FIRST, SECOND]);
    drop(before);
    listener.hears(&[SECOND]);
    drop(later);
    listener.hears(&[]);
    let _again = Player::start(&file(FIRST));
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
