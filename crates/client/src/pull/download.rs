//! Fetches one file: into a `.part` beside its place, resumed where it broke off, checked, then renamed.
//!
//! Invariant: a `.part` belongs to one digest, which is in its name, and to one process, which locks it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::{Response, StatusCode};

use crate::error::Error;
use crate::http::{self, Client};
use crate::hub::trees::{self, RemoteFile, Snapshot};
use crate::progress::Progress;
use crate::pull::place::{self, FileHasher};

/// How often a file is tried anew when the connection breaks or damaged bytes arrive.
const ATTEMPTS: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// How much of the digest stands in the name of a `.part`.
const DIGEST_CHARS: usize = 12;

/// Where files come from.
pub(crate) struct Source<'a> {
    pub(crate) client: &'a Client,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) progress: &'a dyn Progress,
}

/// Fetches a file to its place below `folder`.
pub(crate) async fn fetch(source: &Source<'_>, file: &RemoteFile, folder: &Path) -> Result<(), Error> {
    let place = place::prepare(folder, &file.path)?;
    let mut part = Part::open(&place, file)?;
    source.progress.advance(part.n_written);
    let mut wait = FIRST_WAIT;
    for attempt in 1.. {
        let outcome = fill(source, file, &mut part).await;
        let outcome = match outcome {
            Ok(()) => part.check(file),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => break,
            Err(error) if attempt == ATTEMPTS || !may_pass(&error) => return Err(error),
            Err(error) => tracing::debug!(path = %file.path, attempt, %error, "will be fetched again"),
        }
        tokio::time::sleep(wait).await;
        wait *= 2;
    }
    part.finish(&place)
}

fn may_pass(error: &Error) -> bool {
    matches!(error, Error::Connection { .. } | Error::Damaged { .. })
}

/// Brings the part to its full length.
async fn fill(source: &Source<'_>, file: &RemoteFile, part: &mut Part) -> Result<(), Error> {
    if part.n_written == file.n_bytes {
        return Ok(());
    }
    let response = trees::open(source.client, source.snapshot, &file.path, part.n_written).await?;
    if response.status() != StatusCode::PARTIAL_CONTENT || !continues(&response, part.n_written) {
        part.restart()?;
    }
    let operation = format!("download `{}`", file.path);
    let mut blocks = response.bytes_stream();
    while let Some(block) = blocks.next().await {
        let block = block.map_err(|source| http::connection(&operation, source))?;
        if part.n_written + block.len() as u64 > file.n_bytes {
            part.restart()?;
            return Err(damaged(file));
        }
        part.append(&block)?;
        source.progress.advance(block.len() as u64);
    }
    Ok(())
}

/// Whether the range that came begins where ours ended (`Content-Range: bytes 5-9/10`).
fn continues(response: &Response, offset: u64) -> bool {
    let range = response.headers().get(reqwest::header::CONTENT_RANGE).and_then(|value| value.to_str().ok());
    let first = range.and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.parse().ok());
    first == Some(offset)
}

pub(crate) fn damaged(file: &RemoteFile) -> Error {
    Error::Damaged { path: file.path.to_string(), expected: file.digest.to_string() }
}

/// Opens what an earlier pull has left of a file, or makes it, for this process alone.
pub(crate) fn open_part(place: &Path, file: &RemoteFile) -> Result<(PathBuf, File), Error> {
    let path = part_path(place, file);
    let failed = |source| Error::File { operation: "write", path: path.clone(), source };
    if fs::symlink_metadata(&path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(Error::LinkInTheWay { path });
    }
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let handle = opened.map_err(failed)?;
    match handle.try_lock() {
        Ok(()) => Ok((path, handle)),
        Err(TryLockError::WouldBlock) => Err(Error::Busy { path }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// A file that is not whole yet.
struct Part {
    path: PathBuf,
    file: File,
    n_written: u64,
    hasher: FileHasher,
    fresh: Box<dyn Fn() -> FileHasher + Send>,
}

impl Part {
    fn open(place: &Path, file: &RemoteFile) -> Result<Self, Error> {
        let (path, handle) = open_part(place, file)?;
        let failed = |source| Error::File { operation: "write", path: path.clone(), source };
        let (expected, n_bytes) = (file.digest, file.n_bytes);
        let fresh = Box::new(move || FileHasher::new(expected, n_bytes));
        let mut part = Self { path: path.clone(), file: handle, n_written: 0, hasher: fresh(), fresh };
        part.resume(n_bytes).map_err(failed)?;
        Ok(part)
    }

    /// Takes in what an earlier pull has written.
    fn resume(&mut self, n_bytes: u64) -> io::Result<()> {
        let n_written = self.file.metadata()?.len();
        if n_written > n_bytes {
            return self.file.set_len(0);
        }
        self.hasher.read(&mut self.file)?;
        self.n_written = n_written;
        Ok(())
    }

    fn restart(&mut self) -> Result<(), Error> {
        self.hasher = (self.fresh)();
        self.n_written = 0;
        let emptied = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
        emptied.map(drop).map_err(|source| self.failed(source))
    }

    fn append(&mut self, block: &[u8]) -> Result<(), Error> {
        self.file.write_all(block).map_err(|source| self.failed(source))?;
        self.hasher.update(block);
        self.n_written += block.len() as u64;
        Ok(())
    }

    /// Whether these are the bytes that the server listed; otherwise they are thrown away.
    fn check(&mut self, file: &RemoteFile) -> Result<(), Error> {
        let hasher = std::mem::replace(&mut self.hasher, (self.fresh)());
        if self.n_written == file.n_bytes && hasher.matches(file.digest) {
            return Ok(());
        }
        self.restart()?;
        Err(damaged(file))
    }

    fn finish(self, place: &Path) -> Result<(), Error> {
        fs::rename(&self.path, place).map_err(|source| Error::File {
            operation: "write",
            path: place.to_owned(),
            source,
        })
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::File { operation: "write", path: self.path.clone(), source }
    }
}

fn part_path(place: &Path, file: &RemoteFile) -> PathBuf {
    let digest: String = file.digest.to_string().chars().take(DIGEST_CHARS).collect();
    let mut path = place.as_os_str().to_owned();
    path.push(format!(".{digest}.part"));
    PathBuf::from(path)
}
