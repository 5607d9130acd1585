//! The whole memory of a running process of our own, as a thief of the machine would see it.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use rustix::process::{Pid, Signal, kill_process};

/// Memory is read in pieces of this size.
const PIECE: u64 = 1 << 20;

/// Everything that the process can write to, region by region: heap, stacks, globals, buffers.
/// The process stands still meanwhile, so that nothing moves past the reader.
///
/// # Panics
/// When the process has ended, or is none of the test's own children.
pub fn dump(process: u32) -> Vec<Vec<u8>> {
    let pid = i32::try_from(process)
        .ok()
        .and_then(Pid::from_raw)
        .expect("a process id");
    kill_process(pid, Signal::STOP).expect("a child can be stopped");
    let regions = read(process);
    kill_process(pid, Signal::CONT).expect("a child can go on");
    assert!(!regions.is_empty(), "process {process} shows no memory");
    regions
}

fn read(process: u32) -> Vec<Vec<u8>> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).expect("the process runs");
    let memory =
        File::open(format!("/proc/{process}/mem")).expect("a parent may read its child's memory");
    maps.lines()
        .filter_map(writable)
        .map(|(from, to)| region(&memory, from, to))
        .collect()
}

/// The address range of a line of `/proc/PID/maps`, if it is private data.
fn writable(line: &str) -> Option<(u64, u64)> {
    let mut fields = line.split_whitespace();
    let (from, to) = fields.next()?.split_once('-')?;
    fields.next()?.starts_with("rw").then_some(())?;
    Some((
        u64::from_str_radix(from, 16).ok()?,
        u64::from_str_radix(to, 16).ok()?,
    ))
}

/// What of the range can be read: reserved memory that was never touched cannot.
fn region(memory: &File, from: u64, to: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut at = from;
    while at < to {
        let size = PIECE.min(to - at);
        let mut piece = vec![0; usize::try_from(size).expect("a megabyte fits")];
        match memory.read_at(&mut piece, at) {
            Ok(read) if read > 0 => {
                bytes.extend_from_slice(&piece[..read]);
                at += read as u64;
            }
            _ => at += size,
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Process;
    use std::process::Command;
    use std::time::{Duration, Instant};

    #[test]
    fn what_a_child_holds_is_found() {
        // The shell computes the word, so that it stands in no argument and no file.
        let mut command = Command::new("sh");
        command.args([
            "-c",
            r#"word=$(printf 'mar%s-%s' mot 4711); echo ready; read rest; echo "$word""#,
        ]);
        let mut child = Process::start("a shell", command);
        child.line(Instant::now() + Duration::from_secs(5), "ready");
        let regions = dump(child.id());
        let found = |word: &[u8]| {
            regions
                .iter()
                .any(|region| region.windows(word.len()).any(|w| w == word))
        };
        assert!(found(b"marmot-4711"));
        assert!(!found(b"marmot-4712"));
        child.type_line("");
        assert_eq!(
            child
                .line(Instant::now() + Duration::from_secs(5), "word")
                .as_deref(),
            Some("marmot-4711")
        );
    }
}
