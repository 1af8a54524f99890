//! A folder of backups: snapshots by time, and the stored bytes that they share.
//!
//! ```text
//! reenact-backup.json                        {"format": 1}
//! snapshots/2026-11-22T03-40-12.345Z/
//!     snapshot.json                          what it holds, with digests
//!     rows.jsonl.gz                          all rows, as `db::dump` writes them
//!     objects.txt                            the stored bytes that rows name: SHA-256 and length
//! blobs/ab/cd/…                              those bytes, laid out as in a data folder
//! ```
//!
//! Refuses to know what goes into a snapshot, and why. Invariants: a snapshot that has its name is whole; none is ever
//! changed; bytes under a digest have it.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use spec::digest::Sha256;

use crate::blobs::blocking;
use crate::db::dump::Exported;
use crate::{Blobs, Error, Settings};

mod draft;
mod rows;

pub use draft::Draft;
pub use rows::RowsFile;

/// The form in which this program writes backups.
const FORMAT: u32 = 1;
const MARK: &str = "reenact-backup.json";
const SNAPSHOTS: &str = "snapshots";
const SNAPSHOT: &str = "snapshot.json";
const ROWS: &str = "rows.jsonl.gz";
const OBJECTS: &str = "objects.txt";

/// A folder of backups.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
    /// The bytes that the snapshots share.
    pub blobs: Blobs,
}

/// What a snapshot holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    pub format: u32,
    pub made_ms: i64,
    pub rows: Exported,
    pub n_objects: u64,
    pub object_bytes: u64,
    /// Stored bytes that rows named and that were damaged or not there when it was made.
    pub lost: BTreeSet<Sha256>,
    pub rows_sha256: Sha256,
    pub objects_sha256: Sha256,
}

/// Stored bytes that a snapshot names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object {
    pub sha256: Sha256,
    pub n_bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct Mark {
    format: u32,
}

impl Folder {
    /// Opens the folder to add to it, and makes it if there is none. [`Error::NotABackup`] if other things lie in it.
    pub async fn create(root: &Path) -> Result<Self, Error> {
        let folder = root.to_owned();
        blocking(move || {
            let mut builder = fs::DirBuilder::new();
            // Whoever can read it can do what the server can.
            builder.recursive(true).mode(0o700);
            builder.create(&folder).map_err(Error::io("make the folder", &folder))?;
            if is_marked(&folder)? {
                return Ok(());
            }
            if has_other_things(&folder)? {
                return Err(Error::NotABackup { path: folder });
            }
            let mark = serde_json::to_vec(&Mark { format: FORMAT })
                .map_err(|error| Error::Dump(error.to_string()))?;
            // Files of private repositories lie there, whoever may look into the folder above.
            for name in [SNAPSHOTS, "blobs"] {
                builder.create(folder.join(name)).map_err(Error::io("make the folder", &folder))?;
            }
            write_whole(&folder.join(MARK), &mark)
        })
        .await?;
        let blobs = Blobs::open(&Settings::embedded(root)).await?;
        Ok(Self { root: root.to_owned(), blobs })
    }

    /// Opens the folder to read from it; nothing is written there. [`Error::NotABackup`] if it is none.
    pub async fn open(root: &Path) -> Result<Self, Error> {
        let folder = root.to_owned();
        if !blocking(move || is_marked(&folder)).await? {
            return Err(Error::NotABackup { path: root.to_owned() });
        }
        Ok(Self { root: root.to_owned(), blobs: Blobs::read_only(root) })
    }

