//! Meetings through a server process that lies, and a removed member whom it keeps.

use std::collections::BTreeSet;
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use e2e::event::{Event, Sender};
use e2e::faults::Faults;
use e2e::hostile::{Hostile, Malice, Way};
use e2e::person::{Invitation, PATIENCE, Person};
use e2e::server::{Certificate, Server, ServerOptions};

/// Each kind of fault happens so often before the server turns honest.
const FAULTS: u32 = 12;
/// A device that stands apart asks twice for the way back and then knocks again: 4 s, two states
/// of 4 s, and up to 60 s until it gives up.
const RECOVERY: Duration = Duration::from_secs(90);
/// How often is looked whether everybody agrees.
const LOOK_EVERY: Duration = Duration::from_millis(200);

fn certified(certificate: &Certificate) -> Server {
    Server::start_with(ServerOptions {
        certificate: Some(certificate),
        ..ServerOptions::default()
    })
}

fn host(server: &Server, port: u16) -> Invitation {
    Invitation::host("Ana", &server.argument_through(port)).with(["--admit", "all", "--commands"])
}

#[test]
fn a_lying_server_before_a_guest_changes_nothing_for_long() {
    suffers(7, "Ben");
}

#[test]
fn a_lying_server_before_the_host_lets_nobody_in() {
    suffers(8, "Ana");
}

/// Three people, of whom `victim` meets the server through faults by `seed`, or by that of
/// CONCLAVE_FAULT_SEED.
fn suffers(seed: u64, victim: &str) {
    let wished = std::env::var("CONCLAVE_FAULT_SEED").ok();
    let seed = wished.map_or(seed, |wished| wished.parse().expect("a number"));
    eprintln!("seed {seed}");
    let certificate = Certificate::make();
    let server = certified(&certificate);
    let liar = Hostile::before(&server, &certificate, Faults::by(seed));
    let honest = Hostile::before(&server, &certificate, Faults::by(seed));
    let way_of = |name: &str| if name == victim { &liar } else { &honest };

    let mut ana = host(&server, way_of("Ana").port()).without_media().come();
    let link = ana.link();
    let guest = |name: &str| {
        let link = way_of(name).redirect(&link);
        Invitation::join(name, &link)
            .without_media()
            .with(["--commands"])
            .come()
    };
    let mut ben = guest("Ben");
    ana.meets(&["Ana", "Ben"]);
    let mut cleo = guest("Cleo");
    for person in [&mut ana, &mut ben, &mut cleo] {
        person.meets(&["Ana", "Ben", "Cleo"]);
    }
    // Somebody has to be able to go on while the host is led astray.
    ana.orders("role Cleo co-host");
    cleo.sees("Cleo", "as co-host", |cleo| cleo.role == "coHost");

    liar.with(Faults::begin);
    let mut locked = false;
    while liar.with(|faults| faults.done().least()) < FAULTS {
        locked = !locked;
        cleo.orders(if locked { "lock on" } else { "lock off" });
        cleo.has_rules("rules that change", |rules| rules.locked == locked);
    }
    liar.with(Faults::stop);
    eprintln!("{:?}", liar.with(|faults| faults.done()));
    if locked {
        cleo.orders("lock off");
        cleo.has_rules("an open door", |rules| !rules.locked);
    }

    agree(&mut [&mut ana, &mut ben, &mut cleo]);
    let mut dan = guest("Dan");
    let mut all = [&mut ana, &mut ben, &mut cleo, &mut dan];
    agree(&mut all);
    let warned = all
        .iter_mut()
        .find(|person| person.name() == victim)
        .is_some_and(|person| {
            let mut heard = person.heard().iter();
            heard.any(|event| matches!(event, Event::Warning { .. }))
        });
    assert!(warned, "{victim} was not warned");
    assert_no_stranger(&mut all);
}

