//! Whole meetings from seeds, around a service that lies until it stops.
//!
//! `CONCLAVE_SIM_SEED=7` plays one seed and tells what happens; `CONCLAVE_SIM_SEEDS=100000` plays
//! so many in place of the usual thousand, from `CONCLAVE_SIM_FROM` on (`./dev simulate`).

mod sim;

use std::panic::{AssertUnwindSafe, catch_unwind};

use sim::play::{Outcome, Play};

/// Seeds in an ordinary run, spread over the tests below so that they run side by side.
const SEEDS: u64 = 1_000;
const SHARES: u64 = 8;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn play(seed: u64, trace: bool) -> Result<Outcome, String> {
    let played = catch_unwind(AssertUnwindSafe(|| Play::run(seed, trace)));
    played.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("panicked: {}", said.unwrap_or_default()))
    })
}

fn share(of: u64) {
    if let Some(seed) = number("CONCLAVE_SIM_SEED") {
        if seed % SHARES == of {
            let outcome = play(seed, true).unwrap_or_else(|fault| panic!("seed {seed}: {fault}"));
            eprintln!("{outcome:?}");
        }
        return;
    }
    let from = number("CONCLAVE_SIM_FROM").unwrap_or(0);
    let seeds = number("CONCLAVE_SIM_SEEDS").unwrap_or(SEEDS);
    let mut faults = Vec::new();
    let (mut played, mut met, mut opened) = (0, 0, 0);
    for seed in (from..from + seeds).filter(|seed| seed % SHARES == of) {
        match play(seed, false) {
            Ok(outcome) => {
                played += 1;
                met += u64::from(outcome.present > 1);
                opened += outcome.frames_opened;
            }
            Err(fault) => {
                // At once: a long run is looked at while it goes on.
                eprintln!("seed {seed}: {fault}");
                faults.push(format!(
                    "seed {seed}: {fault}\n  again: CONCLAVE_SIM_SEED={seed} cargo nextest run \
                     -p conclave-meeting --test simulator"
                ));
            }
        }
    }
    assert!(
        faults.is_empty(),
        "{} of {} seeds failed\n{}",
        faults.len(),
        seeds.div_ceil(SHARES),
        faults.join("\n")
    );
    // Meetings that all ended early would show nothing.
    eprintln!("{played} plays, {met} still met at the end, {opened} frames opened by others");
    if played < 20 {
        return;
    }
    assert!(
        met * 3 > played,
        "only {met} of {played} meetings outlived their service"
    );
    assert!(opened > played, "nobody ever met anybody");
}

macro_rules! shares {
    ($($name:ident $of:literal),*) => {
        $(
            #[test]
            fn $name() {
                share($of);
            }
        )*
    };
}

shares! {
    whatever_the_service_does_0 0,
    whatever_the_service_does_1 1,
    whatever_the_service_does_2 2,
    whatever_the_service_does_3 3,
    whatever_the_service_does_4 4,
    whatever_the_service_does_5 5,
    whatever_the_service_does_6 6,
    whatever_the_service_does_7 7
}
