//! Chunked files: taking what a client tells of them, and telling of which chunks they are made.
//!
//! Invariants: nothing that is told is believed: hashes and digests are computed from the chunks that are here; a file is
//! told only to who may read a repository that has it.

use std::collections::BTreeMap;
use std::ops::Range;

use spec::digest::Sha256;
use spec::limits;
use spec::xet::XetHash;
use spec::xet::shard::{self, Shard};
use spec::xet::xorb::Index;
use store::blobs::Stored;
use store::clock;
use store::db::chunked_files::{self, ChunkedFile, NewChunkedFile, NewTerm, Term};
use store::db::ids::XorbId;
use store::db::xorbs::{self as rows, Xorb};

use super::transfers::{self, Pass, Ticket};
use super::xorbs;
use crate::app::App;
use crate::error::{During, Error};

/// Terms that are looked up at once.
const TERMS: u32 = 1000;

/// How far the taking of files has come, in bytes of their contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub n_verified: u64,
    pub n_total: u64,
}

/// Of which chunks a file, or a part of it, is made, and where they are fetched.
#[derive(Debug)]
pub struct Reconstruction {
    /// Bytes of the first term that lie before the wanted part.
    pub n_skipped: u64,
    pub terms: Vec<Piece>,
    /// By the hashes of xorbs; no two ranges of one xorb touch.
    pub fetches: BTreeMap<XetHash, Vec<Fetch>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub xorb: XetHash,
    pub chunks: Range<u32>,
    pub n_bytes: u64,
}

#[derive(Debug)]
pub struct Fetch {
    pub chunks: Range<u32>,
    pub ticket: Ticket,
    /// Where the object store hands out the same bytes itself.
    pub direct: Option<String>,
}

/// Reads what was sent as a shard.
pub async fn parse(bytes: bytes::Bytes) -> Result<Shard, Error> {
    let read = tokio::task::spawn_blocking(move || Shard::read(&bytes)).await;
    let shard = read.map_err(|_| Error::Internal("read a shard"))?;
    shard.map_err(|error| Error::BadRequest(error.to_string()))
}

/// Takes the files that a shard tells, for the commits of the pass's repository. `tell` hears how far it is.
pub async fn register(
    app: &App,
    pass: &Pass,
    shard: &Shard,
    tell: impl Fn(Progress) + Send + Sync,
) -> Result<(), Error> {
    let _turn = app.shard_turns.acquire().await.map_err(|_| Error::Internal("wait for a turn"))?;
    let of_files = shard.files.iter().flat_map(|file| file.terms.iter().map(|term| term.xorb));
    let hashes = of_files.chain(shard.xorbs.iter().map(|xorb| xorb.hash)).collect();
    let named = xorbs::named(app, pass, &hashes).await?;
    for xorb in &shard.xorbs {
        check_xorb(app, find(&named, xorb.hash)?, xorb).await?;
    }
    let length = |file: &shard::File| file.terms.iter().map(|term| u64::from(term.n_bytes)).sum::<u64>();
    let n_total = shard.files.iter().map(length).fold(0, u64::saturating_add);
    let mut n_before = 0;
    for file in &shard.files {
        let seen = |n: u64| tell(Progress { n_verified: n_before + n, n_total });
        register_file(app, pass, (file, &named), &seen).await?;
        n_before += length(file);
        tell(Progress { n_verified: n_before, n_total });
    }
    Ok(())
}

