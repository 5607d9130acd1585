//! A descriptor or a card of another protocol version, properly sealed and signed by whoever may.

mod sim;

use conclave_e2ee::DeviceKey;
use conclave_meeting::{Event, LeftReason, Warning};
use conclave_wire::{Blob, DeviceId};
use sim::mallory::{Descriptor, Mallory, SignedCard};
use sim::people::World;

const VERSION: u8 = conclave_wire::VERSION;

/// The host's own device key, to sign what a newer program of his would.
fn host_with_key(world: &mut World) -> (conclave_meeting::InviteLink, DeviceKey) {
    let (_, mut link) = world.host("Ana", true);
    // The link is made to name a key that the test has.
    let key = DeviceKey::generate().unwrap();
    link.host_key = conclave_e2ee::fingerprint16(&key.public());
    (link, key)
}

#[test]
fn a_descriptor_of_another_version_is_left_with_that_reason() {
    for (version, reason) in [
        (VERSION, None),
        (VERSION - 1, Some(LeftReason::Version)),
        (VERSION + 1, Some(LeftReason::Version)),
        (u8::MAX, Some(LeftReason::Version)),
    ] {
        let mut world = World::new();
        let (link, key) = host_with_key(&mut world);
        let door = world.service.door().unwrap();
        let descriptor = Descriptor {
            version,
            host_key: key.public(),
            ..Descriptor::open(door.descriptor.as_slice(), &link)
        };
        let sealed = descriptor.seal(&key, &link);
        world
            .service
            .forge_door(|door| door.descriptor = Blob::new(sealed).unwrap());
        let ben = world.join("Ben", &link);
        assert_eq!(world.people[ben].left(), reason, "version {version}");
    }
}

/// A card is signed for one version: the signature of another does not carry over.
#[test]
fn a_card_signed_for_another_version_is_a_bad_knock() {
    for (domain, is_heard) in [
        ("Conclave identity card v1", true),
        ("Conclave identity card v0", false),
        ("Conclave identity card v2", false),
    ] {
        let mut world = World::new();
        let (ana, link) = world.host("Ana", true);
        let mut mallory = Mallory::looks(&mut world, &link);
        let card = mallory.card();
        let bytes = postcard::to_allocvec(&card).unwrap();
        let signed = SignedCard {
            card,
            by_device: mallory.device_key.sign(domain, &bytes).to_vec(),
            by_leaf: mallory.leaf_key.signs(domain, &bytes),
        };
        mallory.knocks_with(&mut world, signed);
        let snapshot = world.people[ana].snapshot();
        let devices: Vec<DeviceId> = snapshot.knocks.iter().map(|knock| knock.device).collect();
        assert_eq!(devices.contains(&mallory.device), is_heard, "{domain}");
        let warned = world.people[ana]
            .events
            .contains(&Event::Warning(Warning::BadKnock));
        assert_eq!(warned, !is_heard, "{domain}");
    }
}

/// The aad of every outer seal begins with the version: what is sealed for another opens nowhere.
#[test]
fn what_is_sealed_for_another_version_does_not_open() {
    let mut world = World::new();
    let (ana, link) = world.host("Ana", true);
    let mallory = Mallory::enters(&mut world, ana, &link);
    let mut aad = vec![VERSION + 1, 3];
    aad.extend_from_slice(&link.meeting.0);
    aad.extend_from_slice(&[0; 8 + 4]);
    let sealed = link.secret.handshake_key().seal(&aad, b"message").unwrap();
    let message = Blob::new([vec![0; 4], sealed].concat()).unwrap();
    world.forge(
        mallory.device,
        conclave_wire::EntryBody::Application { message },
    );
    assert!(
        world.people[ana]
            .events
            .contains(&Event::Warning(Warning::Foreign))
    );
}
