//! The SFrame header (RFC 9605 §4.3).

/// Longest header in bytes: the config byte, a key id and a counter of 8 bytes each.
pub const MAX_HEADER_LEN: usize = 17;

/// Set in a field of the config byte when the value follows in bytes of its own.
const EXTENDED: u8 = 0b1000;
/// The value, or the number of its bytes less one.
const VALUE: u8 = 0b0111;

/// Key id and counter of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Which key sealed the frame.
    pub kid: u64,
    /// Which of the key's nonces it used.
    pub ctr: u64,
}

impl Header {
    /// Appends the one shortest encoding.
    pub fn write(&self, out: &mut Vec<u8>) {
        let (kid_field, kid_len) = field(self.kid);
        let (ctr_field, ctr_len) = field(self.ctr);
        out.push(kid_field << 4 | ctr_field);
        out.extend_from_slice(&self.kid.to_be_bytes()[8 - kid_len..]);
        out.extend_from_slice(&self.ctr.to_be_bytes()[8 - ctr_len..]);
    }

    /// Reads a header from the front of `frame`, and its length in bytes.
    ///
    /// `None` when it is cut short or longer than need be: a value has one
    /// encoding only, so that no two frames differ in their header alone.
    pub fn read(frame: &[u8]) -> Option<(Self, usize)> {
        let (config, rest) = frame.split_first()?;
        let (kid, rest) = value(config >> 4, rest)?;
        let (ctr, rest) = value(config & 0x0f, rest)?;
        Some((Self { kid, ctr }, frame.len() - rest.len()))
    }
}

/// The four bits in the config byte, and how many bytes follow.
fn field(value: u64) -> (u8, usize) {
    if value <= u64::from(VALUE) {
        return (value as u8, 0);
    }
    let len = 8 - value.leading_zeros() as usize / 8;
    (EXTENDED | (len as u8 - 1), len)
}

fn value(field: u8, rest: &[u8]) -> Option<(u64, &[u8])> {
    if field & EXTENDED == 0 {
        return Some((u64::from(field & VALUE), rest));
    }
    let (bytes, rest) = rest.split_at_checked(usize::from(field & VALUE) + 1)?;
    let value = bytes
        .iter()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    let shortest = value > u64::from(VALUE) && bytes.first() != Some(&0);
    shortest.then_some((value, rest))
}
