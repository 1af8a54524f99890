//! Takes bytes as they arrive and stores them once they are all there.
//!
//! Refuses to keep them in memory: beyond one block they go to a file of this process, digested on the way.
//! Invariant: a spool that is dropped before [`Spool::finish`] returned leaves nothing behind.

use std::fs::{File, Permissions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;

use futures_util::TryStreamExt;
use sha2::Digest;
use spec::digest::{Oid, Sha256};
use spec::git::{self, BlobHasher};
use tempfile::NamedTempFile;
use tokio::task::JoinHandle;

use super::bucket::Bucket;
use super::{Blobs, Home, Kept, Stored, blocking};
use crate::Error;

/// Bytes gathered before they are digested and written. A spool holds at most two such blocks.
const BLOCK_BYTES: usize = 256 * 1024;

/// Bytes on their way in.
pub struct Spool {
    blobs: Blobs,
    expected_bytes: Option<u64>,
    expected_sha256: Option<Sha256>,
    n_bytes: u64,
    block: Vec<u8>,
    /// The block before, being digested and written while this one fills.
    sink: Sink,
}

/// Bytes that came and are not stored.
pub(crate) enum Arrived {
    Memory(Vec<u8>),
    /// A file of this process, which goes when it is dropped.
    File(NamedTempFile),
}

enum Sink {
    /// All bytes so far are in the block.
    Unopened,
    Working(JoinHandle<Result<Writing, Error>>),
}

/// Whether git's id of the bytes is asked for, which costs a second look where their length was not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GitId {
    Wanted,
    Unwanted,
}

/// A file being written, and the digests of what is in it.
struct Writing {
    file: NamedTempFile,
    sha256: sha2::Sha256,
    git: Option<BlobHasher>,
}

impl Spool {
    pub(super) fn new(blobs: Blobs, expected_bytes: Option<u64>) -> Self {
        let (block, sink) = (Vec::new(), Sink::Unopened);
        Self { blobs, expected_bytes, expected_sha256: None, n_bytes: 0, block, sink }
    }

    /// Bytes of any other digest will not be stored: [`Error::WrongDigest`].
    pub fn expecting(mut self, sha256: Sha256) -> Self {
        self.expected_sha256 = Some(sha256);
        self
    }

    /// Takes some more bytes. [`Error::WrongLength`] once they are more than announced, [`Error::StorageFull`]
    /// without room; after an error the spool is of no more use.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        self.n_bytes += bytes.len() as u64;
        if let Some(expected_bytes) = self.expected_bytes
            && self.n_bytes > expected_bytes
        {
            return Err(Error::WrongLength { expected_bytes, found_bytes: self.n_bytes });
        }
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.block.len()));
            self.block.extend_from_slice(now);
            bytes = later;
            if self.block.len() == BLOCK_BYTES {
                self.write_block().await?;
            }
        }
        Ok(())
    }

    /// How many bytes have come so far.
    pub fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    /// Stores the bytes: when this returns they are durable, under their digest. Bytes that were there already
    /// are not stored again.
    pub async fn finish(self) -> Result<Stored, Error> {
        let (Kept { sha256, n_bytes }, git_oid) = self.place(GitId::Wanted).await?;
        // It was wanted, so it is there.
        Ok(Stored { sha256, git_oid: git_oid.unwrap_or_else(|| git::blob(&[])), n_bytes })
    }

    /// The same for bytes that are no file of anybody's.
    pub async fn keep(self) -> Result<Kept, Error> {
        Ok(self.place(GitId::Unwanted).await?.0)
    }

    async fn place(mut self, wanted: GitId) -> Result<(Kept, Option<Oid>), Error> {
        self.check_length()?;
        match self.take_writing().await? {
            None => self.place_small().await,
            Some(writing) => self.place_large(writing, wanted).await,
        }
    }

    /// What came, wherever it is by now. Nothing is stored.
    pub(crate) async fn into_arrived(mut self) -> Result<Arrived, Error> {
        self.check_length()?;
        match self.take_writing().await? {
            None => Ok(Arrived::Memory(self.block)),
            Some(mut writing) => {
                let block = self.block;
                blocking(move || {
                    writing.file.write_all(&block).map_err(Error::io("write", writing.file.path()))?;
                    Ok(Arrived::File(writing.file))
                })
                .await
            }
        }
    }

    /// The bytes as a file of this process, which goes when it is dropped, and their digest. Nothing is stored.
    pub(super) async fn into_file(mut self) -> Result<(NamedTempFile, Sha256), Error> {
        self.check_length()?;
        // A block first, so that there is a file however few the bytes.
        self.write_block().await?;
        let Some(writing) = self.take_writing().await? else {
            return Err(Error::WrongLength { expected_bytes: self.n_bytes, found_bytes: 0 });
        };
        let Writing { file, sha256, .. } = writing;
        Ok((file, Sha256::from_bytes(sha256.finalize().into())))
    }

    /// All bytes are in one block: if they are known already, no file is made.
    async fn place_small(self) -> Result<(Kept, Option<Oid>), Error> {
        let sha256 = Sha256::of(&self.block);
        check_digest(self.expected_sha256, sha256)?;
        let (blobs, block) = (self.blobs, self.block);
        let kept = Kept { sha256, n_bytes: block.len() as u64 };
        let git_oid = git::blob(&block);
        match &blobs.inner.home {
            Home::Bucket(bucket) => bucket.put_small(&kept, block.into()).await?,
            Home::Disk(_) => {
                blocking(move || {
                    let Home::Disk(disk) = &blobs.inner.home else { return Ok(()) };
                    if disk.has_durably(&kept.sha256)? {
                        return Ok(());
                    }
                    let mut file = new_file(&blobs)?;
                    file.write_all(&block).map_err(Error::io("write", file.path()))?;
                    disk.place(file, &kept.sha256)
                })
                .await?;
            }
        }
        Ok((kept, Some(git_oid)))
    }

    async fn place_large(self, writing: Writing, wanted: GitId) -> Result<(Kept, Option<Oid>), Error> {
        let (blobs, n_bytes, expected) = (self.blobs, self.n_bytes, self.expected_sha256);
        let block = self.block;
        let (file, kept, git_oid) = {
            blocking(move || {
                let Writing { mut file, sha256, git } = write(writing, &block)?;
                let sha256 = Sha256::from_bytes(sha256.finalize().into());
                check_digest(expected, sha256)?;
                let git_oid = match (git, wanted) {
                    (Some(git), _) => Some(git.finish()),
                    (None, GitId::Wanted) => Some(git_oid(&mut file, n_bytes)?),
                    (None, GitId::Unwanted) => None,
                };
                Ok((file, Kept { sha256, n_bytes }, git_oid))
            })
            .await?
        };
        match &blobs.inner.home {
            Home::Bucket(bucket) => bucket.put_large(&kept, file.path()).await?,
            Home::Disk(disk) => {
                let disk = disk.clone();
                blocking(move || match disk.has_durably(&kept.sha256)? {
                    true => Ok(()),
                    false => disk.place(file, &kept.sha256),
                })
                .await?;
            }
        }
        Ok((kept, git_oid))
    }

    fn check_length(&self) -> Result<(), Error> {
        match self.expected_bytes {
            Some(expected_bytes) if self.n_bytes != expected_bytes => {
                Err(Error::WrongLength { expected_bytes, found_bytes: self.n_bytes })
            }
            _ => Ok(()),
        }
    }

    /// Hands the block over to be digested and written, after the one before it.
    async fn write_block(&mut self) -> Result<(), Error> {
        let writing = self.take_writing().await?;
        let block = std::mem::replace(&mut self.block, Vec::with_capacity(BLOCK_BYTES));
        let (blobs, expected_bytes) = (self.blobs.clone(), self.expected_bytes);
        self.sink = Sink::Working(tokio::task::spawn_blocking(move || {
            let writing = match writing {
                Some(writing) => writing,
                None => Writing {
                    file: new_file(&blobs)?,
                    sha256: sha2::Sha256::new(),
                    git: expected_bytes.map(BlobHasher::new),
                },
            };
            write(writing, &block)
        }));
        Ok(())
    }

    async fn take_writing(&mut self) -> Result<Option<Writing>, Error> {
        match std::mem::replace(&mut self.sink, Sink::Unopened) {
            Sink::Unopened => Ok(None),
            Sink::Working(handle) => {
                let path = self.blobs.workspace()?;
                let done =
                    handle.await.map_err(|error| Error::io("write", path)(std::io::Error::other(error)))?;
                done.map(Some)
            }
        }
    }
}

