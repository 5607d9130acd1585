//! How wide a link is, by how much later large frames come than small ones.
//!
//! A frame of twice as many bytes takes twice as long to pass the narrowest place of its way (packet
//! dispersion: Dovrolis, Ramanathan and Moore, INFOCOM 2001). So the frames that come anyway tell what
//! else would fit, and nobody has to fill the link to find out. Chance makes single frames late, so
//! the middle of the large ones is held against the middle of the small ones.

use std::collections::VecDeque;
use std::time::Duration;

/// Frames of so long are compared.
const WINDOW: Duration = Duration::from_secs(4);
/// Fewer of them say nothing.
const ENOUGH: usize = 45;
/// So many bytes must lie between the large ones and the small ones.
const LEAST_SPREAD: f64 = 100.0;
/// The part of a link that may be taken.
const SHARE: f64 = 0.7;

/// Judges one way by the frames that come over it.
#[derive(Debug, Default)]
pub(crate) struct Width {
    /// When each came, its delay in microseconds, up to the difference of two clocks, and its bytes.
    frames: VecDeque<(Duration, f64, f64)>,
}

impl Width {
    /// A frame came.
    pub(crate) fn take(&mut self, now: Duration, delay_us: i64, bytes: usize) {
        const MOST: usize = 256;
        self.frames.push_back((now, delay_us as f64, bytes as f64));
        while let Some((at, ..)) = self.frames.front()
            && (now.saturating_sub(*at) > WINDOW || self.frames.len() > MOST)
        {
            self.frames.pop_front();
        }
    }

    /// What came over another way, or in another state of it, is forgotten.
    pub(crate) fn forget(&mut self) {
        self.frames.clear();
    }

    /// Whether the link has room for so many bytes a second; `None` if that is not known.
    pub(crate) fn bears(&self, bytes_per_s: f64) -> Option<bool> {
        if self.frames.len() < ENOUGH {
            return None;
        }
        let mut by_size: Vec<_> = self.frames.iter().collect();
        by_size.sort_by(|a, b| a.2.total_cmp(&b.2));
        let third = by_size.len() / 3;
        let small = Part::of(by_size.get(..third)?);
        let large = Part::of(by_size.get(by_size.len() - third..)?);
        let spread = large.bytes - small.bytes;
        if spread < LEAST_SPREAD {
            return None;
        }
        let doubt = (large.error_us + small.error_us).max(0.0);
        let us_per_byte = (large.delay_us - small.delay_us + doubt).max(0.0) / spread;
        Some(us_per_byte * bytes_per_s <= SHARE * 1e6)
    }
}

/// The large frames, or the small ones.
struct Part {
    bytes: f64,
    /// The median.
    delay_us: f64,
    /// How far that may be from the truth.
    error_us: f64,
}

impl Part {
    fn of(frames: &[&(Duration, f64, f64)]) -> Self {
        let count = frames.len().max(1);
        let mut delays: Vec<_> = frames.iter().map(|frame| frame.1).collect();
        delays.sort_by(f64::total_cmp);
        let at = |place: usize| delays.get(place).copied().unwrap_or_default();
        let quartiles = at(count * 3 / 4) - at(count / 4);
        Self {
            bytes: frames.iter().map(|frame| frame.2).sum::<f64>() / count as f64,
            delay_us: at(count / 2),
            error_us: quartiles / (count as f64).sqrt(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four seconds of frames of a small picture over a link of so many bits a second, each late by
    /// up to `chance_us` more.
    fn seen(bits_per_s: f64, chance_us: u64) -> Width {
        let mut width = Width::default();
        for n in 0..120_u64 {
            let bytes = 300 + n * 7919 % 500 + if n % 30 == 0 { 1500 } else { 0 };
            let chance = n * 104_729 % chance_us.max(1);
            let delay = bytes as f64 * 8e6 / bits_per_s + chance as f64;
            let now = Duration::from_millis(n * 33);
            width.take(now, delay as i64 - 5_000_000, bytes as usize);
        }
        width
    }

    /// What a middle picture and a voice need.
    const NEEDED: f64 = 90_000.0;

    #[test]
    fn a_wide_link_is_told_from_a_narrow_one() {
        for chance_us in [0, 4_000] {
            assert_eq!(seen(3e6, chance_us).bears(NEEDED), Some(true));
            assert_eq!(seen(5e5, chance_us).bears(NEEDED), Some(false));
            assert_eq!(seen(3e5, chance_us).bears(NEEDED), Some(false));
        }
    }

    #[test]
    fn a_narrow_link_is_taken_for_a_wide_one_by_no_jitter() {
        for chance_us in [10_000, 40_000, 80_000] {
            assert_eq!(seen(3e5, chance_us).bears(NEEDED), Some(false));
        }
    }

    #[test]
    fn frames_of_one_size_and_few_frames_say_nothing() {
        let mut width = Width::default();
        for n in 0..100 {
            width.take(Duration::from_millis(n * 33), 1000, 700);
        }
        assert_eq!(width.bears(NEEDED), None);
        assert_eq!(Width::default().bears(NEEDED), None);
    }
}
