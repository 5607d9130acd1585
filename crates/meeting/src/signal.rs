//! Signals: what members tell each other outside the log, for those who are there now.
//!
//! They travel under the outer seal and carry the signature of their sender's leaf. They are not
//! MLS messages, on purpose: a heartbeat must be readable by somebody who is out of step, for it
//! is the heartbeat that tells him so. They hold hashes and requests, never content.

use conclave_e2ee::{Group, Leaf, verify_leaf};
use conclave_wire::{DeviceId, MeetingId};
use serde::{Deserialize, Serialize};

const DOMAIN: &str = "Conclave signal v1";

/// A sign of life, and of the state that its sender is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Beat {
    /// The MLS epoch.
    pub(crate) epoch: u64,
    /// Hash of the epoch authenticator (RFC 9420 §8.7). It binds all that the epoch was derived
    /// from: tree, roster, policy and transcript.
    pub(crate) authenticator: [u8; 32],
    /// Hash of the confirmed transcript hash (RFC 9420 §8.2): which history led here.
    pub(crate) transcript: [u8; 32],
    /// The position in the log up to which the sender has read.
    pub(crate) read: u64,
    /// How many packets of sound the sender has sealed and sent in this meeting.
    pub(crate) sound: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Signal {
    Beat(Beat),
    /// The sender asks a member for a key frame of one video track.
    KeyFrame {
        /// Whose video.
        device: DeviceId,
        /// Which of its tracks, by SFrame context.
        track: u8,
    },
    /// The sender has not seen a member's card.
    CardWanted {
        /// Whose.
        device: DeviceId,
    },
    /// The sender has no key for what a member sends.
    KeyMissing {
        /// Whose key.
        device: DeviceId,
        /// The epoch that the sender of this is in.
        epoch: u64,
    },
    /// The sender stands apart and wants to come back by itself.
    StateWanted {
        /// Who is asked.
        device: DeviceId,
    },
    /// The state that was asked for. Sent to one member.
    State {
        /// The log's epoch at which it holds.
        log_epoch: u64,
        /// GroupInfo with external key and ratchet tree (RFC 9420 §12.4.3).
        group_info: Vec<u8>,
    },
    /// What the sender loses of a member's sound. Sent to that member.
    Loss {
        /// Whose sound.
        device: DeviceId,
        /// The share of its packets in percent, before anything is healed.
        percent: u8,
        /// Whether most are lost in bursts.
        bursts: bool,
    },
    /// A commit, repeated for one member who has missed a renewed link. Sealed under the link that
    /// he knows.
    Missed {
        /// The log's epoch that it began.
        log_epoch: u64,
        /// As it stands in the log.
        commit: Vec<u8>,
    },
}

impl Beat {
    /// Whether its sender is in another state at our epoch, or beyond it.
    pub(crate) fn stands_apart_from(&self, own: &Self) -> bool {
        self.epoch > own.epoch
            || (self.epoch == own.epoch && self.authenticator != own.authenticator)
    }

    /// Whether both senders are in the same state.
    pub(crate) fn stands_with(&self, other: &Self) -> bool {
        (self.epoch, self.authenticator) == (other.epoch, other.authenticator)
    }
}

/// A signal as it travels, inside the outer seal.
#[derive(Serialize, Deserialize)]
struct Signed {
    leaf: u32,
    number: u64,
    signal: Signal,
    signature: Vec<u8>,
}

/// A signal whose signature was checked.
pub(crate) struct Heard {
    pub(crate) from: DeviceId,
    /// Rises with each signal of one leaf: an old one that is played again is known by it.
    pub(crate) number: u64,
    pub(crate) signal: Signal,
}

fn signed_bytes(
    meeting: MeetingId,
    group_id: &[u8],
    leaf: u32,
    number: u64,
    signal: &Signal,
) -> Option<Vec<u8>> {
    let body = (
        conclave_wire::VERSION,
        meeting,
        group_id,
        leaf,
        number,
        signal,
    );
    postcard::to_allocvec(&body).ok()
}

pub(crate) fn sign(
    group: &Group,
    meeting: MeetingId,
    number: u64,
    signal: Signal,
) -> Option<Vec<u8>> {
    let leaf = group.own_leaf().0;
    let bytes = signed_bytes(meeting, &group.group_id(), leaf, number, &signal)?;
    let signature = group.sign(DOMAIN, &bytes).ok()?.to_vec();
    postcard::to_allocvec(&Signed {
        leaf,
        number,
        signal,
        signature,
    })
    .ok()
}

/// Reads a signal; `None` if nobody in the group signed it.
pub(crate) fn read(group: &Group, meeting: MeetingId, bytes: &[u8]) -> Option<Heard> {
    let Ok((signed, [])) = postcard::take_from_bytes::<Signed>(bytes) else {
        return None;
    };
    let member = group
        .members()
        .into_iter()
        .find(|member| member.leaf == Leaf(signed.leaf))?;
    let body = signed_bytes(
        meeting,
        &group.group_id(),
        signed.leaf,
        signed.number,
        &signed.signal,
    )?;
    let signature = signed.signature.as_slice().try_into().ok()?;
    verify_leaf(&member.leaf_key, DOMAIN, &body, signature).ok()?;
    Some(Heard {
        from: DeviceId(member.pseudonym.0),
        number: signed.number,
        signal: signed.signal,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn array<const N: usize>(value: &Value) -> [u8; N] {
        bytes(value).try_into().unwrap()
    }

    fn bytes(value: &Value) -> Vec<u8> {
        hex::decode(value.as_str().unwrap()).unwrap()
    }

    fn name(signal: &Signal) -> &'static str {
        match signal {
            Signal::Beat(_) => "beat",
            Signal::KeyFrame { .. } => "key_frame",
            Signal::CardWanted { .. } => "card_wanted",
            Signal::KeyMissing { .. } => "key_missing",
            Signal::StateWanted { .. } => "state_wanted",
            Signal::State { .. } => "state",
            Signal::Loss { .. } => "loss",
            Signal::Missed { .. } => "missed",
        }
    }

    #[test]
    fn every_signal_has_the_bytes_and_the_signature_of_the_vectors() {
        let text = include_str!("../../../docs/vectors/signals.json");
        let vectors: Value = serde_json::from_str(text).unwrap();
        let meeting = MeetingId(array(&vectors["meeting"]));
        let (group, key) = (bytes(&vectors["group"]), array(&vectors["leaf_key"]));
        let made = vectors["signals"].as_array().unwrap();
        assert_eq!(made.len(), 8);
        for vector in made {
            let written = bytes(&vector["bytes"]);
            let (heard, rest) = postcard::take_from_bytes::<Signed>(&written).unwrap();
            assert!(rest.is_empty());
            assert_eq!(vector["name"], name(&heard.signal));
            assert_eq!(vector["number"], heard.number);
            assert_eq!(vectors["leaf"], heard.leaf);
            let signed = signed_bytes(meeting, &group, heard.leaf, heard.number, &heard.signal);
            let signature = heard.signature.as_slice().try_into().unwrap();
            verify_leaf(&key, DOMAIN, &signed.unwrap(), signature).unwrap();
            assert_eq!(postcard::to_allocvec(&heard).unwrap(), written);
        }
    }
}
