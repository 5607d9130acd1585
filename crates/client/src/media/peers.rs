//! Who is in the meeting, as media sees it.

use std::collections::HashMap;
use std::sync::Arc;

use conclave_e2ee::Leaf;
use conclave_media::audio::SourceId;
use conclave_wire::DeviceId;

use super::figures::Figures;
use super::tracks::{Kind, Sound};

/// A member whose media is wanted.
#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) device: DeviceId,
    pub(crate) leaf: Leaf,
    pub(crate) tile: u32,
    pub(crate) name: Option<String>,
    /// Whether there is a place for its sound. That of others is not read.
    pub(super) has_place: bool,
    pub(super) figures: Arc<Figures>,
}

impl Peer {
    pub(super) fn screen_tile(&self) -> u32 {
        Kind::Screen.tile(self.tile)
    }

    pub(super) fn source(&self, sound: Sound) -> SourceId {
        sound.source(self.tile)
    }
}

/// This device and everyone else in the meeting.
pub(super) struct Peers {
    pub(super) me: DeviceId,
    pub(super) others: Vec<Peer>,
    /// Where each of the others stands among them.
    places: HashMap<DeviceId, usize>,
}

impl Peers {
    pub(super) fn new(me: DeviceId, others: Vec<Peer>) -> Self {
        let places = others.iter().enumerate();
        let places = places.map(|(place, peer)| (peer.device, place)).collect();
        Self { me, others, places }
    }

    pub(super) fn find(&self, device: DeviceId) -> Option<&Peer> {
        self.others.get(*self.places.get(&device)?)
    }
}
