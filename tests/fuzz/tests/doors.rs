//! What the service shows at the door: sealed descriptors, to somebody who has the link.

use std::sync::Arc;
use std::time::Instant;

use bolero::check;
use conclave_e2ee::DeviceKey;
use conclave_meeting::{Event, Identity, Input, InviteLink, Meeting, Output};
use conclave_wire::{Blob, ServerMessage};
use fuzz::{Feed, outer_seal, sim};

const DESCRIPTOR: u8 = 1;

/// A link and the descriptor behind it, as it is signed: plain, and sealed.
fn real() -> (InviteLink, Vec<u8>, Vec<u8>) {
    let mut world = sim::people::World::new();
    let (_, link) = world.host("Ana", true);
    let sealed = world.service.door().unwrap().descriptor.into_vec();
    let aad = sim::mallory::aad(sim::mallory::Purpose::Descriptor, link.meeting, 0);
    let plain = link.secret.descriptor_key().open(&aad, &sealed).unwrap();
    (link, plain, sealed)
}

/// Whether a newcomer is shown what the door says.
fn believes(link: &InviteLink, descriptor: Vec<u8>) -> bool {
    let Ok(descriptor) = Blob::new(descriptor) else {
        return false;
    };
    let identity = Identity {
        name: "Ben".parse().unwrap(),
        key: Arc::new(DeviceKey::from_seed([9; 32]).unwrap()),
    };
    let entropy = Box::new(|buffer: &mut [u8]| buffer.fill(5));
    let mut meeting = Meeting::join(link.clone(), identity, Default::default(), entropy);
    let now = Instant::now();
    meeting.handle(now, Input::LinkUp);
    let message = ServerMessage::Descriptor { descriptor };
    meeting.handle(now, Input::Message(Box::new(message)));
    std::iter::from_fn(|| meeting.poll())
        .any(|output| matches!(output, Output::Event(Event::Described { .. })))
}

/// Nothing is believed but what the host signed, byte for byte, also from somebody who has the
/// link and can seal what he likes.
#[test]
fn descriptors() {
    let (link, plain, sealed) = real();
    assert!(believes(&link, sealed.clone()));
    let samples = [plain.clone()];
    check!(name = "descriptors")
        .with_iterations(4_000)
        .with_max_len(2048)
        .for_each(|input: &[u8]| {
            let mut feed = Feed::new(input);
            let outside = feed.flag();
            let (forged, real) = match outside {
                true => {
                    let forged = feed.forge(std::slice::from_ref(&sealed));
                    let same = forged == sealed;
                    (forged, same)
                }
                false => {
                    let forged = feed.forge(&samples);
                    let same = forged == plain;
                    (outer_seal(&link, DESCRIPTOR, 0, &forged), same)
                }
            };
            assert_eq!(believes(&link, forged), real);
        });
}
