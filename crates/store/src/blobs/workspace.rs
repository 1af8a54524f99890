//! The folder in which one process keeps its unfinished files.
//!
//! Several processes may share a data folder: the server, and a command beside it. Each has a folder of its own
//! and holds a lock on it as long as it lives. Invariant: only folders whose process is gone are removed.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use crate::Error;

#[derive(Debug)]
pub(super) struct Workspace {
    folder: PathBuf,
    /// The lock is the open file: it goes with the process, however that ends.
    _lock: File,
}

impl Workspace {
    /// Makes a folder of our own in `tmp` and removes those left behind.
    pub(super) fn open(tmp: &Path) -> Result<Self, Error> {
        fs::create_dir_all(tmp).map_err(Error::io("make the folder", tmp))?;
        // Held while folders are made and removed, so that none is removed between its making and its locking.
        let door = lock_file(&tmp.join("lock"))?;
        door.lock().map_err(Error::io("lock", tmp))?;
        remove_abandoned(tmp)?;
        let folder = tempfile::Builder::new().prefix("process-").tempdir_in(tmp);
        let folder = folder.map_err(Error::io("make a folder in", tmp))?.keep();
        let lock = lock_file(&folder.join("lock"))?;
        lock.lock().map_err(Error::io("lock", &folder))?;
        Ok(Self { folder, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next process that opens the storage.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Whether a process that lives has a folder there.
pub(super) fn is_in_use(tmp: &Path) -> Result<bool, Error> {
    if !tmp.is_dir() {
        return Ok(false);
    }
    let door = lock_file(&tmp.join("lock"))?;
    door.lock().map_err(Error::io("lock", tmp))?;
    for entry in fs::read_dir(tmp).map_err(Error::io("read", tmp))? {
        let folder = entry.map_err(Error::io("read", tmp))?.path();
        if folder.is_dir() && lock_file(&folder.join("lock"))?.try_lock().is_err() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn remove_abandoned(tmp: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(tmp).map_err(Error::io("read", tmp))? {
        let folder = entry.map_err(Error::io("read", tmp))?.path();
        if folder.is_dir() && lock_file(&folder.join("lock"))?.try_lock().is_ok() {
            fs::remove_dir_all(&folder).map_err(Error::io("remove", &folder))?;
        }
    }
    Ok(())
}

fn lock_file(path: &Path) -> Result<File, Error> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path);
    file.map_err(Error::io("open", path))
}
