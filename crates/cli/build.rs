//! Tells cargo to build anew when the Python package changes, which the binary carries.

use std::io::Write;

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "cargo::rerun-if-changed=../../python/src")?;
    writeln!(out, "cargo::rerun-if-changed=../../python/requirements-demo.lock")
}
