//! The runs that are known on this machine: a folder with a capsule, or a link to one, for each.
//!
//! Invariant: listing changes nothing; a link whose capsule is gone is no run, and is left out.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use spec::capsule::Capsule;

use crate::capsule as folder;
use crate::error::{Error, at};

/// A run and where its capsule is.
#[derive(Debug, Clone)]
pub struct Known {
    pub folder: PathBuf,
    pub record: Capsule,
}

/// All runs below a folder, newest first. A capsule that cannot be read is left out.
pub fn list(home: &Path) -> Result<Vec<Known>, Error> {
    let mut known: Vec<Known> = match fs::read_dir(home) {
        Ok(entries) => entries
            .filter_map(|entry| entry.ok()?.path().canonicalize().ok())
            .filter_map(|folder| Some(Known { record: folder::read(&folder).ok()?, folder }))
            .collect(),
        Err(_) if !home.exists() => Vec::new(),
        Err(source) => return Err(at("read the folder", home)(source)),
    };
    known.sort_by(|a, b| (b.record.started_ms, &b.record.id).cmp(&(a.record.started_ms, &a.record.id)));
    Ok(known)
}

/// The capsule that a person means: a folder, an id or its beginning, or the newest run of a name.
pub fn find(home: &Path, word: &str) -> Result<PathBuf, Error> {
    let path = Path::new(word);
    if folder::is_capsule(path) {
        return Ok(path.to_owned());
    }
    let known = list(home)?;
    let is_meant =
        |known: &&Known| known.record.name == word || (word.len() >= 4 && known.record.id.starts_with(word));
    known.iter().find(is_meant).map(|known| known.folder.clone()).ok_or_else(|| Error::NoRun(word.to_owned()))
}

/// Remembers a capsule that lies elsewhere.
pub fn remember(home: &Path, capsule: &Path, record: &Capsule) -> Result<(), Error> {
    let capsule = capsule.canonicalize().map_err(at("find the folder", capsule))?;
    if capsule.parent().is_some_and(|above| above.canonicalize().ok() == home.canonicalize().ok()) {
        return Ok(());
    }
    fs::create_dir_all(home).map_err(at("make the folder", home))?;
    let link = home.join(&record.id);
    symlink(&capsule, &link).map_err(at("link", &link))
}

/// Deletes a capsule, and what remembers it.
pub fn remove(home: &Path, word: &str) -> Result<PathBuf, Error> {
    let capsule = find(home, word)?;
    let capsule = capsule.canonicalize().map_err(at("find the folder", &capsule))?;
    let record = folder::read(&capsule)?;
    fs::remove_dir_all(&capsule).map_err(at("delete", &capsule))?;
    let link = home.join(&record.id);
    if link.is_symlink() {
        fs::remove_file(&link).map_err(at("delete", &link))?;
    }
    Ok(capsule)
}
