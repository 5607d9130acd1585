//! What the driver asks about members: who speaks under their names, and why a tile is dark.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use conclave_wire::DeviceId;

use super::figures::PICTURE_PATIENCE;
use super::guard::Voice;
use super::plane::MediaPlane;
use super::tile::{Tile, held_back};
use super::tracks::Kind;

impl MediaPlane {
    /// High secrecy: sound goes out at one rate, muted or not and whatever the link loses, and
    /// pictures in few sizes. Standard: a muted microphone sends nothing, and where nothing is lost
    /// packets are short.
    pub(crate) fn set_secrecy(&self, high: bool) {
        self.discretion.set_high(high);
        self.engine.keep_one_size(high);
    }

    /// Strict: who is unverified is muted, not only marked.
    pub(crate) fn set_strict(&self, strict: bool) {
        self.keyring.set_strict(strict);
    }

    /// Who speaks under a member's name.
    pub(crate) fn voice(&self, device: DeviceId) -> Voice {
        match self.peers.borrow().find(device) {
            Some(peer) => self.keyring.guard(peer.leaf).voice(Instant::now()),
            None => Voice::Pending,
        }
    }

    /// Whether frames of a member come whose key this device lacks.
    pub(crate) fn lacks_key(&self, device: DeviceId) -> bool {
        self.peers
            .borrow()
            .find(device)
            .is_some_and(|peer| peer.figures.missing_key.is_missing(Instant::now()))
    }

    /// A member says how many packets of sound it has sent so far.
    pub(crate) fn sound_sent(&self, device: DeviceId, packets: u64) {
        let peers = self.peers.borrow();
        if let Some(peer) = peers.find(device).filter(|peer| peer.has_place) {
            let came = peer.figures.audio.came();
            peer.figures.arriving.hear(packets, came);
        }
    }

    /// What is wrong with the sound of a member without a picture.
    pub(crate) fn sound_problem(&self, device: DeviceId, name: &str) -> Option<String> {
        let peers = self.peers.borrow();
        let peer = peers.find(device)?;
        let up = self.relay_is_up.load(Relaxed);
        (up && peer.figures.arriving.is_held_back()).then(|| held_back(name))
    }

    /// What is wrong with a member's picture or shared screen, if it should be there.
    pub(crate) fn problem(&self, device: DeviceId, name: &str, kind: Kind) -> Option<String> {
        let peers = self.peers.borrow();
        let peer = peers.find(device)?;
        let (now, video) = (Instant::now(), peer.figures.pictures(kind));
        let guard = self.keyring.guard(peer.leaf);
        let voice = guard.voice(now);
        let tile = Tile {
            kind,
            voice,
            is_heard: guard.is_heard(voice),
            lacks_key: peer.figures.missing_key.is_missing(now),
            relay_is_up: self.relay_is_up.load(Relaxed),
            held_back: peer.figures.arriving.is_held_back(),
            announced: peer.figures.is_announced(),
            watched: self.screen.size(device, kind).is_some(),
            paused: peer.figures.link.is_paused(),
            shown: video.is_taken(PICTURE_PATIENCE),
            ever_shown: video.has_begun(),
            stuck: self.screen.hub.is_stuck(kind.tile(peer.tile)),
            opens: video.opens(PICTURE_PATIENCE),
            fails: video.fails(PICTURE_PATIENCE),
        };
        tile.problem(name)
    }
}
