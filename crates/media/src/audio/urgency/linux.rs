//! Real-time scheduling: taken where the user may (RLIMIT_RTPRIO), else asked for.

use std::collections::HashSet;
use std::fs;

use rustix::thread::{RawPid, gettid};
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

use super::service;

/// Below the sound server's own threads, which wait for ours; the most that is granted is 20.
pub(super) const PRIORITY: u8 = 10;
/// How the threads are called that serve a stream: cpal names them so, and the libraries that it
/// calls let theirs inherit the name.
const OF_STREAMS: [&str; 3] = ["pw_in", "pw_out", "cpal_alsa_"];

pub(super) fn claim() {
    if let Err(error) = take() {
        tracing::debug!("real-time scheduling must be asked for: {error}");
        service::ask(vec![gettid().as_raw_nonzero().get()]);
    }
}

/// Threads inherit what is taken, so the calling thread takes it before it opens. They do not
/// inherit what is granted, so they are looked for.
pub(super) fn claim_for_stream<T>(open: impl FnOnce() -> T) -> T {
    if take().is_ok() {
        return open();
    }
    let before = of_streams();
    let opened = open();
    let begun: Vec<_> = of_streams().difference(&before).copied().collect();
    if !begun.is_empty() {
        service::ask(begun);
    }
    opened
}

fn take() -> Result<(), String> {
    let priority = ThreadPriorityValue::try_from(PRIORITY)?;
    set_thread_priority_and_policy(
        thread_native_id(),
        ThreadPriority::Crossplatform(priority),
        ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin),
    )
    .map_err(|error| error.to_string())
}

/// The threads of this process that serve streams.
fn of_streams() -> HashSet<RawPid> {
    let Ok(threads) = fs::read_dir("/proc/self/task") else {
        return HashSet::new();
    };
    let serves = |path: &std::path::Path| {
        let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
        OF_STREAMS.iter().any(|prefix| name.starts_with(prefix))
    };
    threads
        .filter_map(Result::ok)
        .filter(|thread| serves(&thread.path()))
        .filter_map(|thread| thread.file_name().to_str()?.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::thread;

    use thread_priority::thread_schedule_policy;

    use super::*;

    fn is_urgent() -> bool {
        let policy = thread_schedule_policy().expect("Linux tells");
        matches!(policy, ThreadSchedulePolicy::Realtime(_))
    }

    #[test]
    fn what_is_taken_is_inherited_and_what_is_refused_changes_nothing() {
        let thread = thread::spawn(|| {
            let taken = take().is_ok();
            let inherited = thread::spawn(is_urgent).join().expect("no panic");
            (taken, is_urgent(), inherited)
        });
        let (taken, is_urgent, inherited) = thread.join().expect("no panic");
        assert_eq!((is_urgent, inherited), (taken, taken));
    }

    #[test]
    fn threads_of_streams_are_known_by_their_names() {
        let begun = |name: &str| {
            let (tell, told) = std::sync::mpsc::channel();
            let (end, ended) = std::sync::mpsc::channel::<()>();
            let thread = thread::Builder::new().name(name.to_owned());
            let wait = move || {
                let _ = tell.send(gettid().as_raw_nonzero().get());
                let _ = ended.recv();
            };
            let thread = thread.spawn(wait).expect("a thread");
            (told.recv().expect("its id"), end, thread)
        };
        let (stream, end_stream, first) = begun("pw_out");
        let (other, end_other, second) = begun("sound-keeper");
        let found = of_streams();
        assert!(
            found.contains(&stream) && !found.contains(&other),
            "{found:?}"
        );
        drop((end_stream, end_other));
        first.join().expect("no panic");
        second.join().expect("no panic");
        assert!(!of_streams().contains(&stream));
    }
}
