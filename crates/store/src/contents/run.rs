//! Chunks of a xorb that stand one behind the other, read in one go and handed out some at a time.
//!
//! Invariants: a chunk that is not what its hash says ends the reading, before any byte of it is handed out; the storage is
//! asked once for all of them, not once for each block.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use spec::digest::Sha256;
use spec::xet::xorb::{self, Index};

use super::Contents;
use crate::Error;
use crate::blobs::blocking;

/// Bytes that are unpacked at once, and those of a chunk more.
const UNPACKED_BYTES: u64 = 2 * 1024 * 1024;
/// How often in a row a reading that breaks off is begun again where it broke off.
pub(super) const TRIES: u32 = 4;

pub(super) struct Run {
    contents: Contents,
    sha256: Sha256,
    index: Arc<Index>,
    /// Those that are still to come.
    chunks: Range<u32>,
    stream: BoxStream<'static, Result<Bytes, Error>>,
    /// Bytes of the xorb that the stream has still to give.
    place: Range<u64>,
    n_failed: u32,
    /// What came and belongs to chunks that are not all there.
    pending: BytesMut,
}

/// Chunks that have their hashes.
pub(super) struct Checked {
    /// As they travel.
    pub(super) packed: Bytes,
    /// Where that is in the xorb.
    pub(super) place: Range<u64>,
    pub(super) unpacked: Bytes,
}

impl Run {
    /// Begins to read these chunks of a stored xorb.
    pub(super) async fn open(
        contents: &Contents,
        sha256: &Sha256,
        (index, chunks): (Arc<Index>, Range<u32>),
    ) -> Result<Self, Error> {
        let place = index.bytes(chunks.clone()).ok_or_else(|| damaged(*sha256, "fewer chunks"))?;
        let stream = contents.blobs.read_exactly(sha256, place.clone()).await?;
        let (contents, sha256) = (contents.clone(), *sha256);
        Ok(Self { contents, sha256, index, chunks, stream, place, n_failed: 0, pending: BytesMut::new() })
    }

    pub(super) fn is_done(&self) -> bool {
        self.chunks.is_empty()
    }

    /// The next chunks. There must be some.
    pub(super) async fn next(&mut self) -> Result<Checked, Error> {
        let chunks = self.index.few(self.chunks.clone(), UNPACKED_BYTES);
        let places = self.index.bytes(chunks.clone()).zip(self.index.unpacked(chunks.clone()));
        let (place, unpacked_place) = places.ok_or_else(|| damaged(self.sha256, "fewer chunks"))?;
        let packed = self.fill(place.end - place.start).await?;
        self.chunks.start = chunks.end;
        let (sha256, index) = (self.sha256, Arc::clone(&self.index));
        let (packed, unpacked) = blocking(move || {
            let hashes = &index.chunks()[chunks.start as usize..chunks.end as usize];
            let unpacked = xorb::unpack(&packed, hashes.iter().map(|chunk| chunk.hash));
            Ok((packed, unpacked.map_err(|error| damaged(sha256, &error))?))
        })
        .await?;
        if unpacked.len() as u64 != unpacked_place.end - unpacked_place.start {
            return Err(damaged(self.sha256, "chunks of other lengths"));
        }
        Ok(Checked { packed, place, unpacked: unpacked.into() })
    }

    async fn fill(&mut self, n_bytes: u64) -> Result<Bytes, Error> {
        let n_bytes =
            usize::try_from(n_bytes).map_err(|_| damaged(self.sha256, "chunks of other lengths"))?;
        while self.pending.len() < n_bytes {
            match self.stream.try_next().await {
                Ok(Some(bytes)) => {
                    self.place.start += bytes.len() as u64;
                    self.n_failed = 0;
                    self.pending.extend_from_slice(&bytes);
                }
                Ok(None) => return Err(damaged(self.sha256, "a shorter file")),
                Err(error) => self.resume(error).await?,
            }
        }
        Ok(self.pending.split_to(n_bytes).freeze())
    }

    /// Goes on where an object store broke off. What a disk says is final.
    async fn resume(&mut self, error: Error) -> Result<(), Error> {
        self.n_failed += 1;
        if self.n_failed > TRIES || !matches!(error, Error::ObjectStore { .. }) || self.place.is_empty() {
            return Err(error);
        }
        self.stream = self.contents.blobs.read_exactly(&self.sha256, self.place.clone()).await?;
        Ok(())
    }
}

fn damaged(expected: Sha256, found: &(impl ToString + ?Sized)) -> Error {
    Error::Damaged { expected, found: found.to_string() }
}
