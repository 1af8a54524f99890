//! The one place where these tools print.
//!
//! It knows nothing of what is said. Invariant: a closed pipe (`cargo xtask tidy | head`) is no error.

use std::fmt::Display;
use std::io::Write;

/// Prints one line to standard output.
pub fn line(text: impl Display) {
    let mut out = std::io::stdout().lock();
    // A reader that has gone away has seen what it wanted.
    let _closed_pipe = writeln!(out, "{text}").and_then(|()| out.flush());
}
