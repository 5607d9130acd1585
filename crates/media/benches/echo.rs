//! What is left of an echo, and of whoever speaks into it, in virtual time: no
//! device, no clock, the same result for the same seed.
//!
//! Reads what the loudspeaker plays and what the person in the room says, both
//! 48 kHz mono 16-bit WAV; lets the first come back through a room and writes
//! what is sent. The loudspeaker's voice is alone for the first part, both speak
//! in the second, and it is alone again in the third.
//! `tests/bench/media_echo.py` judges it; `./dev bench media-echo` runs both.

mod sound;

use std::path::PathBuf;
use std::process::ExitCode;

use conclave_media::audio::{
    BLOCK_SAMPLES, Block, Cleaning, EchoCancelling, Processor, SAMPLE_RATE_HZ, WavWriter,
};
use sound::{Fault, Rng, read_wav};

/// Reverberation falls by 60 dB in so long, 250 ms: an office.
const REVERBERATION_S: f64 = 0.25;
/// Length of the room's answer after the first arrival, 150 ms.
const ANSWER_SAMPLES: usize = SAMPLE_RATE_HZ as usize * 15 / 100;
/// Share of the answer that is reverberation.
const DIFFUSE: f64 = 0.3;
/// What a room is never without, -70 dBFS.
const NOISE: f64 = 3e-4;

#[derive(Default)]
struct Options {
    far: PathBuf,
    near: PathBuf,
    output: PathBuf,
    seed: u64,
    delay_ms: usize,
    /// How much quieter the echo is than what is played.
    loss_db: f64,
}

impl Options {
    fn read() -> Result<Self, Fault> {
        let mut options = Self {
            seed: 1,
            delay_ms: 50,
            loss_db: 6.0,
            ..Self::default()
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            if name == "--bench" {
                continue;
            }
            let value = arguments
                .next()
                .ok_or_else(|| format!("{name} wants a value"))?;
            match name.as_str() {
                "--far" => options.far = value.into(),
                "--near" => options.near = value.into(),
                "--out" => options.output = value.into(),
                "--seed" => options.seed = value.parse()?,
                "--delay" => options.delay_ms = value.parse()?,
                "--loss" => options.loss_db = value.parse()?,
                _ => return Err(format!("there is no option {name}").into()),
            }
        }
        Ok(options)
    }
}

/// What a room makes of a click: the first arrival, then reverberation that fades.
fn answer(options: &Options, rng: &mut Rng) -> Vec<f32> {
    let gain = 10_f64.powf(-options.loss_db / 20.0);
    let fade = -6.9 / (REVERBERATION_S * f64::from(SAMPLE_RATE_HZ));
    let tail: Vec<f64> = (0..ANSWER_SAMPLES)
        .map(|i| (2.0 * rng.next() - 1.0) * (fade * i as f64).exp())
        .collect();
    let energy: f64 = tail.iter().map(|sample| sample * sample).sum();
    let scale = DIFFUSE / energy.sqrt();
    tail.iter()
        .enumerate()
        .map(|(i, sample)| {
            let first = if i == 0 { 1.0 - DIFFUSE } else { 0.0 };
            (gain * (first + sample * scale)) as f32
        })
        .collect()
}

/// What comes back of `played`, late by the delay.
fn echo_of(played: &[f32], options: &Options, rng: &mut Rng) -> Vec<f32> {
    let answer = answer(options, rng);
    let delay = options.delay_ms * SAMPLE_RATE_HZ as usize / 1000;
    let mut echo = vec![0.0; played.len()];
    for (at, sample) in played
        .iter()
        .enumerate()
        .filter(|(_, sample)| **sample != 0.0)
    {
        let Some(rest) = echo.get_mut(at + delay..) else {
            break;
        };
        for (out, share) in rest.iter_mut().zip(&answer) {
            *out += sample * share;
        }
    }
    echo
}

fn energy(samples: &[f32]) -> f64 {
    samples
        .iter()
        .map(|sample| f64::from(*sample).powi(2))
        .sum()
}

fn run() -> Result<(), Fault> {
    let options = Options::read()?;
    if options.far.as_os_str().is_empty() {
        println!("echo: nothing to do without --far, --near and --out; see ./dev bench media-echo");
        return Ok(());
    }
    let far = read_wav(&std::fs::read(&options.far)?)?;
    let near = read_wav(&std::fs::read(&options.near)?)?;
    let mut rng = Rng(options.seed);
    let echo = echo_of(&far, &options, &mut rng);
    let third = far.len() / 3 / BLOCK_SAMPLES * BLOCK_SAMPLES;
    let mut processor = EchoCancelling::new(Cleaning {
        // Even loudness would count as echo that was or was not removed.
        gain: false,
        ..Cleaning::default()
    });
    let mut sent = Vec::with_capacity(far.len());
    for (n, played) in far.chunks_exact(BLOCK_SAMPLES).enumerate() {
        let start = n * BLOCK_SAMPLES;
        processor.observe_render(played.try_into()?);
        let mut block: Block = std::array::from_fn(|i| {
            let at = start + i;
            let said = match at.checked_sub(third) {
                Some(into) if at < 2 * third => near.get(into).copied().unwrap_or_default(),
                _ => 0.0,
            };
            let noise = (NOISE * (2.0 * rng.next() - 1.0)) as f32;
            echo.get(at).copied().unwrap_or_default() + said + noise
        });
        processor.process_capture(&mut block, options.delay_ms as i32);
        sent.extend_from_slice(&block);
    }
    let mut wav = WavWriter::create(&options.output)?;
    wav.write(sent.get(third..2 * third).unwrap_or_default())?;
    wav.finish()?;
    // The canceller learns the room in the first half of the first part.
    let erle_db = |from: usize, to: usize| {
        let left = energy(sent.get(from..to).unwrap_or_default());
        let came = energy(echo.get(from..to).unwrap_or_default());
        10.0 * (came / left.max(1e-12)).log10()
    };
    println!(
        "{{\"erle_db\":{:.1},\"erle_after_db\":{:.1},\"part_s\":{:.3}}}",
        erle_db(third / 2, third),
        erle_db(2 * third + third / 4, 3 * third),
        third as f64 / f64::from(SAMPLE_RATE_HZ),
    );
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
