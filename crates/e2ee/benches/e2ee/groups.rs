//! Add, join, remove and rekey at growing sizes, beside mls-rs.

use conclave_e2ee::VerifiedKeyPackage;

use crate::meeting::{self, Meeting, Times};
use crate::table;
use crate::their_meeting::{self, TheirTimes};
use crate::timer::Rounds;

/// How many members, and how many rounds at that size.
const SIZES: [(usize, usize); 5] = [(2, 21), (10, 21), (50, 21), (200, 11), (1000, 7)];
/// As many as a host's client may gather before it commits.
const BATCH: usize = 50;
/// A group that nobody has healed is measured at this size.
const RAW_SIZE: usize = 1000;

/// Prints the section.
pub fn run() {
    table::title("Changes of the group: CPU ms, median (least)");
    table::heads(
        "members, change",
        &[
            "make",
            "merge own",
            "process",
            "merge",
            "mls-rs lead",
            "mls-rs follow",
            "ours / mls-rs",
        ],
    );
    let mut wire = Vec::new();
    for (members, rounds) in SIZES {
        wire.push((members, measure(members, rounds)));
    }
    unhealed();
    println!(
        "lead: make and merge own; follow: process and merge; the ratios are of these. mls-rs:\n\
         version 0.57 on RustCrypto in suite 1 (X25519, AES-128-GCM, SHA-256, Ed25519), which\n\
         is not post-quantum, and without a storage. Adds carry no path; the tree was healed by\n\
         the first newcomer of each batch of {BATCH}."
    );
    print_wire(&wire);
}

/// What one size put on the wire, in bytes.
struct Lengths {
    add: usize,
    welcome: usize,
    tree: usize,
    remove: usize,
    rekey: usize,
}

/// All that is timed at one size.
#[derive(Default)]
struct Changes {
    add: Times,
    join: Rounds,
    remove: Times,
    rekey: Times,
    their_add: TheirTimes,
    their_join: Rounds,
    their_remove: TheirTimes,
    their_rekey: TheirTimes,
}

fn measure(members: usize, rounds: usize) -> [Lengths; 2] {
    let mut ours = Meeting::new();
    ours.grow(members, BATCH, true);
    let mut theirs = their_meeting::two();
    theirs.grow(members, BATCH);

    let mut changes = Changes::default();
    let mut lengths = None;
    for _ in 0..rounds {
        let candidate = ours.candidate();
        let package = VerifiedKeyPackage::parse(candidate.key_package()).unwrap();
        let add = ours.lead(&mut changes.add, |host| host.add(&[package]).unwrap());
        let newcomer = changes.join.time(|| meeting::join(candidate, &add));
        let leaf = newcomer.own_leaf();
        drop(newcomer);

        let (client, package) = theirs.candidate();
        let their_add = theirs.lead(&mut changes.their_add, |host| {
            their_meeting::add(host, &[package])
        });
        let newcomer = changes
            .their_join
            .time(|| their_meeting::join(&client, &their_add));
        let their_leaf = newcomer.current_member_index();
        drop(newcomer);

        let remove = ours.lead(&mut changes.remove, |host| host.remove(&[leaf]).unwrap());
        let their_remove = theirs.lead(&mut changes.their_remove, |host| {
            their_meeting::remove(host, their_leaf)
        });
        let rekey = ours.lead(&mut changes.rekey, |host| host.rekey().unwrap());
        let their_rekey = theirs.lead(&mut changes.their_rekey, their_meeting::rekey);

        lengths.get_or_insert_with(|| {
            [
                Lengths {
                    add: add.commit.len(),
                    welcome: add.welcome.map_or(0, |welcome| welcome.len()),
                    tree: add.tree.map_or(0, |tree| tree.len()),
                    remove: remove.commit.len(),
                    rekey: rekey.commit.len(),
                },
                Lengths {
                    add: their_add.commit.len(),
                    welcome: their_add.welcome.map_or(0, |welcome| welcome.len()),
                    tree: their_add.tree.map_or(0, |tree| tree.len()),
                    remove: their_remove.commit.len(),
                    rekey: their_rekey.commit.len(),
                },
            ]
        });
    }
    changes.print(members);
    lengths.expect("at least one round")
}

impl Changes {
    fn print(&self, members: usize) {
        print_change(&format!("{members}, add one"), &self.add, &self.their_add);
        let nothing = String::new;
        table::row(
            &format!("{members}, join"),
            &[
                table::ms(&self.join),
                nothing(),
                nothing(),
                nothing(),
                table::ms(&self.their_join),
                nothing(),
                table::times(self.join.ratio_to(&self.their_join)),
            ],
        );
        print_change(
            &format!("{members}, remove one"),
            &self.remove,
            &self.their_remove,
        );
        print_change(&format!("{members}, rekey"), &self.rekey, &self.their_rekey);
    }
}

fn print_change(label: &str, ours: &Times, theirs: &TheirTimes) {
    let ratios = format!(
        "{:.2}x / {:.2}x",
        ours.lead().ratio_to(&theirs.lead),
        ours.follow().ratio_to(&theirs.follow)
    );
    table::row(
        label,
        &[
            table::ms(&ours.make),
            table::ms(&ours.merge_own),
            table::ms(&ours.process),
            table::ms(&ours.merge),
            table::ms(&theirs.lead),
            table::ms(&theirs.follow),
            ratios,
        ],
    );
}

/// What a removal would cost if newcomers did not heal the tree: a key for each
/// member by itself.
fn unhealed() {
    let mut meeting = Meeting::new();
    meeting.grow(RAW_SIZE, BATCH, false);
    let leaf = meeting.last_leaf();
    let mut times = Times::default();
    let mut len = 0;
    for _ in 0..3 {
        let bundle = times.make.time(|| meeting.host.remove(&[leaf]).unwrap());
        let guest = &mut meeting.guest;
        times.process.time(|| meeting::stage(guest, &bundle.commit));
        meeting.host.clear_pending().unwrap();
        len = bundle.commit.len();
    }
    table::row(
        &format!("{RAW_SIZE}, remove one, never healed"),
        &[
            table::ms(&times.make),
            String::new(),
            table::ms(&times.process),
            table::bytes(len),
        ],
    );
}

fn print_wire(wire: &[(usize, [Lengths; 2])]) {
    table::title("The same on the wire: bytes, ours | mls-rs in suite 1");
    table::heads(
        "members",
        &[
            "commit: add",
            "Welcome",
            "tree",
            "commit: remove",
            "commit: rekey",
        ],
    );
    for (members, [ours, theirs]) in wire {
        let pair = |ours: usize, theirs: usize| format!("{ours} | {theirs}");
        table::row(
            &members.to_string(),
            &[
                pair(ours.add, theirs.add),
                pair(ours.welcome, theirs.welcome),
                pair(ours.tree, theirs.tree),
                pair(ours.remove, theirs.remove),
                pair(ours.rekey, theirs.rekey),
            ],
        );
    }
}
