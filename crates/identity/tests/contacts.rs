//! Trust on first use, and the warning that must be true.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use conclave_identity::{ContactId, ContactsError, Identity, Protection, Trust};

const ANA: [u8; 32] = [1; 32];
const BEN: [u8; 32] = [2; 32];
const EVE: [u8; 32] = [3; 32];

fn device() -> Identity {
    Identity::open("unused".as_ref(), Protection::Ephemeral).expect("a device in memory")
}

fn day(number: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(86_400 * number)
}

fn known(name: &str, since: SystemTime) -> Trust {
    let name = name.to_owned();
    Trust::Known { name, since }
}

fn verified(name: &str, since: SystemTime) -> Trust {
    let name = name.to_owned();
    Trust::Verified { name, since }
}

fn changed(name: &str, was_verified: bool) -> Trust {
    let name = name.to_owned();
    Trust::Changed { name, was_verified }
}

#[test]
fn a_stranger_is_new_once() {
    let device = device();
    let contacts = device.contacts();
    assert_eq!(contacts.trust(&ANA, "Ana"), Trust::New);
    assert_eq!(
        contacts.trust(&ANA, "Ana"),
        Trust::New,
        "asking records nothing"
    );
    assert_eq!(contacts.meet(&ANA, " Ana ", day(1)), Ok(Trust::New));
    assert_eq!(contacts.trust(&ANA, "Ana"), known("Ana", day(1)));
    assert_eq!(contacts.meet(&ANA, "Ana", day(2)), Ok(known("Ana", day(1))));
    assert_eq!(contacts.trust(&BEN, "Ben"), Trust::New);
}

#[test]
fn a_room_is_met_at_once_and_by_the_same_rules() {
    let device = device();
    let contacts = device.contacts();
    contacts.meet(&ANA, "Ana", day(1)).unwrap();
    let room = [
        (&ANA, "Ana"),
        (&EVE, "ana"),
        (&BEN, "Ben"),
        (&[4; 32], ""),
        // Whoever comes first in a room has the name.
        (&[5; 32], "Ben"),
    ];
    let trust = contacts.meet_all(room, day(2)).unwrap();
    let expected = [
        known("Ana", day(1)),
        changed("Ana", false),
        Trust::New,
        Trust::New,
        changed("Ben", false),
    ];
    assert_eq!(trust, expected);
    let keys: Vec<_> = contacts.list().iter().map(|one| one.device_key).collect();
    assert_eq!(keys, [ANA, BEN]);
}

#[test]
fn comparing_the_number_makes_known_people_verified() {
    let device = device();
    let contacts = device.contacts();
    assert_eq!(
        contacts.verify(&ANA, true, day(1)),
        Err(ContactsError::Unknown)
    );
    contacts.meet(&ANA, "Ana", day(1)).unwrap();
    contacts.verify(&ANA, true, day(3)).unwrap();
    assert_eq!(contacts.trust(&ANA, "Ana"), verified("Ana", day(3)));
    contacts.verify(&ANA, false, day(4)).unwrap();
    assert_eq!(contacts.trust(&ANA, "Ana"), known("Ana", day(1)));
}

#[test]
fn another_key_under_a_known_name_is_a_warning_that_does_not_go_away() {
    let device = device();
    let contacts = device.contacts();
    contacts.meet(&ANA, "Ana", day(1)).unwrap();
    for name in ["Ana", "ANA", " a n a ", "Аnа"] {
        assert_eq!(contacts.trust(&EVE, name), changed("Ana", false), "{name}");
        assert_eq!(contacts.meet(&EVE, name, day(2)), Ok(changed("Ana", false)));
        assert_eq!(contacts.meet(&EVE, name, day(3)), Ok(changed("Ana", false)));
    }
    assert_eq!(contacts.trust(&ANA, "Ana"), known("Ana", day(1)));
    assert_eq!(contacts.list().len(), 1, "nothing was recorded");
}

