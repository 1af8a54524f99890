//! Waiting for a command: until it ends, until its time is over, and passing on the signals that come meanwhile.
//!
//! It receives no signal itself; whoever does rings. Invariants: a command is sent a signal only while it has not
//! been waited for, so that none ever reaches a stranger of the same number; after the third signal, or some time
//! after its own is over, a command and all that it started are killed.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::process::{Child, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

/// Where signals are heard while a command runs.
#[derive(Debug)]
pub struct Bell {
    ringer: mpsc::Sender<Rung>,
    heard: Mutex<mpsc::Receiver<Rung>>,
    has_rung: AtomicBool,
}

/// A signal that a command can be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    Interrupt,
    Terminate,
}

#[derive(Debug, Clone, Copy)]
enum Rung {
    Told(Told),
    Ended,
}

impl Default for Bell {
    fn default() -> Self {
        let (ringer, heard) = mpsc::channel();
        Self { ringer, heard: Mutex::new(heard), has_rung: AtomicBool::new(false) }
    }
}

impl Bell {
    /// Says that a signal came.
    pub fn ring(&self, told: Told) {
        self.has_rung.store(true, Ordering::Relaxed);
        // The receiver lives as long as the bell.
        let _ = self.ringer.send(Rung::Told(told));
    }

    /// Whether a signal came since the beginning.
    pub fn has_rung(&self) -> bool {
        self.has_rung.load(Ordering::Relaxed)
    }
}

/// How a command is waited for.
pub(super) struct Wait<'w> {
    pub bell: &'w Bell,
    pub timeout: Option<Duration>,
}

/// How long a command that was asked to end is let go on.
const GRACE: Duration = Duration::from_secs(10);
/// The signal with which patience ends.
const MOST_SIGNALS: u32 = 3;

/// Waits for the end of a command; how it ended, and whether its time was over.
pub(super) fn wait(child: &mut Child, wait: &Wait<'_>) -> io::Result<(ExitStatus, bool)> {
    let Some(pid) = Pid::from_raw(child.id().cast_signed()) else { return Ok((child.wait()?, false)) };
    let ended = wait.bell.ringer.clone();
    thread::spawn(move || {
        // It is looked at and not waited for, which keeps its number taken.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while matches!(rustix::process::waitid(WaitId::Pid(pid), options), Err(Errno::INTR)) {}
        let _ = ended.send(Rung::Ended);
    });
    let heard = wait.bell.heard.lock().unwrap_or_else(PoisonError::into_inner);
    let mut deadline = wait.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let (mut n_signals, mut is_late) = (0, false);
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let rung = match left {
            Some(left) => heard.recv_timeout(left),
            None => heard.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match rung {
            Ok(Rung::Ended) | Err(RecvTimeoutError::Disconnected) => break,
            Ok(Rung::Told(told)) => {
                n_signals += 1;
                match told {
                    _ if n_signals >= MOST_SIGNALS => kill_all(pid),
                    Told::Interrupt if is_told_by_terminal() => {}
                    Told::Interrupt => send(pid, Signal::INT),
                    Told::Terminate => send(pid, Signal::TERM),
                }
            }
            Err(RecvTimeoutError::Timeout) if is_late => {
                kill_all(pid);
                deadline = None;
            }
            Err(RecvTimeoutError::Timeout) => {
                is_late = true;
                send(pid, Signal::TERM);
                deadline = Instant::now().checked_add(GRACE);
            }
        }
    }
    Ok((child.wait()?, is_late))
}

/// A process that has ended takes no signal, which is no failure.
fn send(pid: Pid, signal: Signal) {
    let _ = rustix::process::kill_process(pid, signal);
}

/// Whether Ctrl-C at the terminal reaches the command without us: it tells all of the group in front of it.
fn is_told_by_terminal() -> bool {
    // Behind state and parent: our group, session, terminal, and the group in front of that.
    let about = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = about.rsplit_once(") ").map(|(_, rest)| rest.split(' ').collect::<Vec<_>>());
    fields.is_some_and(|fields| fields.get(2).is_some_and(|group| fields.get(5) == Some(group)))
}

/// Kills a command and what descends from it. Who descends is asked first: orphans are given another parent.
fn kill_all(pid: Pid) {
    let children = children();
    send(pid, Signal::KILL);
    let mut left = vec![pid.as_raw_nonzero().get()];
    while let Some(parent) = left.pop() {
        for child in children.get(&parent).into_iter().flatten() {
            left.push(*child);
            if let Some(child) = Pid::from_raw(*child) {
                send(child, Signal::KILL);
            }
        }
    }
}

/// The children of each process, as the kernel lists them.
fn children() -> BTreeMap<i32, Vec<i32>> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()) {
        let about = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name before it may have spaces and brackets in it.
        let parent = about.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(pid);
        }
    }
    children
}
