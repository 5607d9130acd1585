//! What is heard of speech over a bad link, in virtual time: no network, no
//! clock, the same result for the same seed.
//!
//! Reads 48 kHz mono 16-bit WAV and writes what a listener hears, with a line of
//! figures. `tests/bench/media_loss.py` judges it; `./dev bench media-loss` runs
//! both. The sender learns of the loss as in a meeting: once a second, as
//! `LossMeter` says.

mod sound;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::ExitCode;

use conclave_media::audio::{
    AudioPacket, BLOCK_SAMPLES, BLOCK_US, Framer, JitterBuffer, Loss, LossMeter, WavWriter,
};
use sound::{Fault, for_each_option, read_wav};

const START_US: u64 = 1_000_000_000;
/// One way, half of a round trip of 50 ms.
const TRAVEL_US: u64 = 25_000;
/// The loudspeaker's clock is not the microphone's.
const PHASE_US: u64 = 3_000;
const BLOCKS_PER_REPORT: u64 = 100;

#[derive(Default)]
struct Options {
    input: PathBuf,
    output: PathBuf,
    seed: u64,
    /// Random loss.
    loss_percent: f64,
    /// Loss of everything for so long, every so often.
    burst_ms: u64,
    every_ms: u64,
    /// Delay varies between nothing and twice this, in order.
    jitter_ms: u64,
    /// Tell the sender this instead of what is lost.
    expect: Option<u8>,
    /// Choose the copies by hand.
    copies: Option<Vec<u8>>,
    coarse_percent: u8,
    /// Packets of one size, as under high secrecy.
    one_size: bool,
}

impl Options {
    fn read() -> Result<Self, Fault> {
        let mut options = Self {
            seed: 1,
            ..Self::default()
        };
        for_each_option(|name, value| {
            match name {
                "--in" => options.input = value.into(),
                "--out" => options.output = value.into(),
                "--seed" => options.seed = value.parse()?,
                "--loss" => options.loss_percent = value.parse()?,
                "--burst" => options.burst_ms = value.parse()?,
                "--every" => options.every_ms = value.parse()?,
                "--jitter" => options.jitter_ms = value.parse()?,
                "--expect" => options.expect = Some(value.parse()?),
                "--copies" => {
                    let back: Result<_, _> = value.split(',').map(str::parse).collect();
                    options.copies = Some(back?);
                }
                "--one-size" => options.one_size = value.parse()?,
                "--coarse" => options.coarse_percent = value.parse()?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(options)
    }
}

/// Chance, the same for the same seed.
struct Rng(u64);

impl Rng {
    /// Between 0 and 1.
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Loses and delays packets.
struct Link<'a> {
    options: &'a Options,
    rng: Rng,
    last_us: u64,
    under_way: VecDeque<(u64, AudioPacket)>,
    lost: u64,
}

impl Link<'_> {
    fn send(&mut self, now_us: u64, packet: AudioPacket) -> Result<(), Fault> {
        let (random, jitter) = (self.rng.next(), self.rng.next());
        let since_ms = (now_us - START_US) / 1000;
        let in_burst = self.options.every_ms > 0
            && since_ms % self.options.every_ms + self.options.burst_ms >= self.options.every_ms;
        if in_burst || random * 100.0 < self.options.loss_percent {
            self.lost += 1;
            return Ok(());
        }
        let jitter_us = (jitter * self.options.jitter_ms as f64 * 2000.0) as u64;
        self.last_us = self.last_us.max(now_us + TRAVEL_US + jitter_us);
        let packet = AudioPacket::decode(&packet.encode())?;
        self.under_way.push_back((self.last_us, packet));
        Ok(())
    }

    fn deliver(&mut self, now_us: u64, buffer: &mut JitterBuffer) {
        while let Some((at, packet)) = self.under_way.pop_front_if(|(at, _)| *at <= now_us) {
            buffer.insert(at, packet);
        }
    }
}

fn run() -> Result<(), Fault> {
    let options = Options::read()?;
    if options.input.as_os_str().is_empty() {
        println!("loss: nothing to do without --in WAV --out WAV; see ./dev bench media-loss");
        return Ok(());
    }
    let speech = read_wav(&std::fs::read(&options.input)?)?;
    let mut framer = Framer::new()?;
    framer.keep_one_size(options.one_size);
    if let Some(back) = &options.copies {
        framer.choose_copies(back, options.coarse_percent);
    }
    let mut link = Link {
        rng: Rng(options.seed),
        options: &options,
        last_us: 0,
        under_way: VecDeque::new(),
        lost: 0,
    };
    let mut buffer = JitterBuffer::new()?;
    let mut heard = WavWriter::create(&options.output)?;
    let mut meter = LossMeter::default();
    let mut delays_us = Vec::new();
    if let Some(percent) = options.expect {
        let bursts = false;
        framer.expect_loss(Loss { percent, bursts });
    }
    for (n, block) in (0_u64..).zip(speech.chunks_exact(BLOCK_SAMPLES)) {
        let captured_us = START_US + n * BLOCK_US;
        let now_us = captured_us + BLOCK_US;
        if let Some(packet) = framer.push(block.try_into()?, captured_us)? {
            link.send(now_us, packet)?;
        }
        let play_us = now_us + PHASE_US;
        link.deliver(play_us, &mut buffer);
        let pulled = buffer.pull(play_us);
        heard.write(&pulled.block)?;
        delays_us.extend(pulled.capture_us.map(|at| play_us - at));
        if n % BLOCKS_PER_REPORT == 0 {
            let told = meter.read(play_us, buffer.stats().loss);
            if let Some(loss) = told.filter(|_| options.expect.is_none()) {
                framer.expect_loss(loss);
            }
        }
    }
    heard.finish()?;
    delays_us.sort_unstable();
    let stats = buffer.stats();
    let mean = delays_us.iter().sum::<u64>() as f64 / delays_us.len().max(1) as f64 / 1000.0;
    let p95 = delays_us.get(delays_us.len() * 95 / 100).copied();
    println!(
        "{{\"lost\":{},\"recovered\":{},\"concealed_ms\":{},\"stretches\":{},\"delay_mean_ms\":{mean:.1},\"delay_p95_ms\":{:.1}}}",
        link.lost,
        stats.recovered_frames,
        stats.concealed_blocks * 10,
        stats.stretches,
        p95.unwrap_or(0) as f64 / 1000.0,
    );
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("loss: {error}");
            ExitCode::FAILURE
        }
    }
}
