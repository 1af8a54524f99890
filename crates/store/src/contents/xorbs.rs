//! The bytes of xorbs: verified as they arrive, then stored with the index of their chunks behind them.
//!
//! Refuses to know who sends and who asks. Invariant: what is stored as a xorb has the hash that it was said to have,
//! computed from each of its chunks.

use std::ops::Range;
use std::sync::Arc;

use futures_util::TryStreamExt;
use spec::digest::Sha256;
use spec::xet::XetHash;
use spec::xet::xorb::{self, Index, Verifier, XorbError};

use super::Contents;
use crate::Error;
use crate::blobs::{Reading, Spool, blocking};
use crate::db::xorbs::Xorb;

/// Bytes that are gathered before they are verified; more than the longest chunk has.
const BLOCK_BYTES: usize = 1024 * 1024;

/// What becomes of a xorb that arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    Store,
    /// It is here already: that its sender has it is all that is to be known.
    Verify,
}

/// A xorb on its way in.
pub struct Incoming {
    hash: XetHash,
    verifier: Verifier,
    pending: Vec<u8>,
    spool: Option<Spool>,
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
        let spool = (keep == Keep::Store).then(|| self.blobs.spool(None));
        Incoming { hash, verifier: Verifier::default(), pending: Vec::new(), spool, n_bytes: 0 }
    }

    /// The chunks of a stored xorb.
    pub async fn index(&self, sha256: &Sha256, xorb_bytes: u64) -> Result<Arc<Index>, Error> {
        if let Some(index) = self.indexes.get(sha256) {
            return Ok(index);
        }
        let reading = self.blobs.read(sha256, Some(xorb_bytes..u64::MAX)).await?;
        let bytes: Vec<bytes::Bytes> = reading.stream.try_collect().await?;
        let index = Index::read(&bytes.concat());
        let index = index.map_err(|error| Error::Damaged { expected: *sha256, found: error.to_string() })?;
        let index = Arc::new(index);
        self.indexes.insert(*sha256, Arc::clone(&index));
        Ok(index)
    }

    /// Bytes of a stored xorb, as it travels.
    pub async fn read_xorb(&self, xorb: &Xorb, range: Range<u64>) -> Result<Reading, Error> {
        if range.is_empty() || range.end > xorb.n_bytes {
            return Err(Error::Range { start: range.start, size_bytes: xorb.n_bytes });
        }
        self.blobs.read(&xorb.sha256, Some(range)).await
    }
}

impl Incoming {
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
            Some(mut spool) => {
                spool.write(&index.write()).await?;
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
        if let Some(spool) = &mut self.spool {
            spool.write(&self.pending[..n_taken]).await?;
        }
        match self.verifier.is_behind() {
            true => self.pending.clear(),
            false => drop(self.pending.drain(..n_taken)),
        }
        Ok(())
    }
}
