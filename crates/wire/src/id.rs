//! Identifiers that the service sees. They name nobody.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::TokenHash;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub [u8; 16]);

        impl fmt::Display for $name {
            /// 32 lower-case hexadecimal digits.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            /// Reads the 32 hexadecimal digits that `Display` writes.
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse_hex(text).map(Self).ok_or(InvalidId)
            }
        }
    };
}

id! {
    /// A meeting: 16 random bytes, chosen by the host's client.
    MeetingId
}
id! {
    /// A device in one meeting, made afresh for each meeting, also the identity in the device's
    /// MLS credential. It names no person and links no two meetings.
    DeviceId
}

/// What stands before the hash that a [`DeviceId`] is cut from.
const DEVICE_DOMAIN: &[u8] = b"Conclave device id v1";

impl DeviceId {
    /// The id of the device whose token has this hash: the first half of its SHA-256.
    ///
    /// So nobody can take another's id without his token, not even towards a service that has
    /// lost its memory.
    pub fn of(token: &TokenHash) -> Self {
        let digest = Sha256::new()
            .chain_update(DEVICE_DOMAIN)
            .chain_update(token.0)
            .finalize();
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        Self(id)
    }
}

/// The text is not 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id is 32 hexadecimal digits")]
pub struct InvalidId;

fn parse_hex(text: &str) -> Option<[u8; 16]> {
    // A sign would be read as part of a number.
    if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 16];
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}
