//! What the benches of sound share: reading it, and reading what they are asked.

pub type Fault = Box<dyn std::error::Error>;

/// Hands over each `--option value` of the command line. `take` says whether it knows the option.
pub fn for_each_option(
    mut take: impl FnMut(&str, String) -> Result<bool, Fault>,
) -> Result<(), Fault> {
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        if name == "--bench" {
            continue;
        }
        let value = arguments
            .next()
            .ok_or_else(|| format!("{name} wants a value"))?;
        if !take(&name, value)? {
            return Err(format!("there is no option {name}").into());
        }
    }
    Ok(())
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
