//! What secrecy costs: `./dev bench e2ee [SECTION...]`.
//!
//! Everything is measured as the CPU time of this program, on all its threads,
//! so that other programs on the computer disturb it little. What is compared
//! takes turns within one run. Each figure is the median of all rounds; the least
//! of them stands beside it, and the distance between the two is the noise.

mod frames;
mod groups;
mod meeting;
mod senders;
mod storm;
mod table;
mod their_meeting;
mod timer;

use std::process::ExitCode;

/// A section: its name on the command line, and what measures it.
type Section = (&'static str, fn());

const SECTIONS: [Section; 4] = [
    ("frames", frames::run),
    ("groups", groups::run),
    ("storm", storm::run),
    ("senders", senders::run),
];

fn main() -> ExitCode {
    // Cargo says `--bench` to every bench.
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let known = |name: &String| SECTIONS.iter().any(|(section, _)| section == name);
    if let Some(unknown) = wanted.iter().find(|name| !known(name)) {
        eprintln!("there is no section '{unknown}': frames, groups, storm, senders");
        return ExitCode::FAILURE;
    }
    for (name, run) in SECTIONS {
        if wanted.is_empty() || wanted.iter().any(|section| section == name) {
            run();
        }
    }
    ExitCode::SUCCESS
}
