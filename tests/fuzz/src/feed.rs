//! An input, read as decisions, numbers and bytes.

/// Numbers that programs get wrong.
const NUMBERS: [u64; 8] = [
    0,
    1,
    2,
    255,
    u16::MAX as u64,
    u32::MAX as u64,
    u64::MAX - 1,
    u64::MAX,
];
/// Changes to one message at most.
const MAX_EDITS: usize = 4;
/// Bytes that one change inserts at most.
const MAX_INSERT: usize = 32;

/// Reads an input from its beginning. When it is used up it gives zeros for ever, so that every
/// input is a plan.
pub struct Feed<'a> {
    rest: &'a [u8],
}

impl<'a> Feed<'a> {
    /// From the beginning of `input`.
    pub fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    /// Whether it gives zeros only from now on.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        match self.rest.split_first() {
            Some((byte, rest)) => {
                self.rest = rest;
                *byte
            }
            None => 0,
        }
    }

    /// True in half of the cases.
    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// Less than `bound`, and 0 for a bound of 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let number = usize::from(self.byte()) << 8 | usize::from(self.byte());
        number.checked_rem(bound).unwrap_or(0)
    }

    /// One of these.
    ///
    /// # Panics
    /// If there is none.
    pub fn pick<'b, T>(&mut self, from: &'b [T]) -> &'b T {
        &from[self.below(from.len())]
    }

    /// A number: one near `here`, one that programs get wrong, or any.
    pub fn number(&mut self, here: u64) -> u64 {
        match self.byte() % 8 {
            0..=3 => here
                .wrapping_add(u64::from(self.byte() % 5))
                .wrapping_sub(2),
            4..=6 => *self.pick(&NUMBERS),
            _ => u64::from_be_bytes(self.array()),
        }
    }

    /// So many bytes.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }

    /// Up to `len` bytes: what is left, if that is less.
    pub fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(len.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// What somebody could send in the place of one of these real messages: the rest of the input
    /// as it is (if the next byte is 0), or one of them with up to four changes; none is possible.
    pub fn forge(&mut self, real: &[Vec<u8>]) -> Vec<u8> {
        if self.byte().is_multiple_of(8) || real.is_empty() {
            return self.rest().to_vec();
        }
        let mut bytes = self.pick(real).clone();
        let edits = usize::from(self.byte()) % (MAX_EDITS + 1);
        for _ in 0..edits {
            self.edit(&mut bytes, real);
        }
        bytes
    }

    fn edit(&mut self, bytes: &mut Vec<u8>, real: &[Vec<u8>]) {
        let at = self.below(bytes.len());
        let len = 1 + usize::from(self.byte()) % MAX_INSERT;
        let end = (at + len).min(bytes.len());
        match self.byte() % 8 {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let insert = self.take(len).to_vec();
                bytes.splice(at..at, insert);
            }
            3 => {
                let number = self.number(0).to_be_bytes();
                let width = *self.pick(&[1, 2, 4, 8]);
                let place = at..(at + width).min(bytes.len());
                bytes.splice(place, number[8 - width..].iter().copied());
            }
            4 => {
                // The end of another message on this one's beginning.
                let other = self.pick(real);
                let from = self.below(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            5 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            _ => {
                let mask = 1 << (self.byte() % 8);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= mask;
                }
            }
        }
    }
}
