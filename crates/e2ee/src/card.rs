//! The sealed card of someone who knocks.
//!
//! HPKE (RFC 9180) in PSK mode with X-Wing, so that a card opens only for the
//! host, and only if it was sealed by someone who holds the link. Every card
//! has one size, so that its length tells no name.

use std::fmt;

use hpke_rs::hpke_types::{AeadAlgorithm, KdfAlgorithm, KemAlgorithm};
use hpke_rs::{Hpke, HpkeError, HpkePrivateKey, HpkePublicKey, Mode};
use hpke_rs_rust_crypto::HpkeRustCrypto;
use zeroize::Zeroizing;

use crate::{CryptoFailure, LinkSecret};

const INFO: &[u8] = b"Conclave card v1";
const LEN_PREFIX: usize = 2;
const PADDED_LEN: usize = 8 * 1024;
const PUBLIC_KEY_LEN: usize = 1216;
const ENCAPSULATED_LEN: usize = 1120;
const TAG_LEN: usize = 16;

/// Longest card in bytes: a KeyPackage of this suite (about 2.7 kB) with name,
/// device key and signature, and room.
pub const MAX_CARD_LEN: usize = PADDED_LEN - LEN_PREFIX;
/// Size of every sealed card in bytes.
pub const CARD_SEALED_LEN: usize = ENCAPSULATED_LEN + PADDED_LEN + TAG_LEN;

/// Why a card could not be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    /// Peer: sealed for another host, with another link, or altered.
    #[error("A card was not sealed for this host with this link. It was thrown away.")]
    Forged,
    /// Peer: not of the one size that cards have.
    #[error("A card has the wrong size. It was thrown away.")]
    Malformed,
    /// Peer: the host's key is not an X-Wing key.
    #[error("The host's key in this meeting is not valid. Ask for a new link.")]
    BadHostKey,
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
        if sealed.len() != CARD_SEALED_LEN {
            return Err(CardError::Malformed);
        }
        let (encapsulated, ciphertext) = sealed.split_at(ENCAPSULATED_LEN);
        let psk = psk.card_psk();
        let padded = hpke()
            .open(
                encapsulated,
                &self.private,
                INFO,
                aad,
                ciphertext,
                Some(psk.secret.as_slice()),
                Some(&psk.id),
                None,
            )
            .map_err(|_| CardError::Forged)?;
        unpad(&Zeroizing::new(padded))
    }
}

impl fmt::Debug for KnockKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KnockKey(redacted)")
    }
}

/// Seals a card for the host; the result has [`CARD_SEALED_LEN`] bytes always.
///
/// # Errors
/// [`CardError::TooLong`], [`CardError::BadHostKey`] or [`CardError::Crypto`].
pub fn seal_card(
    host_public: &[u8],
    psk: &LinkSecret,
    aad: &[u8],
    card: &[u8],
) -> Result<Vec<u8>, CardError> {
    if host_public.len() != PUBLIC_KEY_LEN {
        return Err(CardError::BadHostKey);
    }
    let padded = pad(card)?;
    let psk = psk.card_psk();
    let (mut sealed, ciphertext) = hpke()
        .seal(
            &HpkePublicKey::new(host_public.to_vec()),
            INFO,
            aad,
            &padded,
            Some(psk.secret.as_slice()),
            Some(&psk.id),
            None,
        )
        .map_err(|error| match error {
            HpkeError::InvalidInput | HpkeError::CryptoError(_) => CardError::BadHostKey,
            _ => CardError::Crypto(CryptoFailure),
        })?;
    sealed.extend_from_slice(&ciphertext);
    Ok(sealed)
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
