//! The Python environment that models are converted with and whose ONNX Runtime serves them.
//!
//! It lives in the cache under the digest of its lock, so that two versions of this command never share one by
//! mistake. Invariant: an environment under its final name is complete.

mod build;
pub mod locked;
pub mod needed;
mod package;
mod project;
pub mod restored;
mod uv;

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use spec::digest::Sha256;

use crate::error::Error;
use crate::printer::Printer;

/// Every package with its version and digests.
const LOCK: &str = include_str!("../../../python/requirements-demo.lock");

/// An environment that is complete.
#[derive(Debug, Clone)]
pub struct Environment {
    pub folder: PathBuf,
    /// Folder with the Python package `reenact`, for `PYTHONPATH`.
    pub package: PathBuf,
}

impl Environment {
    /// The interpreter.
    pub fn python(&self) -> PathBuf {
        self.folder.join("bin/python")
    }
}

/// Finds the environment or makes it. Two at once do not get in each other's way: one makes it, one waits.
pub fn ensure(printer: &Printer) -> Result<Environment, Error> {
    let cache = cache()?;
    let folder = folder(&cache);
    if !folder.exists() {
        let _lock = lock(&folder, printer)?;
        if !folder.exists() {
            printer.note("making the Python environment; this happens once and takes about a minute");
            build::build(&cache, &folder, printer)?;
        }
    }
    let package = package::unpack(&cache.join("packages"))?;
    Ok(Environment { folder, package })
}

/// The `site-packages` of the environment, where there is one.
pub fn site_packages() -> Vec<PathBuf> {
    let Ok(cache) = cache() else { return Vec::new() };
    let listed = fs::read_dir(folder(&cache).join("lib")).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = listed.map(|entry| entry.path().join("site-packages")).collect();
    found.sort();
    found
}

pub fn cache() -> Result<PathBuf, Error> {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || variable("HOME").map(|home| home.join(".cache/reenact"));
    variable("REENACT_CACHE").or_else(home).ok_or(Error::NoCache)
}

fn folder(cache: &Path) -> PathBuf {
    cache.join("environments").join(Sha256::of(LOCK.as_bytes()).to_string())
}

/// Held while the environment is made; freed by the system should this process die.
fn lock(folder: &Path, printer: &Printer) -> Result<File, Error> {
    let path = folder.with_extension("lock");
    let failed = |source| Error::File { operation: "lock", path: path.clone(), source };
    fs::create_dir_all(folder.parent().unwrap_or(folder)).map_err(failed)?;
    let file = File::create(&path).map_err(failed)?;
    if file.try_lock().is_err() {
        printer.note("waiting for another reenact that is making the Python environment");
        file.lock().map_err(failed)?;
    }
    Ok(file)
}
