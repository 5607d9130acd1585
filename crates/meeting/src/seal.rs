//! The outer seal: everything in the service's log is closed under a key of the link, so that
//! the service cannot even see MLS framing. What a blob is for is authenticated with it.
//!
//! A link that is renewed changes the key. What is sent under the few links before is still opened: the generation of the link stands in front of each blob, so nothing is ever tried.

use std::collections::VecDeque;

use conclave_e2ee::{BlobKey, LinkSecret};
use conclave_wire::MeetingId;

/// Links before the present one under which blobs are still opened: somebody who missed a renewal
/// speaks under the last one that he knows.
const MAX_PREVIOUS: usize = 4;
/// Bytes in front of a sealed blob: the link's generation, big endian.
const GENERATION_LEN: usize = 4;

/// What a sealed blob is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Descriptor = 1,
    Commit = 2,
    Application = 3,
    Welcome = 4,
    Tree = 5,
    Knock = 6,
    Signal = 7,
}

/// Why a blob does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SealError {
    /// Sealed under a link that is no longer, or not yet, ours: nothing wrong with it.
    OtherLink,
    /// Not sealed by anyone with the link, or for another purpose, meeting or epoch.
    Foreign,
}

/// Additional data: version, purpose, meeting, and the epoch where there is one.
pub(crate) fn aad(purpose: Purpose, meeting: MeetingId, epoch: u64) -> Vec<u8> {
    let mut aad = vec![conclave_wire::VERSION, purpose as u8];
    aad.extend_from_slice(&meeting.0);
    aad.extend_from_slice(&epoch.to_be_bytes());
    aad
}

/// Seals and opens what members send through the service.
pub(crate) struct OuterSeal {
    meeting: MeetingId,
    generation: u32,
    key: BlobKey,
    /// The generations before, latest last.
    previous: VecDeque<(u32, BlobKey)>,
}

impl OuterSeal {
    pub(crate) fn new(meeting: MeetingId, generation: u32, secret: &LinkSecret) -> Self {
        Self {
            meeting,
            generation,
            key: secret.handshake_key(),
            previous: VecDeque::new(),
        }
    }

    /// The generation of the link that is held.
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// The link was renewed.
    pub(crate) fn renew(&mut self, generation: u32, secret: &LinkSecret) {
        let before = std::mem::replace(&mut self.key, secret.handshake_key());
        self.previous.push_back((self.generation, before));
        if self.previous.len() > MAX_PREVIOUS {
            self.previous.pop_front();
        }
        self.generation = generation;
    }

    pub(crate) fn seal(&self, purpose: Purpose, epoch: u64, plain: &[u8]) -> Option<Vec<u8>> {
        self.seal_under(self.generation, purpose, epoch, plain)
    }

    /// The same for somebody who may not have heard of the last renewals.
    pub(crate) fn seal_under(
        &self,
        generation: u32,
        purpose: Purpose,
        epoch: u64,
        plain: &[u8],
    ) -> Option<Vec<u8>> {
        let key = self.key(generation)?;
        let generation = generation.to_be_bytes();
        let aad = self.aad(purpose, epoch, generation);
        let sealed = key.seal(&aad, plain).ok()?;
        Some([generation.as_slice(), &sealed].concat())
    }

    /// The generation that a blob was sealed under, if it is older than the present one.
    pub(crate) fn older(&self, blob: &[u8]) -> Option<u32> {
        let generation = u32::from_be_bytes(*blob.first_chunk::<GENERATION_LEN>()?);
        (generation < self.generation).then_some(generation)
    }

    fn key(&self, generation: u32) -> Option<&BlobKey> {
        if generation == self.generation {
            return Some(&self.key);
        }
        let mut previous = self.previous.iter();
        let (_, key) = previous.find(|(before, _)| *before == generation)?;
        Some(key)
    }

    pub(crate) fn open(
        &self,
        purpose: Purpose,
        epoch: u64,
        blob: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let (generation, sealed) = blob
            .split_first_chunk::<GENERATION_LEN>()
            .ok_or(SealError::Foreign)?;
        let key = self.key(u32::from_be_bytes(*generation));
        let aad = self.aad(purpose, epoch, *generation);
        let opened = key.ok_or(SealError::OtherLink)?.open(&aad, sealed);
        opened.map_err(|_| SealError::Foreign)
    }

    fn aad(&self, purpose: Purpose, epoch: u64, generation: [u8; GENERATION_LEN]) -> Vec<u8> {
        let mut aad = aad(purpose, self.meeting, epoch);
        aad.extend_from_slice(&generation);
        aad
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEETING: MeetingId = MeetingId([7; 16]);

    fn secret(byte: u8) -> LinkSecret {
        LinkSecret::from_bytes([byte; 32])
    }

    #[test]
    fn what_was_sealed_before_a_renewal_opens_after_it() {
        let mut seal = OuterSeal::new(MEETING, 0, &secret(1));
        let first = seal.seal(Purpose::Commit, 3, b"before").unwrap();
        seal.renew(1, &secret(2));
        let second = seal.seal(Purpose::Commit, 4, b"after").unwrap();
        assert_eq!(seal.open(Purpose::Commit, 3, &first).unwrap(), b"before");
        assert_eq!(seal.open(Purpose::Commit, 4, &second).unwrap(), b"after");
        assert_eq!((seal.older(&first), seal.older(&second)), (Some(0), None));
        let again = seal.seal_under(0, Purpose::Commit, 5, b"late").unwrap();
        assert_eq!(seal.open(Purpose::Commit, 5, &again).unwrap(), b"late");
        let last = MAX_PREVIOUS as u32;
        for generation in 2..=last {
            seal.renew(generation, &secret(3));
        }
        assert_eq!(seal.open(Purpose::Commit, 3, &first).unwrap(), b"before");
        seal.renew(last + 1, &secret(3));
        assert_eq!(
            seal.open(Purpose::Commit, 3, &first),
            Err(SealError::OtherLink)
        );
        assert_eq!(seal.seal_under(0, Purpose::Commit, 5, b"late"), None);
    }

    #[test]
    fn a_blob_is_for_one_purpose_epoch_and_generation() {
        let mut seal = OuterSeal::new(MEETING, 0, &secret(1));
        let mut blob = seal.seal(Purpose::Commit, 3, b"plain").unwrap();
        for (purpose, epoch) in [(Purpose::Signal, 3), (Purpose::Commit, 4)] {
            assert_eq!(seal.open(purpose, epoch, &blob), Err(SealError::Foreign));
        }
        // Another generation with the same secret is another seal all the same.
        seal.renew(1, &secret(1));
        blob[3] = 1;
        assert_eq!(
            seal.open(Purpose::Commit, 3, &blob),
            Err(SealError::Foreign)
        );
        assert_eq!(
            seal.open(Purpose::Commit, 3, &[0, 0]),
            Err(SealError::Foreign)
        );
    }
}
