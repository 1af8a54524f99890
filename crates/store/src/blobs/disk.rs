//! Bytes on a disk: one file for each digest.
//!
//! Refuses to write in place: a file arrives whole, by renaming. Invariant: before [`Disk::place`] returns, the
//! bytes, the name and every new folder above it have reached the disk.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::StreamExt;
use spec::digest::Sha256;
use tempfile::{NamedTempFile, TempPath};

use super::{Found, Reading, blocking, clip, modified_ms, place};
use crate::{Error, clock};

/// Bytes read at once. Fewer make the hop to a thread that may wait cost more than the reading.
const BLOCK_BYTES: usize = 256 * 1024;

#[derive(Debug, Clone)]
pub(super) struct Disk {
    root: PathBuf,
}

impl Disk {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn path(&self, sha256: &Sha256) -> PathBuf {
        self.root.join(place(sha256))
    }

    /// Makes a finished file the one of that digest. Waits for the disk.
    pub(super) fn place(&self, file: NamedTempFile, sha256: &Sha256) -> Result<(), Error> {
        file.as_file().sync_all().map_err(Error::io("write", file.path()))?;
        self.place_synced(file.into_temp_path(), sha256)
    }

    /// The same for a file whose bytes have reached the disk.
    pub(super) fn place_synced(&self, file: TempPath, sha256: &Sha256) -> Result<(), Error> {
        let path = self.path(sha256);
        self.make_folders(&path)?;
        file.persist(&path).map_err(|error| Error::io("write", &path)(error.error))?;
        self.sync_folder(&path)
    }

    /// Whether the digest is there already, and then for good and as new as if it had come now. Waits for the disk.
    pub(super) fn has_durably(&self, sha256: &Sha256) -> Result<bool, Error> {
        let path = self.path(sha256);
        if !touch(&path)? {
            return Ok(false);
        }
        // Whoever put it there may not have come to this yet.
        self.sync_folder(&path)?;
        Ok(true)
    }

    pub(super) async fn read(&self, sha256: &Sha256, range: Option<Range<u64>>) -> Result<Reading, Error> {
        let (path, sha256) = (self.path(sha256), *sha256);
        let (file, size_bytes, range) = blocking(move || {
            let mut file = File::open(&path).map_err(|source| missing_or(source, sha256, &path))?;
            let size_bytes = file.metadata().map_err(Error::io("read", &path))?.len();
            let range = clip(range, size_bytes)?;
            file.seek(SeekFrom::Start(range.start)).map_err(Error::io("read", &path))?;
            Ok((file, size_bytes, range))
        })
        .await?;
        let n_left = range.end - range.start;
        let stream = futures_util::stream::try_unfold((file, n_left), move |(file, n_left)| async move {
            if n_left == 0 {
                Ok(None)
            } else {
                blocking(move || read_block(file, n_left, sha256)).await.map(Some)
            }
        });
        Ok(Reading { size_bytes, range, stream: stream.boxed() })
    }

    pub(super) async fn size(&self, sha256: &Sha256) -> Result<Option<u64>, Error> {
        let path = self.path(sha256);
        blocking(move || match fs::metadata(&path) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", &path)(error)),
        })
        .await
    }

    pub(super) async fn delete(&self, sha256: &Sha256) -> Result<(), Error> {
        let path = self.path(sha256);
        blocking(move || match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("delete", &path)(error)),
            _ => Ok(()),
        })
        .await
    }

    /// Deletes the file unless something came to it since that time. True if it is gone.
    pub(super) async fn delete_unless_newer(&self, sha256: &Sha256, before_ms: i64) -> Result<bool, Error> {
        let path = self.path(sha256);
        blocking(move || match fs::metadata(&path) {
            Ok(metadata) if modified_ms(&metadata) >= before_ms => Ok(false),
            Ok(_) => match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(Error::io("delete", &path)(error))
                }
                _ => Ok(true),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(Error::io("read", &path)(error)),
        })
        .await
    }

    /// The file's path, if it is there; it is then as new as if it had come now.
    pub(super) async fn touched_path(&self, sha256: &Sha256) -> Result<Option<PathBuf>, Error> {
        let path = self.path(sha256);
        blocking(move || Ok(touch(&path)?.then_some(path))).await
    }

    /// At most `limit` files behind `after`, by digest.
    pub(super) async fn list(&self, after: Option<Sha256>, limit: usize) -> Result<Vec<Found>, Error> {
        let root = self.root.clone();
        blocking(move || {
            let mut found = Vec::new();
            let after = after.map(|after| after.to_string()).unwrap_or_default();
            // The names of folders are the first digits of the digests in them.
            for outer in
                names(&root)?.into_iter().filter(|name| name.as_str() >= after.get(..2).unwrap_or(""))
            {
                for inner in names(&root.join(&outer))? {
                    let is_before = format!("{outer}{inner}").as_str() < after.get(..4).unwrap_or("");
                    if is_before {
                        continue;
                    }
                    list_folder(&root.join(&outer).join(&inner), &after, &mut found)?;
                    if found.len() >= limit {
                        found.truncate(limit);
                        return Ok(found);
                    }
                }
            }
            Ok(found)
        })
        .await
    }

    /// Makes the folders of a path; each new one is made known to the one above it.
    fn make_folders(&self, path: &Path) -> Result<(), Error> {
        let inner = path.parent().unwrap_or(&self.root);
        if inner.is_dir() {
            return Ok(());
        }
        fs::create_dir_all(inner).map_err(Error::io("make the folder", inner))?;
        let above = inner.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.root));
        above.chain(self.root.parent()).try_for_each(sync)
    }

    fn sync_folder(&self, path: &Path) -> Result<(), Error> {
        sync(path.parent().unwrap_or(&self.root))
    }
}

/// Gives a file the time of now. False if there is none.
fn touch(path: &Path) -> Result<bool, Error> {
    let since = Duration::from_millis(u64::try_from(clock::now_ms()).unwrap_or(0));
    match File::open(path).and_then(|file| file.set_modified(UNIX_EPOCH + since)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io("read", path)(error)),
    }
}

fn sync(folder: &Path) -> Result<(), Error> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io("write", folder))
}

type Block = (Bytes, (File, u64));

fn read_block(mut file: File, n_left: u64, sha256: Sha256) -> Result<Block, Error> {
    let n = BLOCK_BYTES.min(usize::try_from(n_left).unwrap_or(BLOCK_BYTES));
    let mut block = vec![0; n];
    file.read_exact(&mut block).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            Error::Damaged { expected: sha256, found: "a shorter file".to_owned() }
        }
        _ => Error::io("read", Path::new(&sha256.to_string()))(error),
    })?;
    Ok((block.into(), (file, n_left - n as u64)))
}

fn missing_or(error: io::Error, sha256: Sha256, path: &Path) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::NoBlob(sha256),
        _ => Error::io("read", path)(error),
    }
}

/// The names in a folder in their order; none if it is not there.
fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::io("read", folder))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry.map_err(Error::io("read", folder))?.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}

fn list_folder(folder: &Path, after: &str, found: &mut Vec<Found>) -> Result<(), Error> {
    for name in names(folder)?.into_iter().filter(|name| name.as_str() > after) {
        let Ok(sha256) = name.parse() else { continue };
        let path = folder.join(&name);
        match fs::metadata(&path) {
            Ok(metadata) => {
                found.push(Found { sha256, n_bytes: metadata.len(), modified_ms: modified_ms(&metadata) });
            }
            // Deleted since its folder was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("read", &path)(error)),
        }
    }
    Ok(())
}
