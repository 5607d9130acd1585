//! Warrants: the host whom a link names lets another device speak for the meeting at its door.
//!
//! A link carries the fingerprint of one device key, and the descriptor that the door shows must
//! be signed by that key. So that the link outlives its host's presence, a host signs a warrant
//! for each co-host and successor; a descriptor signed by one of them carries the chain. A warrant
//! holds for one generation of the link: renewing the link ends those of people who lost the role.

use conclave_e2ee::{DeviceKey, fingerprint16, verify_device};
use conclave_wire::MeetingId;
use serde::{Deserialize, Serialize};

const DOMAIN: &str = "Conclave door warrant v1";
/// Warrants in one chain: a host of the first hour, and those who came after one another.
pub(crate) const MAX_CHAIN: usize = 4;

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Terms {
    version: u8,
    meeting: MeetingId,
    group_id: Vec<u8>,
    generation: u32,
    /// Who may sign.
    key: [u8; 32],
    /// Who says so.
    by: [u8; 32],
}

/// One link of the chain; nothing in it is to be believed before [`speaks_for`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Warrant {
    terms: Terms,
    signature: Vec<u8>,
}

impl Warrant {
    pub(crate) fn sign(
        by: &DeviceKey,
        meeting: MeetingId,
        group_id: Vec<u8>,
        generation: u32,
        key: [u8; 32],
    ) -> Option<Self> {
        let terms = Terms {
            version: conclave_wire::VERSION,
            meeting,
            group_id,
            generation,
            key,
            by: by.public(),
        };
        let signature = by.sign(DOMAIN, &postcard::to_allocvec(&terms).ok()?);
        Some(Self {
            terms,
            signature: signature.to_vec(),
        })
    }

    /// Whom it is for.
    pub(crate) fn key(&self) -> &[u8; 32] {
        &self.terms.key
    }

    fn holds(&self, meeting: MeetingId, group_id: &[u8], generation: u32) -> bool {
        let terms = &self.terms;
        let (Ok(bytes), Ok(signature)) = (
            postcard::to_allocvec(terms),
            self.signature.as_slice().try_into(),
        ) else {
            return false;
        };
        terms.version == conclave_wire::VERSION
            && terms.meeting == meeting
            && terms.group_id == group_id
            && terms.generation == generation
            && verify_device(&terms.by, DOMAIN, &bytes, signature).is_ok()
    }
}

/// Whether the chain leads from the key that the link names to `key`.
pub(crate) fn speaks_for(
    link_fingerprint: &[u8; 16],
    chain: &[Warrant],
    key: &[u8; 32],
    (meeting, group_id, generation): (MeetingId, &[u8], u32),
) -> bool {
    let Some(first) = chain.first() else {
        return fingerprint16(key) == *link_fingerprint;
    };
    let linked = chain
        .windows(2)
        .all(|pair| matches!(pair, [one, next] if one.terms.key == next.terms.by));
    chain.len() <= MAX_CHAIN
        && fingerprint16(&first.terms.by) == *link_fingerprint
        && linked
        && chain.last().is_some_and(|last| last.terms.key == *key)
        && chain
            .iter()
            .all(|warrant| warrant.holds(meeting, group_id, generation))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEETING: MeetingId = MeetingId([3; 16]);
    const GROUP: &[u8] = b"group";

    fn warrant(by: &DeviceKey, generation: u32, key: &DeviceKey) -> Warrant {
        Warrant::sign(by, MEETING, GROUP.to_vec(), generation, key.public()).unwrap()
    }

    #[test]
    fn a_chain_leads_from_the_link_to_the_signer() {
        let [ana, ben, cleo, eve] = std::array::from_fn(|_| DeviceKey::generate().unwrap());
        let named = fingerprint16(&ana.public());
        let place = (MEETING, GROUP, 2);
        let chain = [warrant(&ana, 2, &ben), warrant(&ben, 2, &cleo)];
        assert!(speaks_for(&named, &[], &ana.public(), place));
        assert!(speaks_for(&named, &chain[..1], &ben.public(), place));
        assert!(speaks_for(&named, &chain, &cleo.public(), place));

        assert!(!speaks_for(&named, &[], &eve.public(), place));
        assert!(!speaks_for(&named, &chain, &eve.public(), place));
        assert!(!speaks_for(&named, &chain[1..], &cleo.public(), place));
        assert!(!speaks_for(
            &named,
            &chain,
            &cleo.public(),
            (MEETING, GROUP, 3)
        ));
        assert!(!speaks_for(
            &named,
            &chain,
            &cleo.public(),
            (MEETING, b"other", 2)
        ));
        let broken = [warrant(&ana, 2, &ben), warrant(&eve, 2, &cleo)];
        assert!(!speaks_for(&named, &broken, &cleo.public(), place));
        let mut forged = warrant(&eve, 2, &eve);
        forged.terms.by = ana.public();
        assert!(!speaks_for(&named, &[forged], &eve.public(), place));
    }
}