/// Of which chunks a part of a file is made. [`Error::NotFound`] where the pass's repository has no such file,
/// [`Error::Range`] where the part lies behind its end.
pub async fn reconstruction(
    app: &App,
    pass: &Pass,
    hash: XetHash,
    range: Option<Range<u64>>,
) -> Result<Reconstruction, Error> {
    let file = readable(app, pass, hash).await?;
    let range = range.unwrap_or(0..file.n_bytes);
    let range = range.start..range.end.min(file.n_bytes);
    if range.is_empty() && file.n_bytes > 0 {
        return Err(Error::Range { size: file.n_bytes });
    }
    let mut found = Found::default();
    let mut start = range.start;
    while start < range.end {
        let terms = chunked_files::terms(&app.store.db, file.id, start, TERMS).await;
        let terms = terms.during("read the terms of a file")?;
        let Some(end) = terms.last().map(Term::end).filter(|end| *end > start) else {
            return Err(Error::Internal("find the terms of a file"));
        };
        for term in terms.into_iter().filter(|term| term.start < range.end) {
            let index = app.store.contents.index(&term.xorb_sha256, term.xorb_bytes).await;
            found.add(&*index.during("read the index of a xorb")?, &term, &range)?;
        }
        start = end;
    }
    found.finish(app).await
}

/// The hash by which a repository's file can be fetched in chunks, if it is kept so.
pub async fn hash_of(
    app: &App,
    repository: store::db::ids::RepositoryId,
    sha256: Sha256,
) -> Result<Option<XetHash>, Error> {
    Ok(hashes_of(app, repository, &[sha256]).await?.remove(&sha256))
}

/// The same for some files, of which those are told that are kept so.
pub async fn hashes_of(
    app: &App,
    repository: store::db::ids::RepositoryId,
    files: &[Sha256],
) -> Result<BTreeMap<Sha256, XetHash>, Error> {
    let found = chunked_files::in_repository(&app.store.db, repository, files).await;
    Ok(found.during("find files of chunks")?.into_iter().collect())
}

/// The file, if the pass's repository has it in a commit.
pub(super) async fn readable(app: &App, pass: &Pass, hash: XetHash) -> Result<ChunkedFile, Error> {
    let missing = || Error::NotFound { what: "file", name: hash.to_string() };
    let found = chunked_files::by_hash(&app.store.db, hash).await.during("find a file")?;
    let file = found.ok_or_else(missing)?;
    let there = chunked_files::in_repository(&app.store.db, pass.repository, &[file.sha256]).await;
    if there.during("find a file of chunks")?.is_empty() {
        return Err(missing());
    }
    Ok(file)
}

/// What a shard says of a xorb must be so.
async fn check_xorb(app: &App, xorb: &Xorb, told: &shard::Xorb) -> Result<(), Error> {
    let index = xorbs::index(app, xorb).await?;
    let is_so = index.chunks().iter().map(|chunk| chunk.hash).eq(told.chunks.iter().map(|(hash, _)| *hash));
    if !is_so {
        return Err(Error::BadRequest(format!("the xorb `{}` has other chunks", told.hash)));
    }
    let asked = index.chunks().iter().filter(|chunk| chunk.hash.is_asked_for());
    let asked: Vec<(XetHash, XorbId)> = asked.map(|chunk| (chunk.hash, xorb.id)).collect();
    rows::put_asked_chunks(&app.store.db, &asked).await.during("note chunks")
}

async fn register_file(
    app: &App,
    pass: &Pass,
    (file, named): (&shard::File, &BTreeMap<XetHash, Xorb>),
    seen: &(dyn Fn(u64) + Send + Sync),
) -> Result<(), Error> {
    let checked = check_file(app, file, named).await?;
    let known = chunked_files::by_hash(&app.store.db, file.hash).await.during("find a file")?;
    let now_ms = clock::now_ms();
    let stored = match known {
        Some(known) => Stored { sha256: known.sha256, git_oid: known.git_oid, n_bytes: known.n_bytes },
        None => {
            let n_bytes = checked.n_bytes;
            let digests =
                app.store.contents.digest(checked.terms.clone(), seen).await.during("read a file")?;
            Stored { sha256: digests.sha256, git_oid: digests.git_oid, n_bytes }
        }
    };
    if let Some(told) = file.sha256.filter(|told| *told != stored.sha256) {
        let message = format!("the file `{}` has the SHA-256 `{}`, not `{told}`", file.hash, stored.sha256);
        return Err(Error::BadRequest(message));
    }
    let term = |term: &Term| NewTerm { xorb: term.xorb, chunks: term.chunks.clone(), n_bytes: term.n_bytes };
    let terms: Vec<NewTerm> = checked.terms.iter().map(term).collect();
    let Stored { sha256, git_oid, n_bytes } = stored;
    let new = NewChunkedFile { hash: file.hash, sha256, git_oid, n_bytes, terms: &terms, now_ms };
    match chunked_files::put(&app.store.db, &new, pass.repository).await {
        // The repository was deleted meanwhile.
        Err(store::Error::NotFound { what: "repository", .. }) => return Err(Error::BadToken),
        Err(store::Error::NotFound { what, .. }) => {
            return Err(Error::BadRequest(format!(
                "a {what} of `{}` was collected: send it again",
                file.hash
            )));
        }
        result => result.during("note a file")?,
    }
    rows::put_asked_chunks(&app.store.db, &checked.first).await.during("note chunks")
}

