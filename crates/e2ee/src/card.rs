//! The sealed card of someone who knocks.
//!
//! The card is sealed once, under a fresh key, and that key to each host by
//! HPKE (RFC 9180) in PSK mode with X-Wing: a card opens only for the hosts, and
//! only if it was sealed by someone who holds the link. Every card for so many
//! hosts has one size, so that its length tells no name.
//!
//! ```text
//! count u8 | count × ( fingerprint 16 | encapsulated 1120 | sealed key 48 ) | sealed card 8220
//! ```
//!
//! A host finds its slot by the fingerprint of its key. The sealed card is
//! bound to all that stands before it, so that no part can be exchanged.

use std::fmt;

use hpke_rs::hpke_types::{AeadAlgorithm, KdfAlgorithm, KemAlgorithm};
use hpke_rs::{Hpke, HpkeError, HpkePrivateKey, HpkePublicKey, Mode};
use hpke_rs_rust_crypto::HpkeRustCrypto;
use zeroize::Zeroizing;

use crate::link::Psk;
use crate::{BlobError, BlobKey, CryptoFailure, LinkSecret, fingerprint16};

/// The HPKE plaintext is a key, not a card as in the first version.
const INFO: &[u8] = b"Conclave card v2";
const COUNT_LEN: usize = 1;
const LEN_PREFIX: usize = 2;
const PADDED_LEN: usize = 8 * 1024;
const PUBLIC_KEY_LEN: usize = 1216;
const FINGERPRINT_LEN: usize = 16;
const ENCAPSULATED_LEN: usize = 1120;
const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;
const SLOT_LEN: usize = FINGERPRINT_LEN + ENCAPSULATED_LEN + KEY_LEN + TAG_LEN;

/// Hosts that one card can be sealed for at most.
pub const MAX_HOSTS: usize = 8;
/// Longest card in bytes: a KeyPackage of this suite (about 2.7 kB) with name,
/// device key and signature, and room.
pub const MAX_CARD_LEN: usize = PADDED_LEN - LEN_PREFIX;
/// Size of every card that is sealed for one host, in bytes.
pub const CARD_SEALED_LEN: usize = card_sealed_len(1);

/// Size in bytes of every card that is sealed for `hosts` hosts.
pub const fn card_sealed_len(hosts: usize) -> usize {
    head_len(hosts) + NONCE_LEN + PADDED_LEN + TAG_LEN
}

const fn head_len(hosts: usize) -> usize {
    COUNT_LEN + hosts * SLOT_LEN
}

/// Why a card could not be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    /// Peer: not sealed for this host, with another link, or altered.
    #[error("A card was not sealed for this host with this link. It was thrown away.")]
    Forged,
    /// Peer: not of the one size that cards for so many hosts have.
    #[error("A card has the wrong size. It was thrown away.")]
    Malformed,
    /// Peer: the host's key is not an X-Wing key.
    #[error("The host's key in this meeting is not valid. Ask for a new link.")]
    BadHostKey,
    /// Misuse: for no host, or for more than [`MAX_HOSTS`].
    #[error("A meeting has between 1 and {MAX_HOSTS} hosts who let people in.")]
    HostCount,
    /// Misuse: longer than [`MAX_CARD_LEN`].
    #[error("The card is longer than the {MAX_CARD_LEN} bytes that fit. Choose a shorter name.")]
    TooLong,
    /// Local: the library failed.
    #[error(transparent)]
    Crypto(#[from] CryptoFailure),
}

/// The host's key pair for cards, fresh for each meeting.
pub struct KnockKey {
    private: HpkePrivateKey,
    public: Vec<u8>,
}

impl KnockKey {
    /// Draws a fresh key pair.
    ///
    /// # Errors
    /// [`CryptoFailure`] when the system gives no randomness.
    pub fn generate() -> Result<Self, CryptoFailure> {
        let pair = hpke().generate_key_pair().map_err(|_| CryptoFailure)?;
        let (private, public) = pair.into_keys();
        Ok(Self {
            private,
            public: public.as_slice().to_vec(),
        })
    }

