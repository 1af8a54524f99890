//! Of which chunks a file is made, in its order, and where in xorbs they are.
//!
//! Invariant: a plan has the hash of the file that it was asked for, so that whoever made the list cannot have lied.

use std::collections::BTreeMap;
use std::ops::Range;

use spec::xet::XetHash;
use spec::xet::shard::Shard;

use super::session::Session;
use crate::error::Error;

const OPERATION: &str = "read of which chunks a file is made";

/// A file's chunks.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) chunks: Vec<Chunk>,
    /// The chunks of the xorbs, each with its length.
    xorbs: BTreeMap<XetHash, Vec<(XetHash, u32)>>,
    n_bytes: u64,
}

/// A chunk of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) hash: XetHash,
    /// Where in the file it begins.
    pub(crate) start: u64,
    pub(crate) n_bytes: u32,
    pub(crate) xorb: XetHash,
    /// Which of the xorb's chunks it is.
    pub(crate) place: u32,
}

impl Chunk {
    pub(crate) fn end(&self) -> u64 {
        self.start + u64::from(self.n_bytes)
    }
}

/// What is wrong with what was told of a file.
#[derive(Debug, thiserror::Error)]
enum Wrong {
    #[error("the list names chunks that its xorbs do not have")]
    Place,
    #[error("the list is that of another file")]
    Hash,
    #[error("the list does not reach the end of the file")]
    Length,
}

impl From<Wrong> for Error {
    fn from(wrong: Wrong) -> Self {
        Self::Chunks { operation: OPERATION, source: wrong.into() }
    }
}

impl Plan {
    /// Asks of which chunks a file is made. `None` where the store does not tell.
    pub(crate) async fn ask(session: &Session, file: XetHash, n_bytes: u64) -> Result<Option<Self>, Error> {
        let mut plan = Self::default();
        while plan.n_bytes < n_bytes {
            let Some(shard) = session.file(file, plan.n_bytes).await? else { return Ok(None) };
            let before = plan.n_bytes;
            plan.add(shard)?;
            if plan.n_bytes == before {
                return Err(Wrong::Length.into());
            }
        }
        plan.check(file, n_bytes)?;
        Ok(Some(plan))
    }

    /// The hashes of some chunks of a xorb, where all of these are known.
    pub(crate) fn hashes(&self, xorb: XetHash, chunks: &Range<u32>) -> Option<&[(XetHash, u32)]> {
        let all = self.xorbs.get(&xorb)?;
        all.get(usize::try_from(chunks.start).ok()?..usize::try_from(chunks.end).ok()?)
    }

    fn add(&mut self, shard: Shard) -> Result<(), Wrong> {
        self.xorbs.extend(shard.xorbs.into_iter().map(|xorb| (xorb.hash, xorb.chunks)));
        for term in shard.files.iter().flat_map(|file| &file.terms) {
            let chunks = self.hashes(term.xorb, &term.chunks).ok_or(Wrong::Place)?.to_vec();
            for ((hash, n_bytes), place) in chunks.into_iter().zip(term.chunks.start..) {
                self.chunks.push(Chunk { hash, start: self.n_bytes, n_bytes, xorb: term.xorb, place });
                self.n_bytes += u64::from(n_bytes);
            }
        }
        Ok(())
    }

    fn check(&self, file: XetHash, n_bytes: u64) -> Result<(), Wrong> {
        let nodes: Vec<(XetHash, u64)> =
            self.chunks.iter().map(|chunk| (chunk.hash, u64::from(chunk.n_bytes))).collect();
        match XetHash::of_file(&nodes) == file {
            true if self.n_bytes == n_bytes => Ok(()),
            true => Err(Wrong::Length),
            false => Err(Wrong::Hash),
        }
    }
}

#[cfg(test)]
mod tests {
    use spec::xet::shard::{File, Term, Xorb};

    use super::*;

    fn told() -> (XetHash, Shard) {
        let chunks: Vec<(XetHash, u32)> = (0..4_u8).map(|n| (XetHash::of_chunk(&[n]), 10)).collect();
        let xorb =
            XetHash::of_xorb(&chunks.iter().map(|(hash, n)| (*hash, u64::from(*n))).collect::<Vec<_>>());
        let nodes = [(chunks[1].0, 10), (chunks[2].0, 10), (chunks[1].0, 10)];
        let term = |chunks: Range<u32>, n_bytes| Term { xorb, n_bytes, chunks, proof: None };
        let file = XetHash::of_file(&nodes);
        let files = vec![File { hash: file, terms: vec![term(1..3, 20), term(1..2, 10)], sha256: None }];
        (file, Shard { files, xorbs: vec![Xorb { hash: xorb, chunks }] })
    }

    #[test]
    fn chunks_follow_each_other_in_the_order_of_the_file() {
        let (file, shard) = told();
        let mut plan = Plan::default();
        plan.add(shard).unwrap();
        plan.check(file, 30).unwrap();
        let places: Vec<(u64, u32)> = plan.chunks.iter().map(|chunk| (chunk.start, chunk.place)).collect();
        assert_eq!(places, [(0, 1), (10, 2), (20, 1)]);
    }

    #[test]
    fn a_list_that_lies_is_refused() {
        let (file, shard) = told();
        let mut plan = Plan::default();
        plan.add(shard.clone()).unwrap();
        assert!(matches!(plan.check(file, 31), Err(Wrong::Length)));
        assert!(matches!(plan.check(XetHash::of_chunk(b"other"), 30), Err(Wrong::Hash)));
        let mut behind = shard;
        behind.files[0].terms[0].chunks = 1..9;
        assert!(matches!(Plan::default().add(behind), Err(Wrong::Place)));
    }
}