    /// The names of the snapshots, the oldest first.
    pub async fn snapshots(&self) -> Result<Vec<String>, Error> {
        let folder = self.root.join(SNAPSHOTS);
        blocking(move || {
            let entries = match fs::read_dir(&folder) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
                entries => entries.map_err(Error::io("read", &folder))?,
            };
            let mut names = Vec::new();
            for entry in entries {
                let entry = entry.map_err(Error::io("read", &folder))?;
                if entry.path().join(SNAPSHOT).is_file() {
                    names.extend(entry.file_name().into_string());
                }
            }
            names.sort_unstable();
            Ok(names)
        })
        .await
    }

    /// What the snapshot of that name holds. [`Error::NotFound`] if there is none, [`Error::NewerBackup`].
    pub async fn snapshot(&self, name: &str) -> Result<Snapshot, Error> {
        if !self.snapshots().await?.iter().any(|found| found == name) {
            return Err(Error::not_found("snapshot", name));
        }
        let path = self.path(name, SNAPSHOT);
        blocking(move || {
            let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
            let damaged = |error: serde_json::Error| Error::DamagedBackup {
                path: path.clone(),
                reason: error.to_string(),
            };
            let Mark { format } = serde_json::from_slice(&bytes).map_err(damaged)?;
            if format > FORMAT {
                return Err(Error::NewerBackup { found: format, known: FORMAT });
            }
            serde_json::from_slice(&bytes).map_err(damaged)
        })
        .await
    }

    /// The stored bytes that a snapshot names, without those that were lost when it was made.
    pub async fn objects(&self, name: &str, snapshot: &Snapshot) -> Result<Vec<Object>, Error> {
        let (path, expected) = (self.path(name, OBJECTS), snapshot.objects_sha256);
        blocking(move || {
            let damaged =
                |reason: &str| Error::DamagedBackup { path: path.clone(), reason: reason.to_owned() };
            let text = fs::read(&path).map_err(Error::io("read", &path))?;
            if Sha256::of(&text) != expected {
                return Err(damaged("it has another SHA-256"));
            }
            let text = String::from_utf8(text).map_err(|_| damaged("it is no text"))?;
            let object = |line: &str| {
                let (sha256, n_bytes) = line.split_once(' ')?;
                Some(Object { sha256: sha256.parse().ok()?, n_bytes: n_bytes.parse().ok()? })
            };
            text.lines().map(object).collect::<Option<Vec<_>>>().ok_or_else(|| damaged("it is no list"))
        })
        .await
    }

    /// The rows of a snapshot, once their file was found to be what it was.
    pub async fn rows(&self, name: &str, snapshot: &Snapshot) -> Result<RowsFile, Error> {
        let rows = RowsFile { path: self.path(name, ROWS), sha256: snapshot.rows_sha256, _folder: None };
        rows.check().await?;
        Ok(rows)
    }

    fn path(&self, snapshot: &str, file: &str) -> PathBuf {
        self.root.join(SNAPSHOTS).join(snapshot).join(file)
    }
}

/// [`Error::NewerBackup`] if a newer program made the folder.
fn is_marked(folder: &Path) -> Result<bool, Error> {
    let path = folder.join(MARK);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(false);
        }
        Err(error) => return Err(Error::io("read", &path)(error)),
    };
    let Ok(Mark { format }) = serde_json::from_slice(&bytes) else {
        return Err(Error::DamagedBackup { path, reason: "it does not tell the format".to_owned() });
    };
    if format > FORMAT { Err(Error::NewerBackup { found: format, known: FORMAT }) } else { Ok(true) }
}

/// What a new disk brings along is no other thing, and neither are folders without anything in them, which a backup left
/// that was killed as it began.
fn has_other_things(folder: &Path) -> Result<bool, Error> {
    let begun = MARK.replace(".json", ".json.new");
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let entry = entry.map_err(Error::io("read", folder))?;
        let name = entry.file_name();
        let is_empty = || fs::read_dir(entry.path()).is_ok_and(|mut entries| entries.next().is_none());
        if name != "lost+found" && name != begun.as_str() && !is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Writes a file that is there whole or not at all.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let new = path.with_extension("json.new");
    write_synced(&new, bytes)?;
    fs::rename(&new, path).map_err(Error::io("write", path))?;
    sync(path.parent().unwrap_or(path))
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(Error::io("write", path))
}

fn sync(folder: &Path) -> Result<(), Error> {
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io("write", folder))
}
