//! Sound as numbers, read by ffmpeg, and whether one recording holds another.

use std::path::Path;
use std::process::Command;

/// Samples a second of everything here.
pub const RATE: usize = 48_000;
/// The envelope's step: 20 ms.
const STEP: usize = RATE / 50;
/// What is quieter is no sound: -60 dB of full scale.
const SILENCE: f64 = 1e-3;
/// Steps that the envelope is averaged over.
const SMOOTH: usize = 5;
/// For comparing waves every sixth sample is enough: speech below 4 kHz.
const THIN: usize = 6;
/// A piece of wave that is searched for: 200 ms, thinned.
const PIECE: usize = RATE / 5 / THIN;
/// How far from its place a piece may be found, since a jitter buffer stretches time: 60 ms.
const DRIFT: usize = RATE * 60 / 1000 / THIN;
/// Less common sound than this proves nothing, in steps.
const LEAST_OVERLAP: usize = 150;

/// How alike two sounds are.
#[derive(Debug, Clone, Copy)]
pub struct Likeness {
    /// Correlation of loudness over time, -1 to 1.
    pub envelope: f64,
    /// Median correlation of the waves, piece by piece, 0 to 1.
    pub wave: f64,
    /// Where the source begins in what was heard, in steps of 20 ms; negative when its beginning
    /// was missed.
    pub offset: isize,
    /// How much of the source was heard, in steps of 20 ms.
    pub overlap: usize,
}

/// Reads any sound file as 48 kHz mono, full scale 1.
pub fn read(path: &Path) -> Vec<f32> {
    let ffmpeg = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(path)
        .args(["-ac", "1", "-ar", &RATE.to_string(), "-f", "f32le", "-"])
        .output()
        .expect("ffmpeg runs");
    assert!(
        ffmpeg.status.success(),
        "ffmpeg {}: {}",
        path.display(),
        String::from_utf8_lossy(&ffmpeg.stderr)
    );
    ffmpeg
        .stdout
        .as_chunks()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect()
}

/// Root mean square, full scale 1.
pub fn loudness(sound: &[f32]) -> f64 {
    let sum: f64 = sound.iter().map(|s| f64::from(*s).powi(2)).sum();
    (sum / sound.len().max(1) as f64).sqrt()
}

/// Finds `source` in `heard` at the best place. Silence before the first sound and after the last
/// was heard is left out: nobody spoke yet, or no longer.
///
/// # Panics
/// When there is too little sound to say anything.
pub fn find(source: &[f32], heard: &[f32]) -> Likeness {
    let is_loud = |step: &[f32]| loudness(step) > SILENCE;
    let quiet = heard
        .chunks_exact(STEP)
        .take_while(|step| !is_loud(step))
        .count();
    let sounding = heard
        .chunks_exact(STEP)
        .rposition(is_loud)
        .map_or(quiet, |last| last + 1);
    let heard = &heard[quiet * STEP..sounding * STEP];
    let (a, b) = (envelope(source), envelope(heard));
    let (offset, overlap, envelope) = best_place(&a, &b);
    let wave = wave_likeness(source, heard, offset, overlap);
    Likeness {
        envelope,
        wave,
        offset: offset + quiet as isize,
        overlap,
    }
}

/// The shift of `a` within `b`, in steps, at which they are most alike; how many steps they then
/// share, and how alike they are.
fn best_place(a: &[f64], b: &[f64]) -> (isize, usize, f64) {
    let long = a.len() >= LEAST_OVERLAP && b.len() >= LEAST_OVERLAP;
    assert!(
        long,
        "too little sound: {} and {} steps of 20 ms",
        a.len(),
        b.len()
    );
    let last = b.len() - LEAST_OVERLAP;
    let offsets = LEAST_OVERLAP as isize - a.len() as isize..=last as isize;
    let scored = offsets.map(|offset| {
        let (from_a, from_b) = starts(offset);
        let overlap = (a.len() - from_a).min(b.len() - from_b);
        let score = correlation(&a[from_a..from_a + overlap], &b[from_b..from_b + overlap]);
        (offset, overlap, score)
    });
    scored
        .max_by(|x, y| x.2.total_cmp(&y.2))
        .expect("not empty")
}

