//! What knocks at a host's door: sealed cards, and what is in them.

use std::cell::RefCell;

use bolero::check;
use conclave_e2ee::{
    Candidate, KnockKey, LinkSecret, Pseudonym, VerifiedKeyPackage, seal_card, seal_card_for,
};
use conclave_wire::{Blob, DeviceId, ServerMessage};
use fuzz::sim::mallory::{Mallory, SignedCard};
use fuzz::sim::people::World;
use fuzz::{Feed, Insider, Shared};

const AAD: &[u8] = b"meeting and device";

/// A sealed card opens as it was sealed or not at all.
#[test]
fn sealed_cards() {
    let link = LinkSecret::from_bytes([1; 32]);
    let (key, other) = (KnockKey::generate().unwrap(), KnockKey::generate().unwrap());
    let hosts = [key.public(), other.public()];
    let hosts: Vec<_> = hosts.iter().map(Vec::as_slice).collect();
    let real = [
        seal_card(hosts[0], &link, AAD, b"Ada").unwrap(),
        seal_card_for(&hosts, &link, AAD, b"Bob").unwrap(),
    ];
    check!(name = "sealed_cards")
        .with_iterations(600)
        .with_max_len(12_000)
        .for_each(|input: &[u8]| {
            let sealed = Feed::new(input).forge(&real);
            let opened = key.open_card(&link, AAD, &sealed);
            assert_eq!(opened.is_ok(), real.contains(&sealed));
        });
}

/// A KeyPackage is taken as it was signed or not at all.
#[test]
fn key_packages() {
    let link = LinkSecret::from_bytes([1; 32]);
    let real: Vec<_> = (1..3)
        .map(|number| Candidate::new(Pseudonym([number; 16]), &link).unwrap())
        .map(|candidate| candidate.key_package().to_vec())
        .collect();
    check!(name = "key_packages")
        .with_iterations(3_000)
        .with_max_len(4096)
        .for_each(|input: &[u8]| {
            let bytes = Feed::new(input).forge(&real);
            let taken = VerifiedKeyPackage::parse(&bytes);
            assert_eq!(taken.is_ok(), real.contains(&bytes));
        });
}

thread_local! {
    static DOOR: RefCell<Option<Door>> = const { RefCell::new(None) };
}

/// A host at his door, and a knock by somebody who has the link, opened.
struct Door {
    world: World,
    mallory: Mallory,
    plain: Vec<u8>,
}

impl Door {
    fn open() -> Self {
        let mut world = World::new();
        let (_, link) = world.host("Ana", true);
        let mallory = Mallory::looks(&mut world, &link);
        let card = SignedCard::sign(mallory.card(), &mallory.device_key, &mallory.leaf_key);
        let plain = postcard::to_allocvec(&(card, mallory.key_package_bytes())).unwrap();
        Self {
            world,
            mallory,
            plain,
        }
    }

    /// Whether the host hears somebody knock.
    fn hears(&mut self, plain: &[u8]) -> bool {
        let mallory = &self.mallory;
        let mut aad = vec![conclave_wire::VERSION, 6];
        aad.extend_from_slice(&mallory.link.meeting.0);
        aad.extend_from_slice(&[0; 8]);
        aad.extend_from_slice(&mallory.device.0);
        let key = &mallory.descriptor.knock_keys[0];
        let Ok(sealed) = seal_card(key, &mallory.link.secret, &aad, plain) else {
            return false;
        };
        let knock = ServerMessage::Knock {
            device: mallory.device,
            card: Blob::new(sealed).unwrap(),
        };
        self.world.slip(0, knock);
        let heard = !self.world.people[0].snapshot().knocks.is_empty();
        let device = mallory.device;
        self.world.slip(0, ServerMessage::KnockWithdrawn { device });
        heard
    }
}

/// Whoever has the link can seal what he likes, but only a card that is whole reaches the host.
#[test]
fn cards() {
    check!(name = "cards")
        .with_iterations(200)
        .with_max_len(4096)
        .for_each(|input: &[u8]| {
            DOOR.with_borrow_mut(|door| {
                let door = door.get_or_insert_with(Door::open);
                let real = door.plain.clone();
                let forged = Feed::new(input).forge(std::slice::from_ref(&real));
                assert_eq!(door.hears(&forged), forged == real);
            });
        });
}

/// The service shows a host knocks of its own making.
#[test]
fn knocks() {
    let insider = Insider::enters();
    let real = insider.world.service.last_knock().unwrap().1.into_vec();
    let before = insider.devices();
    let insider = Shared::new(insider);
    check!(name = "knocks")
        .with_iterations(800)
        .with_max_len(12_000)
        .for_each(|input: &[u8]| {
            let mut feed = Feed::new(input);
            let device = match feed.flag() {
                true => *feed.pick(&before),
                false => DeviceId(feed.array()),
            };
            let card = feed.forge(std::slice::from_ref(&real));
            let Ok(card) = Blob::new(card) else { return };
            insider.with(|Insider { world, .. }| {
                world.slip(0, ServerMessage::Knock { device, card });
                assert!(world.people[0].snapshot().knocks.is_empty());
            });
        });
    assert!(insider.into_inner().goes_on());
}
