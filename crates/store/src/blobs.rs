//! Bytes, each kept once under its SHA-256: on a disk or in an S3 store.
//!
//! Refuses to know what bytes mean and who names them. Invariants: what [`Spool::finish`] acknowledged is
//! durable and whole; nothing half-written is ever found under a digest; memory stays flat for any size.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use spec::digest::{Oid, Sha256};
use tempfile::{NamedTempFile, TempDir, TempPath};

use crate::db::Page;
use crate::settings::{Settings, Storage};
use crate::{Error, clock};

mod bucket;
mod checkout;
mod copying;
mod disk;
mod parts;
mod spool;
mod workspace;

use bucket::Bucket;
pub use checkout::Checkout;
use disk::Disk;
pub(crate) use spool::Arrived;
pub use spool::Spool;
use workspace::Workspace;

/// The storage of bytes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Blobs {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    home: Home,
    /// `None` if nothing is to be stored.
    workspace: Option<Workspace>,
    /// Files fetched from the bucket, so that readers who need a path have one.
    cache: Disk,
    /// Where parts of uploads wait for the others, if they do so on our disk.
    uploads: PathBuf,
}

#[derive(Debug)]
enum Home {
    Disk(Disk),
    Bucket(Bucket),
}

/// What was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    pub sha256: Sha256,
    /// The id git gives a blob of these bytes.
    pub git_oid: Oid,
    pub n_bytes: u64,
}

/// What was stored and nobody calls by git's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    pub sha256: Sha256,
    pub n_bytes: u64,
}

/// Stored bytes on their way out.
pub struct Reading {
    /// Of the whole, whatever the range.
    pub size_bytes: u64,
    /// What the stream holds, cut to the size.
    pub range: Range<u64>,
    pub stream: BoxStream<'static, Result<Bytes, Error>>,
}

/// One line of a list of all that is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    pub sha256: Sha256,
    pub n_bytes: u64,
    pub modified_ms: i64,
}

impl Blobs {
    /// Opens the storage and forgets the unfinished uploads of processes that are gone.
    pub async fn open(settings: &Settings) -> Result<Self, Error> {
        let data_dir = settings.data_dir.clone();
        let workspace = blocking(move || Workspace::open(&data_dir.join("tmp"))).await?;
        let home = match &settings.storage {
            Storage::Disk => Home::Disk(Disk::new(settings.data_dir.join("blobs"))),
            Storage::S3(s3) => Home::Bucket(Bucket::open(s3)?),
        };
        let cache = Disk::new(settings.data_dir.join("cache"));
        let uploads = settings.data_dir.join("uploads");
        Ok(Self { inner: Arc::new(Inner { home, workspace: Some(workspace), cache, uploads }) })
    }

    /// What is stored on the disk of a data folder, or of a folder of backups, to be read only. Nothing is written there.
    pub fn read_only(data_dir: &Path) -> Self {
        let home = Home::Disk(Disk::new(data_dir.join("blobs")));
        let (cache, uploads) = (Disk::new(data_dir.join("cache")), data_dir.join("uploads"));
        Self { inner: Arc::new(Inner { home, workspace: None, cache, uploads }) }
    }

    /// Whether another process uses the data folder. One that is about to may not be seen yet.
    pub async fn is_in_use(data_dir: &Path) -> Result<bool, Error> {
        let tmp = data_dir.join("tmp");
        blocking(move || workspace::is_in_use(&tmp)).await
    }

    /// Begins to take bytes. With their length known beforehand, git's id of them costs no second look.
    pub fn spool(&self, expected_bytes: Option<u64>) -> Spool {
        Spool::new(self.clone(), expected_bytes)
    }

    /// Stores bytes that are all here.
    pub async fn put(&self, bytes: &[u8]) -> Result<Stored, Error> {
        let mut spool = self.spool(Some(bytes.len() as u64));
        spool.write(bytes).await?;
        spool.finish().await
    }

    /// A folder of this process, on the same disk as what is stored there, which goes when it is dropped.
    pub(crate) fn new_folder(&self) -> Result<TempDir, Error> {
        let workspace = self.workspace()?;
        tempfile::tempdir_in(workspace).map_err(Error::io("make a folder in", workspace))
    }

