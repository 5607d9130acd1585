//! Devices that are chosen, pulled out, plugged in again and moved while sound runs, on real virtual
//! cards of a private sound server.

mod audio_cards;

use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use audio_cards::{LoopBack, Running, VOICE, tone, with_virtual_sound};
use conclave_media::audio::{
    AudioEngine, AudioEvent, AudioOptions, MicrophoneSource, Processing, SpeakerSink,
    list_microphones, list_speakers,
};
use conclave_media::{DeviceInUse, DeviceKind};
use tokio::sync::mpsc::Receiver;

/// How long anything may take before the test has failed.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest silence to be tolerated at a change of devices: four times what is aimed for,
/// because the computer that tests may have other things to do.
const LONGEST_GAP: Duration = Duration::from_millis(2000);

fn pactl(arguments: &[&str]) -> String {
    let output = Command::new("pactl").args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "pactl {arguments:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn load_sink(name: &str) -> String {
    let name_is = format!("sink_name={name}");
    let shown = format!("sink_properties=device.description={name}-card");
    pactl(&[
        "load-module",
        "module-null-sink",
        &name_is,
        "rate=48000",
        &shown,
    ])
}

/// A microphone that hears what is played to the sink.
fn load_microphone(name: &str, sink: &str) -> String {
    let master = format!("master={sink}.monitor");
    let name_is = format!("source_name={name}");
    let shown = format!("source_properties=device.description={name}-card");
    pactl(&[
        "load-module",
        "module-remap-source",
        &master,
        &name_is,
        &shown,
    ])
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "still not so: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The engine, hearing itself as if another person were there.
struct Scene {
    engine: Arc<AudioEngine>,
    events: Receiver<AudioEvent>,
    tap: Receiver<Vec<f32>>,
    _looping: LoopBack,
}

impl Scene {
    fn start(microphone: MicrophoneSource, speaker: SpeakerSink) -> Self {
        let started = AudioEngine::start(AudioOptions {
            microphone,
            speaker,
            processing: Processing::Off,
            ..AudioOptions::default()
        });
        let (mut engine, packets) = started.unwrap();
        let events = engine.take_events().unwrap();
        let engine = Arc::new(engine);
        let looping = LoopBack::start(engine.clone(), packets);
        let tap = engine.tap(VOICE);
        Self {
            engine,
            events,
            tap,
            _looping: looping,
        }
    }

    fn microphone(&self) -> DeviceInUse {
        self.engine.in_use(DeviceKind::Microphone)
    }

    fn speaker(&self) -> DeviceInUse {
        self.engine.in_use(DeviceKind::Speaker)
    }

    /// Takes what was played of the voice since the last time.
    fn played(&mut self) -> Vec<Vec<f32>> {
        std::iter::from_fn(|| self.tap.try_recv().ok()).collect()
    }

    /// Waits until the voice has been heard for half a second without a pause. Gives what was
    /// played meanwhile.
    fn wait_for_sound(&mut self) -> Vec<Vec<f32>> {
        let mut all = Vec::new();
        wait_until("the voice is heard", || {
            all.extend(self.played());
            let loud = all.iter().rev().take_while(|block| is_loud(block));
            loud.count() >= 50
        });
        all
    }

    fn next_event(&mut self) -> AudioEvent {
        let mut event = None;
        wait_until("an event", || {
            event = event.take().or_else(|| self.events.try_recv().ok());
            event.is_some()
        });
        event.unwrap()
    }
}

fn is_loud(block: &[f32]) -> bool {
    block.iter().any(|sample| sample.abs() > 0.02)
}

/// The longest silence among blocks of 10 ms.
fn longest_gap(blocks: &[Vec<f32>]) -> Duration {
    let (mut longest, mut quiet) = (0, 0);
    for block in blocks {
        quiet = if is_loud(block) { 0 } else { quiet + 1 };
        longest = longest.max(quiet);
    }
    Duration::from_millis(10 * longest)
}

fn assert_gap(what: &str, gap: Duration) {
    eprintln!("{what}: {} ms of silence", gap.as_millis());
    assert!(gap < LONGEST_GAP, "{what}: {gap:?}");
}

fn device(name: &str) -> MicrophoneSource {
    MicrophoneSource::Device(format!("pipewire:{name}"))
}

fn loudspeaker(name: &str) -> SpeakerSink {
    SpeakerSink::Device(format!("pipewire:{name}"))
}

#[test]
fn a_microphone_is_swapped_pulled_out_and_plugged_in_while_somebody_speaks() {
    if !with_virtual_sound(
        "a_microphone_is_swapped_pulled_out_and_plugged_in_while_somebody_speaks",
    ) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let note = tone(folder.path(), 440.0);
    let note = note.to_str().unwrap();
    load_sink("voice2");
    let headset = load_microphone("headset", "voice2");
    let _first = Running::start("paplay", &["--device=conclave_voice", note]);
    let _second = Running::start("paplay", &["--device=voice2", note]);
    let mut scene = Scene::start(device("headset"), SpeakerSink::Null);
    assert_eq!(scene.microphone().name, "headset-card");
    scene.wait_for_sound();

    scene.played();
    scene
        .engine
        .switch_microphone(MicrophoneSource::Default)
        .unwrap();
    let default = scene.microphone().name;
    assert!(
        default.contains("conclave_voice"),
        "the true name: {default}"
    );
    scene.engine.switch_microphone(device("headset")).unwrap();
    let mut played = scene.wait_for_sound();
    // What was on its way when the second one was opened is over by now.
    played.extend(scene.wait_for_sound());
    assert_gap("two swaps", longest_gap(&played));

    pactl(&["unload-module", &headset]);
    let mut played = Vec::new();
    wait_until("another microphone stands in", || {
        played.extend(scene.played());
        scene.microphone().problem.is_some()
    });
    let event = scene.next_event();
    let AudioEvent::Replaced { lost, by, .. } = &event else {
        panic!("{event:?}");
    };
    assert_eq!((lost.as_str(), by), ("headset-card", &default));
    played.extend(scene.wait_for_sound());
    assert_gap("unplugged", longest_gap(&played));

    load_microphone("headset", "voice2");
    wait_until("the headset is back", || {
        scene.microphone().problem.is_none()
    });
    assert_eq!(scene.microphone().name, "headset-card");
    assert!(matches!(scene.next_event(), AudioEvent::Back { .. }));
    scene.wait_for_sound();
}

#[test]
fn a_loudspeaker_is_pulled_out_the_default_moves_and_the_server_restarts() {
    if !with_virtual_sound("a_loudspeaker_is_pulled_out_the_default_moves_and_the_server_restarts")
    {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let note = tone(folder.path(), 440.0);
    let headset = load_sink("headset");
    let mut scene = Scene::start(MicrophoneSource::File(note), loudspeaker("headset"));
    assert_eq!(scene.speaker().name, "headset-card");
    scene.wait_for_sound();

    let recording = folder.path().join("heard.raw");
    let file = recording.to_str().unwrap();
    let format = ["--rate=48000", "--channels=1", "--format=s16le", "--raw"];
    let source = "--device=conclave_speaker.monitor";
    let recorder = [
        source,
        "--latency-msec=20",
        format[0],
        format[1],
        format[2],
        format[3],
        file,
    ];
    let recorder = Running::start("parec", &recorder);
    let recorded = || fs::metadata(&recording).map_or(0, |file| file.len()) / 2;
    wait_until("the recorder runs", || recorded() > 9_600);
    let unplugged_at = recorded();
    pactl(&["unload-module", &headset]);
    let event = scene.next_event();
    let is_about = |event: &AudioEvent| event.device() == Some(DeviceKind::Speaker);
    assert!(
        matches!(event, AudioEvent::Replaced { .. }) && is_about(&event),
        "{event:?}"
    );
    wait_until("more is recorded", || recorded() > unplugged_at + 96_000);
    drop(recorder);
    let samples = fs::read(&recording).unwrap();
    let loud = |pair: &[u8]| i16::from_le_bytes([pair[0], pair[1]]).unsigned_abs() > 600;
    let first = samples
        .chunks_exact(2)
        .position(loud)
        .expect("it is heard elsewhere") as u64;
    let gap = Duration::from_millis(first.saturating_sub(unplugged_at) / 48);
    assert_gap("unplugged", gap);

    load_sink("headset");
    wait_until("the headset is back", || scene.speaker().problem.is_none());
    assert!(matches!(scene.next_event(), AudioEvent::Back { .. }));

    scene.engine.switch_speaker(SpeakerSink::Default).unwrap();
    assert!(
        scene.speaker().name.contains("conclave_speaker"),
        "{:?}",
        scene.speaker()
    );
    pactl(&["set-default-sink", "headset"]);
    wait_until("the new default is named", || {
        scene.speaker().name == "headset-card"
    });
    assert_eq!(scene.speaker().problem, None);

    // All cards of this server are its own: they go with it.
    let server = std::env::var("CONCLAVE_SOUND_SERVER").unwrap();
    assert!(Command::new("kill").arg(server).status().unwrap().success());
    wait_until("it is told that nothing is heard", || {
        let problem = scene.speaker().problem;
        problem.is_some_and(|problem| problem.contains("sound server"))
    });
    assert!(matches!(scene.next_event(), AudioEvent::Lost { .. }));
    let _server = Running::start("pipewire-pulse", &[]);
    wait_until("the server is back", || {
        Command::new("pactl")
            .arg("info")
            .stdout(Stdio::null())
            .status()
            .unwrap()
            .success()
    });
    load_sink("headset");
    wait_until("sound is back", || scene.speaker().problem.is_none());
    assert!(matches!(scene.next_event(), AudioEvent::Back { .. }));
    scene.wait_for_sound();
}

#[test]
fn the_list_has_devices_only_and_changes_as_they_come_and_go() {
    if !with_virtual_sound("the_list_has_devices_only_and_changes_as_they_come_and_go") {
        return;
    }
    // Programs that play and record are no devices.
    let _scene = Scene::start(MicrophoneSource::Default, SpeakerSink::Default);
    let names = |list: Vec<conclave_media::DeviceInfo>| -> Vec<String> {
        list.into_iter().map(|device| device.id).collect()
    };
    let speakers = || names(list_speakers().unwrap());
    assert_eq!(
        speakers(),
        ["pipewire:conclave_speaker", "pipewire:conclave_voice"]
    );
    assert_eq!(
        names(list_microphones().unwrap()),
        ["pipewire:conclave_microphone"]
    );
    let default = list_speakers().unwrap();
    assert!(default[0].is_default && !default[1].is_default);
    let headset = load_sink("headset");
    wait_until("the headset is listed", || {
        speakers().contains(&"pipewire:headset".to_owned())
    });
    pactl(&["unload-module", &headset]);
    wait_until("it is gone", || {
        !speakers().contains(&"pipewire:headset".to_owned())
    });
}