/// Fetches bytes from the bucket into the cache, if they are still what their digest says.
pub(super) async fn fetch(blobs: &Blobs, bucket: &Bucket, sha256: &Sha256) -> Result<(), Error> {
    let expected = *sha256;
    let mut reading = bucket.read(sha256, None).await?;
    let mut spool = Spool::new(blobs.clone(), Some(reading.size_bytes));
    while let Some(bytes) = reading.stream.try_next().await? {
        spool.write(&bytes).await?;
    }
    cache(blobs, spool, expected).await
}

/// Puts bytes into the cache, if they are what their digest says.
pub(super) async fn cache(blobs: &Blobs, spool: Spool, expected: Sha256) -> Result<(), Error> {
    let (file, found) = spool.into_file().await?;
    if found != expected {
        return Err(Error::Damaged { expected, found: found.to_string() });
    }
    let cache = blobs.inner.cache.clone();
    blocking(move || cache.place(file, &expected)).await
}

fn check_digest(expected: Option<Sha256>, found: Sha256) -> Result<(), Error> {
    match expected {
        Some(expected) if expected != found => Err(Error::WrongDigest { expected, found }),
        _ => Ok(()),
    }
}

fn write(mut writing: Writing, block: &[u8]) -> Result<Writing, Error> {
    writing.file.write_all(block).map_err(Error::io("write", writing.file.path()))?;
    writing.sha256.update(block);
    if let Some(git) = &mut writing.git {
        git.update(block);
    }
    Ok(writing)
}

/// Stored bytes never change, so nobody may write to their file once it is closed.
pub(super) fn new_file(blobs: &Blobs) -> Result<NamedTempFile, Error> {
    let folder = blobs.workspace()?;
    let file = tempfile::Builder::new().permissions(Permissions::from_mode(0o444)).tempfile_in(folder);
    file.map_err(Error::io("make a file in", folder))
}

/// Git's id of a file that is all there: the second look that an unknown length costs.
fn git_oid(file: &mut NamedTempFile, n_bytes: u64) -> Result<Oid, Error> {
    let path = file.path().to_owned();
    let mut hasher = BlobHasher::new(n_bytes);
    let mut block = vec![0; BLOCK_BYTES];
    let mut open: &File = file.as_file();
    open.rewind().map_err(Error::io("read", &path))?;
    loop {
        match open.read(&mut block).map_err(Error::io("read", &path))? {
            0 => return Ok(hasher.finish()),
            n => hasher.update(&block[..n]),
        }
    }
}