    fn workspace(&self) -> Result<&Path, Error> {
        let refused = || std::io::Error::from(std::io::ErrorKind::ReadOnlyFilesystem);
        let workspace = self.inner.workspace.as_ref().map(Workspace::path);
        workspace.ok_or_else(|| Error::io("write to", Path::new("what is to be read only"))(refused()))
    }

    /// A file of this process, which goes when it is dropped.
    pub(crate) fn new_file(&self) -> Result<NamedTempFile, Error> {
        spool::new_file(self)
    }

    /// Stores a file of this process, which has reached the disk, under a digest that nobody stored before: when this
    /// returns it is durable.
    pub(crate) async fn place(&self, file: TempPath, kept: &Kept) -> Result<(), Error> {
        match &self.inner.home {
            Home::Bucket(bucket) => bucket.put_new(kept, &file).await,
            Home::Disk(disk) => {
                let (disk, sha256) = (disk.clone(), kept.sha256);
                blocking(move || disk.place_synced(file, &sha256)).await
            }
        }
    }

    /// Reads all or a part. A range may end behind the last byte but not begin there: [`Error::Range`].
    /// [`Error::NoBlob`] if nothing is stored under the digest.
    pub async fn read(&self, sha256: &Sha256, range: Option<Range<u64>>) -> Result<Reading, Error> {
        match &self.inner.home {
            Home::Disk(disk) => disk.read(sha256, range).await,
            Home::Bucket(bucket) => bucket.read(sha256, range).await,
        }
    }

    /// Reads a part that is there: one request where bytes are far away. Whoever is handed them notices if fewer come.
    pub(crate) async fn read_exactly(
        &self,
        sha256: &Sha256,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        match &self.inner.home {
            Home::Disk(disk) => Ok(disk.read(sha256, Some(range)).await?.stream),
            Home::Bucket(bucket) => bucket.read_exactly(sha256, range).await,
        }
    }

    /// An address at which a client fetches these bytes from the object store itself, for a while and with the header
    /// `Range` that says just these. `None` where the settings name no such way.
    pub async fn address(
        &self,
        sha256: &Sha256,
        range: &Range<u64>,
        lifetime: Duration,
    ) -> Result<Option<String>, Error> {
        match &self.inner.home {
            Home::Disk(_) => Ok(None),
            Home::Bucket(bucket) => bucket.address(sha256, range, lifetime).await,
        }
    }

    /// Reads all into memory. [`Error::WrongLength`] if that is more than `max_bytes`.
    pub async fn read_all(&self, sha256: &Sha256, max_bytes: u64) -> Result<Vec<u8>, Error> {
        use futures_util::TryStreamExt;
        let mut reading = self.read(sha256, None).await?;
        if reading.size_bytes > max_bytes {
            return Err(Error::WrongLength { expected_bytes: max_bytes, found_bytes: reading.size_bytes });
        }
        let mut bytes = Vec::with_capacity(usize::try_from(reading.size_bytes).unwrap_or(0));
        while let Some(block) = reading.stream.try_next().await? {
            bytes.extend_from_slice(&block);
        }
        Ok(bytes)
    }

    /// How many bytes are stored under the digest, `None` if it names nothing.
    pub async fn size(&self, sha256: &Sha256) -> Result<Option<u64>, Error> {
        match &self.inner.home {
            Home::Disk(disk) => disk.size(sha256).await,
            Home::Bucket(bucket) => bucket.size(sha256).await,
        }
    }

    pub async fn exists(&self, sha256: &Sha256) -> Result<bool, Error> {
        Ok(self.size(sha256).await?.is_some())
    }

    /// Deletes bytes; those that are not there are gone already. The caller knows that no row names them.
    pub async fn delete(&self, sha256: &Sha256) -> Result<(), Error> {
        match &self.inner.home {
            Home::Disk(disk) => disk.delete(sha256).await,
            Home::Bucket(bucket) => {
                bucket.delete(sha256).await?;
                self.inner.cache.delete(sha256).await
            }
        }
    }

