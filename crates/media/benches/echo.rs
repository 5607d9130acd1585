//! What cleaning leaves of an echo, and of whoever speaks into it, in virtual
//! time: no device, no clock.
//!
//! Reads what the loudspeaker plays and what the microphone hears, both 48 kHz
//! mono 16-bit WAV, and writes what is sent. `tests/bench/media_echo.py` makes
//! the room and judges; `./dev bench media-echo` runs both.

mod sound;

use std::path::PathBuf;
use std::process::ExitCode;

use conclave_media::audio::{BLOCK_SAMPLES, Block, Cleaning, EchoCancelling, Processor, WavWriter};
use sound::{Fault, for_each_option, read_wav};

#[derive(Default)]
struct Options {
    played: PathBuf,
    heard: PathBuf,
    output: PathBuf,
    /// What the devices say about the time from playing to hearing.
    delay_ms: i32,
}

impl Options {
    fn read() -> Result<Self, Fault> {
        let mut options = Self::default();
        for_each_option(|name, value| {
            match name {
                "--played" => options.played = value.into(),
                "--heard" => options.heard = value.into(),
                "--out" => options.output = value.into(),
                "--delay" => options.delay_ms = value.parse()?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(options)
    }
}

fn run() -> Result<(), Fault> {
    let options = Options::read()?;
    if options.played.as_os_str().is_empty() {
        println!(
            "echo: nothing to do without --played, --heard, --out; see ./dev bench media-echo"
        );
        return Ok(());
    }
    let played = read_wav(&std::fs::read(&options.played)?)?;
    let heard = read_wav(&std::fs::read(&options.heard)?)?;
    // Even loudness would count as echo that was or was not removed.
    let mut processor = EchoCancelling::new(Cleaning {
        gain: false,
        ..Cleaning::default()
    });
    let mut sent = WavWriter::create(&options.output)?;
    let blocks = played.chunks_exact(BLOCK_SAMPLES);
    for (played, heard) in blocks.zip(heard.chunks_exact(BLOCK_SAMPLES)) {
        processor.observe_render(played.try_into()?);
        let mut block: Block = heard.try_into()?;
        processor.process_capture(&mut block, options.delay_ms);
        sent.write(&block)?;
    }
    sent.finish()?;
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo: {error}");
            ExitCode::FAILURE
        }
    }
}
