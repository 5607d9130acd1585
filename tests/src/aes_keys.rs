//! Finds AES-256 keys in memory by their key schedules, as an attacker with a memory image does
//! (Halderman et al., "Lest We Remember", 2008): a cipher that is in use keeps its fifteen round
//! keys side by side, and each follows from those before it (FIPS 197 §5.2). So no program has
//! to give away its keys to have it tested where they are.

use std::collections::BTreeSet;

/// An AES-256 key.
pub type Key = [u8; 32];

/// A schedule: fifteen round keys of four words.
const WORDS: usize = 60;
/// Words in the key itself.
const KEY_WORDS: usize = 8;

/// Every AES-256 key whose schedule stands in one of the regions.
pub fn find<'a>(regions: impl IntoIterator<Item = &'a [u8]>) -> BTreeSet<Key> {
    let sbox = sbox();
    let mut keys = BTreeSet::new();
    for region in regions {
        for start in (0..region.len().saturating_sub(4 * WORDS - 1)).step_by(4) {
            let schedule = &region[start..start + 4 * WORDS];
            if is_schedule(schedule, &sbox) {
                keys.insert(schedule[..32].try_into().expect("32 bytes"));
            }
        }
    }
    keys
}

fn word(schedule: &[u8], index: usize) -> [u8; 4] {
    schedule[4 * index..4 * index + 4]
        .try_into()
        .expect("four bytes")
}

/// Whether every word follows from those before it; nearly all of memory fails at the first.
fn is_schedule(schedule: &[u8], sbox: &[u8; 256]) -> bool {
    (KEY_WORDS..WORDS).all(|index| word(schedule, index) == next_word(schedule, index, sbox))
        // Memory full of one value is no key.
        && schedule[..32].iter().collect::<BTreeSet<_>>().len() > 8
}

/// FIPS 197 §5.2, algorithm KeyExpansion for Nk = 8.
fn next_word(schedule: &[u8], index: usize, sbox: &[u8; 256]) -> [u8; 4] {
    let mut temp = word(schedule, index - 1);
    if index.is_multiple_of(KEY_WORDS) {
        temp.rotate_left(1);
        temp = temp.map(|byte| sbox[usize::from(byte)]);
        temp[0] ^= 1 << (index / KEY_WORDS - 1);
    } else if index % KEY_WORDS == 4 {
        temp = temp.map(|byte| sbox[usize::from(byte)]);
    }
    let before = word(schedule, index - KEY_WORDS);
    std::array::from_fn(|i| temp[i] ^ before[i])
}

/// FIPS 197 §5.1.1: the inverse in GF(2^8), then an affine map; built by walking the powers of
/// the generator 3 and of its inverse side by side.
fn sbox() -> [u8; 256] {
    let mut sbox = [0; 256];
    sbox[0] = 0x63;
    let (mut p, mut q) = (1_u8, 1_u8);
    loop {
        p ^= double(p);
        q ^= q << 1;
        q ^= q << 2;
        q ^= q << 4;
        if q & 0x80 != 0 {
            q ^= 0x09;
        }
        let mapped = q ^ q.rotate_left(1) ^ q.rotate_left(2) ^ q.rotate_left(3) ^ q.rotate_left(4);
        sbox[usize::from(p)] = mapped ^ 0x63;
        if p == 1 {
            return sbox;
        }
    }
}

fn double(byte: u8) -> u8 {
    (byte << 1) ^ if byte & 0x80 != 0 { 0x1b } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of FIPS 197 appendix A.3.
    const KEY: Key = [
        0x60, 0x3d, 0xeb, 0x10, 0x15, 0xca, 0x71, 0xbe, 0x2b, 0x73, 0xae, 0xf0, 0x85, 0x7d, 0x77,
        0x81, 0x1f, 0x35, 0x2c, 0x07, 0x3b, 0x61, 0x08, 0xd7, 0x2d, 0x98, 0x10, 0xa3, 0x09, 0x14,
        0xdf, 0xf4,
    ];

    fn expand(key: &Key) -> Vec<u8> {
        let sbox = sbox();
        let mut schedule = key.to_vec();
        schedule.resize(4 * WORDS, 0);
        for index in KEY_WORDS..WORDS {
            let next = next_word(&schedule, index, &sbox);
            schedule[4 * index..4 * index + 4].copy_from_slice(&next);
        }
        schedule
    }

    #[test]
    fn the_schedule_is_that_of_the_standard() {
        let schedule = expand(&KEY);
        assert_eq!(word(&schedule, 8), [0x9b, 0xa3, 0x54, 0x11]);
        assert_eq!(word(&schedule, 59), [0x70, 0x6c, 0x63, 0x1e]);
    }

    #[test]
    fn a_key_in_use_is_found_in_noise_and_a_damaged_one_is_not() {
        let mut memory: Vec<u8> = (0..10_000_u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        memory.extend(expand(&KEY));
        memory.extend([0; 1000]);
        assert_eq!(find([memory.as_slice()]), BTreeSet::from([KEY]));
        memory[10_100] ^= 1;
        assert_eq!(find([memory.as_slice()]), BTreeSet::new());
    }
}
