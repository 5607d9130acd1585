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
                // At once: a window names every member ten times a second.
                let mut digits = [0; 32];
                hex::encode_to_slice(self.0, &mut digits).map_err(|_| fmt::Error)?;
                f.write_str(std::str::from_utf8(&digits).map_err(|_| fmt::Error)?)
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
                let mut bytes = [0; 16];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidId)?;
                Ok(Self(bytes))
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
