//! How the figures are printed.

use std::time::Duration;

use crate::timer::Rounds;

/// Begins a section.
pub fn title(text: &str) {
    println!("\n== {text}");
}

/// Prints a line: a label, then cells that are aligned to the right.
pub fn row(label: &str, cells: &[String]) {
    print!("{label:<34}");
    for cell in cells {
        print!("{cell:>19}");
    }
    println!();
}

/// Prints the heads of the columns.
pub fn heads(label: &str, heads: &[&str]) {
    let heads: Vec<String> = heads.iter().map(|head| (*head).to_owned()).collect();
    row(label, &heads);
}

/// Median and least, in milliseconds.
pub fn ms(rounds: &Rounds) -> String {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    format!("{:.2} ({:.2})", ms(rounds.median()), ms(rounds.least()))
}

/// Median and least, in nanoseconds for each of `count` things in a round.
pub fn ns(rounds: &Rounds, count: u32) -> String {
    let ns = |time: Duration| time.as_secs_f64() * 1e9 / f64::from(count);
    format!("{:.0} ({:.0})", ns(rounds.median()), ns(rounds.least()))
}

/// A ratio.
pub fn times(ratio: f64) -> String {
    format!("{ratio:.2}x")
}

/// A length in bytes.
pub fn bytes(len: usize) -> String {
    format!("{len} B")
}