    /// A file with these bytes, to be read only: on a disk the very one, from a bucket a copy that is fetched and
    /// checked once. [`Error::NoBlob`] if nothing is stored under the digest.
    pub async fn local_path(&self, sha256: &Sha256) -> Result<PathBuf, Error> {
        let bucket = match &self.inner.home {
            Home::Disk(disk) if disk.size(sha256).await?.is_some() => return Ok(disk.path(sha256)),
            Home::Disk(_) => return Err(Error::NoBlob(*sha256)),
            Home::Bucket(bucket) => bucket,
        };
        if let Some(path) = self.cached(sha256).await? {
            return Ok(path);
        }
        spool::fetch(self, bucket, sha256).await?;
        Ok(self.inner.cache.path(sha256))
    }

    /// The same, unless something came under that digest since that time. True if it is gone.
    pub async fn delete_unless_newer(&self, sha256: &Sha256, before_ms: i64) -> Result<bool, Error> {
        match &self.inner.home {
            Home::Disk(disk) => disk.delete_unless_newer(sha256, before_ms).await,
            Home::Bucket(bucket) => bucket.delete_unless_newer(sha256, before_ms).await,
        }
    }

    /// The file with these bytes in the cache, if there is one.
    pub(crate) async fn cached(&self, sha256: &Sha256) -> Result<Option<PathBuf>, Error> {
        self.inner.cache.touched_path(sha256).await
    }

    /// All that is in the cache of this machine, in the order of the digests; each is as new as its last use.
    pub async fn list_cached(&self, after: Option<Sha256>, limit: u32) -> Result<Vec<Found>, Error> {
        self.inner.cache.list(after, limit as usize).await
    }

    /// Takes a file out of the cache, unless it was used since that time. True if it is gone.
    pub async fn uncache(&self, sha256: &Sha256, before_ms: i64) -> Result<bool, Error> {
        self.inner.cache.delete_unless_newer(sha256, before_ms).await
    }

    /// Puts bytes into the cache, if they are what their digest says.
    pub(crate) async fn cache(&self, bytes: Spool, sha256: &Sha256) -> Result<PathBuf, Error> {
        spool::cache(self, bytes, *sha256).await?;
        Ok(self.inner.cache.path(sha256))
    }

    /// All that is stored, in the order of the digests.
    pub async fn list(&self, after: Option<&str>, limit: u32) -> Result<Page<Found>, Error> {
        let after = after.map(|text| text.parse().map_err(|_| Error::Cursor(text.to_owned()))).transpose()?;
        let limit = limit.max(1) as usize;
        let mut items = match &self.inner.home {
            Home::Disk(disk) => disk.list(after, limit + 1).await?,
            Home::Bucket(bucket) => bucket.list(after, limit + 1).await?,
        };
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|found| found.sha256.to_string());
        Ok(Page { items, next })
    }
}

/// Where bytes lie below the home of them all: `ab/cd/<sha256>`, so that no folder grows large.
fn place(sha256: &Sha256) -> String {
    let hex = sha256.to_string();
    format!("{}/{}/{hex}", &hex[..2], &hex[2..4])
}

/// The part of `size_bytes` that a range means.
pub(crate) fn clip(range: Option<Range<u64>>, size_bytes: u64) -> Result<Range<u64>, Error> {
    let range = range.unwrap_or(0..size_bytes);
    let end = range.end.min(size_bytes);
    if range.start > end || (range.start == size_bytes && size_bytes > 0) {
        return Err(Error::Range { start: range.start, size_bytes });
    }
    Ok(range.start..end)
}

/// Runs what waits for the disk where waiting is allowed.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(Error::io("work on", Path::new("the storage"))(std::io::Error::other(error))),
    }
}

/// Waits until the bytes of a file have reached the disk.
pub(crate) fn sync_file(path: &Path) -> Result<(), Error> {
    std::fs::File::open(path).and_then(|file| file.sync_all()).map_err(Error::io("write", path))
}

fn modified_ms(metadata: &std::fs::Metadata) -> i64 {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    since.and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or_else(clock::now_ms)
}
