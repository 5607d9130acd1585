//! The security code that people in a room compare by voice.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::pbkdf2;
use zeroize::Zeroizing;

const SALT: &[u8] = b"Conclave security code v1";
/// Groups of five digits.
const GROUPS: usize = 6;
/// Bytes behind each group: 40 bits modulo 100,000 are even to one in ten million.
const BYTES_PER_GROUP: usize = 5;
/// Makes each trial of a server that searches two forks with one code (about
/// 2^50 trials by the birthday bound) cost a few thousand hashes more.
const ITERATIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(4095);

/// Thirty digits that are equal for all members of one epoch, and for no one
/// else: a fork of the group shows as different codes.
///
/// The digits are derived when they are first read, once for all clones: they
/// cost milliseconds, and most epochs of a storm are over before anybody looks.
#[derive(Clone)]
pub struct SecurityCode(Arc<Derived>);

struct Derived {
    authenticator: Zeroizing<Vec<u8>>,
    digits: OnceLock<String>,
}

impl SecurityCode {
    /// The code of an epoch authenticator (RFC 9420 §8.7).
    pub fn from_authenticator(authenticator: &[u8]) -> Self {
        Self(Arc::new(Derived {
            authenticator: Zeroizing::new(authenticator.to_vec()),
            digits: OnceLock::new(),
        }))
    }

    /// The thirty digits without spaces.
    pub fn digits(&self) -> &str {
        self.0.digits.get_or_init(|| derive(&self.0.authenticator))
    }
}

fn derive(authenticator: &[u8]) -> String {
    let mut bytes = [0; GROUPS * BYTES_PER_GROUP];
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA512,
        ITERATIONS,
        SALT,
        authenticator,
        &mut bytes,
    );
    let group = |chunk: &[u8]| {
        let number = chunk
            .iter()
            .fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
        format!("{:05}", number % 100_000)
    };
    bytes.chunks_exact(BYTES_PER_GROUP).map(group).collect()
}

impl PartialEq for SecurityCode {
    /// Compares what the digits are derived from, which is stricter than they are.
    fn eq(&self, other: &Self) -> bool {
        self.0.authenticator == other.0.authenticator
    }
}

impl Eq for SecurityCode {}

impl fmt::Display for SecurityCode {
    /// Groups of five, as they are read aloud.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, digit) in self.digits().chars().enumerate() {
            if position > 0 && position % 5 == 0 {
                f.write_str(" ")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for SecurityCode {
    /// The code is shown to people, not to logs: a log that leaves the computer
    /// must not tell which meeting it was.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecurityCode(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_digits_in_six_groups() {
        let code = SecurityCode::from_authenticator(&[1; 48]);
        assert_eq!(code.digits().len(), 30);
        assert!(code.digits().chars().all(|digit| digit.is_ascii_digit()));
        let groups: Vec<_> = code.to_string().split(' ').map(str::len).collect();
        assert_eq!(groups, [5; 6]);
        assert_eq!(code.to_string().replace(' ', ""), code.digits());
    }

    #[test]
    fn the_code_is_that_of_the_vectors() {
        let text = include_str!("../../../docs/vectors/codes.json");
        let vectors: serde_json::Value = serde_json::from_str(text).unwrap();
        let authenticator: Vec<u8> = (0..48).collect();
        let hex = |byte: &u8| format!("{byte:02x}");
        let written: String = authenticator.iter().map(hex).collect();
        assert_eq!(vectors["epoch_authenticator"], written);
        let code = SecurityCode::from_authenticator(&authenticator);
        assert_eq!(vectors["security_code"], code.digits());
    }

    #[test]
    fn one_bit_changes_the_code() {
        let one = SecurityCode::from_authenticator(&[1; 48]);
        let mut other = [1; 48];
        other[47] ^= 1;
        assert_ne!(one, SecurityCode::from_authenticator(&other));
        assert_eq!(one, SecurityCode::from_authenticator(&[1; 48]));
    }
}
