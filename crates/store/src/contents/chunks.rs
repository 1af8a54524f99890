//! A file's bytes out of its chunks, some at a time.
//!
//! Invariant: a chunk that is not what its hash says ends the reading, before any byte of it is handed out.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use sha2::Digest;
use spec::digest::Sha256;
use spec::git::BlobHasher;

use super::run::Run;
use super::{Contents, Digests};
use crate::Error;
use crate::blobs::blocking;
use crate::db::chunked_files::{self, Term};
use crate::db::ids::ChunkedFileId;

/// Terms that are looked up at once.
const TERMS: u32 = 500;

/// The terms of a file, in their order.
pub(super) struct Terms {
    here: VecDeque<Term>,
    /// The file in which there are more, and where these begin.
    more: Option<(ChunkedFileId, u64)>,
}

impl Terms {
    /// Those of a stored file, from the one that holds this byte.
    pub(super) fn of_file(file: ChunkedFileId, start: u64) -> Self {
        Self { here: VecDeque::new(), more: Some((file, start)) }
    }

    pub(super) fn these(terms: Vec<Term>) -> Self {
        Self { here: terms.into(), more: None }
    }

    async fn next(&mut self, contents: &Contents) -> Result<Option<Term>, Error> {
        if let (true, Some((file, start))) = (self.here.is_empty(), self.more.take()) {
            let terms = chunked_files::terms(&contents.db, file, start, TERMS).await?;
            let is_all = terms.len() < TERMS as usize;
            self.more = terms.last().filter(|_| !is_all).map(|term| (file, term.end()));
            self.here = terms.into();
        }
        Ok(self.here.pop_front())
    }
}

/// A part of a file on its way out.
pub(super) struct Chunks {
    contents: Contents,
    terms: Terms,
    term: Option<Current>,
    /// What is still to come.
    range: Range<u64>,
}

/// The term that is read.
struct Current {
    run: Run,
    /// Where the next chunk begins in the file.
    start: u64,
}

impl Chunks {
    pub(super) fn new(contents: &Contents, terms: Terms, range: Range<u64>) -> Self {
        Self { contents: contents.clone(), terms, term: None, range }
    }

    pub(super) fn into_stream(self) -> BoxStream<'static, Result<Bytes, Error>> {
        let next = |mut chunks: Self| async move {
            Ok::<_, Error>(chunks.next().await?.map(|bytes| (bytes, chunks)))
        };
        futures_util::stream::try_unfold(self, next).boxed()
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        if self.range.is_empty() {
            return Ok(None);
        }
        let mut current = self.current().await?;
        let bytes = current.run.next().await?.unpacked;
        let n_unpacked = bytes.len() as u64;
        let cut = |byte: u64| usize::try_from(byte.min(n_unpacked)).unwrap_or(bytes.len());
        let part = cut(self.range.start - current.start)..cut(self.range.end - current.start);
        current.start += n_unpacked;
        self.range.start = current.start.min(self.range.end);
        self.term = Some(current).filter(|current| !current.run.is_done());
        Ok(Some(bytes.slice(part)))
    }

    /// The term that holds the next byte, at the chunk that holds it.
    async fn current(&mut self) -> Result<Current, Error> {
        if let Some(current) = self.term.take() {
            return Ok(current);
        }
        let start = self.range.start;
        let term = self.terms.next(&self.contents).await?;
        let Some(term) = term.filter(|term| (term.start..term.end()).contains(&start)) else {
            return Err(Error::not_found("term at byte", start));
        };
        let index = self.contents.index(&term.xorb_sha256, term.xorb_bytes).await?;
        let damaged = || Error::Damaged {
            expected: term.xorb_sha256,
            found: "fewer chunks than a file says".to_owned(),
        };
        let first = index.unpacked(term.chunks.clone()).ok_or_else(damaged)?.start;
        // The chunks before the wanted byte are passed over, and those behind the last wanted one.
        let (from, to) = (first + (start - term.start), first + (self.range.end - term.start));
        let ends = index.chunks();
        let next = ends.partition_point(|chunk| u64::from(chunk.unpacked_end) <= from);
        let last = ends.partition_point(|chunk| u64::from(chunk.unpacked_end) < to);
        let number = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
        let chunks = number(next)..number(last).saturating_add(1).min(term.chunks.end);
        let place = index.unpacked(chunks.clone()).ok_or_else(damaged)?.start;
        let run = Run::open(&self.contents, &term.xorb_sha256, (index, chunks)).await?;
        Ok(Current { run, start: term.start + (place - first) })
    }
}

/// Digests a file as it is read.
pub(super) async fn digest(
    mut stream: BoxStream<'static, Result<Bytes, Error>>,
    n_bytes: u64,
    seen: impl Fn(u64),
) -> Result<Digests, Error> {
    let mut hashers = (sha2::Sha256::new(), BlobHasher::new(n_bytes));
    let mut n_seen = 0;
    while let Some(bytes) = stream.try_next().await? {
        n_seen += bytes.len() as u64;
        hashers = blocking(move || {
            let (mut sha256, mut git) = hashers;
            sha256.update(&bytes);
            git.update(&bytes);
            Ok((sha256, git))
        })
        .await?;
        seen(n_seen);
    }
    let (sha256, git) = hashers;
    Ok(Digests { sha256: Sha256::from_bytes(sha256.finalize().into()), git_oid: git.finish() })
}
