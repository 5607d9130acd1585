//! Sound in three bands of 8 kHz each, in which echo and noise are taken out.

use sonora::three_band_filter_bank::{NUM_BANDS, SPLIT_BAND_SIZE, ThreeBandFilterBank};

use super::Block;

/// How many bands there are.
pub(super) const BANDS: usize = NUM_BANDS;
/// Samples of one band in a block of 10 ms: it has 16,000 a second.
pub(super) const BAND_SAMPLES: usize = SPLIT_BAND_SIZE;
/// In bands sound has the scale of 16-bit samples, by which AEC3 and its like count.
const FULL_SCALE: f32 = 32_768.0;

/// A block, the lowest band first.
pub(super) type Bands = [[f32; BAND_SAMPLES]; BANDS];

/// Splits one stream of blocks, and puts it together again.
pub(super) struct Splitter(ThreeBandFilterBank);

impl Splitter {
    pub(super) fn new() -> Self {
        Self(ThreeBandFilterBank::new())
    }

    pub(super) fn split(&mut self, block: &Block) -> Bands {
        let mut bands = [[0.0; BAND_SAMPLES]; BANDS];
        self.0.analysis(&block.map(|s| s * FULL_SCALE), &mut bands);
        bands
    }

    pub(super) fn merge(&mut self, bands: &Bands, block: &mut Block) {
        self.0.synthesis(bands, block);
        block.iter_mut().for_each(|s| *s /= FULL_SCALE);
    }
}
