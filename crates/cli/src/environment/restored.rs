//! The Python of a recording, made anew: the recorded version with the recorded packages, by `uv`.
//!
//! Knows nothing of replays. Invariants: an environment under its final name is complete, and two recordings with
//! the same packages share one; of two who make it, one makes it and one waits.

use std::fs;
use std::path::PathBuf;

use spec::capsule::Capsule;
use spec::digest::Sha256;

use super::locked::{self, Plan};
use crate::error::Error;
use crate::printer::Printer;

/// The interpreter of an environment with what a recording ran on.
pub fn python(record: &Capsule, printer: &Printer) -> Result<PathBuf, Error> {
    let Some(version) = &record.environment.python else {
        return Err(Error::NotPython(record.command.join(" ")));
    };
    // What installers leave of themselves is no part of what was imported.
    let packages = record
        .environment
        .packages
        .iter()
        .filter(|(name, _)| !["pip", "setuptools", "wheel"].contains(&name.as_str()));
    let lock: String = packages.map(|(name, version)| format!("{name}=={version}\n")).collect();
    let digest = Sha256::of(format!("{version}\n{lock}").as_bytes()).to_string();
    let cache = super::cache()?.join("replays");
    let made = cache.join(&digest);
    let python = made.join("bin/python");
    if python.exists() {
        return Ok(python);
    }
    fs::create_dir_all(&cache).map_err(|source| Error::File {
        operation: "make the folder",
        path: cache.clone(),
        source,
    })?;
    let held = locked::hold(&made)?;
    // Whoever held it before us may have made it.
    if !python.exists() {
        printer.note(format_args!("making Python {version} with {} packages", lock.lines().count()));
        let plan = Plan { python: version, venv: &[], lock: &lock, install: &["--quiet"] };
        locked::make(&plan, &made, (&held, printer), |_| Ok(()))?;
    }
    Ok(python)
}
