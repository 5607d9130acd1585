//! A passphrase as a person types it.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// Shortest passphrase in characters (NIST SP 800-63B §5.1.1.2). Short ones fall to guessing whatever the
/// derivation costs; a window should ask for more than the minimum.
pub const MIN_PASSPHRASE_CHARS: usize = 8;
/// Longest passphrase in bytes of UTF-8.
pub const MAX_PASSPHRASE_LEN: usize = 1024;

/// What a file of this crate is locked with.
///
/// It is prepared like an OpaqueString (RFC 8265 §4.2): spaces of any script become the ASCII
/// space, and the text is brought to NFC, so that two keyboards that write "é" in two ways open
/// the same file. The bytes are wiped when it is dropped.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

/// Why a text is no passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PassphraseError {
    /// Misuse: shorter than [`MIN_PASSPHRASE_CHARS`].
    #[error("The passphrase is too short. Take {MIN_PASSPHRASE_CHARS} characters or more.")]
    TooShort,
    /// Misuse: longer than [`MAX_PASSPHRASE_LEN`].
    #[error("The passphrase is longer than {MAX_PASSPHRASE_LEN} bytes. Take a shorter one.")]
    TooLong,
}

impl Passphrase {
    /// Takes what was typed. The caller wipes his own copy.
    ///
    /// # Errors
    /// [`PassphraseError`] when it is too short or too long.
    pub fn new(typed: &str) -> Result<Self, PassphraseError> {
        if typed.len() > MAX_PASSPHRASE_LEN {
            return Err(PassphraseError::TooLong);
        }
        // NFC grows no text by more than three times in UTF-8 (UAX #15): with this room no copy
        // is left behind by a growing string.
        let mut prepared = Zeroizing::new(String::with_capacity(3 * typed.len()));
        let spaced = typed.chars().map(|c| {
            if c.is_whitespace() && !c.is_control() {
                ' '
            } else {
                c
            }
        });
        prepared.extend(spaced.nfc());
        if prepared.chars().count() < MIN_PASSPHRASE_CHARS {
            return Err(PassphraseError::TooShort);
        }
        Ok(Self(prepared))
    }

    pub(crate) fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_keyboards_type_the_same_passphrase() {
        let composed = Passphrase::new("caf\u{e9} au lait").unwrap();
        let decomposed = Passphrase::new("cafe\u{301}\u{a0}au\u{3000}lait").unwrap();
        assert_eq!(composed.expose(), decomposed.expose());
    }

    #[test]
    fn upper_case_and_spaces_count() {
        let one = Passphrase::new("correct horse").unwrap();
        for other in ["Correct horse", "correcthorse", "correct  horse"] {
            assert_ne!(one.expose(), Passphrase::new(other).unwrap().expose());
        }
    }

    #[test]
    fn too_short_and_too_long_are_refused() {
        assert_eq!(
            Passphrase::new("seven77").unwrap_err(),
            PassphraseError::TooShort
        );
        assert_eq!(
            Passphrase::new(&"x".repeat(MAX_PASSPHRASE_LEN + 1)).unwrap_err(),
            PassphraseError::TooLong
        );
    }

    #[test]
    fn a_passphrase_does_not_show_itself() {
        let passphrase = Passphrase::new("correct horse").unwrap();
        assert_eq!(format!("{passphrase:?}"), "Passphrase(redacted)");
    }
}
