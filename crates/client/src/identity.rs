//! The device's long-term key and other randomness of this computer.

use std::sync::Arc;

use conclave_e2ee::DeviceKey;

use crate::error::ClientError;

/// Makes a device key.
///
/// # Errors
/// [`ClientError::Crypto`] if the system's random source fails.
pub fn new_device_key() -> Result<Arc<DeviceKey>, ClientError> {
    DeviceKey::generate()
        .map(Arc::new)
        .map_err(|_| ClientError::Crypto)
}

/// Fills a buffer from the system's random source.
///
/// A pseudonym of zeros would be refused by everyone as soon as there are two, so that a failing
/// source shows itself as a refusal and never as a collision that goes unnoticed.
pub(crate) fn fill_random(buffer: &mut [u8]) {
    if aws_lc_rs::rand::fill(buffer).is_err() {
        buffer.fill(0);
    }
}

/// A short random name for one media session: a crashed publisher's route at the relay must not
/// shadow its successor.
pub(crate) fn instance() -> String {
    let mut bytes = [0; 8];
    fill_random(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
