//! The Python package `reenact`, carried in this binary so that both are always of one version.
//!
//! Invariant: an unpacked package lies under the digest of its files and is complete.

use std::fs;
use std::path::{Path, PathBuf};

use include_dir::{Dir, DirEntry, File, include_dir};
use spec::digest::Sha256;

use crate::error::Error;

static SOURCES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../python/src");

/// Unpacks the package below `packages`, once; gives the folder for `PYTHONPATH`.
pub(super) fn unpack(packages: &Path) -> Result<PathBuf, Error> {
    let mut files = Vec::new();
    gather(&SOURCES, &mut files);
    let folder = packages.join(digest(&files).to_string());
    if folder.exists() {
        return Ok(folder);
    }
    let failed = |source| Error::File { operation: "write", path: folder.clone(), source };
    fs::create_dir_all(packages).map_err(failed)?;
    let work = tempfile::Builder::new().prefix(".unfinished-").tempdir_in(packages).map_err(failed)?;
    let unfinished = work.path().join("package");
    for file in files {
        let path = unfinished.join(file.path());
        fs::create_dir_all(path.parent().unwrap_or(&unfinished)).map_err(failed)?;
        fs::write(path, file.contents()).map_err(failed)?;
    }
    match fs::rename(&unfinished, &folder) {
        // Another process was first; its package is the same.
        Err(_) if folder.exists() => Ok(folder),
        Err(source) => Err(failed(source)),
        Ok(()) => Ok(folder),
    }
}

/// The sources; not what Python compiled from them on the machine that built this binary.
fn gather<'a>(folder: &'a Dir<'a>, files: &mut Vec<&'a File<'a>>) {
    for entry in folder.entries() {
        match entry {
            DirEntry::Dir(folder) => gather(folder, files),
            DirEntry::File(file) => {
                let ending = file.path().extension().and_then(|ending| ending.to_str());
                if matches!(ending, Some("py" | "typed")) {
                    files.push(file);
                }
            }
        }
    }
    files.sort_by_key(|file| file.path());
}

fn digest(files: &[&File<'_>]) -> Sha256 {
    let digest_line =
        |file: &&File<'_>| format!("{} {}\n", Sha256::of(file.contents()), file.path().display());
    Sha256::of(files.iter().map(digest_line).collect::<String>().as_bytes())
}
