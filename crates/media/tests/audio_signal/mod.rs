//! A speech-like signal made in code.

use std::f32::consts::TAU;

/// Harmonics of a gliding pitch under syllable-like envelopes: never periodic
/// over a longer time, so that a misplaced piece does not go unnoticed.
pub fn speech_like(seconds: f32) -> Vec<f32> {
    let mut phase = 0.0_f32;
    (0..(seconds * 48_000.0) as usize)
        .map(|i| {
            let t = i as f32 / 48_000.0;
            let pitch_hz = 140.0 + 40.0 * (t * 2.3).sin() + 15.0 * (t * 7.1).sin();
            phase = (phase + pitch_hz / 48_000.0).fract();
            let envelope = 0.15 + 0.85 * (t * 4.0).sin().powi(2);
            // Little below 400 Hz, where Opus's high-pass filter turns phases.
            let voice: f32 = (1..12)
                .map(|n| n as f32)
                .map(|n| (phase * n * TAU).sin() * (-(n - 5.0).powi(2) / 6.0).exp())
                .sum();
            0.25 * envelope * voice
        })
        .collect()
}
