//! Takes steady noise out of the microphone's sound: WebRTC's suppressor, as `sonora-ns` has it.

use sonora_ns::config::NsConfig;
use sonora_ns::noise_suppressor::NoiseSuppressor;

use super::bands::{BANDS, Bands};

pub(super) struct NoiseRemover(NoiseSuppressor);

impl NoiseRemover {
    /// One that has heard nothing yet. Steady noise becomes quieter by 12 dB.
    pub(super) fn new() -> Self {
        Self(NoiseSuppressor::new_with_bands(NsConfig::default(), BANDS))
    }

    /// Learns from sound as it was captured, before anything is taken out.
    pub(super) fn observe(&mut self, bands: &Bands) {
        self.0.analyze(&bands[0]);
    }

    /// Takes out what was learnt.
    pub(super) fn process(&mut self, bands: &mut Bands) {
        let [low, above @ ..] = bands;
        self.0.process(low);
        // The upper bands follow what was found in the lowest one.
        let gain = self.0.upper_band_gain();
        for (n, band) in above.iter_mut().enumerate() {
            self.0.process_upper_band(band, n, gain);
            NoiseSuppressor::clamp_frame(band);
        }
    }
}