/// Waits until these people, and no others, are in one room of one code.
fn agree(people: &mut [&mut Person]) {
    let names: BTreeSet<String> = people.iter().map(|person| person.name().into()).collect();
    let deadline = Instant::now() + RECOVERY;
    loop {
        let views: Vec<_> = people.iter_mut().map(|person| view(person)).collect();
        let one = views[0].clone();
        let whole = one.as_ref().is_some_and(|(members, _)| {
            let present: Vec<_> = members.iter().map(|(name, _)| name.clone()).collect();
            present.len() == names.len() && present.into_iter().collect::<BTreeSet<_>>() == names
        });
        if whole && views.iter().all(|view| *view == one) {
            return;
        }
        if Instant::now() >= deadline {
            for person in people {
                eprintln!("{} heard:", person.name().to_owned());
                let heard = person.heard().iter();
                let telling = heard.filter(|event| !matches!(event, Event::Media { .. }));
                telling.for_each(|event| eprintln!("  {event:?}"));
            }
            panic!("no agreement: {views:?}");
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// What somebody sees now: names and devices, and the code with its epoch. Both are told when they
/// change, a roster only when people do.
type View = (BTreeSet<(String, String)>, (u64, String));

fn view(person: &mut Person) -> Option<View> {
    let heard = person.heard();
    let members = heard.iter().rev().find_map(|event| match event {
        Event::Roster { members, .. } => Some(members),
        _ => None,
    })?;
    let code = heard.iter().rev().find_map(|event| match event {
        Event::Code { epoch, digits } => Some((*epoch, digits.clone())),
        _ => None,
    })?;
    let members = members
        .iter()
        .map(|member| (member.name.clone(), member.device.clone()));
    Some((members.collect(), code))
}

/// Nobody ever saw a device in the room that is not one of these people's own.
fn assert_no_stranger(people: &mut [&mut Person]) {
    let mut own = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for person in people {
        let name = person.name().to_owned();
        for event in person.heard() {
            let Event::Roster { members, .. } = event else {
                continue;
            };
            for member in members {
                // A name is known once its card has come.
                seen.insert((member.device.clone(), member.name.clone()));
                if member.me {
                    own.insert((member.device.clone(), name.clone()));
                    own.insert((member.device.clone(), String::new()));
                }
            }
        }
    }
    let strangers: Vec<_> = seen.difference(&own).collect();
    assert!(strangers.is_empty(), "{strangers:?} beside {own:?}");
}

#[test]
fn a_removed_member_whom_the_server_keeps_opens_nothing_more() {
    let certificate = Certificate::make();
    let server = certified(&certificate);
    // The host's word that Cleo is removed does not reach the service, ...
    let before_ana = Hostile::before(&server, &certificate, Keeping::default());
    // ... which goes on sending media to Cleo, and of the meeting tells her nothing.
    let before_cleo = Hostile::before(&server, &certificate, Withholding::default());

    let mut ana = host(&server, before_ana.port()).with_tone().come();
    let link = ana.link();
    let mut ben = Invitation::join("Ben", &link).with_tone().come();
    ana.meets(&["Ana", "Ben"]);
    let link = before_cleo.redirect(&link);
    let mut cleo = Invitation::join("Cleo", &link).with_tone().come();
    for person in [&mut ana, &mut ben, &mut cleo] {
        person.meets(&["Ana", "Ben", "Cleo"]);
    }
    for sender in ["Ana", "Ben"] {
        cleo.receives(sender, |sender| sender.audio.opened > 50);
    }

    before_cleo.with(|server| server.active = true);
    ben.look_up();
    ana.orders("remove Cleo");
    for person in [&mut ana, &mut ben] {
        let (epoch, _) = person.meets(&["Ana", "Ben"]);
        person.code(epoch);
    }
    // A report that was begun after that.
    let report = |cleo: &mut Person, enough: &dyn Fn(&[Sender]) -> bool| {
        cleo.wait_within(PATIENCE, "word of what comes in", |event| match event {
            Event::Media { senders } if enough(senders) => Some(senders.clone()),
            _ => None,
        })
    };
    for _ in 0..2 {
        cleo.look_up();
        report(&mut cleo, &|_| true);
    }
    cleo.look_up();
    let before = report(&mut cleo, &|_| true);
    assert_eq!(before.len(), 2, "{before:?}");
    let after = report(&mut cleo, &|senders| {
        let still_comes = |now: &Sender| {
            let then = before.iter().find(|then| then.name == now.name);
            then.is_some_and(|then| now.audio.received >= then.audio.received + 100)
        };
        senders.len() == 2 && senders.iter().all(still_comes)
    });
    for then in &before {
        let now = after.iter().find(|now| now.name == then.name);
        let opened = now.map(|now| now.audio.opened);
        assert_eq!(opened, Some(then.audio.opened), "{before:?} {after:?}");
    }
    // The others go on hearing each other, and she took herself for a member all the time.
    for (person, other) in [(&mut ana, "Ben"), (&mut ben, "Ana")] {
        person.look_up();
        let before = person.receives(other, |_| true).audio.opened;
        person.receives(other, |sender| sender.audio.opened >= before + 50);
    }
    assert!(
        cleo.heard()
            .iter()
            .all(|event| !matches!(event, Event::Left { .. }))
    );
    let names = view(&mut cleo).map(|(members, _)| members.len());
    assert_eq!(names, Some(3), "{:?}", cleo.heard().last());
    assert_eq!(before_ana.with(|server| server.kept), 1);
    assert!(before_cleo.with(|server| server.withheld) > 0);
}

/// Strikes out of every commit whom the service is to drop.
#[derive(Default)]
struct Keeping {
    kept: usize,
}

impl Malice for Keeping {
    fn pass(&mut self, way: Way, mut frame: Vec<u8>) -> Vec<Vec<u8>> {
        const COMMIT: u8 = 4;
        if (way, frame.get(1)) == (Way::Up, Some(&COMMIT)) {
            let removed = removed_in(&frame);
            self.kept += removed.len() / DEVICE;
            // An empty list: its count, 0.
            frame.splice(removed.start - 1..removed.end, [0]);
        }
        vec![frame]
    }
}

/// Bytes of a device id.
const DEVICE: usize = 16;

/// Where the ids of the removed stand in a commit (docs/protocol.md, section 7).
fn removed_in(frame: &[u8]) -> Range<usize> {
    const HASH: usize = 32;
    let mut rest = &frame[2..];
    number(&mut rest); // the epoch that ends
    skip(&mut rest, 1); // the commit
    rest = &rest[HASH..];
    let has_admission = rest[0] == 1;
    rest = &rest[1..];
    if has_admission {
        skip(&mut rest, DEVICE);
        skip(&mut rest, 1); // the Welcome
        skip(&mut rest, 1); // the tree
    }
    let count = number(&mut rest);
    let start = frame.len() - rest.len();
    start..start + count * DEVICE
}

/// Reads a LEB128 varint.
fn number(rest: &mut &[u8]) -> usize {
    let last = rest.iter().position(|byte| *byte < 0x80).expect("a varint");
    let (bytes, after) = rest.split_at(last + 1);
    *rest = after;
    let digits = bytes.iter().rev();
    digits.fold(0, |value, byte| value << 7 | usize::from(byte & 0x7f))
}

/// Passes over a list of things of `size` bytes.
fn skip(rest: &mut &[u8], size: usize) {
    let count = number(rest);
    *rest = &rest[count * size..];
}

/// Says nothing of the meeting any more; what it takes to get media goes on.
#[derive(Default)]
struct Withholding {
    active: bool,
    withheld: u32,
}

impl Malice for Withholding {
    fn pass(&mut self, way: Way, frame: Vec<u8>) -> Vec<Vec<u8>> {
        const GRANT: u8 = 10;
        if way == Way::Up || !self.active || frame.get(1) == Some(&GRANT) {
            return vec![frame];
        }
        self.withheld += 1;
        Vec::new()
    }
}
