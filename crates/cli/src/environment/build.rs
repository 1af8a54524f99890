//! Builds the environment with `uv`: the one on the `PATH`, or one of our own.
//!
//! Invariant: it is built under a name that nobody looks for, and renamed when it is complete.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::environment::LOCK;
use crate::error::Error;
use crate::printer::Printer;

/// The `uv` we fetch where there is none.
const UV: &str = "0.13.8";
/// Pythons for which the lock holds.
const PYTHON: &str = ">=3.11";
const OLDEST_PYTHON: (u32, u32) = (3, 11);
/// Lines of a program's output that are shown when it fails.
const LAST_WORDS: usize = 8;

pub(super) fn build(cache: &Path, folder: &Path, printer: &Printer) -> Result<(), Error> {
    let parent = folder.parent().unwrap_or(folder);
    let failed = |source| Error::File { operation: "make", path: folder.to_owned(), source };
    let work = tempfile::Builder::new().prefix(".unfinished-").tempdir_in(parent).map_err(failed)?;
    let uv = find_uv(cache, printer)?;
    let unfinished = work.path().join("environment");
    printer.note("  making it with uv");
    let mut make = Command::new(&uv);
    // What is relocatable survives being renamed.
    make.args(["venv", "--quiet", "--relocatable", "--python", PYTHON]).arg(&unfinished);
    run(&mut make, "make the Python environment")?;
    printer.note("  installing ONNX Runtime, scikit-learn and what converts models");
    let lock = work.path().join("requirements.lock");
    fs::write(&lock, LOCK).map_err(failed)?;
    let mut install = Command::new(&uv);
    install.args(["pip", "install", "--quiet", "--require-hashes", "--requirement"]).arg(&lock);
    install.arg("--python").arg(unfinished.join("bin/python"));
    run(&mut install, "install the Python packages")?;
    fs::rename(&unfinished, folder).map_err(failed)
}

fn find_uv(cache: &Path, printer: &Printer) -> Result<PathBuf, Error> {
    if asks_well(Command::new("uv").arg("--version")).is_some() {
        return Ok(PathBuf::from("uv"));
    }
    let tools = cache.join("tools").join(format!("uv-{UV}"));
    let uv = tools.join("bin/uv");
    if asks_well(Command::new(&uv).arg("--version")).is_some() {
        return Ok(uv);
    }
    check_python()?;
    printer.note(format_args!("  fetching uv {UV}"));
    // A folder that was left half-made is made anew; the lock on the environment is held meanwhile.
    let mut venv = Command::new("python3");
    run(venv.args(["-m", "venv", "--clear"]).arg(&tools), "make a folder for uv")?;
    let mut install = Command::new(tools.join("bin/python"));
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", &format!("uv=={UV}")]);
    run(&mut install, "fetch uv")?;
    Ok(uv)
}

fn check_python() -> Result<(), Error> {
    let version = "import sys; print('.'.join(map(str, sys.version_info[:3])))";
    let found = asks_well(Command::new("python3").args(["-c", version])).ok_or(Error::NoPython)?;
    let mut parts = found.split('.').map_while(|part| part.parse().ok());
    match (parts.next(), parts.next()) {
        (Some(major), Some(minor)) if (major, minor) >= OLDEST_PYTHON => Ok(()),
        _ => Err(Error::OldPython(found)),
    }
}

/// What a program answers, where it is there and does not fail.
fn asks_well(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn run(command: &mut Command, operation: &'static str) -> Result<(), Error> {
    // An active environment of the user's must not draw the installation to itself.
    let command = command.env_remove("VIRTUAL_ENV").env_remove("PYTHONPATH").stdin(Stdio::null());
    let output = command.output().map_err(|source| program_missing(command, source))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(Error::ProgramFailed { operation, last_words: last_words(&output) }),
    }
}

fn program_missing(command: &Command, source: io::Error) -> Error {
    Error::Program { program: command.get_program().to_string_lossy().into_owned(), source }
}

fn last_words(output: &Output) -> String {
    let said = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
    let said = String::from_utf8_lossy(said);
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    match lines.len() {
        0 => output.status.to_string(),
        n => lines[n.saturating_sub(LAST_WORDS)..].join("\n"),
    }
}
