//! Sizes that tell little: what is sealed says its own length and may be followed by zeros.
//!
//! ```text
//! length u32 | content | zeros
//! ```
//! The length is big endian. It stands before every picture and every batch of signatures, padded
//! or not, so that a reader does not have to know which rules the sender follows. As it is inside
//! the seal, nobody but members can see or change it.

/// The smallest size of a padded picture.
const LEAST_PICTURE: usize = 512;
/// Padded batches are multiples of this. One is enough for what a device sends in 200 ms.
const BATCH_STEP: usize = 1024;
const LENGTH_LEN: usize = 4;

/// To which size something is padded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// Its own.
    Exact,
    /// The next power of two times 1, 1.25, 1.5 or 1.75: at most a quarter more.
    Picture,
    /// The next multiple of 1024.
    Batch,
}

impl Room {
    fn for_len(self, len: usize) -> usize {
        match self {
            Self::Exact => len,
            Self::Picture => picture_bucket(len),
            Self::Batch => len.next_multiple_of(BATCH_STEP),
        }
    }
}

fn picture_bucket(len: usize) -> usize {
    let len = len.max(LEAST_PICTURE);
    let power = match len.is_power_of_two() {
        true => len,
        false => len.next_power_of_two() / 2,
    };
    power + (len - power).next_multiple_of(power / 4)
}

/// The content behind its length, in `room`. Contents of 4 GiB or more, which nothing here makes,
/// are cut.
pub(super) fn pad(content: &[u8], room: Room) -> Vec<u8> {
    let len = u32::try_from(content.len()).unwrap_or(u32::MAX);
    let mut out = Vec::with_capacity(room.for_len(LENGTH_LEN + content.len()));
    out.extend_from_slice(&len.to_be_bytes());
    out.extend(content.iter().take(len as usize));
    out.resize(room.for_len(out.len()), 0);
    out
}

/// The content; `None` if the length is a lie or something else than zeros follows.
pub(super) fn strip(padded: &[u8]) -> Option<&[u8]> {
    let (len, rest) = padded.split_first_chunk::<LENGTH_LEN>()?;
    let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
    let (content, zeros) = rest.split_at_checked(len)?;
    zeros.iter().all(|byte| *byte == 0).then_some(content)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_was_padded_comes_back_as_it_was() {
        for room in [Room::Exact, Room::Picture, Room::Batch] {
            for len in [0, 1, 507, 508, 509, 1020, 1021, 5000] {
                let content: Vec<u8> = (0..len).map(|n| n as u8).collect();
                let padded = pad(&content, room);
                assert_eq!(strip(&padded), Some(&content[..]), "{room:?} {len}");
            }
        }
    }

    #[test]
    fn pictures_have_few_sizes_and_grow_by_a_quarter_at_most() {
        let mut sizes = BTreeSet::new();
        for len in 0..10_000 {
            let padded = pad(&vec![1; len], Room::Picture).len();
            let needed = (len + LENGTH_LEN).max(LEAST_PICTURE);
            assert!(padded >= needed && padded * 4 <= needed * 5 + 4, "{len}");
            sizes.insert(padded);
        }
        let expected = [
            512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 3584, 4096, 5120, 6144,
            7168, 8192, 10240,
        ];
        assert_eq!(sizes, expected.into());
    }

    #[test]
    fn batches_of_all_usual_lengths_have_one_size() {
        let sizes: BTreeSet<_> = [1, 300, 700, 1020]
            .map(|len| pad(&vec![1; len], Room::Batch).len())
            .into();
        assert_eq!(sizes, [1024].into());
    }

    #[test]
    fn a_lie_about_the_length_is_refused() {
        assert_eq!(strip(&[0, 0, 0]), None);
        assert_eq!(strip(&[0, 0, 0, 2, 7]), None);
        assert_eq!(strip(&[255, 255, 255, 255, 7]), None);
        assert_eq!(strip(&[0, 0, 0, 1, 7, 0, 1]), None);
        assert_eq!(strip(&[0, 0, 0, 1, 7, 0, 0]), Some(&[7][..]));
    }
}
