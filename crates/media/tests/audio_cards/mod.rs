//! A sound system with virtual cards for one test alone, and what is played in it.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::f32::consts::TAU;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use conclave_media::audio::{AudioEngine, AudioPacket, SourceId, WavWriter};
use tokio::sync::mpsc::Receiver;

const CHILD: &str = "CONCLAVE_TEST_WITH_VIRTUAL_SOUND";
/// Somebody else.
pub const VOICE: SourceId = SourceId(7);
pub const RATE_HZ: usize = 48_000;
/// Amplitude of a tone.
pub const LEVEL: f32 = 0.3;

/// Runs the test of this name again inside a sound system of its own. True in there.
pub fn with_virtual_sound(test: &str) -> bool {
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

/// A file with two minutes of one tone, without a pause.
pub fn tone(folder: &Path, hz: f32) -> PathBuf {
    let path = folder.join(format!("{hz}.wav"));
    let mut wav = WavWriter::create(&path).unwrap();
    let sample = |i: usize| LEVEL * (i as f32 / RATE_HZ as f32 * hz * TAU).sin();
    let samples: Vec<f32> = (0..RATE_HZ * 120).map(sample).collect();
    wav.write(&samples).unwrap();
    wav.finish().unwrap();
    path
}

/// Another program, until this is dropped.
pub struct Running(Child);

impl Running {
    pub fn start(program: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    pub fn play(file: &Path) -> Self {
        Self::start("paplay", &[file.to_str().unwrap()])
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An engine that hears itself as [`VOICE`], until this is dropped.
pub struct LoopBack {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl LoopBack {
    pub fn start(engine: Arc<AudioEngine>, mut packets: Receiver<AudioPacket>) -> Self {
        engine.add_source(VOICE);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let Some(packet) = packets.blocking_recv() else {
                    return;
                };
                engine.push(VOICE, packet);
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for LoopBack {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
