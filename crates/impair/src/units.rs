//! How times, shares, rates and sizes are written.

use std::time::Duration;

/// Every suffix with its factor; the first that fits is taken, so longer ones stand first.
type Suffixes = &'static [(&'static str, f64)];

const TIMES: Suffixes = &[("us", 1e-6), ("ms", 1e-3), ("min", 60.0), ("s", 1.0)];
const RATES: Suffixes = &[
    ("kbit/s", 1e3),
    ("Mbit/s", 1e6),
    ("Gbit/s", 1e9),
    ("bit/s", 1.0),
];
const SIZES: Suffixes = &[
    ("KiB", 1024.0),
    ("MiB", 1024.0 * 1024.0),
    ("KB", 1e3),
    ("MB", 1e6),
    ("B", 1.0),
];

/// The longest time that makes sense here: a day.
const LONGEST_S: f64 = 86_400.0;

fn scaled(text: &str, suffixes: Suffixes) -> Option<f64> {
    let (number, factor) = suffixes
        .iter()
        .find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, factor)))?;
    let plain = |c: char| c.is_ascii_digit() || c == '.';
    let number: f64 = number
        .chars()
        .all(plain)
        .then(|| number.parse().ok())
        .flatten()?;
    number.is_finite().then_some(number * factor)
}

/// `25ms`, `1.5s`, `250us`, `2min`; at most a day.
pub(crate) fn time(text: &str) -> Option<Duration> {
    let seconds = scaled(text, TIMES)?;
    (seconds <= LONGEST_S).then(|| Duration::from_nanos((seconds * 1e9).round() as u64))
}

/// `5%` or `0.5%`, from 0 to 1.
pub(crate) fn share(text: &str) -> Option<f64> {
    let share = scaled(text, &[("%", 0.01)])?;
    (0.0..=1.0).contains(&share).then_some(share)
}

/// `300kbit/s`, `3Mbit/s`, in bits a second; never 0.
pub(crate) fn rate_bps(text: &str) -> Option<u64> {
    whole(scaled(text, RATES)?)
}

/// `32KB`, `64KiB`, `1500B`, in bytes; never 0.
pub(crate) fn size_bytes(text: &str) -> Option<u64> {
    whole(scaled(text, SIZES)?)
}

/// `50pkt`; never 0.
pub(crate) fn packets(text: &str) -> Option<u64> {
    whole(scaled(text, &[("pkt", 1.0)])?)
}

fn whole(number: f64) -> Option<u64> {
    (1.0..=1e12)
        .contains(&number)
        .then_some(number.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_meant() {
        assert_eq!(time("25ms"), Some(Duration::from_millis(25)));
        assert_eq!(time("1.5s"), Some(Duration::from_millis(1500)));
        assert_eq!(time("250us"), Some(Duration::from_micros(250)));
        assert_eq!(time("2min"), Some(Duration::from_secs(120)));
        assert_eq!(share("0.5%"), Some(0.005));
        assert_eq!(rate_bps("300kbit/s"), Some(300_000));
        assert_eq!(rate_bps("2.5Mbit/s"), Some(2_500_000));
        assert_eq!(size_bytes("32KB"), Some(32_000));
        assert_eq!(size_bytes("64KiB"), Some(65_536));
        assert_eq!(packets("50pkt"), Some(50));
    }

    #[test]
    fn what_is_not_clear_is_not_guessed() {
        for bad in [
            "25", "ms", "-1ms", "1e3ms", "2d", "nanms", "1.2.3s", "100000s", "1 s",
        ] {
            assert_eq!(time(bad), None, "{bad}");
        }
        for bad in ["5", "101%", "-1%", "%"] {
            assert_eq!(share(bad), None, "{bad}");
        }
        for bad in ["300k", "300kB/s", "0bit/s", "off"] {
            assert_eq!(rate_bps(bad), None, "{bad}");
        }
        assert_eq!(size_bytes("0B"), None);
        assert_eq!(packets("0pkt"), None);
    }
}
