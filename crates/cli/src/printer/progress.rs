//! A bar for what takes longer than a second, and lines for where no bar can be.

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use client::progress::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shorter transfers show nothing: a flash of a bar tells nobody anything.
const PATIENCE: Duration = Duration::from_secs(1);
const TEMPLATE: &str = "{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}";

/// How often a line says how far something is that nobody watches.
const BETWEEN_LINES: Duration = Duration::from_secs(10);
const GB: f64 = 1e9;

/// Shows how far the hashing of a file is.
pub(super) fn hashing_bar(_path: &Path, n_bytes: u64) -> Box<dyn FnMut(u64)> {
    let bar = Bar::new("hashing");
    bar.begin(1, n_bytes);
    Box::new(move |n_more| bar.advance(n_more))
}

/// The same in lines, for a log.
pub(super) fn hashing_lines(path: &Path, n_bytes: u64) -> Box<dyn FnMut(u64)> {
    let name = path.display().to_string();
    let (mut n_done, mut said) = (0, Instant::now());
    let say = move |n_done: u64| {
        let (done, all) = (n_done as f64 / GB, n_bytes as f64 / GB);
        // Whoever listened may have gone.
        let _ = writeln!(io::stderr().lock(), "hashing `{name}`: {done:.1} of {all:.1} GB");
    };
    say(0);
    Box::new(move |n_more| {
        n_done += n_more;
        if said.elapsed() >= BETWEEN_LINES {
            said = Instant::now();
            say(n_done);
        }
    })
}

/// A bar that appears when it is worth it.
pub(super) struct Bar {
    verb: &'static str,
    begun: Mutex<Option<Instant>>,
    bar: ProgressBar,
}

impl Bar {
    pub(super) fn new(verb: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        Self { verb, begun: Mutex::new(None), bar }
    }
}

impl Progress for Bar {
    fn begin(&self, n_files: usize, n_bytes: u64) {
        self.bar.set_length(n_bytes);
        self.bar.set_position(0);
        self.bar.set_message(format!("{} {n_files} file{}", self.verb, if n_files == 1 { "" } else { "s" }));
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Instant::now);
    }

    fn advance(&self, n_bytes: u64) {
        let begun = *self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if self.bar.is_hidden() && begun.is_some_and(|begun| begun.elapsed() > PATIENCE) {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.inc(n_bytes);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
