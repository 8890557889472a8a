//! What the system says of a process: its CPU time and its memory.

use std::fs;
use std::time::Duration;

/// The CPU time of all threads of these processes so far; of threads that have ended, too, as far as the
/// system's clock ticks tell.
pub fn cpu(pids: &[u32]) -> Duration {
    pids.iter().map(|pid| cpu_of(*pid)).sum()
}

/// From `schedstat`, which counts nanoseconds; `stat` counts hundredths of a second.
fn cpu_of(pid: u32) -> Duration {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Duration::ZERO };
    let nanoseconds = threads.flatten().filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}

/// The memory of these processes that is theirs alone and in use, in bytes.
pub fn own_memory(pids: &[u32]) -> u64 {
    pids.iter().map(|pid| status(*pid, "RssAnon:")).sum()
}

/// The memory of these processes that is in use, shared pages included, in bytes.
pub fn resident(pids: &[u32]) -> u64 {
    pids.iter().map(|pid| status(*pid, "VmRSS:")).sum()
}

fn status(pid: u32, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// The processes that `pid` has started.
pub fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}
