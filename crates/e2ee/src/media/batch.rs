//! The bytes of a sender's signed batch.
//!
//! ```text
//! version u8 | epoch u64 | leaf u32 | number u32 | runs u16 | runs × run | signature 64
//! run: key id u64 | first counter u64 | frames u16 | frames × digest 16
//! ```
//!
//! All numbers are big endian. Signed, for the purpose [`DOMAIN`], is the
//! epoch's context (which names group and epoch, and is not sent) and everything
//! before the signature.

use aws_lc_rs::digest::{Context, SHA256};

use super::kid::Kid;
use crate::Leaf;
use crate::sframe::Header;
use crate::signer::LeafSigner;
use crate::{CryptoFailure, verify_leaf};

/// The purpose of the signature.
const DOMAIN: &str = "Conclave sender batch v1";
/// The protocol version that stands in everything signed.
const VERSION: u8 = 1;
const DIGEST_LEN: usize = 16;
const SIGNATURE_LEN: usize = 64;
const HEAD_LEN: usize = 1 + 8 + 4 + 4 + 2;
const RUN_HEAD_LEN: usize = 8 + 8 + 2;

/// Frames in a batch at most: more than two seconds of everything that one
/// device sends.
pub(super) const MAX_BATCH_FRAMES: usize = 512;
/// Runs of frames in a batch at most.
pub(super) const MAX_RUNS: usize = 64;
/// Longest batch in bytes.
pub const MAX_BATCH_LEN: usize =
    HEAD_LEN + MAX_RUNS * RUN_HEAD_LEN + MAX_BATCH_FRAMES * DIGEST_LEN + SIGNATURE_LEN;

/// The first 16 bytes of the SHA-256 of a whole sealed frame: header,
/// ciphertext and tag.
///
/// A tag alone would not do: whoever holds the AEAD key, and every member does,
/// can make another frame with the same tag.
pub(super) type Digest = [u8; DIGEST_LEN];

/// A sealed frame by its name and digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameId {
    pub(super) kid: Kid,
    pub(super) ctr: u64,
    pub(super) digest: Digest,
}

/// Frames of one key with consecutive counters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) kid: u64,
    pub(super) first: u64,
    pub(super) digests: Vec<Digest>,
}

/// Which frames a sender says are its own.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) epoch: u64,
    pub(super) leaf: Leaf,
    /// Its number among the sender's batches of the epoch, from 0.
    pub(super) number: u32,
    pub(super) runs: Vec<Run>,
}

impl FrameId {
    /// `None` when it is not a frame of our form.
    pub(super) fn of(sealed: &[u8]) -> Option<Self> {
        let (header, _) = Header::read(sealed)?;
        let mut context = Context::new(&SHA256);
        context.update(sealed);
        Some(Self {
            kid: Kid::from_u64(header.kid)?,
            ctr: header.ctr,
            digest: *context.finish().as_ref().first_chunk()?,
        })
    }
}

impl Run {
    /// The first counter behind the run.
    pub(super) fn end(&self) -> u64 {
        self.first.saturating_add(self.digests.len() as u64)
    }

    pub(super) fn digest(&self, ctr: u64) -> Option<&Digest> {
        let position = ctr.checked_sub(self.first)?;
        self.digests.get(usize::try_from(position).ok()?)
    }
}

impl Batch {
    /// Writes and signs it. The caller keeps the bounds.
    pub(super) fn sign(
        &self,
        signer: &LeafSigner,
        context: &[u8; 32],
    ) -> Result<Vec<u8>, CryptoFailure> {
        let mut bytes = self.encode().ok_or(CryptoFailure)?;
        let signature = signer.sign_for(DOMAIN, &[context.as_slice(), &bytes].concat())?;
        bytes.extend_from_slice(&signature);
        Ok(bytes)
    }

    fn encode(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(MAX_BATCH_LEN);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(&self.leaf.0.to_be_bytes());
        bytes.extend_from_slice(&self.number.to_be_bytes());
        bytes.extend_from_slice(&u16::try_from(self.runs.len()).ok()?.to_be_bytes());
        for run in &self.runs {
            bytes.extend_from_slice(&run.kid.to_be_bytes());
            bytes.extend_from_slice(&run.first.to_be_bytes());
            bytes.extend_from_slice(&u16::try_from(run.digests.len()).ok()?.to_be_bytes());
            bytes.extend(run.digests.iter().flatten());
        }
        Some(bytes)
    }

