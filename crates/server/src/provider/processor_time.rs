//! How long a process and those it started have computed, as the kernel counts it.
//!
//! Reads `/proc` only. Invariant: what cannot be read counts as nothing.

use std::fs;
use std::time::Duration;

/// Milliseconds of one tick in `/proc/PID/stat`: Linux shows user space a hundred a second on every machine we run on.
const TICK_MS: u64 = 10;
/// Generations that are looked at: a runtime, its launcher, its worker.
const DEPTH: usize = 4;

/// Time on processors of this process, of those that it waited for, and of those that it started and still runs.
pub fn of_tree(pid: u32) -> Duration {
    Duration::from_millis(ticks(pid, DEPTH).saturating_mul(TICK_MS))
}

fn ticks(pid: u32, depth: usize) -> u64 {
    let own = fs::read_to_string(format!("/proc/{pid}/stat")).ok().and_then(|stat| read(&stat)).unwrap_or(0);
    let below: u64 = match depth {
        0 => 0,
        depth => children(pid).into_iter().map(|child| ticks(child, depth - 1)).sum(),
    };
    own.saturating_add(below)
}

/// Fields 14 to 17: of itself in user and kernel mode, and of the children that it waited for.
fn read(stat: &str) -> Option<u64> {
    // The second field is the program's name, which may hold anything but ends at the last bracket.
    let (_, fields) = stat.rsplit_once(") ")?;
    let times: Vec<u64> = fields.split(' ').skip(11).take(4).map_while(|field| field.parse().ok()).collect();
    (times.len() == 4).then(|| times.iter().sum())
}

/// Each thread has children of its own.
fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let of_thread =
        |thread: std::io::Result<fs::DirEntry>| fs::read_to_string(thread.ok()?.path().join("children")).ok();
    let found = threads
        .filter_map(of_thread)
        .flat_map(|text| text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>());
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_a_line_are_found_behind_any_name() {
        let line = "7 (a ) b) S 1 7 7 0 -1 4194560 100 0 0 0 11 12 13 14 20 0 1 0 100";
        assert_eq!(read(line), Some(50));
        assert_eq!(read("7 (a) S 1"), None);
        assert_eq!(of_tree(0), Duration::ZERO);
    }
}
