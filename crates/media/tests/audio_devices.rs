//! Without a sound system every failure is a sentence, and comes soon.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use conclave_media::audio::{
    AudioEngine, AudioOptions, MicrophoneSource, SpeakerSink, list_microphones, list_speakers,
};

const CHILD: &str = "CONCLAVE_TEST_WITHOUT_SOUND";

/// Runs one test of this file again in a process that finds no sound system.
fn without_sound(test: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let asound = dir.path().join("asound.conf");
    std::fs::write(&asound, "").unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, "1")
        .env("XDG_RUNTIME_DIR", dir.path())
        .env("HOME", dir.path())
        .env("PULSE_SERVER", "unix:/nonexistent")
        .env("ALSA_CONFIG_PATH", &asound)
        .env_remove("PIPEWIRE_REMOTE")
        .env_remove("PIPEWIRE_RUNTIME_DIR")
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

fn refusal(options: AudioOptions) -> String {
    match AudioEngine::start(options) {
        Ok(_) => "started".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn no_microphone_and_no_loudspeaker_are_told_with_a_remedy() {
    if is_child() {
        let no_microphone = AudioOptions {
            speaker: SpeakerSink::Null,
            ..AudioOptions::default()
        };
        println!("A: {}", refusal(no_microphone));
        let no_speaker = AudioOptions {
            microphone: MicrophoneSource::Test,
            ..AudioOptions::default()
        };
        println!("B: {}", refusal(no_speaker));
        return;
    }
    let started = Instant::now();
    let said = without_sound("no_microphone_and_no_loudspeaker_are_told_with_a_remedy");
    assert!(started.elapsed() < Duration::from_secs(30));
    let line = |tag| {
        said.lines()
            .find(|l| l.contains(tag))
            .unwrap_or_default()
            .to_owned()
    };
    assert!(line("A: ").contains("No microphone was found."), "{said}");
    assert!(line("A: ").contains("Plug one in"), "{said}");
    assert!(line("B: ").contains("No loudspeaker was found."), "{said}");
    assert!(line("B: ").contains("Plug one in"), "{said}");
    assert!(
        !said.contains("--microphone") && !said.contains("--speaker"),
        "{said}"
    );
}

#[test]
fn devices_are_listed_although_there_are_none() {
    if is_child() {
        assert!(list_microphones().is_ok());
        assert!(list_speakers().is_ok());
        return;
    }
    without_sound("devices_are_listed_although_there_are_none");
}

#[test]
fn an_unknown_device_is_named() {
    let text = refusal(AudioOptions {
        microphone: MicrophoneSource::Device("no such microphone".to_owned()),
        speaker: SpeakerSink::Null,
        ..AudioOptions::default()
    });
    assert!(
        text.contains("no such microphone") && text.contains("List the devices"),
        "{text}"
    );
    let text = refusal(AudioOptions {
        microphone: MicrophoneSource::Off,
        speaker: SpeakerSink::Device("alsa:no such loudspeaker".to_owned()),
        ..AudioOptions::default()
    });
    assert!(text.contains("no such loudspeaker"), "{text}");
}
