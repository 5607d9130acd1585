//! Randomness of this computer.

/// Fills a buffer from the system's random source.
///
/// Without randomness nothing that follows could be secret, and a weak id would not show itself:
/// a program that cannot get any ends at once.
pub(crate) fn fill_random(buffer: &mut [u8]) {
    if aws_lc_rs::rand::fill(buffer).is_err() {
        tracing::error!("the system gives no random bytes; nothing can be kept secret without");
        std::process::abort();
    }
}

/// A short random name for one media session: a crashed publisher's route at the relay must not
/// shadow its successor.
pub(crate) fn instance() -> String {
    let mut bytes = [0; 8];
    fill_random(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A number that nobody else has.
pub(crate) fn number() -> u64 {
    let mut bytes = [0; 8];
    fill_random(&mut bytes);
    u64::from_le_bytes(bytes)
}
