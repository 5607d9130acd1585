//! Which way a packet goes, and whose it is.

use serde::{Deserialize, Serialize};

/// Seen from the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

impl Direction {
    /// Both, in the order in which they are kept.
    pub const BOTH: [Self; 2] = [Self::Up, Self::Down];

    pub(crate) fn index(self) -> usize {
        match self {
            Self::Up => 0,
            Self::Down => 1,
        }
    }
}

/// What a flow carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// UDP: a packet may be lost, doubled and overtaken.
    Datagrams,
    /// TCP: bytes arrive, all and in order, sooner or later.
    Stream,
}

/// One client's datagrams, or one TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flow {
    /// What it carries.
    pub kind: Kind,
    /// Counted from 0 in the order of appearance, for each kind.
    pub number: u32,
}

impl Flow {
    /// The datagrams of the client that came as number `number`.
    pub fn datagrams(number: u32) -> Self {
        Self {
            kind: Kind::Datagrams,
            number,
        }
    }

    /// The TCP connection that came as number `number`.
    pub fn stream(number: u32) -> Self {
        Self {
            kind: Kind::Stream,
            number,
        }
    }
}