/// A file whose terms and hash are right.
struct Checked {
    terms: Vec<Term>,
    /// Its first chunk, by which clients ask for all of it.
    first: Vec<(XetHash, XorbId)>,
    n_bytes: u64,
}

async fn check_file(
    app: &App,
    file: &shard::File,
    named: &BTreeMap<XetHash, Xorb>,
) -> Result<Checked, Error> {
    if file.terms.len() > limits::FILE_TERMS {
        return Err(Error::TooLarge { limit: format!("{} terms of a file", limits::FILE_TERMS) });
    }
    let (mut terms, mut nodes, mut start) = (Vec::with_capacity(file.terms.len()), Vec::new(), 0);
    let mut first = Vec::new();
    for told in &file.terms {
        let xorb = find(named, told.xorb)?;
        let index = xorbs::index(app, xorb).await?;
        let chunks = check_term(&index, told)?;
        if first.is_empty() {
            first.extend(chunks.first().map(|(hash, _)| (*hash, xorb.id)));
        }
        nodes.extend(chunks);
        let n_bytes = u64::from(told.n_bytes);
        terms.push(Term {
            xorb: xorb.id,
            xorb_hash: xorb.hash,
            xorb_sha256: xorb.sha256,
            xorb_bytes: xorb.n_bytes,
            chunks: told.chunks.clone(),
            start,
            n_bytes,
        });
        start += n_bytes;
    }
    if start > app.settings.commit_limit.0 {
        return Err(Error::TooLarge { limit: app.settings.commit_limit.to_string() });
    }
    let hashing = tokio::task::spawn_blocking(move || XetHash::of_file(&nodes));
    let found = hashing.await.map_err(|_| Error::Internal("hash a file"))?;
    if found != file.hash {
        return Err(Error::BadRequest(format!("these terms make the file `{found}`, not `{}`", file.hash)));
    }
    Ok(Checked { terms, first, n_bytes: start })
}

/// The chunks of a term, if they are there and it says of them what is so.
fn check_term(index: &Index, told: &shard::Term) -> Result<Vec<(XetHash, u64)>, Error> {
    let wrong = |what: &str| Error::BadRequest(format!("a term of the xorb `{}`: {what}", told.xorb));
    let is_range = told.chunks.start < told.chunks.end;
    let nodes = index.nodes(told.chunks.clone()).filter(|_| is_range);
    let nodes = nodes.ok_or_else(|| wrong("it has no such chunks"))?;
    if nodes.iter().map(|(_, length)| length).sum::<u64>() != u64::from(told.n_bytes) {
        return Err(wrong("these chunks have another length"));
    }
    let proof = XetHash::of_range(nodes.iter().map(|(hash, _)| *hash));
    match told.proof {
        Some(told) if told != proof => Err(wrong("the proof of the range is wrong")),
        _ => Ok(nodes),
    }
}

fn find(named: &BTreeMap<XetHash, Xorb>, hash: XetHash) -> Result<&Xorb, Error> {
    named.get(&hash).ok_or(Error::Internal("find a xorb that was named"))
}

