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
/// Parts that find their place one by one, in steps: 3 s. After a machine stood still for a moment, sound is
/// heard later than before, and is the same sound.
const PART: usize = 150;
/// How far from the place of the whole a part may be found, in steps: half a second.
const STOOD_STILL: usize = 25;

/// How alike two sounds are.
#[derive(Debug, Clone, Copy)]
pub struct Likeness {
    /// Correlation of loudness over time, -1 to 1: of all that both share, each part at its place.
    pub envelope: f64,
    /// Median correlation of the waves, piece by piece, 0 to 1: of all that both share.
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
    let (offset, overlap) = best_place(&a, &b);
    let (from_source, from_heard) = starts(offset);
    let mut beside = Vec::with_capacity(overlap);
    let mut fits = Vec::new();
    for part in (0..overlap).step_by(PART) {
        let steps = from_source + part..from_source + overlap.min(part + PART);
        let place = place_near(&a[steps.clone()], &b, from_heard + part);
        beside.extend(&b[place..place + steps.len()]);
        let samples = |from: usize| from * STEP..(from + steps.len()) * STEP;
        fits.extend(wave_fits(
            &source[samples(steps.start)],
            &heard[samples(place)],
        ));
    }
    Likeness {
        envelope: correlation(&a[from_source..from_source + overlap], &beside),
        wave: median(fits),
        offset: offset + quiet as isize,
        overlap,
    }
}

/// Where in `b` a part fits best, not far from `expected`. One that is too short to tell stays there.
fn place_near(part: &[f64], b: &[f64], expected: usize) -> usize {
    if part.len() < PART {
        return expected;
    }
    let last = (expected + STOOD_STILL).min(b.len() - part.len());
    let places = expected.saturating_sub(STOOD_STILL)..=last;
    let fit = |place: usize| correlation(part, &b[place..place + part.len()]);
    places
        .map(|place| (place, fit(place)))
        .max_by(|x, y| x.1.total_cmp(&y.1))
        .map_or(expected, |(place, _)| place)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// The shift of `a` within `b`, in steps, at which they are most alike, and how many steps they then share.
fn best_place(a: &[f64], b: &[f64]) -> (isize, usize) {
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
    let best = scored.max_by(|x, y| x.2.total_cmp(&y.2));
    let (offset, overlap, _) = best.expect("not empty");
    (offset, overlap)
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

/// How well each loud piece of a part of the source fits near its place.
fn wave_fits(source: &[f32], heard: &[f32]) -> Vec<f64> {
    let (source, heard) = (thin(source), thin(heard));
    let loud = loudness(&source) / 2.0;
    source
        .chunks_exact(PIECE)
        .enumerate()
        .filter(|(_, piece)| loudness(piece) > loud)
        .map(|(index, piece)| best_fit(piece, &heard, index * PIECE))
        .collect()
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
    fn a_machine_that_stood_still_for_a_moment_does_not_matter() {
        let source = read(&sample("speech.flac"));
        let mut heard = source[..5 * RATE].to_vec();
        heard.extend([0.0; RATE * 3 / 10]);
        heard.extend(&source[5 * RATE..]);
        let found = find(&source, &heard);
        eprintln!("{found:?}");
        assert!(found.envelope > 0.9 && found.wave > 0.95, "{found:?}");
    }

    #[test]
    fn a_second_that_is_missing_does() {
        let source = read(&sample("speech.flac"));
        let mut heard = source.clone();
        heard[5 * RATE..6 * RATE].fill(0.0);
        let found = find(&source, &heard);
        eprintln!("{found:?}");
        assert!(found.envelope < 0.9, "{found:?}");
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
