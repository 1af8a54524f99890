//! The Python of a recording, made anew: the recorded version with the recorded packages, by `uv`.
//!
//! Knows nothing of replays. Invariants: an environment under its final name is complete, and two recordings with
//! the same packages share one; only wheels are installed, which are unpacked and not run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use spec::capsule::Capsule;
use spec::digest::Sha256;

use super::uv;
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
    let interpreter = Path::new("bin/python");
    if made.join(interpreter).exists() {
        return Ok(made.join(interpreter));
    }
    fs::create_dir_all(&cache).map_err(|source| file("make the folder", &cache, source))?;
    let uv = uv::find(&super::cache()?, printer)?;
    let part = cache.join(format!("{digest}.{}", std::process::id()));
    let requirements = cache.join(format!("{digest}.txt"));
    fs::write(&requirements, &lock).map_err(|source| file("write", &requirements, source))?;
    printer.note(format_args!("making Python {version} with {} packages", lock.lines().count()));
    let mut venv = Command::new(&uv);
    // Links to its own folder are relative, so that it can be renamed.
    uv::run(
        venv.args(["venv", "--quiet", "--relocatable", "--python", version]).arg(&part),
        "make an environment",
    )?;
    if !lock.is_empty() {
        let mut install = Command::new(&uv);
        install
            .args(["pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--python"])
            .arg(part.join(interpreter));
        uv::run(install.arg("--requirement").arg(&requirements), "install the recorded packages")?;
    }
    fs::rename(&part, &made).map_err(|source| file("rename", &part, source))?;
    Ok(made.join(interpreter))
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

fn file(operation: &'static str, path: &Path, source: std::io::Error) -> Error {
    Error::File { operation, path: path.to_owned(), source }
}
