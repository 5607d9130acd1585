//! What the benches of sound share: reading it, and chance from a seed.

pub type Fault = Box<dyn std::error::Error>;

/// Chance, the same for the same seed.
pub struct Rng(pub u64);

impl Rng {
    /// Between 0 and 1.
    pub fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The samples of a WAV file: 48 kHz, mono, 16 bit.
pub fn read_wav(bytes: &[u8]) -> Result<Vec<f32>, Fault> {
    let format = b"fmt \x10\0\0\0\x01\0\x01\0\x80\xbb\0\0";
    let at = |what: &[u8]| bytes.windows(what.len()).position(|window| window == what);
    at(format).ok_or("the speech is not 48 kHz mono 16-bit WAV")?;
    let data = at(b"data").ok_or("the speech has no samples")? + 8;
    let samples = bytes.get(data..).unwrap_or_default().chunks_exact(2);
    Ok(samples
        .map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0)
        .collect())
}
