//! From bytes to messages and back. The version byte stands before everything.

use serde::{Deserialize, Serialize};

use crate::{ClientMessage, ServerMessage};

/// The protocol version that this crate speaks. One version means one cryptographic suite: there
/// is nothing to negotiate and so nothing to downgrade.
pub const VERSION: u8 = 1;

/// The longest message in bytes, version byte included: a welcome with the tree of 1,000 members
/// fits, and nothing that could exhaust a client does.
pub const MAX_MESSAGE: usize = 4 * 1024 * 1024;

/// Why bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The other side speaks another protocol version.
    #[error(
        "the other side speaks protocol version {0}, this one speaks {VERSION}; update the older of the two"
    )]
    Version(u8),
    /// Longer than [`MAX_MESSAGE`].
    #[error("a message of {0} bytes is over the bound of {MAX_MESSAGE}")]
    TooLarge(usize),
    /// Empty, cut short, over a bound, or followed by more bytes.
    #[error("the message is malformed")]
    Malformed,
}

/// Why a message is not to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// Longer than [`MAX_MESSAGE`].
    #[error("a message of {0} bytes is over the bound of {MAX_MESSAGE}")]
    TooLarge(usize),
    /// The encoder refused a value: a bug of ours.
    #[error("the message cannot be encoded")]
    Unencodable,
}

macro_rules! codec {
    ($name:ident) => {
        impl $name {
            /// The message as one binary frame.
            pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
                encode(self)
            }

            /// Reads one binary frame; bytes left over are an error.
            pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
                decode(bytes)
            }
        }
    };
}

codec!(ClientMessage);
codec!(ServerMessage);

fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, EncodeError> {
    let bytes =
        postcard::to_extend(message, vec![VERSION]).map_err(|_| EncodeError::Unencodable)?;
    if bytes.len() > MAX_MESSAGE {
        return Err(EncodeError::TooLarge(bytes.len()));
    }
    Ok(bytes)
}

fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    if bytes.len() > MAX_MESSAGE {
        return Err(DecodeError::TooLarge(bytes.len()));
    }
    match bytes.split_first() {
        None => Err(DecodeError::Malformed),
        Some((&VERSION, body)) => match postcard::take_from_bytes(body) {
            Ok((message, [])) => Ok(message),
            _ => Err(DecodeError::Malformed),
        },
        Some((&other, _)) => Err(DecodeError::Version(other)),
    }
}