#[test]
fn a_changed_key_never_takes_over_the_verified_mark() {
    let device = device();
    let contacts = device.contacts();
    contacts.meet(&ANA, "Ana", day(1)).unwrap();
    contacts.verify(&ANA, true, day(2)).unwrap();
    assert_eq!(contacts.meet(&EVE, "Ana", day(3)), Ok(changed("Ana", true)));
    assert_eq!(
        contacts.accept(&EVE, "Ana", day(4)),
        Ok(known("Ana", day(4)))
    );
    assert_eq!(contacts.trust(&ANA, "Ana"), verified("Ana", day(2)));
    assert_eq!(contacts.trust(&EVE, "Ana"), known("Ana", day(4)));
}

#[test]
fn two_people_of_one_name_are_two_contacts() {
    let device = device();
    let contacts = device.contacts();
    contacts.meet(&ANA, "Ana", day(1)).unwrap();
    contacts.accept(&BEN, "ana", day(2)).unwrap();
    assert_eq!(contacts.trust(&ANA, "Ana"), known("Ana", day(1)));
    assert_eq!(contacts.trust(&BEN, "Ana"), known("ana", day(2)));
    // A third key under the name is still a warning, and names the verified one if there is one.
    assert!(matches!(
        contacts.trust(&EVE, "Ana"),
        Trust::Changed {
            was_verified: false,
            ..
        }
    ));
    contacts.verify(&BEN, true, day(3)).unwrap();
    assert_eq!(contacts.trust(&EVE, "Ana"), changed("ana", true));
    let names: Vec<_> = contacts.list().into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["Ana", "ana"]);
}

#[test]
fn a_known_device_that_takes_anothers_name_is_a_warning() {
    let device = device();
    let contacts = device.contacts();
    contacts.meet(&ANA, "Ana", day(1)).unwrap();
    contacts.meet(&BEN, "Ben", day(1)).unwrap();
    contacts.verify(&BEN, true, day(2)).unwrap();
    assert_eq!(contacts.trust(&BEN, "Ana"), changed("Ana", false));
    assert_eq!(contacts.trust(&BEN, "Ben"), verified("Ben", day(2)));
}

#[test]
fn a_known_device_under_a_new_name_is_who_it_was() {
    let device = device();
    let contacts = device.contacts();
    contacts.meet(&ANA, "Ana Costa", day(1)).unwrap();
    assert_eq!(
        contacts.meet(&ANA, "Ana Silva", day(2)),
        Ok(known("Ana Costa", day(1)))
    );
    assert_eq!(
        contacts.accept(&ANA, "Ana Silva", day(2)),
        Ok(known("Ana Costa", day(1)))
    );
    // The name that was shown and not recorded is nobody's.
    assert_eq!(contacts.trust(&EVE, "Ana Silva"), Trust::New);
}

#[test]
fn who_is_forgotten_is_new_again() {
    let device = device();
    let contacts = device.contacts();
    contacts.meet(&ANA, "Ana", day(1)).unwrap();
    contacts.accept(&BEN, "Ana", day(2)).unwrap();
    let old = contacts.list()[0].clone();
    assert_eq!((old.device_key, old.id), (ANA, ContactId::of(&ANA)));
    assert_eq!(contacts.forget(old.id), Ok(true));
    assert_eq!(contacts.forget(old.id), Ok(false));
    assert_eq!(contacts.trust(&BEN, "Ana"), known("Ana", day(2)));
    assert_eq!(contacts.trust(&ANA, "Ana"), changed("Ana", false));
    assert_eq!(contacts.trust(&ANA, "Somebody"), Trust::New);
}

#[test]
fn who_knows_whom_stays_out_of_logs() {
    let device = device();
    let contacts = device.contacts();
    contacts.meet(&ANA, "Ana", day(1)).unwrap();
    for printed in [
        format!("{contacts:?}"),
        format!("{:?}", contacts.list()),
        format!("{:?}", contacts.trust(&ANA, "Ana")),
        format!("{:?}", contacts.trust(&EVE, "Ana")),
    ] {
        assert!(!printed.contains("Ana"), "{printed}");
    }
}
