//! What an insider sends: signals, messages and rules, properly sealed and signed.

use std::cell::RefCell;

use bolero::check;
use conclave_wire::ServerMessage;
use fuzz::sim::mallory::{SignedCard, extensions};
use fuzz::{Feed, Insider};

/// Renewed after so many inputs, so that a failure has a short history.
const INPUTS_PER_MEETING: u32 = 200;

thread_local! {
    static MEETING: RefCell<Option<(Insider, u32)>> = const { RefCell::new(None) };
}

/// Tries an input on a meeting that goes on as long as it may.
fn with_insider(act: impl FnOnce(&mut Insider)) {
    MEETING.with_borrow_mut(|meeting| {
        let (insider, uses) = meeting.get_or_insert_with(|| (Insider::enters(), 0));
        *uses += 1;
        let is_old = *uses == INPUTS_PER_MEETING;
        act(insider);
        if is_old || !insider.goes_on() {
            *meeting = None;
        }
    });
}

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A signal as docs/protocol.md (section 6) encodes it, with numbers that may be anything.
fn signal(feed: &mut Feed<'_>, insider: &Insider) -> Vec<u8> {
    let devices = insider.devices();
    let kind = feed.byte() % 7;
    let mut bytes = vec![kind];
    match kind {
        0 => {
            varint(feed.number(insider.epoch()), &mut bytes);
            bytes.extend_from_slice(&feed.array::<32>());
            bytes.extend_from_slice(&feed.array::<32>());
            varint(feed.number(insider.world.service.log_len()), &mut bytes);
        }
        1 => {
            bytes.extend_from_slice(&feed.pick(&devices).0);
            bytes.push(feed.byte());
        }
        2 | 4 => bytes.extend_from_slice(&feed.pick(&devices).0),
        3 => {
            bytes.extend_from_slice(&feed.pick(&devices).0);
            varint(feed.number(insider.epoch()), &mut bytes);
        }
        5 => {
            // The state of the group as she sees it, or not.
            let state = feed.forge(&[insider.group_info()]);
            varint(feed.number(insider.epoch()), &mut bytes);
            varint(state.len() as u64, &mut bytes);
            bytes.extend_from_slice(&state);
        }
        _ => bytes = feed.take(64).to_vec(),
    }
    bytes
}

/// Nothing that one member signals throws the others out.
#[test]
fn signals() {
    check!(name = "signals")
        .with_iterations(1_500)
        .with_max_len(512)
        .for_each(|input: &[u8]| {
            with_insider(|insider| {
                let mut feed = Feed::new(input);
                let signed = {
                    let signal = signal(&mut feed, insider);
                    insider.signs(&signal)
                };
                let plain = match feed.flag() {
                    true => signed,
                    false => feed.forge(&[signed]),
                };
                insider.signals(&plain);
                assert!(insider.goes_on());
            });
        });
}

/// Messages of every variant, as the insider may say them.
fn contents(insider: &Insider) -> Vec<Vec<u8>> {
    let mallory = &insider.mallory;
    let card = SignedCard::sign(mallory.card(), &mallory.device_key, &mallory.leaf_key);
    let card = postcard::to_allocvec(&card).unwrap();
    let door = insider.world.service.door().unwrap().descriptor;
    let sealed =
        |variant: u8, bytes: &[u8]| [vec![variant], postcard::to_allocvec(bytes).unwrap()].concat();
    vec![
        [&[0, 1], card.as_slice(), &[1, 0]].concat(),
        vec![1, 1, 1],
        vec![2],
        vec![3],
        sealed(4, door.as_slice()),
        sealed(5, &mallory.descriptor.knock_keys[0]),
        vec![6, 0],
        vec![7, 0, 60],
    ]
}

/// Nothing that one member says takes the others out of the meeting; that she goes is hers to say.
#[test]
fn contents_said() {
    check!(name = "contents_said")
        .with_iterations(600)
        .with_max_len(1024)
        .for_each(|input: &[u8]| {
            with_insider(|insider| {
                let real = contents(insider);
                let content = Feed::new(input).forge(&real);
                if content != [2] {
                    let Insider { mallory, world, .. } = insider;
                    mallory.publishes(world, &content);
                    assert!(insider.goes_on());
                }
            });
        });
}

/// Rules of any form in a commit of one who has no role: refused by all.
#[test]
fn rules() {
    check!(name = "rules")
        .with_iterations(150)
        .with_max_len(512)
        .for_each(|input: &[u8]| {
            with_insider(|insider| {
                let policy = insider.world.people[0].snapshot().policy.unwrap();
                let real = [postcard::to_allocvec(&policy).unwrap()];
                let policy = Feed::new(input).forge(&real);
                let (commit, _) = insider.mallory.forges(|commit| {
                    commit
                        .propose_group_context_extensions(extensions(&policy))
                        .unwrap()
                });
                let body = insider.mallory.seals(&commit);
                let before = insider.epoch();
                let device = insider.mallory.device;
                let seq = insider.world.service.log_len();
                for who in 0..2 {
                    let entry = conclave_wire::Entry {
                        seq,
                        from: device,
                        body: body.clone(),
                    };
                    insider.world.slip(who, ServerMessage::Entry(entry));
                }
                assert_eq!(insider.epoch(), before);
                assert!(insider.goes_on());
            });
        });
}
