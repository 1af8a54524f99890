//! What a worker holds in memory, looked at from outside because the kernel does not bound all of it.
//!
//! Addresses are no measure of a process that maps libraries and weights of many gigabytes, and what is mapped as shared
//! is not counted with what it can write. Invariant: a worker that holds more than it may is ended, and no other process is.

use std::io;
use std::process::Child;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How often it is looked at.
const EVERY: Duration = Duration::from_millis(200);
/// Lines of `/proc/<pid>/status` that are memory which no file stands behind, in KiB.
const HELD: [&str; 3] = ["RssAnon:", "RssShmem:", "VmSwap:"];

/// Looks at a process for as long as what is returned is kept.
pub(super) fn watch(child: &Arc<Mutex<Child>>, most_bytes: u64) -> io::Result<mpsc::Sender<()>> {
    let child = Arc::clone(child);
    let (kept, gone) = mpsc::channel();
    thread::Builder::new().name("memory".into()).spawn(move || {
        // Nothing is ever sent: the channel closes.
        while gone.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
            // While it is locked nobody waits for the process, so its number is its own.
            let mut child = lock(&child);
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            if let Some(held) = held_bytes(child.id()).filter(|held| *held > most_bytes) {
                tracing::warn!("a worker held {held} bytes of memory and may hold {most_bytes}; it is ended");
                // It is there, and it is ours.
                let _ = child.kill();
                return;
            }
        }
    })?;
    Ok(kept)
}

pub(super) fn lock(child: &Mutex<Child>) -> MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

fn held_bytes(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let lines = status.lines().filter(|line| HELD.iter().any(|name| line.starts_with(name)));
    let kib = lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    Some(kib.sum::<u64>().saturating_mul(1024))
}