    /// The public key that goes into the meeting's descriptor.
    pub fn public(&self) -> Vec<u8> {
        self.public.clone()
    }

    /// Opens a card that was sealed for this key with the same link and `aad`.
    ///
    /// # Errors
    /// [`CardError::Malformed`] and [`CardError::Forged`] are the sender's
    /// fault, and reason enough to drop the knock without a word.
    pub fn open_card(
        &self,
        psk: &LinkSecret,
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Vec<u8>, CardError> {
        let (slots, card) = split(sealed)?;
        let own = fingerprint16(&self.public);
        let (encapsulated, sealed_key) = slots
            .chunks_exact(SLOT_LEN)
            .filter_map(|slot| slot.split_first_chunk::<FINGERPRINT_LEN>())
            .find(|(fingerprint, _)| **fingerprint == own)
            .map(|(_, rest)| rest.split_at(ENCAPSULATED_LEN))
            .ok_or(CardError::Forged)?;
        let psk = psk.card_psk();
        let key = hpke()
            .open(
                encapsulated,
                &self.private,
                INFO,
                aad,
                sealed_key,
                Some(psk.secret.as_slice()),
                Some(&psk.id),
                None,
            )
            .map(Zeroizing::new)
            .map_err(|_| CardError::Forged)?;
        let mut array = Zeroizing::new([0; KEY_LEN]);
        if key.len() != array.len() {
            return Err(CardError::Forged);
        }
        array.copy_from_slice(&key);
        let head = sealed.get(..sealed.len() - card.len());
        let padded = BlobKey::new(array)
            .open(&bound(head.ok_or(CardError::Malformed)?, aad), card)
            .map_err(|error| match error {
                BlobError::Crypto(failure) => CardError::Crypto(failure),
                _ => CardError::Forged,
            })?;
        unpad(&Zeroizing::new(padded))
    }
}

impl fmt::Debug for KnockKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KnockKey(redacted)")
    }
}

/// Seals a card for one host; the result has [`CARD_SEALED_LEN`] bytes always.
///
/// # Errors
/// See [`seal_card_for`].
pub fn seal_card(
    host_public: &[u8],
    psk: &LinkSecret,
    aad: &[u8],
    card: &[u8],
) -> Result<Vec<u8>, CardError> {
    seal_card_for(&[host_public], psk, aad, card)
}

/// Seals a card for each of `hosts`, by their public keys; the result has
/// [`card_sealed_len`] bytes always.
///
/// # Errors
/// [`CardError::HostCount`], [`CardError::TooLong`], [`CardError::BadHostKey`]
/// or [`CardError::Crypto`].
pub fn seal_card_for(
    hosts: &[&[u8]],
    psk: &LinkSecret,
    aad: &[u8],
    card: &[u8],
) -> Result<Vec<u8>, CardError> {
    if !(1..=MAX_HOSTS).contains(&hosts.len()) {
        return Err(CardError::HostCount);
    }
    let count = u8::try_from(hosts.len()).map_err(|_| CardError::HostCount)?;
    let padded = pad(card)?;
    let key = BlobKey::generate()?;
    let psk = psk.card_psk();
    let mut sealed = Vec::with_capacity(card_sealed_len(hosts.len()));
    sealed.push(count);
    for host in hosts {
        push_slot(&mut sealed, host, &psk, aad, &key)?;
    }
    let card = key
        .seal(&bound(&sealed, aad), &padded)
        .map_err(|_| CryptoFailure)?;
    sealed.extend_from_slice(&card);
    Ok(sealed)
}