/// Chunks of a xorb, and their bytes in it.
type Place = (Range<u32>, Range<u64>);

/// What was found of a reconstruction so far.
#[derive(Default)]
struct Found {
    n_skipped: u64,
    terms: Vec<Piece>,
    /// The chunks that are wanted of each xorb, and where they are in it.
    wanted: BTreeMap<XetHash, Vec<Place>>,
    /// What names the stored bytes of each of them.
    stored: BTreeMap<XetHash, Sha256>,
}

impl Found {
    /// Adds the chunks of a term that lie in the range.
    fn add(&mut self, index: &Index, term: &Term, range: &Range<u64>) -> Result<(), Error> {
        let missing = || Error::Internal("find the chunks of a term");
        let all = index.unpacked(term.chunks.clone()).ok_or_else(missing)?;
        // From places in the file to places in the xorb.
        let place = |byte: u64| all.start + byte.clamp(term.start, term.end()) - term.start;
        let (from, to) = (place(range.start), place(range.end));
        let ends = index.chunks();
        let first = ends.partition_point(|chunk| u64::from(chunk.unpacked_end) <= from);
        let last = ends.partition_point(|chunk| u64::from(chunk.unpacked_end) < to);
        let number = |n: usize| u32::try_from(n).map_err(|_| missing());
        let chunks = number(first)?..number(last + 1)?.min(term.chunks.end);
        let (unpacked, bytes) =
            index.unpacked(chunks.clone()).zip(index.bytes(chunks.clone())).ok_or_else(missing)?;
        if self.terms.is_empty() {
            self.n_skipped = from - unpacked.start;
        }
        let n_bytes = unpacked.end - unpacked.start;
        self.terms.push(Piece { xorb: term.xorb_hash, chunks: chunks.clone(), n_bytes });
        self.wanted.entry(term.xorb_hash).or_default().push((chunks, bytes));
        self.stored.insert(term.xorb_hash, term.xorb_sha256);
        Ok(())
    }

    async fn finish(self, app: &App) -> Result<Reconstruction, Error> {
        let mut ranges = Vec::new();
        for (hash, wanted) in self.wanted {
            ranges.extend(merge(wanted).into_iter().map(|(chunks, bytes)| (hash, chunks, bytes)));
        }
        let places: Vec<_> = ranges.iter().map(|(hash, _, bytes)| (*hash, bytes.clone())).collect();
        let tickets = transfers::tickets(app, &places).await?;
        let mut fetches: BTreeMap<XetHash, Vec<Fetch>> = BTreeMap::new();
        for ((hash, chunks, bytes), ticket) in ranges.into_iter().zip(tickets) {
            let direct = match self.stored.get(&hash) {
                Some(sha256) => app.store.blobs.address(sha256, &bytes, transfers::TICKET).await,
                None => Ok(None),
            };
            let direct = direct.during("sign an address")?;
            fetches.entry(hash).or_default().push(Fetch { chunks, ticket, direct });
        }
        Ok(Reconstruction { n_skipped: self.n_skipped, terms: self.terms, fetches })
    }
}

/// Ranges of chunks, in their order, those that touch made one: clients want no chunk in two ranges of a xorb.
fn merge(mut ranges: Vec<Place>) -> Vec<Place> {
    ranges.sort_unstable_by_key(|(chunks, _)| (chunks.start, chunks.end));
    let mut merged: Vec<Place> = Vec::new();
    for (chunks, bytes) in ranges {
        match merged.last_mut() {
            Some((last, of_last)) if chunks.start <= last.end => {
                last.end = last.end.max(chunks.end);
                of_last.end = of_last.end.max(bytes.end);
            }
            _ => merged.push((chunks, bytes)),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_or_overlap_become_one() {
        let ranges = vec![(5..7, 50..70), (0..1, 0..10), (0..2, 0..20), (2..3, 20..30), (5..6, 50..60)];
        assert_eq!(merge(ranges), [(0..3, 0..30), (5..7, 50..70)]);
        assert_eq!(merge(Vec::new()), []);
    }
}
