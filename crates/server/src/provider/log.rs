//! The last lines that runtimes wrote, for whoever looks later and whoever looks on.
//!
//! Knows no process. Invariants: it holds so many lines of so many characters and no more; who follows it sees each
//! line once, in order, or that some were lost.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::ERROR;

/// Lines kept of what runtimes wrote.
const LOG_LINES: usize = 500;
/// Lines of them that say why a runtime ended, where it names no error.
const LAST_LINES: usize = 10;
/// Longest line kept, in characters.
const LOG_LINE_CHARACTERS: usize = 2000;

/// The last lines that a model's processes wrote, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Kept>);

#[derive(Debug, Default)]
struct Kept {
    lines: Mutex<Lines>,
    written: Notify,
}

#[derive(Debug, Default)]
struct Lines {
    /// Each with the voice it is of.
    kept: VecDeque<(u64, String)>,
    n_written: u64,
    n_voices: u64,
}

/// One process that writes to a log.
#[derive(Debug, Clone)]
pub struct Voice {
    log: Log,
    number: u64,
}

impl Log {
    /// A new process's place to write.
    pub fn voice(&self) -> Voice {
        let mut lines = self.lock();
        lines.n_voices += 1;
        Voice { number: lines.n_voices, log: self.clone() }
    }

    pub fn lines(&self) -> Vec<String> {
        self.lock().kept.iter().map(|(_, line)| line.clone()).collect()
    }

    /// The lines after the first so many that were ever written, as far as they are still there, and how many were
    /// written by now.
    pub fn since(&self, n_seen: u64) -> (Vec<String>, u64) {
        let lines = self.lock();
        let n_new = usize::try_from(lines.n_written.saturating_sub(n_seen)).unwrap_or(usize::MAX);
        let skipped = lines.kept.len().saturating_sub(n_new);
        (lines.kept.iter().skip(skipped).map(|(_, line)| line.clone()).collect(), lines.n_written)
    }

    /// Waits until more than so many lines were written.
    pub async fn wait(&self, n_seen: u64) {
        loop {
            let written = self.0.written.notified();
            tokio::pin!(written);
            // From here on no line is missed.
            written.as_mut().enable();
            if self.lock().n_written > n_seen {
                return;
            }
            written.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Voice {
    pub fn push(&self, line: &str) {
        let mut lines = self.log.lock();
        if lines.kept.len() == LOG_LINES {
            lines.kept.pop_front();
        }
        lines.kept.push_back((self.number, line.chars().take(LOG_LINE_CHARACTERS).collect()));
        lines.n_written += 1;
        drop(lines);
        self.log.0.written.notify_waiters();
    }

    /// What this process said of its end: the error it wrote, or its last lines.
    pub(super) fn last_words(&self, first: &str) -> String {
        let lines = self.log.lock();
        let own = lines.kept.iter().filter(|(number, line)| *number == self.number && line != first);
        let own: Vec<&str> = own.map(|(_, line)| line.as_str()).collect();
        let error = own.iter().position(|line| line.starts_with(ERROR));
        let begin = error.unwrap_or(own.len().saturating_sub(LAST_LINES));
        let text = own[begin..].join("\n");
        text.strip_prefix(ERROR).map(str::to_owned).unwrap_or(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_follows_sees_each_line_once() {
        let log = Log::default();
        let voice = log.voice();
        voice.push("one");
        let (lines, n_seen) = log.since(0);
        assert_eq!((lines, n_seen), (vec!["one".to_owned()], 1));
        let (waiting, writing) = (log.wait(n_seen), async { voice.push("two") });
        tokio::join!(waiting, writing);
        assert_eq!(log.since(n_seen), (vec!["two".to_owned()], 2));
    }

    #[test]
    fn a_log_holds_the_last_lines_and_tells_voices_apart() {
        let log = Log::default();
        let (failing, other) = (log.voice(), log.voice());
        failing.push("begins");
        failing.push("error: no such file");
        failing.push("hint: look again");
        other.push("error: another's");
        assert_eq!(failing.last_words("begins"), "no such file\nhint: look again");
        (0..LOG_LINES).for_each(|i| other.push(&i.to_string()));
        assert_eq!((log.lines().len(), log.lines()[0].as_str()), (LOG_LINES, "0"));
        assert_eq!(log.since(0).0.len(), LOG_LINES);
    }
}