fn push_slot(
    sealed: &mut Vec<u8>,
    host: &[u8],
    psk: &Psk,
    aad: &[u8],
    key: &BlobKey,
) -> Result<(), CardError> {
    if host.len() != PUBLIC_KEY_LEN {
        return Err(CardError::BadHostKey);
    }
    let (encapsulated, sealed_key) = hpke()
        .seal(
            &HpkePublicKey::new(host.to_vec()),
            INFO,
            aad,
            key.expose(),
            Some(psk.secret.as_slice()),
            Some(&psk.id),
            None,
        )
        .map_err(|error| match error {
            HpkeError::InvalidInput | HpkeError::CryptoError(_) => CardError::BadHostKey,
            _ => CardError::Crypto(CryptoFailure),
        })?;
    sealed.extend_from_slice(&fingerprint16(host));
    sealed.extend_from_slice(&encapsulated);
    sealed.extend_from_slice(&sealed_key);
    Ok(())
}

/// The slots and the sealed card behind them.
fn split(sealed: &[u8]) -> Result<(&[u8], &[u8]), CardError> {
    let (count, rest) = sealed.split_first().ok_or(CardError::Malformed)?;
    let hosts = usize::from(*count);
    if !(1..=MAX_HOSTS).contains(&hosts) || sealed.len() != card_sealed_len(hosts) {
        return Err(CardError::Malformed);
    }
    rest.split_at_checked(hosts * SLOT_LEN)
        .ok_or(CardError::Malformed)
}

/// What the sealed card is bound to. The count in front says where the slots end.
fn bound(head: &[u8], aad: &[u8]) -> Vec<u8> {
    [head, aad].concat()
}

/// X-Wing (draft-connolly-cfrg-xwing-kem-06), HKDF-SHA384, AES-256-GCM: the
/// same algorithms as in the MLS suite.
fn hpke() -> Hpke<HpkeRustCrypto> {
    Hpke::new(
        Mode::Psk,
        KemAlgorithm::XWingDraft06,
        KdfAlgorithm::HkdfSha384,
        AeadAlgorithm::Aes256Gcm,
    )
}

fn pad(card: &[u8]) -> Result<Zeroizing<Vec<u8>>, CardError> {
    if card.len() > MAX_CARD_LEN {
        return Err(CardError::TooLong);
    }
    let len = u16::try_from(card.len()).map_err(|_| CardError::TooLong)?;
    let mut padded = Zeroizing::new(Vec::with_capacity(PADDED_LEN));
    padded.extend_from_slice(&len.to_be_bytes());
    padded.extend_from_slice(card);
    padded.resize(PADDED_LEN, 0);
    Ok(padded)
}

fn unpad(padded: &[u8]) -> Result<Vec<u8>, CardError> {
    let (len, rest) = padded
        .split_first_chunk::<LEN_PREFIX>()
        .ok_or(CardError::Malformed)?;
    let (card, padding) = rest
        .split_at_checked(usize::from(u16::from_be_bytes(*len)))
        .ok_or(CardError::Malformed)?;
    if padding.iter().any(|byte| *byte != 0) {
        return Err(CardError::Malformed);
    }
    Ok(card.to_vec())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn bytes(value: &Value) -> Vec<u8> {
        hex::decode(value.as_str().unwrap()).unwrap()
    }

    #[test]
    fn a_card_of_the_vectors_opens_for_each_host() {
        let text = include_str!("../../../docs/vectors/knock.json");
        let vectors: Value = serde_json::from_str(text).unwrap();
        let secret = LinkSecret::from_bytes(bytes(&vectors["secret"]).try_into().unwrap());
        let (aad, sealed) = (bytes(&vectors["aad"]), bytes(&vectors["sealed"]));
        for host in vectors["hosts"].as_array().unwrap() {
            let key = KnockKey {
                private: HpkePrivateKey::new(bytes(&host["seed"])),
                public: bytes(&host["public"]),
            };
            let card = key.open_card(&secret, &aad, &sealed);
            assert_eq!(card.unwrap(), bytes(&vectors["card"]));
            let elsewhere = key.open_card(&secret, &aad[1..], &sealed);
            assert_eq!(elsewhere, Err(CardError::Forged));
        }
    }
}
