//! The meeting as a machine: whatever happens to it, in whatever order.

use std::time::Duration;

use bolero::check;
use conclave_e2ee::Track;
use conclave_meeting::{Command, MediaState, Role, Secrecy};
use conclave_wire::{Blob, DeviceId, Entry, EntryBody, ServerMessage};
use fuzz::sim::service::CODES;
use fuzz::{Feed, Table};

const MAX_PEOPLE: usize = 4;
/// Things that happen in one run at most.
const MAX_STEPS: usize = 40;

const TIMES_MS: [u64; 8] = [0, 100, 300, 1_000, 5_000, 16_000, 61_000, 301_000];

fn device(feed: &mut Feed<'_>, table: &Table) -> DeviceId {
    match feed.byte() % 8 {
        0 => DeviceId(feed.array()),
        _ => *feed.pick(&table.devices()),
    }
}

fn command(feed: &mut Feed<'_>, table: &Table) -> Command {
    let device = device(feed, table);
    match feed.byte() % 24 {
        0 => Command::Join,
        1 => Command::Admit(device),
        2 => Command::Refuse(device),
        3 => Command::Remove(device),
        4 => Command::SetLocked(feed.flag()),
        5 => Command::SetWaitingRoom(feed.flag()),
        6 => Command::SetRole(
            device,
            *feed.pick(&[Role::Participant, Role::CoHost, Role::Host]),
        ),
        7 => Command::SetSuccessor(device, feed.flag()),
        8 => Command::SetSecrecy(*feed.pick(&[Secrecy::Standard, Secrecy::High])),
        9 => Command::SetStrict(feed.flag()),
        10 | 11 => Command::RenewLink {
            single_use: feed.flag(),
            valid_s: feed.flag().then(|| feed.number(60) as u32),
        },
        12 => Command::KeyMissing(device),
        13 => Command::SetMedia(MediaState {
            muted: feed.flag(),
            camera: feed.flag(),
            screen: feed.flag(),
        }),
        14 => Command::RequestGrant,
        15 => Command::RequestKeyFrame(device, Track::VIDEO_LOW),
        16 => Command::Leave,
        17 => Command::ReportLoss {
            device,
            percent: feed.below(256) as u8,
            bursts: feed.flag(),
        },
        18 => Command::End,
        19 => Command::RaiseHand(feed.flag()),
        20 => Command::LetSpeak(device),
        21 => Command::LowerHand(device),
        22 => Command::AskToMute(device),
        _ => Command::SetOpenMicrophones(feed.number(4) as u16),
    }
}

fn blob<const MAX: usize>(feed: &mut Feed<'_>) -> Blob<MAX> {
    let len = feed.below(200);
    Blob::new(feed.take(len).to_vec()).unwrap()
}

/// Something that a service could say, of its own making.
fn message(feed: &mut Feed<'_>, table: &Table, who: usize) -> ServerMessage {
    let epoch = table.epoch(who);
    let seq = table.service.log_len();
    match feed.byte() % 14 {
        0 | 1 => ServerMessage::Attached {
            known: feed.flag(),
            epoch: feed.number(epoch),
            first_seq: feed.number(seq),
            next_seq: feed.number(seq),
        },
        2 => ServerMessage::Descriptor {
            descriptor: blob(feed),
        },
        3 => ServerMessage::Knock {
            device: device(feed, table),
            card: blob(feed),
        },
        4 => ServerMessage::KnockWithdrawn {
            device: device(feed, table),
        },
        5 => ServerMessage::Welcome {
            epoch: feed.number(epoch),
            next_seq: feed.number(seq),
            welcome: blob(feed),
            tree: blob(feed),
        },
        6 | 7 => ServerMessage::Entry(Entry {
            seq: feed.number(seq),
            from: device(feed, table),
            body: body(feed, table, epoch),
        }),
        8 => ServerMessage::CommitConflict {
            epoch: feed.number(epoch),
        },
        9 => ServerMessage::Presence {
            device: device(feed, table),
            online: feed.flag(),
        },
        10 => ServerMessage::Signal {
            from: device(feed, table),
            message: blob(feed),
        },
        11 => ServerMessage::Error {
            code: *feed.pick(CODES),
        },
        12 => ServerMessage::Grant {
            path: "/r".into(),
            token: "t".into(),
            lifetime_s: feed.number(30) as u32,
        },
        _ => feed
            .pick(&[
                ServerMessage::Removed,
                ServerMessage::Refused,
                ServerMessage::Waiting,
            ])
            .clone(),
    }
}

/// Rubbish, or what stood in the log before, under another number.
fn body(feed: &mut Feed<'_>, table: &Table, here: u64) -> EntryBody {
    let log = table.service.entries();
    let old = (!log.is_empty() && feed.flag()).then(|| feed.pick(&log).body.clone());
    match old {
        Some(EntryBody::Commit { commit, .. }) => EntryBody::Commit {
            epoch: feed.number(here),
            commit,
        },
        Some(body) => body,
        None if feed.flag() => EntryBody::Commit {
            epoch: feed.number(here),
            commit: blob(feed),
        },
        None => EntryBody::Application {
            message: blob(feed),
        },
    }
}

fn step(feed: &mut Feed<'_>, table: &mut Table) {
    let who = feed.below(table.len());
    match feed.byte() % 20 {
        0..=5 => table.pass(Duration::from_millis(*feed.pick(&TIMES_MS))),
        6..=9 => {
            let command = command(feed, table);
            table.command(who, command);
        }
        10..=12 => {
            let message = message(feed, table, who);
            table.slip(who, message);
        }
        13 => {
            let heard = table.heard().to_vec();
            if !heard.is_empty() {
                table.slip(who, feed.pick(&heard).clone());
            }
        }
        14 => table.toggle(who),
        15 => table.service.restart(),
        16 => {
            let (from, epoch) = (device(feed, table), table.service.epoch());
            let body = body(feed, table, epoch);
            table.service.forge(from, body);
        }
        17 if table.len() < MAX_PEOPLE => table.join(table.len() as u64 + 1),
        _ => {
            table.admit_all();
            table.pass(Duration::from_millis(300));
        }
    }
}

/// Nothing stops a machine, nothing keeps it busy for ever, and nobody is seen in a meeting who
/// never had a machine.
#[test]
fn operations() {
    check!(name = "operations")
        .with_iterations(15)
        .with_max_len(400)
        .for_each(|input: &[u8]| {
            let mut feed = Feed::new(input);
            let mut table = Table::host(feed.flag(), 1);
            table.join(2);
            table.admit_all();
            table.pass(Duration::from_millis(300));
            for _ in 0..MAX_STEPS {
                if feed.is_empty() {
                    break;
                }
                step(&mut feed, &mut table);
                table.check();
            }
            // Left alone, it comes to rest.
            table.pass(Duration::from_secs(30));
            table.check();
        });
}
