//! A file's bytes for who reads and seeks, such as a parser, without a file of their own on the disk.
//!
//! Refuses to be read where nothing may wait: each step may ask the database and the storage. Invariant: holds one
//! window of the file, however large that is.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use bytes::Bytes;
use futures_util::TryStreamExt;
use spec::digest::Sha256;
use tokio::runtime::Handle;

use super::Contents;
use crate::Error;
use crate::blobs::blocking;
use crate::db::chunked_files;

/// Bytes fetched at once.
const WINDOW_BYTES: u64 = 1024 * 1024;

/// A stored file, opened.
pub enum Opened {
    Whole(File),
    Chunked(Box<Chunked>),
}

/// A file of chunks and where in it the reader is.
pub struct Chunked {
    contents: Contents,
    sha256: Sha256,
    n_bytes: u64,
    place: u64,
    /// Where the window begins, and what is in it.
    window: (u64, Bytes),
    runtime: Handle,
}

impl Contents {
    /// Opens a stored file, to be read on a thread that may wait. [`Error::NoBlob`] if nothing is stored under the digest.
    pub async fn open(&self, sha256: &Sha256) -> Result<Opened, Error> {
        let Some(file) = chunked_files::by_sha256(&self.db, *sha256).await? else {
            let path = self.blobs.local_path(sha256).await?;
            let open = blocking(move || File::open(&path).map_err(Error::io("open", &path)));
            return open.await.map(Opened::Whole);
        };
        let n_bytes = file.n_bytes;
        let (window, runtime) = ((0, Bytes::new()), Handle::current());
        let file = Chunked { contents: self.clone(), sha256: *sha256, n_bytes, place: 0, window, runtime };
        Ok(Opened::Chunked(Box::new(file)))
    }
}

impl Read for Opened {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Whole(file) => file.read(to),
            Self::Chunked(file) => file.read(to),
        }
    }
}

impl Seek for Opened {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::Whole(file) => file.seek(to),
            Self::Chunked(file) => file.seek(to),
        }
    }
}

impl Chunked {
    /// What the window holds from this place on.
    fn rest(&self) -> Bytes {
        let (start, bytes) = &self.window;
        let skipped = self.place.checked_sub(*start).and_then(|n| usize::try_from(n).ok());
        skipped.filter(|n| *n < bytes.len()).map_or_else(Bytes::new, |n| bytes.slice(n..))
    }

    async fn fetch(&self, range: Range<u64>) -> Result<Bytes, Error> {
        let reading = self.contents.read(&self.sha256, Some(range)).await?;
        let blocks: Vec<Bytes> = reading.stream.try_collect().await?;
        Ok(blocks.concat().into())
    }
}

impl Read for Chunked {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.place >= self.n_bytes || to.is_empty() {
            return Ok(0);
        }
        if self.rest().is_empty() {
            let range = self.place..self.place.saturating_add(WINDOW_BYTES).min(self.n_bytes);
            let bytes = self.runtime.block_on(self.fetch(range)).map_err(io::Error::other)?;
            self.window = (self.place, bytes);
        }
        let rest = self.rest();
        let n = rest.len().min(to.len());
        to[..n].copy_from_slice(&rest[..n]);
        self.place += n as u64;
        Ok(n)
    }
}

impl Seek for Chunked {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(by) => self.n_bytes.checked_add_signed(by),
            SeekFrom::Current(by) => self.place.checked_add_signed(by),
        };
        self.place = place.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.place)
    }
}
