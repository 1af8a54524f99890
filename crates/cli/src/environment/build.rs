//! Builds the environment that models are converted with.
//!
//! Invariant: it is built under a name that nobody looks for, and renamed when it is complete.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::environment::{LOCK, uv};
use crate::error::Error;
use crate::printer::Printer;

/// Pythons for which the lock holds.
const PYTHON: &str = ">=3.11";

pub(super) fn build(cache: &Path, folder: &Path, printer: &Printer) -> Result<(), Error> {
    let parent = folder.parent().unwrap_or(folder);
    let failed = |source| Error::File { operation: "make", path: folder.to_owned(), source };
    let work = tempfile::Builder::new().prefix(".unfinished-").tempdir_in(parent).map_err(failed)?;
    let uv = uv::find(cache, printer)?;
    let unfinished = work.path().join("environment");
    printer.note("  making it with uv");
    let mut make = Command::new(&uv);
    // What is relocatable survives being renamed.
    make.args(["venv", "--quiet", "--relocatable", "--python", PYTHON]).arg(&unfinished);
    uv::run(&mut make, "make the Python environment")?;
    printer.note("  installing ONNX Runtime, scikit-learn and what converts models");
    let lock = work.path().join("requirements.lock");
    fs::write(&lock, LOCK).map_err(failed)?;
    let mut install = Command::new(&uv);
    install.args(["pip", "install", "--quiet", "--require-hashes", "--requirement"]).arg(&lock);
    install.arg("--python").arg(unfinished.join("bin/python"));
    uv::run(&mut install, "install the Python packages")?;
    fs::rename(&unfinished, folder).map_err(failed)
}
