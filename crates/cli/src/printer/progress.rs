//! How far a transfer is: a bar for who watches, lines of JSON for a program, and the sums when it is done.
//!
//! Invariant: rate and remaining time are those of what travels; what is there already counts in neither.

use std::io::Write;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use client::progress::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

/// Shorter transfers show nothing: a flash of a bar tells nobody anything. Lines are as far apart.
const PATIENCE: Duration = Duration::from_secs(1);
const TEMPLATE: &str = "{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}";

/// A transfer that is under way.
pub struct Transfer {
    verb: &'static str,
    shown: Shown,
    begun: Mutex<Option<Instant>>,
    told: Mutex<Option<Instant>>,
    n_files: AtomicUsize,
    n_bytes: AtomicU64,
    n_moved: AtomicU64,
    n_there: AtomicU64,
}

pub(super) enum Shown {
    Nothing,
    Bar(ProgressBar),
    Lines,
}

impl Shown {
    /// A bar that appears when it is worth it.
    pub(super) fn bar() -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        Self::Bar(bar)
    }
}

impl Transfer {
    pub(super) fn new(verb: &'static str, shown: Shown) -> Self {
        Self {
            verb,
            shown,
            begun: Mutex::new(None),
            told: Mutex::new(None),
            n_files: AtomicUsize::new(0),
            n_bytes: AtomicU64::new(0),
            n_moved: AtomicU64::new(0),
            n_there: AtomicU64::new(0),
        }
    }

    /// Bytes of files that travelled.
    pub fn n_moved(&self) -> u64 {
        self.n_moved.load(Ordering::Relaxed)
    }

    /// Bytes of files that were there already.
    pub fn n_there(&self) -> u64 {
        self.n_there.load(Ordering::Relaxed)
    }

    fn show(&self) {
        let begun = *self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = begun.map_or(Duration::ZERO, |begun| begun.elapsed());
        if elapsed < PATIENCE {
            return;
        }
        match &self.shown {
            Shown::Nothing => {}
            Shown::Bar(bar) => self.draw(bar),
            Shown::Lines => {
                let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
                if told.is_none_or(|told| told.elapsed() >= PATIENCE) {
                    *told = Some(Instant::now());
                    self.tell(elapsed);
                }
            }
        }
    }

    fn draw(&self, bar: &ProgressBar) {
        if bar.is_hidden() {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        let files = if self.n_files.load(Ordering::Relaxed) == 1 { "file" } else { "files" };
        let percent = match self.percent_there() {
            0 => String::new(),
            percent => format!(", {percent} % already there,"),
        };
        bar.set_message(format!("{} {} {files}{percent}", self.verb, self.n_files.load(Ordering::Relaxed)));
        bar.set_length(self.n_bytes.load(Ordering::Relaxed).saturating_sub(self.n_there()));
        bar.set_position(self.n_moved());
    }

    /// A line of JSON on the standard error. It may be closed, and then there is nobody left to tell.
    fn tell(&self, elapsed: Duration) {
        let (n_bytes, n_moved, n_there) =
            (self.n_bytes.load(Ordering::Relaxed), self.n_moved(), self.n_there());
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
        let rate = n_moved.saturating_mul(1000) / elapsed_ms;
        let n_left = n_bytes.saturating_sub(n_there).saturating_sub(n_moved);
        let line = json!({
            "progress": self.verb,
            "files": self.n_files.load(Ordering::Relaxed),
            "bytes": n_bytes,
            "moved_bytes": n_moved,
            "there_bytes": n_there,
            "there_percent": self.percent_there(),
            "bytes_per_second": rate,
            "remaining_s": n_left.checked_div(rate),
        });
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }

    fn percent_there(&self) -> u64 {
        (self.n_there().saturating_mul(100)).checked_div(self.n_bytes.load(Ordering::Relaxed)).unwrap_or(0)
    }
}

impl Progress for Transfer {
    fn begin(&self, n_files: usize, n_bytes: u64) {
        self.n_files.store(n_files, Ordering::Relaxed);
        self.n_bytes.store(n_bytes, Ordering::Relaxed);
        self.n_moved.store(0, Ordering::Relaxed);
        self.n_there.store(0, Ordering::Relaxed);
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Instant::now);
    }

    fn advance(&self, n_bytes: u64) {
        self.n_moved.fetch_add(n_bytes, Ordering::Relaxed);
        self.show();
    }

    fn is_there(&self, n_bytes: u64) {
        self.n_there.fetch_add(n_bytes, Ordering::Relaxed);
        self.show();
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}
