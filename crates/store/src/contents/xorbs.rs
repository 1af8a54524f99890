//! The bytes of xorbs: verified as they arrive, then stored with the index of their chunks behind them.
//!
//! Refuses to know who sends and who asks. Invariant: what is stored as a xorb has the hash that it was said to have,
//! computed from each of its chunks.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use spec::digest::Sha256;
use spec::xet::XetHash;
use spec::xet::xorb::{self, Index, Verifier, XorbError};

use super::run::{Checked, Run, TRIES};
use super::{CHUNK_BYTES, Contents};
use crate::Error;
use crate::blobs::{Reading, Spool, blocking};
use crate::db::xorbs::Xorb;

/// Bytes that are gathered before they are verified; more than the longest chunk has.
const BLOCK_BYTES: usize = 1024 * 1024;

/// Bytes behind the index of a stored xorb that no other has, so that the name of its bytes is never given again: what
/// is deleted under one cannot be what somebody stores anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp(pub [u8; STAMP_BYTES]);

const STAMP_BYTES: usize = 16;

/// What becomes of a xorb that arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    Store(Stamp),
    /// It is here already: that its sender has it is all that is to be known.
    Verify,
}

/// A xorb on its way in.
pub struct Incoming {
    hash: XetHash,
    verifier: Verifier,
    pending: Vec<u8>,
    spool: Option<(Spool, Stamp)>,
    n_bytes: u64,
}

/// A xorb that arrived whole and right.
#[derive(Debug, Clone)]
pub struct Received {
    pub index: Index,
    /// Names the stored bytes; `None` where they were only verified.
    pub sha256: Option<Sha256>,
    /// Of its chunks.
    pub n_bytes: u64,
}

impl Contents {
    /// Begins to take a xorb.
    pub fn incoming(&self, hash: XetHash, keep: Keep) -> Incoming {
        let spool = match keep {
            Keep::Store(stamp) => Some((self.blobs.spool(None), stamp)),
            Keep::Verify => None,
        };
        Incoming { hash, verifier: Verifier::default(), pending: Vec::new(), spool, n_bytes: 0 }
    }

    /// The chunks of a stored xorb.
    pub async fn index(&self, sha256: &Sha256, xorb_bytes: u64) -> Result<Arc<Index>, Error> {
        if let Some(index) = self.indexes.get(sha256) {
            return Ok(index);
        }
        let mut n_failed = 0;
        let bytes = loop {
            match self.read_behind(sha256, xorb_bytes).await {
                Err(Error::ObjectStore { .. }) if n_failed < TRIES => n_failed += 1,
                bytes => break bytes?,
            }
        };
        let index = Index::read(without_stamp(&bytes));
        let index = index.map_err(|error| Error::Damaged { expected: *sha256, found: error.to_string() })?;
        let index = Arc::new(index);
        self.indexes.insert(*sha256, Arc::clone(&index));
        Ok(index)
    }

    async fn read_behind(&self, sha256: &Sha256, start: u64) -> Result<Vec<u8>, Error> {
        let reading = self.blobs.read(sha256, Some(start..u64::MAX)).await?;
        let bytes: Vec<Bytes> = reading.stream.try_collect().await?;
        Ok(bytes.concat())
    }

    /// Bytes of a stored xorb, as it travels.
    pub async fn read_xorb(&self, xorb: &Xorb, range: Range<u64>) -> Result<Reading, Error> {
        if range.is_empty() || range.end > xorb.n_bytes {
            return Err(Error::Range { start: range.start, size_bytes: xorb.n_bytes });
        }
        let index = self.index(&xorb.sha256, xorb.n_bytes).await?;
        let first = index.chunks().partition_point(|chunk| u64::from(chunk.end) <= range.start);
        let last = index.chunks().partition_point(|chunk| u64::from(chunk.end) < range.end);
        let number = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
        let chunks = number(first)..number(last).saturating_add(1);
        let rest = Rest { run: Run::open(self, &xorb.sha256, (index, chunks)).await?, range: range.clone() };
        let next =
            |mut rest: Rest| async move { Ok::<_, Error>(rest.next().await?.map(|bytes| (bytes, rest))) };
        let stream = futures_util::stream::try_unfold(rest, next).boxed();
        Ok(Reading { size_bytes: xorb.n_bytes, range, stream })
    }
}

/// The written index; xorbs that were stored by older programs have no stamp behind it.
fn without_stamp(bytes: &[u8]) -> &[u8] {
    match bytes.len() % CHUNK_BYTES {
        STAMP_BYTES => &bytes[..bytes.len() - STAMP_BYTES],
        _ => bytes,
    }
}

/// A part of a xorb on its way out.
struct Rest {
    run: Run,
    /// What is still to come.
    range: Range<u64>,
}

impl Rest {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        if self.range.is_empty() {
            return Ok(None);
        }
        let Checked { packed, place, .. } = self.run.next().await?;
        let cut = |byte: u64| usize::try_from(byte.min(place.end) - place.start).unwrap_or(packed.len());
        let part = packed.slice(cut(self.range.start)..cut(self.range.end));
        self.range.start = place.end.min(self.range.end);
        Ok(Some(part))
    }
}

impl Incoming {
    /// What it will have to be.
    pub fn hash(&self) -> XetHash {
        self.hash
    }

    /// Takes some more bytes. [`Error::Xorb`] once they cannot be those of the xorb.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.pending.len()));
            self.pending.extend_from_slice(now);
            bytes = later;
            if self.pending.len() == BLOCK_BYTES {
                self.verify().await?;
            }
        }
        Ok(())
    }

    /// Stores the xorb: when this returns it is durable.
    pub async fn finish(mut self) -> Result<Received, Error> {
        self.verify().await?;
        if !self.pending.is_empty() {
            return Err(XorbError::Cut.into());
        }
        let index = self.verifier.finish(self.hash)?;
        let sha256 = match self.spool {
            None => None,
            Some((mut spool, stamp)) => {
                spool.write(&index.write()).await?;
                spool.write(&stamp.0).await?;
                Some(spool.keep().await?.sha256)
            }
        };
        Ok(Received { index, sha256, n_bytes: self.n_bytes })
    }

    /// Takes the whole chunks among the pending bytes.
    async fn verify(&mut self) -> Result<(), Error> {
        let (mut verifier, pending) = (std::mem::take(&mut self.verifier), std::mem::take(&mut self.pending));
        let (verifier, pending, n_taken) = blocking(move || {
            let n_taken = verifier.take(&pending)?;
            Ok((verifier, pending, n_taken))
        })
        .await?;
        (self.verifier, self.pending) = (verifier, pending);
        self.n_bytes += n_taken as u64;
        if self.n_bytes > xorb::BYTES {
            return Err(XorbError::Length.into());
        }
        if let Some((spool, _)) = &mut self.spool {
            spool.write(&self.pending[..n_taken]).await?;
        }
        match self.verifier.is_behind() {
            true => self.pending.clear(),
            false => drop(self.pending.drain(..n_taken)),
        }
        Ok(())
    }
}
