//! The safety number by which two people see that nobody sits between them.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Context, SHA512};

use crate::Qr;

/// Domain and version of the construction; another version gives other numbers.
const DOMAIN: &[u8] = b"Conclave safety number v1";
/// Makes each key that an attacker draws in search of equal digits cost as many hashes.
const ITERATIONS: usize = 5200;
/// Bytes of one fingerprint in a QR code.
const FINGERPRINT_LEN: usize = 32;
const GROUPS: usize = 6;
/// Bytes behind five digits: 40 bits modulo 100,000 are even to one in ten million.
const BYTES_PER_GROUP: usize = 5;

/// What a QR code begins with.
const QR_NAME: &[u8; 4] = b"CNSN";
/// Version of what follows the name.
const QR_VERSION: u8 = 1;
/// Length in bytes of what a QR code holds.
pub const SCANNED_LEN: usize = QR_NAME.len() + 1 + 2 * FINGERPRINT_LEN;

/// Sixty digits of two device keys, the same on both screens.
///
/// The construction is Signal's numeric fingerprint (libsignal,
/// `NumericFingerprintGenerator`), with a domain of our own in the place of its version and without
/// its stable identifier, since a device is nothing but its key here:
///
/// ```text
/// hash(0) = SHA-512(domain | key | key)
/// hash(i) = SHA-512(hash(i - 1) | key)          5200 hashes in all
/// ```
///
/// The first 30 bytes of each side's last hash are six groups of five digits (a big-endian number
/// of 40 bits modulo 100,000). The smaller half stands first. To stand in for one side unnoticed,
/// an attacker must find a key with the same thirty digits: about 2^99 tries of 5200 hashes each.
///
/// The QR code holds more: a name and a version, then 32 bytes of each side's hash, its own first.
/// Who shows it thus says which two keys it knows, whole, and in which place each of them stands.
#[derive(Clone, PartialEq, Eq)]
pub struct SafetyNumber {
    mine: [u8; FINGERPRINT_LEN],
    theirs: [u8; FINGERPRINT_LEN],
    digits: String,
}

/// What a scanned code says about the device that showed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// The other device knows the same two keys: nobody sits between.
    Match,
    /// The other device knows another pair of keys. Either it is not the person's device, or
    /// somebody sits between.
    Differs,
    /// The code is the one on this device's own screen. Scan the other one's.
    OwnCode,
    /// A safety number of another version of this program, which says nothing to this one.
    OtherVersion,
    /// Some other code.
    NotASafetyNumber,
}

impl SafetyNumber {
    /// The number of this device (`mine`) and another (`theirs`), by their public keys.
    pub fn new(mine: &[u8; 32], theirs: &[u8; 32]) -> Self {
        let (mine, my_digits) = side(mine);
        let (theirs, their_digits) = side(theirs);
        let digits = if my_digits <= their_digits {
            my_digits + &their_digits
        } else {
            their_digits + &my_digits
        };
        Self {
            mine,
            theirs,
            digits,
        }
    }

    /// The sixty digits without spaces.
    pub fn digits(&self) -> &str {
        &self.digits
    }

    /// The twelve groups of five, as they are read aloud.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        (0..2 * GROUPS).filter_map(|group| self.digits.get(5 * group..5 * group + 5))
    }

    /// The code to show to the other device.
    pub fn qr(&self) -> Qr {
        Qr::of_bytes(&self.content())
    }

    /// Compares with what was scanned from the other device's screen.
    pub fn matches_scanned(&self, scanned: &[u8]) -> Comparison {
        match scanned.strip_prefix(QR_NAME).and_then(<[u8]>::split_first) {
            Some((&QR_VERSION, rest)) if rest.len() == 2 * FINGERPRINT_LEN => {}
            // What another version would have to say, and how long it is, is for that one to know.
            Some((version, _)) if *version != QR_VERSION => return Comparison::OtherVersion,
            _ => return Comparison::NotASafetyNumber,
        }
        let expected = content(&self.theirs, &self.mine);
        if verify_slices_are_equal(scanned, &expected).is_ok() {
            Comparison::Match
        } else if verify_slices_are_equal(scanned, &self.content()).is_ok() {
            Comparison::OwnCode
        } else {
            Comparison::Differs
        }
    }

    /// What the code to show says.
    pub fn content(&self) -> [u8; SCANNED_LEN] {
        content(&self.mine, &self.theirs)
    }
}

/// What a device shows: its own fingerprint, then the one that it has of the other.
fn content(
    shown_by: &[u8; FINGERPRINT_LEN],
    shown_to: &[u8; FINGERPRINT_LEN],
) -> [u8; SCANNED_LEN] {
    let mut content = [0; SCANNED_LEN];
    let header = QR_NAME.iter().chain(&[QR_VERSION]);
    let bytes = header.chain(shown_by).chain(shown_to);
    for (to, from) in content.iter_mut().zip(bytes) {
        *to = *from;
    }
    content
}

/// Fingerprint and digits of one key.
fn side(key: &[u8; 32]) -> ([u8; FINGERPRINT_LEN], String) {
    let mut hash = sha512(&[DOMAIN, key, key]);
    for _ in 1..ITERATIONS {
        hash = sha512(&[&hash, key]);
    }
    let mut fingerprint = [0; FINGERPRINT_LEN];
    for (to, from) in fingerprint.iter_mut().zip(hash) {
        *to = from;
    }
    let digits = hash
        .chunks_exact(BYTES_PER_GROUP)
        .take(GROUPS)
        .map(|chunk| {
            let number = chunk
                .iter()
                .fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
            format!("{:05}", number % 100_000)
        })
        .collect();
    (fingerprint, digits)
}

