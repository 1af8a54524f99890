//! How far the hashing of a long file is: a bar, or lines where no bar can be.

use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use client::progress::Progress;

use super::progress::{Shown, Transfer};

/// How often a line says how far something is that nobody watches.
const BETWEEN_LINES: Duration = Duration::from_secs(10);
const GB: f64 = 1e9;

/// Shows how far the hashing of a file is.
pub(super) fn bar(_path: &Path, n_bytes: u64) -> Box<dyn FnMut(u64)> {
    let bar = Transfer::new("hashing", Shown::bar());
    bar.begin(1, n_bytes);
    Box::new(move |n_more| bar.advance(n_more))
}

/// The same in lines, for a log.
pub(super) fn lines(path: &Path, n_bytes: u64) -> Box<dyn FnMut(u64)> {
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
