//! A thousand people come at once.

use std::time::Duration;

use crate::meeting::{Meeting, Wire};
use crate::table;

const MEMBERS: usize = 1000;
/// How many are let in by one commit.
const BATCHES: [usize; 2] = [10, 50];

/// Prints the section.
pub fn run() {
    for batch in BATCHES {
        storm(batch);
    }
}

fn storm(batch: usize) {
    let mut meeting = Meeting::new();
    meeting.grow(MEMBERS, batch, true);
    let growth = &meeting.growth;
    let newcomers = (MEMBERS - 2) as f64;
    let each = |total: Duration| format!("{:.2}", total.as_secs_f64() * 1e3 / newcomers);
    let all = |total: Duration| format!("{:.0}", total.as_secs_f64() * 1e3);

    table::title(&format!(
        "{MEMBERS} people join, {batch} by one commit: CPU ms"
    ));
    table::heads("who, what", &["in all", "for each newcomer"]);
    let host = growth.check.total() + growth.add.lead().total() + growth.heal_host.total();
    let follower = growth.add.follow().total() + growth.heal.follow().total();
    let line = |label: &str, total| table::row(label, &[all(total), each(total)]);
    line("host: check KeyPackages", growth.check.total());
    line("host: make and merge commits", growth.add.lead().total());
    line("host: follow healing commits", growth.heal_host.total());
    line("host", host);
    line("a member from the start", follower);
    table::heads("a newcomer", &["median (least)", ""]);
    table::row("make keys and KeyPackage", &[table::ms(&growth.candidate)]);
    table::row("join", &[table::ms(&growth.join)]);
    table::row("heal, first of a batch", &[table::ms(&growth.heal.lead())]);

    let sum = |of: fn(&Wire) -> usize| growth.wire.iter().map(of).sum::<usize>();
    let trees = sum(|wire| wire.newcomers * wire.tree);
    let welcomes = sum(|wire| wire.newcomers * wire.welcome);
    let adds = sum(|wire| wire.members_before * wire.commit);
    let heals = sum(|wire| (wire.members_before + wire.newcomers) * wire.heal);
    let up = sum(|wire| wire.commit + wire.welcome + wire.tree + wire.heal);
    table::heads("bytes", &["in all", "for each member"]);
    let line = |label: &str, total: usize| {
        table::row(label, &[table::bytes(total), table::bytes(total / MEMBERS)]);
    };
    line("sent up", up);
    line("sent down", trees + welcomes + adds + heals);
    line("  trees, to newcomers", trees);
    line("  Welcomes, to newcomers", welcomes);
    line("  commits that add, to members", adds);
    line("  commits that heal, to all", heals);
}
