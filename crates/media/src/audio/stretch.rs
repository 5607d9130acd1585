//! Makes sound a little longer or shorter without changing its pitch, by
//! repeating or leaving out one period of the voice.

/// Shortest and longest period looked for, in samples: 400 Hz and 80 Hz.
const PERIOD_MIN: usize = 120;
pub(super) const PERIOD_MAX: usize = 600;
/// Samples compared between one period and the next, 7.5 ms.
const COMPARED: usize = 360;
/// Samples over which the joint is blended, 5 ms.
const BLEND: usize = 240;
/// Only every few samples and lags are looked at first; the best lag is then refined.
const COARSE: usize = 4;
/// Likeness of neighbouring periods above which the joint is inaudible.
const ALIKE: f32 = 0.75;

/// Samples that must be at hand to change their number.
pub(super) const NEEDED: usize = PERIOD_MAX + COMPARED;

/// Leaves out one period near the start of `pcm`. Returns the number of
/// samples removed, 0 if no inaudible joint exists (and `force` is not set).
pub(super) fn shorten(pcm: &mut Vec<f32>, force: bool) -> usize {
    let Some(period) = find_period(pcm, force) else {
        return 0;
    };
    cut(pcm, period);
    period
}

/// Repeats one period near the start of `pcm`. Returns the number of samples
/// added, 0 if no inaudible joint exists (and `force` is not set).
pub(super) fn lengthen(pcm: &mut Vec<f32>, force: bool) -> usize {
    let Some(period) = find_period(pcm, force) else {
        return 0;
    };
    // [0, period) plays, then blends from what follows back to the start.
    let joint: Vec<f32> = (0..BLEND)
        .map(|i| {
            let back = i as f32 / BLEND as f32;
            pcm[period + i] * (1.0 - back) + pcm[i] * back
        })
        .collect();
    let repeated: Vec<f32> = joint
        .into_iter()
        .chain(pcm[BLEND..].iter().copied())
        .collect();
    pcm.truncate(period);
    pcm.extend(repeated);
    period
}

/// Leaves out `count` samples near the start of `pcm`, blending over the joint.
/// Returns whether there was enough sound to do so.
pub(super) fn cut(pcm: &mut Vec<f32>, count: usize) -> bool {
    if pcm.len() < BLEND + count {
        return false;
    }
    for i in 0..BLEND {
        let later = i as f32 / BLEND as f32;
        pcm[i] = pcm[i] * (1.0 - later) + pcm[i + count] * later;
    }
    pcm.drain(BLEND..BLEND + count);
    true
}

fn find_period(pcm: &[f32], force: bool) -> Option<usize> {
    if pcm.len() < NEEDED {
        return None;
    }
    let coarse = best(pcm, (PERIOD_MIN..=PERIOD_MAX).step_by(COARSE), COARSE);
    let low = coarse.0.saturating_sub(COARSE).max(PERIOD_MIN);
    let high = (coarse.0 + COARSE).min(PERIOD_MAX);
    let (period, likeness) = best(pcm, low..=high, 1);
    (force || likeness >= ALIKE).then_some(period)
}

fn best(pcm: &[f32], lags: impl Iterator<Item = usize>, step: usize) -> (usize, f32) {
    lags.map(|lag| (lag, likeness(pcm, lag, step)))
        .fold((PERIOD_MIN, -1.0), |best, next| {
            if next.1 > best.1 { next } else { best }
        })
}

/// Normalised correlation of the start of `pcm` with itself `lag` later.
fn likeness(pcm: &[f32], lag: usize, step: usize) -> f32 {
    let (mut product, mut first, mut second) = (0.0, 1e-9, 1e-9);
    for i in (0..COMPARED).step_by(step) {
        let (a, b) = (pcm[i], pcm[i + lag]);
        product += a * b;
        first += a * a;
        second += b * b;
    }
    product / f32::sqrt(first * second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    fn voice(len: usize) -> Vec<f32> {
        (0..len)
            .map(|i| {
                let t = i as f32 / 48_000.0;
                (1..6)
                    .map(|n| (t * 150.0 * n as f32 * TAU).sin() / n as f32)
                    .sum::<f32>()
                    * 0.3
            })
            .collect()
    }

    /// Largest step between neighbours: a bad joint shows as a jump.
    fn roughness(pcm: &[f32]) -> f32 {
        pcm.windows(2)
            .map(|w| (w[1] - w[0]).abs())
            .fold(0.0, f32::max)
    }

    #[test]
    fn a_voice_loses_or_gains_whole_periods_without_a_jump() {
        let original = voice(2000);
        let mut shorter = original.clone();
        let removed = shorten(&mut shorter, false);
        assert!(
            removed > 0 && removed.abs_diff(removed.div_ceil(320) * 320) < 4,
            "{removed}"
        );
        assert_eq!(shorter.len(), original.len() - removed);
        assert!(roughness(&shorter) < roughness(&original) * 1.05);

        let mut longer = original.clone();
        let added = lengthen(&mut longer, false);
        assert!(
            added > 0 && added.abs_diff(added.div_ceil(320) * 320) < 4,
            "{added}"
        );
        assert_eq!(longer.len(), original.len() + added);
        assert!(roughness(&longer) < roughness(&original) * 1.05);
        assert_eq!(longer[added + 240..], original[240..]);
    }

    #[test]
    fn noise_is_left_alone_unless_forced_and_little_sound_always() {
        let mut seed = 1_u32;
        let mut noise: Vec<f32> = (0..1200)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 8) as f32 / 8_388_608.0 - 1.0
            })
            .collect();
        assert_eq!(shorten(&mut noise, false), 0);
        assert!(shorten(&mut noise, true) >= PERIOD_MIN);
        assert_eq!(lengthen(&mut voice(NEEDED - 1), true), 0);
    }
}
