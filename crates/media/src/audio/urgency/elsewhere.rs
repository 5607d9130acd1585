//! Windows and macOS let a program raise its own threads. The threads that call back for samples
//! belong to the system there, which has made them urgent itself.

use thread_priority::{ThreadPriority, set_current_thread_priority};

pub(super) fn claim() {
    if let Err(error) = set_current_thread_priority(ThreadPriority::Max) {
        tracing::info!("a thread of sound is as urgent as any other: {error}");
    }
}

pub(super) fn claim_for_stream<T>(open: impl FnOnce() -> T) -> T {
    open()
}