fn sha512(parts: &[&[u8]]) -> [u8; 64] {
    let mut context = Context::new(&SHA512);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; 64];
    for (to, from) in hash.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    hash
}

impl fmt::Display for SafetyNumber {
    /// Groups of five in one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, group) in self.groups().enumerate() {
            if position > 0 {
                f.write_str(" ")?;
            }
            f.write_str(group)?;
        }
        Ok(())
    }
}

impl fmt::Debug for SafetyNumber {
    /// The number is shown to people, not to logs: it says who knows whom.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SafetyNumber(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANA: [u8; 32] = [1; 32];
    const BEN: [u8; 32] = [2; 32];
    const EVE: [u8; 32] = [3; 32];

    /// Computed by another program (Python's hashlib) from the description above.
    #[test]
    fn the_digits_are_those_of_the_description() {
        let number = SafetyNumber::new(&ANA, &BEN);
        assert_eq!(
            number.digits(),
            "708674488543746619600867586092992123784174819615204127130815"
        );
        assert_eq!(
            hex::encode(number.content()),
            "434e534e01\
             61ff6d25b310051cb7d5dca7e40542ec04273be8fac1075ac3e2954bddec5e52\
             ca84ab186c51aa96743104c28e4ca39b9e1efbb02b984f825704354d597f9085"
        );
    }

    #[test]
    fn both_screens_show_the_same_sixty_digits() {
        let (ana, ben) = (SafetyNumber::new(&ANA, &BEN), SafetyNumber::new(&BEN, &ANA));
        assert_eq!(ana.digits(), ben.digits());
        assert_eq!(ana.to_string(), ben.to_string());
        let groups: Vec<_> = ana.to_string().split(' ').map(str::len).collect();
        assert_eq!(groups, [5; 12]);
        assert_eq!(ana.to_string().replace(' ', ""), ana.digits());
        assert_ne!(ana.digits(), SafetyNumber::new(&ANA, &EVE).digits());
    }

    #[test]
    fn the_other_screens_code_matches() {
        let (ana, ben) = (SafetyNumber::new(&ANA, &BEN), SafetyNumber::new(&BEN, &ANA));
        assert_eq!(ana.matches_scanned(&ben.content()), Comparison::Match);
        assert_eq!(ben.matches_scanned(&ana.content()), Comparison::Match);
    }

    #[test]
    fn somebody_in_between_is_seen() {
        // Eve shows Ana her own key as Ben's, and Ben her own as Ana's.
        let ana = SafetyNumber::new(&ANA, &EVE);
        let ben = SafetyNumber::new(&BEN, &EVE);
        assert_eq!(ana.matches_scanned(&ben.content()), Comparison::Differs);
        assert_ne!(ana.digits(), ben.digits());
        // One half alone being right is not enough, whichever it is.
        let honest = SafetyNumber::new(&ANA, &BEN);
        for content in [
            SafetyNumber::new(&BEN, &EVE).content(),
            SafetyNumber::new(&EVE, &ANA).content(),
        ] {
            assert_eq!(honest.matches_scanned(&content), Comparison::Differs);
        }
    }

    #[test]
    fn a_mirror_proves_nothing() {
        let ana = SafetyNumber::new(&ANA, &BEN);
        assert_eq!(ana.matches_scanned(&ana.content()), Comparison::OwnCode);
    }

    #[test]
    fn other_codes_are_told_apart_from_a_mismatch() {
        let (ana, ben) = (SafetyNumber::new(&ANA, &BEN), SafetyNumber::new(&BEN, &ANA));
        let content = ben.content();
        let longer = [content.as_slice(), &[0]].concat();
        for other in [
            b"conclave://example.org".as_slice(),
            &[],
            &content[..SCANNED_LEN - 1],
            &longer,
            &[0xFF; SCANNED_LEN],
            b"CNSN",
        ] {
            assert_eq!(ana.matches_scanned(other), Comparison::NotASafetyNumber);
        }
    }

    #[test]
    fn a_number_of_another_version_is_neither_right_nor_wrong() {
        let (ana, ben) = (SafetyNumber::new(&ANA, &BEN), SafetyNumber::new(&BEN, &ANA));
        for version in [0, 2, 0xFF] {
            let mut other = ben.content();
            other[QR_NAME.len()] = version;
            for other in [&other[..], &other[..20], &[&other[..], &[0; 9]].concat()] {
                assert_eq!(ana.matches_scanned(other), Comparison::OtherVersion);
            }
        }
    }

    #[test]
    fn one_bit_anywhere_in_the_keys_is_a_difference() {
        let (ana, ben) = (SafetyNumber::new(&ANA, &BEN), SafetyNumber::new(&BEN, &ANA));
        for bit in 8 * (QR_NAME.len() + 1)..8 * SCANNED_LEN {
            let mut changed = ben.content();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(ana.matches_scanned(&changed), Comparison::Differs, "{bit}");
        }
    }

    #[test]
    fn a_number_stays_out_of_logs() {
        let number = SafetyNumber::new(&ANA, &BEN);
        assert_eq!(format!("{number:?}"), "SafetyNumber(redacted)");
    }
}
