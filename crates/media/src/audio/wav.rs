//! Writes what was played as a WAV file: 48 kHz, mono, 16 bit.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::SAMPLE_RATE_HZ;
use super::error::WavError;

const HEADER_LEN: u32 = 44;
const BYTES_PER_SAMPLE: u32 = 2;

/// A WAV file being written. Call [`finish`](Self::finish) at the end: only
/// then is every error known.
#[derive(Debug)]
pub struct WavWriter {
    out: BufWriter<File>,
    path: PathBuf,
    data_len: u32,
}

impl WavWriter {
    /// Creates or replaces the file.
    ///
    /// # Errors
    /// [`WavError`] if the file cannot be created or the disk is full.
    pub fn create(path: &Path) -> Result<Self, WavError> {
        let name = |error| named(path, error);
        let mut out = BufWriter::new(File::create(path).map_err(name)?);
        out.write_all(&header(0)).map_err(name)?;
        Ok(Self {
            out,
            path: path.to_owned(),
            data_len: 0,
        })
    }

    /// Appends samples between -1 and 1; louder ones are clipped.
    ///
    /// # Errors
    /// [`WavError`] if the disk is full, the file has reached its largest
    /// possible size, or the system refuses.
    pub fn write(&mut self, samples: &[f32]) -> Result<(), WavError> {
        for sample in samples {
            let value = (sample.clamp(-1.0, 1.0) * f32::from(i16::MAX)).round() as i16;
            self.data_len = self
                .data_len
                .checked_add(BYTES_PER_SAMPLE)
                .filter(|len| len.checked_add(HEADER_LEN).is_some())
                .ok_or_else(|| WavError::TooLong {
                    path: self.path.clone(),
                })?;
            self.out
                .write_all(&value.to_le_bytes())
                .map_err(|error| named(&self.path, error))?;
        }
        Ok(())
    }

    /// Writes the sizes into the header and everything to the disk.
    ///
    /// # Errors
    /// [`WavError`] as for [`write`](Self::write).
    pub fn finish(mut self) -> Result<(), WavError> {
        let header = header(self.data_len);
        self.out
            .flush()
            .and_then(|()| self.out.seek(SeekFrom::Start(0)))
            .and_then(|_| self.out.write_all(&header))
            .and_then(|()| self.out.flush())
            .map_err(|error| named(&self.path, error))
    }
}

fn named(path: &Path, source: io::Error) -> WavError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => WavError::DiskFull { path },
        _ => WavError::Write { path, source },
    }
}

fn header(data_len: u32) -> [u8; HEADER_LEN as usize] {
    let mut out = [0; HEADER_LEN as usize];
    let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"RIFF");
    put(4, &(data_len.saturating_add(HEADER_LEN - 8)).to_le_bytes());
    put(8, b"WAVEfmt ");
    put(16, &16_u32.to_le_bytes());
    put(20, &1_u16.to_le_bytes()); // integer PCM
    put(22, &1_u16.to_le_bytes()); // channels
    put(24, &SAMPLE_RATE_HZ.to_le_bytes());
    put(28, &(SAMPLE_RATE_HZ * BYTES_PER_SAMPLE).to_le_bytes());
    put(32, &(BYTES_PER_SAMPLE as u16).to_le_bytes());
    put(34, &16_u16.to_le_bytes()); // bits per sample
    put(36, b"data");
    put(40, &data_len.to_le_bytes());
    out
}