    /// Reads it, and splits off what the signature is over. Whose it is, is not
    /// known yet.
    pub(super) fn read(bytes: &[u8]) -> Option<Unverified<'_>> {
        if bytes.len() > MAX_BATCH_LEN {
            return None;
        }
        let (signed, signature) = bytes.split_last_chunk::<SIGNATURE_LEN>()?;
        let mut rest = signed;
        if *take(&mut rest)? != [VERSION] {
            return None;
        }
        let epoch = u64::from_be_bytes(*take(&mut rest)?);
        let leaf = Leaf(u32::from_be_bytes(*take(&mut rest)?));
        let number = u32::from_be_bytes(*take(&mut rest)?);
        let count = usize::from(u16::from_be_bytes(*take(&mut rest)?));
        if count == 0 || count > MAX_RUNS {
            return None;
        }
        let runs: Option<Vec<_>> = (0..count).map(|_| read_run(&mut rest)).collect();
        let runs = runs?;
        let frames: usize = runs.iter().map(|run| run.digests.len()).sum();
        if !rest.is_empty() || frames > MAX_BATCH_FRAMES {
            return None;
        }
        let batch = Self {
            epoch,
            leaf,
            number,
            runs,
        };
        Some(Unverified {
            batch,
            signed,
            signature,
        })
    }
}

/// A batch whose signature was not checked yet.
pub(super) struct Unverified<'a> {
    batch: Batch,
    signed: &'a [u8],
    signature: &'a [u8; SIGNATURE_LEN],
}

impl Unverified<'_> {
    pub(super) fn epoch(&self) -> u64 {
        self.batch.epoch
    }

    pub(super) fn leaf(&self) -> Leaf {
        self.batch.leaf
    }

    pub(super) fn number(&self) -> u32 {
        self.batch.number
    }

    /// The batch, if the holder of `leaf_key` signed it in this context.
    pub(super) fn verify(self, leaf_key: &[u8; 32], context: &[u8; 32]) -> Option<Batch> {
        let msg = [context.as_slice(), self.signed].concat();
        verify_leaf(leaf_key, DOMAIN, &msg, self.signature).ok()?;
        Some(self.batch)
    }
}

/// The frames of a run have the sender's word for one key; that the key is the
/// sender's own need not be checked, since it is looked up by frames that are.
fn read_run(rest: &mut &[u8]) -> Option<Run> {
    let kid = u64::from_be_bytes(*take(rest)?);
    let first = u64::from_be_bytes(*take(rest)?);
    let count = usize::from(u16::from_be_bytes(*take(rest)?));
    if count == 0 || count > MAX_BATCH_FRAMES {
        return None;
    }
    let digests: Option<Vec<Digest>> = (0..count).map(|_| take(rest).copied()).collect();
    let run = Run {
        kid,
        first,
        digests: digests?,
    };
    first.checked_add(count as u64).map(|_| run)
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> Batch {
        Batch {
            epoch: 7,
            leaf: Leaf(3),
            number: 9,
            runs: vec![
                Run {
                    kid: 0x0307,
                    first: 40,
                    digests: vec![[1; 16], [2; 16]],
                },
                Run {
                    kid: 0x0100_0307,
                    first: 0,
                    digests: vec![[3; 16]],
                },
            ],
        }
    }

    #[test]
    fn a_batch_is_read_as_it_was_written() {
        let signer = LeafSigner::generate().unwrap();
        let bytes = batch().sign(&signer, &[5; 32]).unwrap();
        assert_eq!(bytes.len(), 19 + 2 * 18 + 3 * 16 + 64);
        let read = Batch::read(&bytes).unwrap();
        let read = read.verify(&signer.public(), &[5; 32]).unwrap();
        assert_eq!(read, batch());
    }

    #[test]
    fn every_byte_is_signed_and_so_is_the_context() {
        let signer = LeafSigner::generate().unwrap();
        let bytes = batch().sign(&signer, &[5; 32]).unwrap();
        for position in 0..bytes.len() {
            let mut forged = bytes.clone();
            forged[position] ^= 1;
            let read = Batch::read(&forged)
                .and_then(|unverified| unverified.verify(&signer.public(), &[5; 32]));
            assert_eq!(read, None, "byte {position}");
        }
        let other_context = Batch::read(&bytes).unwrap();
        assert!(other_context.verify(&signer.public(), &[6; 32]).is_none());
    }

    #[test]
    fn the_longest_batch_fits_and_longer_ones_are_refused() {
        let signer = LeafSigner::generate().unwrap();
        let run = |frames: usize| Run {
            kid: 1,
            first: 0,
            digests: vec![[0; 16]; frames],
        };
        let with = |runs: Vec<Run>| {
            let batch = Batch { runs, ..batch() };
            batch.sign(&signer, &[5; 32]).unwrap()
        };
        let longest = with([vec![run(8); MAX_RUNS]].concat());
        assert_eq!(longest.len(), MAX_BATCH_LEN);
        assert!(Batch::read(&longest).is_some());
        for refused in [
            with(vec![run(1); MAX_RUNS + 1]),
            with(vec![run(256), run(257)]),
            with(vec![run(0)]),
            with(vec![]),
        ] {
            assert!(Batch::read(&refused).is_none());
        }
    }

    #[test]
    fn counters_do_not_run_over() {
        let signer = LeafSigner::generate().unwrap();
        let mut batch = batch();
        batch.runs[0].first = u64::MAX - 1;
        let bytes = batch.sign(&signer, &[5; 32]).unwrap();
        assert!(Batch::read(&bytes).is_none());
    }
}
