//! A growing buffer that leaves no copy of its content behind.

use std::io;

use zeroize::Zeroizing;

const FIRST_CAPACITY: usize = 1024;

/// An [`io::Write`] for secrets.
///
/// A plain vector that grows frees its old memory as it is; this one wipes it.
#[derive(Default)]
pub(super) struct SecretBuffer(Zeroizing<Vec<u8>>);

impl SecretBuffer {
    pub(super) fn into_inner(self) -> Zeroizing<Vec<u8>> {
        self.0
    }

    fn make_room(&mut self, more: usize) {
        let needed = self.0.len() + more;
        if needed <= self.0.capacity() {
            return;
        }
        let capacity = needed.max(self.0.capacity() * 2).max(FIRST_CAPACITY);
        let mut bigger = Zeroizing::new(Vec::with_capacity(capacity));
        bigger.extend_from_slice(&self.0);
        self.0 = bigger;
    }
}

impl io::Write for SecretBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.make_room(bytes.len());
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn content_survives_growth_and_the_vector_never_grows_by_itself() {
        let mut buffer = SecretBuffer::default();
        let mut expected = Vec::new();
        for round in 0..300_usize {
            let chunk = vec![round as u8; round];
            buffer.make_room(chunk.len());
            let (address, capacity) = (buffer.0.as_ptr(), buffer.0.capacity());
            buffer.write_all(&chunk).unwrap();
            assert_eq!(
                (address, capacity),
                (buffer.0.as_ptr(), buffer.0.capacity())
            );
            expected.extend_from_slice(&chunk);
        }
        assert_eq!(*buffer.into_inner(), expected);
    }
}
