//! The Python of a recording, made anew: the recorded version with the recorded packages, by `uv`.
//!
//! Knows nothing of replays. Invariants: an environment under its final name is complete, and two recordings with
//! the same packages share one; of two who make it, one makes it and one waits; only wheels are installed, which are
//! unpacked and not run.

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
    let mut lock = String::new();
    for (package, version) in packages {
        check(package, version)?;
        lock.push_str(&format!("{package}=={version}\n"));
    }
    check("python", version)?;
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
        let install = ["--quiet", "--only-binary", ":all:"];
        let plan = Plan { python: version, venv: &[], lock: &lock, install: &install };
        locked::make(&plan, &made, (&held, printer), |_| Ok(()))?;
    }
    Ok(python)
}

/// Refuses what could be more than a name and a version: the list may come from anybody.
fn check(name: &str, version: &str) -> Result<(), Error> {
    let is_name = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "._+!-".contains(c))
    };
    match is_name(name) && is_name(version) {
        true => Ok(()),
        false => Err(Error::BadPackage { name: name.to_owned(), version: version.to_owned() }),
    }
}