fn starts(offset: isize) -> (usize, usize) {
    ((-offset).max(0) as usize, offset.max(0) as usize)
}

/// Loudness in dB above silence, step by step, each with its neighbours: a jitter buffer moves
/// sound by a step or two, and words are longer.
fn envelope(sound: &[f32]) -> Vec<f64> {
    let level = |step: &[f32]| 20.0 * loudness(step).max(SILENCE).log10() + 60.0;
    let levels: Vec<f64> = sound.chunks_exact(STEP).map(level).collect();
    levels
        .windows(SMOOTH)
        .map(|near| near.iter().sum::<f64>() / SMOOTH as f64)
        .collect()
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut both, mut a2, mut b2) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        both += (x - mean_a) * (y - mean_b);
        a2 += (x - mean_a).powi(2);
        b2 += (y - mean_b).powi(2);
    }
    both / (a2 * b2).sqrt().max(f64::MIN_POSITIVE)
}

/// The median over the loud pieces of the source of each one's best fit near its place.
fn wave_likeness(source: &[f32], heard: &[f32], offset: isize, overlap: usize) -> f64 {
    let (from_source, from_heard) = starts(offset);
    let source = thin(&source[from_source * STEP..(from_source + overlap) * STEP]);
    let heard = thin(&heard[from_heard * STEP..(from_heard + overlap) * STEP]);
    let loud = loudness(&source) / 2.0;
    let mut fits: Vec<f64> = source
        .chunks_exact(PIECE)
        .enumerate()
        .filter(|(_, piece)| loudness(piece) > loud)
        .map(|(index, piece)| best_fit(piece, &heard, index * PIECE))
        .collect();
    fits.sort_by(f64::total_cmp);
    fits.get(fits.len() / 2).copied().unwrap_or(0.0)
}

/// Averages before it drops samples, so that what lies above 4 kHz does not fold down.
fn thin(sound: &[f32]) -> Vec<f32> {
    sound
        .chunks_exact(THIN)
        .map(|few| few.iter().sum::<f32>() / THIN as f32)
        .collect()
}

fn best_fit(piece: &[f32], heard: &[f32], place: usize) -> f64 {
    let first = place.saturating_sub(DRIFT);
    let last = (place + DRIFT).min(heard.len().saturating_sub(piece.len()));
    let norm = |x: &[f32]| loudness(x) * (x.len() as f64).sqrt();
    let of_piece = norm(piece);
    (first..=last)
        .map(|start| {
            let window = &heard[start..start + piece.len()];
            let both: f64 = piece
                .iter()
                .zip(window)
                .map(|(a, b)| f64::from(*a) * f64::from(*b))
                .sum();
            both / (of_piece * norm(window)).max(f64::MIN_POSITIVE)
        })
        .fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::sample;

    #[test]
    fn a_late_and_stretched_copy_is_found() {
        let source = read(&sample("speech.flac"));
        // Two seconds of silence, the beginning missed, 20 ms lost and 20 ms repeated.
        let mut heard = vec![0.0; 2 * RATE];
        heard.extend(source[RATE..4 * RATE].iter().map(|s| s * 0.7));
        heard.extend(&source[4 * RATE + STEP..8 * RATE]);
        heard.extend(&source[8 * RATE - STEP..]);
        let found = find(&source, &heard);
        eprintln!("{found:?}");
        assert!(found.envelope > 0.9 && found.wave > 0.95, "{found:?}");
        assert_eq!(found.offset, 50);
    }

    #[test]
    fn other_sounds_are_not_taken_for_it() {
        let source = read(&sample("speech.flac"));
        let backwards: Vec<f32> = source.iter().rev().copied().collect();
        let found = find(&source, &backwards);
        assert!(found.envelope < 0.7 && found.wave < 0.75, "{found:?}");
        eprintln!("{found:?}");
        let tone: Vec<f32> = (0..10 * RATE)
            .map(|n| (n as f32 * 0.05).sin() * 0.3)
            .collect();
        let found = find(&source, &tone);
        assert!(found.envelope < 0.5, "{found:?}");
    }
}
