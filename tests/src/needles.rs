//! What must not be found, in every shape in which it might lie about, and the search for it.

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Fewer bytes than this are found by chance in a gigabyte of noise.
const SHORTEST: usize = 8;

/// Secrets to look for, each under a name that may be printed.
#[derive(Default)]
pub struct Needles {
    names: Vec<String>,
    shapes: Vec<Vec<u8>>,
}

impl Needles {
    /// Adds bytes as they are.
    pub fn add_bytes(&mut self, name: &str, bytes: &[u8]) {
        assert!(
            bytes.len() >= SHORTEST,
            "{name}: too short to be told from chance"
        );
        self.names.push(name.to_owned());
        self.shapes.push(bytes.to_vec());
    }

    /// Adds a key: raw, in hex and in both base64 alphabets.
    pub fn add_key(&mut self, name: &str, key: &[u8]) {
        self.add_bytes(&format!("{name}, raw"), key);
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        self.add_bytes(&format!("{name}, hex"), hex.as_bytes());
        self.add_bytes(
            &format!("{name}, base64url"),
            URL_SAFE_NO_PAD.encode(key).as_bytes(),
        );
        self.add_bytes(
            &format!("{name}, base64"),
            STANDARD_NO_PAD.encode(key).as_bytes(),
        );
    }

    /// Adds a text: UTF-8, and UTF-16 as a window system has it.
    pub fn add_text(&mut self, name: &str, text: &str) {
        self.add_bytes(name, text.as_bytes());
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        self.add_bytes(&format!("{name}, UTF-16"), &wide);
    }

    /// The names of those that stand in the haystacks, each once.
    pub fn found_in<'a>(&self, haystacks: impl IntoIterator<Item = &'a [u8]>) -> Vec<&str> {
        let search = AhoCorasick::new(&self.shapes).expect("few and short");
        let mut found = vec![false; self.names.len()];
        for haystack in haystacks {
            for hit in search.find_overlapping_iter(haystack) {
                found[hit.pattern().as_usize()] = true;
            }
        }
        self.names
            .iter()
            .zip(found)
            .filter(|(_, found)| *found)
            .map(|(name, _)| name.as_str())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape_is_found_and_named() {
        let mut needles = Needles::default();
        needles.add_text("title", "Board of the bees");
        needles.add_key("key", &[7; 32]);
        assert!(
            needles
                .found_in([b"nothing of the kind".as_slice()])
                .is_empty()
        );
        assert_eq!(
            needles.found_in([b"..Board of the bees..".as_slice()]),
            ["title"]
        );
        let wide: Vec<u8> = "Board of the bees"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let encoded = URL_SAFE_NO_PAD.encode([7; 32]);
        let hay = [wide.as_slice(), b"--", encoded.as_bytes()].concat();
        // This key has the same letters in both alphabets.
        assert_eq!(
            needles.found_in([hay.as_slice()]),
            ["title, UTF-16", "key, base64url", "key, base64"]
        );
    }
}
