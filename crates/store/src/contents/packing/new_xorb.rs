//! A xorb that is being written, in a file of this process until it is placed.
//!
//! Invariants: only a part of it is in memory; dropped before it is placed, it leaves nothing behind.

use std::io::Write;

use sha2::Digest;
use spec::digest::Sha256;
use spec::xet::XetHash;
use spec::xet::xorb::{CHUNKS, Writer};
use tempfile::{NamedTempFile, TempPath};
use tokio::task::JoinHandle;

use crate::blobs::{Kept, sync_file};
use crate::contents::Stamp;
use crate::{Blobs, Error};

/// Bytes of chunks after which a xorb is full: few hold a large model, and what is left of one that is half used is little.
const FULL_BYTES: u64 = 32 * 1024 * 1024;
/// Bytes that are written at once.
const BLOCK_BYTES: usize = 1024 * 1024;

/// A xorb that takes chunks.
pub(super) struct NewXorb {
    writer: Writer,
    file: NamedTempFile,
    sha256: sha2::Sha256,
    n_bytes: u64,
    n_pending: usize,
}

/// A xorb that is full, on its way to the disk.
pub(super) struct Sealed {
    pub(super) hash: XetHash,
    pub(super) kept: Kept,
    /// Of its chunks, as they travel and unpacked.
    pub(super) n_bytes: u64,
    pub(super) n_unpacked: u64,
    pub(super) n_chunks: u64,
    /// The chunks by which clients ask for it.
    pub(super) asked: Vec<XetHash>,
    path: TempPath,
    synced: JoinHandle<Result<(), Error>>,
}

impl NewXorb {
    pub(super) fn new(blobs: &Blobs) -> Result<Self, Error> {
        let file = blobs.new_file()?;
        Ok(Self { writer: Writer::default(), file, sha256: sha2::Sha256::new(), n_bytes: 0, n_pending: 0 })
    }

    pub(super) fn is_full_for(&self, chunk: &[u8]) -> bool {
        self.writer.n_chunks() == CHUNKS || self.writer.n_unpacked() + chunk.len() as u64 > FULL_BYTES
    }

    /// Puts a chunk behind the others and says the how manieth it is.
    pub(super) fn push(&mut self, hash: XetHash, chunk: &[u8]) -> Result<u32, Error> {
        let place = u32::try_from(self.writer.n_chunks()).unwrap_or(u32::MAX);
        self.writer.push(hash, chunk);
        self.n_pending += chunk.len();
        if self.n_pending >= BLOCK_BYTES {
            self.n_pending = 0;
            let bytes = self.writer.drain();
            self.n_bytes += bytes.len() as u64;
            self.write(&bytes)?;
        }
        Ok(place)
    }

    /// Ends it; it is made durable while others are written. `None` if it has no chunk.
    pub(super) fn seal(mut self, stamp: Stamp) -> Result<Option<Sealed>, Error> {
        let (n_unpacked, n_chunks) = (self.writer.n_unpacked(), self.writer.n_chunks() as u64);
        let Some((hash, rest, index)) = std::mem::take(&mut self.writer).finish() else { return Ok(None) };
        self.n_bytes += rest.len() as u64;
        for bytes in [&rest[..], &index.write(), &stamp.0] {
            self.write(bytes)?;
        }
        let asked = index.chunks().iter().map(|chunk| chunk.hash).filter(XetHash::is_asked_for).collect();
        let n_stored =
            std::fs::metadata(self.file.path()).map_err(Error::io("read", self.file.path()))?.len();
        let kept = Kept { sha256: Sha256::from_bytes(self.sha256.finalize().into()), n_bytes: n_stored };
        let path = self.file.into_temp_path();
        let to_sync = path.to_path_buf();
        let synced = tokio::task::spawn_blocking(move || sync_file(&to_sync));
        Ok(Some(Sealed { hash, kept, n_bytes: self.n_bytes, n_unpacked, n_chunks, asked, path, synced }))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.sha256.update(bytes);
        self.file.write_all(bytes).map_err(Error::io("write", self.file.path()))
    }
}

impl Sealed {
    /// Stores it: when this returns it is durable.
    pub(super) async fn place(self, blobs: &Blobs) -> Result<(), Error> {
        self.synced.await.map_err(|error| Error::io("write", &self.path)(std::io::Error::other(error)))??;
        blobs.place(self.path, &self.kept).await
    }
}
