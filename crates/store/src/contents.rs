//! The bytes of files by their SHA-256, kept whole or as chunks.
//!
//! Refuses to know who asks. Invariants: a caller cannot tell in which form a file is kept; chunks are handed out only
//! if they still have their hashes; memory stays flat for any size.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::TryStreamExt;
use spec::digest::Sha256;
use spec::name::FilePath;
use spec::xet::xorb::Index;

use crate::blobs::{Checkout, Reading, clip};
use crate::db::chunked_files::{self, Term};
use crate::{Blobs, Db, Error};

mod ahead;
mod chunks;
mod opened;
mod packing;
mod run;
mod several;
mod xorbs;

use chunks::{Chunks, Terms};
pub use opened::Opened;
pub use packing::{Packing, Receipt};
pub use xorbs::{Incoming, Keep, Received, Stamp};

/// Bytes of indexes that are kept in memory.
const INDEX_BYTES: u64 = 32 * 1024 * 1024;
/// From so many bytes on a file is read ahead of whoever takes it.
const AHEAD_BYTES: u64 = 4 * 1024 * 1024;
/// Bytes that an index takes for each chunk.
const CHUNK_BYTES: usize = 40;

/// The bytes of files. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Contents {
    db: Db,
    blobs: Blobs,
    /// Of xorbs that were read a moment ago, by what names their stored bytes.
    indexes: moka::sync::Cache<Sha256, Arc<Index>>,
}

/// What is told of a file that was read from its first byte to its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digests {
    pub sha256: Sha256,
    pub git_oid: spec::digest::Oid,
}

impl Contents {
    pub(crate) fn new(db: Db, blobs: Blobs) -> Self {
        let weight = |_: &Sha256, index: &Arc<Index>| {
            u32::try_from(index.chunks().len() * CHUNK_BYTES).unwrap_or(u32::MAX)
        };
        let indexes = moka::sync::Cache::builder().weigher(weight).max_capacity(INDEX_BYTES).build();
        Self { db, blobs, indexes }
    }

    /// Reads all of a file or a part. A range may end behind the last byte but not begin there: [`Error::Range`].
    /// [`Error::NoBlob`] if nothing is stored under the digest.
    pub async fn read(&self, sha256: &Sha256, range: Option<Range<u64>>) -> Result<Reading, Error> {
        let Some(file) = chunked_files::by_sha256(&self.db, *sha256).await? else {
            return self.blobs.read(sha256, range).await;
        };
        let range = clip(range, file.n_bytes)?;
        let terms = Terms::of_file(file.id, range.start);
        let mut stream = Chunks::new(self, terms, range.clone()).into_stream();
        if range.end - range.start > AHEAD_BYTES {
            stream = ahead::ahead(stream);
        }
        Ok(Reading { size_bytes: file.n_bytes, range, stream })
    }

    /// Reads all into memory. [`Error::WrongLength`] if that is more than `max_bytes`.
    pub async fn read_all(&self, sha256: &Sha256, max_bytes: u64) -> Result<Vec<u8>, Error> {
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

    /// A file with these bytes, to be read only. One kept as chunks is put together and checked once, and then kept in
    /// the cache. [`Error::NoBlob`] if nothing is stored under the digest.
    pub async fn local_path(&self, sha256: &Sha256) -> Result<PathBuf, Error> {
        if let Some(path) = self.blobs.cached(sha256).await? {
            return Ok(path);
        }
        if chunked_files::by_sha256(&self.db, *sha256).await?.is_none() {
            return self.blobs.local_path(sha256).await;
        }
        let mut reading = self.read(sha256, None).await?;
        let mut spool = self.blobs.spool(Some(reading.size_bytes));
        while let Some(bytes) = reading.stream.try_next().await? {
            spool.write(&bytes).await?;
        }
        self.blobs.cache(spool, sha256).await
    }

    /// A folder with these files, each at its path. [`Error::NoBlob`] if one is not stored.
    pub async fn check_out(&self, files: &[(FilePath, Sha256)]) -> Result<Checkout, Error> {
        let mut found = Vec::with_capacity(files.len());
        for (path, sha256) in files {
            found.push((path.clone(), self.local_path(sha256).await?));
        }
        self.blobs.check_out_paths(found).await
    }

    /// Reads all that these terms say, which follow each other from the first byte on, and digests it as one file.
    /// `seen` is told how many bytes were read so far.
    pub async fn digest(&self, terms: Vec<Term>, seen: impl Fn(u64)) -> Result<Digests, Error> {
        let n_bytes = terms.last().map_or(0, Term::end);
        let chunks = Chunks::new(self, Terms::these(terms), 0..n_bytes);
        chunks::digest(chunks.into_stream(), n_bytes, seen).await
    }

    /// Puts bytes into the cache that are no file of anybody's, so that [`Contents::local_path`] finds them there.
    pub async fn cache(&self, bytes: &[u8]) -> Result<Sha256, Error> {
        let sha256 = Sha256::of(bytes);
        if self.blobs.cached(&sha256).await?.is_none() {
            let mut spool = self.blobs.spool(Some(bytes.len() as u64));
            spool.write(bytes).await?;
            self.blobs.cache(spool, &sha256).await?;
        }
        Ok(sha256)
    }
}
