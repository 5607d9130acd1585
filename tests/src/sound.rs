//! A sound system without sound cards, for one test alone; see `tests/with-virtual-sound`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::process::Process;
use crate::workspace;

/// How long the daemons may take to come up or go down.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the inner shell does: says what its environment is, then waits for the end of its input.
const HOLD: &str = r#"for name in XDG_RUNTIME_DIR DBUS_SESSION_BUS_ADDRESS; do echo "$name=${!name}"; done
echo ready
cat >/dev/null"#;

/// A private PipeWire with a speaker and a microphone.
pub struct Sound {
    process: Process,
    environment: Vec<(String, String)>,
}

/// What the speaker plays, being recorded.
pub struct Recording {
    process: Process,
    file: PathBuf,
}

impl Sound {
    /// Starts it and waits until it has its cards.
    pub fn start() -> Self {
        let mut command = Command::new(workspace::root().join("tests/with-virtual-sound"));
        command.args(["bash", "-c", HOLD]);
        let mut process = Process::start("the virtual sound", command);
        let deadline = Instant::now() + PATIENCE;
        let mut environment = Vec::new();
        loop {
            let line = process.line(deadline, "virtual sound");
            match line.as_deref() {
                Some("ready") => {
                    return Self {
                        process,
                        environment,
                    };
                }
                Some(line) => {
                    environment.extend(line.split_once('=').map(|(k, v)| (k.into(), v.into())))
                }
                None => panic!("no virtual sound: {}", process.errors()),
            }
        }
    }

    /// The variables by which programs find it.
    pub fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    /// Records what the speaker plays from now on: 48 kHz, mono, 16 bits, no header.
    pub fn record_speaker(&self, file: &Path) -> Recording {
        let mut command = Command::new("parec");
        command.envs(self.environment.iter().cloned());
        command.args([
            "--device=conclave_speaker.monitor",
            "--rate=48000",
            "--channels=1",
        ]);
        command
            .args(["--format=s16le", "--raw", "--latency-msec=20"])
            .arg(file);
        let process = Process::start("the recorder", command);
        Recording {
            process,
            file: file.to_owned(),
        }
    }

    /// Speaks a sound file into the microphone, to its end.
    pub fn speak(&self, file: &Path) {
        let status = Command::new("paplay")
            .envs(self.environment.iter().cloned())
            .arg("--device=conclave_voice")
            .arg(file)
            .status()
            .expect("paplay runs");
        assert!(status.success(), "paplay {}: {status}", file.display());
    }
}

impl Drop for Sound {
    fn drop(&mut self) {
        // The script ends its daemons itself, once its input ends.
        self.process.close_input();
        let _ = self.process.try_wait(PATIENCE);
    }
}

impl Recording {
    /// Ends it and gives the samples, full scale 1.
    pub fn finish(mut self) -> Vec<f32> {
        self.process.signal(Signal::TERM);
        let _ = self.process.try_wait(Duration::from_secs(5));
        let bytes = fs::read(&self.file).expect("the recorder wrote its file");
        bytes
            .as_chunks()
            .0
            .iter()
            .map(|pair| f32::from(i16::from_le_bytes(*pair)) / 32768.0)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::sample;
    use crate::wave;

    #[test]
    fn what_is_played_is_recorded_and_nothing_stays_behind() {
        let sound = Sound::start();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let recording = sound.record_speaker(&folder.path().join("heard.raw"));
        let status = Command::new("paplay")
            .envs(sound.environment().iter().cloned())
            .arg(sample("speech.flac"))
            .status()
            .expect("paplay runs");
        assert!(status.success(), "{status}");
        let heard = wave::find(&wave::read(&sample("speech.flac")), &recording.finish());
        assert!(heard.envelope > 0.95 && heard.wave > 0.95, "{heard:?}");

        let (_, runtime) = &sound.environment()[0];
        let runtime = PathBuf::from(runtime);
        assert!(runtime.join("pipewire-0").exists());
        drop(sound);
        assert!(!runtime.exists(), "{} is still there", runtime.display());
    }
}
