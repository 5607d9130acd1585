//! A member with a changed program, among people with honest ones.

use conclave_e2ee::{BlobKey, LinkSecret};
use conclave_meeting::{InviteLink, Phase};
use conclave_wire::{Blob, DeviceId, MeetingId, ServerMessage};
use openmls::prelude::OpenMlsProvider as _;
use tls_codec::Serialize as _;

use crate::sim::mallory::Mallory;
use crate::sim::people::World;

/// The host, and a participant.
const PEOPLE: usize = 2;
/// Purpose of a signal's outer seal.
const SIGNAL: u8 = 7;
/// What a signal is signed for (docs/protocol.md, section 6).
const SIGNAL_DOMAIN: &str = "Conclave signal v1";

/// A meeting of a host, a participant and an insider, who sends what she likes.
pub struct Insider {
    /// The meeting. The people stand first in it.
    pub world: World,
    /// Her side.
    pub mallory: Mallory,
    link: InviteLink,
    number: u64,
}

impl Insider {
    /// Lets all three meet.
    pub fn enters() -> Self {
        let mut world = World::new();
        let (host, link) = world.host("Ana", true);
        world.join("Ben", &link);
        world.admit_all(host);
        let mallory = Mallory::enters(&mut world, host, &link);
        Self {
            world,
            mallory,
            link,
            number: 0,
        }
    }

    /// Whether both others are in the meeting still, as she is for them.
    pub fn goes_on(&self) -> bool {
        (0..PEOPLE).all(|who| {
            let snapshot = self.world.people[who].snapshot();
            snapshot.phase == Phase::Active && snapshot.members.len() == PEOPLE + 1
        })
    }

    /// Their devices, and hers.
    pub fn devices(&self) -> Vec<DeviceId> {
        let people = (0..PEOPLE).map(|who| self.world.device(who));
        people.chain([self.mallory.device]).collect()
    }

    /// The epoch of the group.
    pub fn epoch(&self) -> u64 {
        self.world.people[0].snapshot().epoch
    }

    /// What she would tell somebody of the group's state.
    pub fn group_info(&self) -> Vec<u8> {
        let mallory = &self.mallory;
        let group = mallory.group.as_ref().unwrap();
        group
            .export_group_info(mallory.provider.crypto(), &mallory.leaf_key, true)
            .unwrap()
            .tls_serialize_detached()
            .unwrap()
    }

    /// Sends these bytes to both as the inside of a signal's outer seal.
    pub fn signals(&mut self, plain: &[u8]) {
        let sealed = outer_seal(&self.link, SIGNAL, 0, plain);
        for who in 0..PEOPLE {
            let message = ServerMessage::Signal {
                from: self.mallory.device,
                message: Blob::new(sealed.clone()).unwrap(),
            };
            self.world.slip(who, message);
        }
    }

    /// The same for a signal that she signs properly, whatever it says.
    pub fn signs(&mut self, signal: &[u8]) -> Vec<u8> {
        self.number += 1;
        let group = self.mallory.group.as_ref().unwrap();
        let (leaf, number) = (group.own_leaf_index().u32(), self.number);
        let group_id = group.group_id().as_slice().to_vec();
        let place = (
            conclave_wire::VERSION,
            self.link.meeting,
            group_id,
            leaf,
            number,
        );
        let body = [postcard::to_allocvec(&place).unwrap(), signal.to_vec()].concat();
        let signature = self.mallory.leaf_key.signs(SIGNAL_DOMAIN, &body);
        let head = postcard::to_allocvec(&(leaf, number)).unwrap();
        let tail = postcard::to_allocvec(&signature).unwrap();
        [head, signal.to_vec(), tail].concat()
    }
}

/// The outer seal of docs/protocol.md, section 3, under a meeting's first link; the descriptor's
/// (purpose 1) has another key and no generation.
pub fn outer_seal(link: &InviteLink, purpose: u8, epoch: u64, plain: &[u8]) -> Vec<u8> {
    let mut aad = aad(purpose, link.meeting, epoch);
    if purpose == 1 {
        return key(&link.secret, true).seal(&aad, plain).unwrap();
    }
    let generation = [0; 4];
    aad.extend_from_slice(&generation);
    let sealed = key(&link.secret, false).seal(&aad, plain).unwrap();
    [generation.to_vec(), sealed].concat()
}

fn aad(purpose: u8, meeting: MeetingId, epoch: u64) -> Vec<u8> {
    [
        &[conclave_wire::VERSION, purpose],
        meeting.0.as_slice(),
        &epoch.to_be_bytes(),
    ]
    .concat()
}

fn key(secret: &LinkSecret, descriptor: bool) -> BlobKey {
    match descriptor {
        true => secret.descriptor_key(),
        false => secret.handshake_key(),
    }
}
