//! Chunked files: of which chunks a file is made, and which repositories have it.
//!
//! Refuses to know bytes. Invariants: the digests of a file were computed from its chunks before its row was written;
//! its terms follow each other without a gap; a repository has a file from the transaction on that commits it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use spec::digest::{Oid, Sha256};
use spec::xet::XetHash;

use super::ids::{ChunkedFileId, RepositoryId, XorbId};
use super::xorbs::{TOUCHED, touch_in};
use super::{Db, Tx, VALUES, places, query, uploads};
use crate::Error;
use crate::blobs::Stored;

mod copied;
pub mod packed;

pub use copied::copy;
pub(super) use copied::place_copies_in;

/// A file that is made of chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkedFile {
    pub id: ChunkedFileId,
    pub hash: XetHash,
    pub sha256: Sha256,
    pub git_oid: Oid,
    pub n_bytes: u64,
}

#[derive(Debug, Clone)]
pub struct NewChunkedFile<'a> {
    pub hash: XetHash,
    pub sha256: Sha256,
    pub git_oid: Oid,
    pub n_bytes: u64,
    pub terms: &'a [NewTerm],
    pub now_ms: i64,
}

/// Some chunks of a xorb, which are the next bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTerm {
    pub xorb: XorbId,
    pub chunks: Range<u32>,
    pub n_bytes: u64,
}

/// The same, read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    pub xorb: XorbId,
    pub xorb_hash: XetHash,
    /// Names the stored bytes of the xorb.
    pub xorb_sha256: Sha256,
    /// Of the xorb's chunks: where their index begins in the stored bytes.
    pub xorb_bytes: u64,
    pub chunks: Range<u32>,
    /// Where it begins in the file.
    pub start: u64,
    pub n_bytes: u64,
}

impl Term {
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.n_bytes)
    }
}

/// Notes a file that the repository was sent. One whose bytes are there already, cut otherwise, stays as it was cut
/// first. [`Error::NotFound`] if a xorb of it, or the repository, is gone.
pub async fn put(db: &Db, new: &NewChunkedFile<'_>, repository: RepositoryId) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    put_in(&mut tx, new).await?;
    let NewChunkedFile { sha256, git_oid, n_bytes, now_ms, .. } = *new;
    uploads::put_in(&mut tx, repository, &Stored { sha256, git_oid, n_bytes }, now_ms).await?;
    tx.commit().await
}

async fn put_in(tx: &mut Tx, new: &NewChunkedFile<'_>) -> Result<(), Error> {
    let sql = "INSERT INTO chunked_files (hash, sha256, git_oid, n_bytes, created_ms, touched_ms)
        VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT DO NOTHING RETURNING id";
    let put = query("note a file", sql).bind(new.hash.to_string()).bind(new.sha256).bind(new.git_oid);
    let row = put.bind(new.n_bytes).bind(new.now_ms).optional::<(ChunkedFileId,)>(&mut *tx).await?;
    match row {
        Some((file,)) => {
            let xorbs: BTreeSet<XorbId> = new.terms.iter().map(|term| term.xorb).collect();
            touch_in(tx, &xorbs.into_iter().collect::<Vec<_>>(), new.now_ms).await?;
            put_terms(tx, &placed(file, new.terms)).await
        }
        None => match touch_by_sha256(tx, &[new.sha256], new.now_ms).await?.is_empty() {
            true => Err(Error::not_found("file", new.sha256)),
            false => Ok(()),
        },
    }
}

/// Notes that these files are about to be named: whoever wanted to collect one finds it changed. Answers those that are
/// made of chunks.
async fn touch_by_sha256(tx: &mut Tx, files: &[Sha256], now_ms: i64) -> Result<BTreeSet<Sha256>, Error> {
    let sql = format!(
        "UPDATE chunked_files SET {TOUCHED} WHERE sha256 IN ({}) RETURNING sha256",
        places(2, files.len())
    );
    let touch = query("touch files", sql).bind(now_ms).bind_all(files.iter().copied()).once();
    Ok(touch.all::<Digest>(tx).await?.into_iter().map(|row| row.sha256).collect())
}

/// Of which chunks files are made: for each the file, and where in it the chunks begin.
async fn put_terms(tx: &mut Tx, terms: &[(ChunkedFileId, u64, NewTerm)]) -> Result<(), Error> {
    for terms in terms.chunks(VALUES / 6) {
        let rows: Vec<String> = (0..terms.len()).map(|row| format!("({})", places(1 + 6 * row, 6))).collect();
        let sql = format!(
            "INSERT INTO chunked_terms (file_id, start_byte, n_bytes, xorb_id, chunk_start, chunk_end) VALUES {}",
            rows.join(", ")
        );
        let insert = query("note the terms of files", sql).once();
        let insert = terms.iter().fold(insert, |insert, (file, start, term)| {
            let insert = insert.bind(*file).bind(*start).bind(term.n_bytes).bind(term.xorb);
            insert.bind(i64::from(term.chunks.start)).bind(i64::from(term.chunks.end))
        });
        insert.run(&mut *tx).await?;
    }
    Ok(())
}

/// Where in a file its terms begin.
fn placed(file: ChunkedFileId, terms: &[NewTerm]) -> Vec<(ChunkedFileId, u64, NewTerm)> {
    let mut start = 0;
    let placed = terms.iter().map(|term| {
        start += term.n_bytes;
        (file, start - term.n_bytes, term.clone())
    });
    placed.collect()
}

pub async fn by_hash(db: &Db, hash: XetHash) -> Result<Option<ChunkedFile>, Error> {
    let sql = "SELECT id, hash, sha256, git_oid, n_bytes FROM chunked_files WHERE hash = $1";
    Ok(query("find a file", sql).bind(hash.to_string()).optional::<Row>(db).await?.map(Into::into))
}

pub async fn by_sha256(db: &Db, sha256: Sha256) -> Result<Option<ChunkedFile>, Error> {
    let sql = "SELECT id, hash, sha256, git_oid, n_bytes FROM chunked_files WHERE sha256 = $1";
    Ok(query("find a file", sql).bind(sha256).optional::<Row>(db).await?.map(Into::into))
}

/// Those of the files that are made of chunks.
pub async fn by_digests(db: &Db, files: &[Sha256]) -> Result<Vec<ChunkedFile>, Error> {
    let mut found = Vec::new();
    for files in files.chunks(VALUES) {
        let sql = format!(
            "SELECT id, hash, sha256, git_oid, n_bytes FROM chunked_files WHERE sha256 IN ({})",
            places(1, files.len())
        );
        let rows = query("find files of chunks", sql).bind_all(files.iter().copied()).once();
        found.extend(rows.all::<Row>(db).await?.into_iter().map(ChunkedFile::from));
    }
    Ok(found)
}

/// Files behind that one.
pub async fn after(db: &Db, id: ChunkedFileId, limit: u32) -> Result<Vec<ChunkedFile>, Error> {
    let sql =
        "SELECT id, hash, sha256, git_oid, n_bytes FROM chunked_files WHERE id > $1 ORDER BY id LIMIT $2";
    let rows = query("list files of chunks", sql).bind(id).bind(i64::from(limit)).all::<Row>(db).await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Those of the files that are made of chunks and are in a commit of the repository: SHA-256 and hash.
pub async fn in_repository(
    db: &Db,
    repository: RepositoryId,
    files: &[Sha256],
) -> Result<Vec<(Sha256, XetHash)>, Error> {
    #[derive(sqlx::FromRow)]
    struct Pair {
        #[sqlx(try_from = "String")]
        sha256: Sha256,
        #[sqlx(try_from = "String")]
        hash: XetHash,
    }
    let mut found = Vec::new();
    for files in files.chunks(VALUES) {
        let sql = format!(
            "SELECT f.sha256, f.hash FROM chunked_files f JOIN chunked_places p ON p.file_id = f.id
             WHERE p.repository_id = $1 AND f.sha256 IN ({})",
            places(2, files.len())
        );
        let rows = query("find files of chunks", sql).bind(repository).bind_all(files.iter().copied()).once();
        found.extend(rows.all::<Pair>(db).await?.into_iter().map(|pair| (pair.sha256, pair.hash)));
    }
    Ok(found)
}

/// At most `limit` terms of a file, from the one on that holds this byte.
pub async fn terms(db: &Db, file: ChunkedFileId, from: u64, limit: u32) -> Result<Vec<Term>, Error> {
    let sql = "SELECT t.xorb_id, x.hash, x.sha256, x.n_bytes AS xorb_bytes, t.chunk_start, t.chunk_end,
        t.start_byte, t.n_bytes FROM chunked_terms t JOIN xorbs x ON x.id = t.xorb_id
        WHERE t.file_id = $1 AND t.start_byte >= (
            SELECT max(start_byte) FROM chunked_terms WHERE file_id = $1 AND start_byte <= $2
        ) ORDER BY t.start_byte LIMIT $3";
    let rows = query("read the terms of a file", sql).bind(file).bind(from).bind(i64::from(limit));
    Ok(rows.all::<TermRow>(db).await?.into_iter().map(Term::from).collect())
}

/// All terms of some small files, in their order.
pub async fn all_terms(
    db: &Db,
    files: &[ChunkedFileId],
) -> Result<BTreeMap<ChunkedFileId, Vec<Term>>, Error> {
    #[derive(sqlx::FromRow)]
    struct Of {
        file_id: ChunkedFileId,
        #[sqlx(flatten)]
        term: TermRow,
    }
    let mut found: BTreeMap<ChunkedFileId, Vec<Term>> = BTreeMap::new();
    for files in files.chunks(VALUES) {
        let sql = format!(
            "SELECT t.file_id, t.xorb_id, x.hash, x.sha256, x.n_bytes AS xorb_bytes, t.chunk_start, t.chunk_end,
             t.start_byte, t.n_bytes FROM chunked_terms t JOIN xorbs x ON x.id = t.xorb_id
             WHERE t.file_id IN ({}) ORDER BY t.file_id, t.start_byte",
            places(1, files.len())
        );
        let rows = query("read the terms of files", sql).bind_all(files.iter().copied()).once();
        for row in rows.all::<Of>(db).await? {
            found.entry(row.file_id).or_default().push(row.term.into());
        }
    }
    Ok(found)
}

/// Notes in the transaction of a commit that its repository has these files.
pub(super) async fn place_in(
    tx: &mut Tx,
    repository: RepositoryId,
    files: &BTreeSet<Sha256>,
    now_ms: i64,
) -> Result<(), Error> {
    let files: Vec<Sha256> = files.iter().copied().collect();
    for files in files.chunks(VALUES) {
        let chunked = touch_by_sha256(tx, files, now_ms).await?;
        let sql = format!(
            "INSERT INTO chunked_places (file_id, repository_id)
             SELECT id, CAST($1 AS BIGINT) FROM chunked_files WHERE sha256 IN ({})
             ON CONFLICT (file_id, repository_id) DO NOTHING",
            places(2, files.len())
        );
        let place = query("note where files are", sql).bind(repository).bind_all(files.iter().copied());
        place.once().run(&mut *tx).await?;
        let whole: Vec<Sha256> = files.iter().copied().filter(|file| !chunked.contains(file)).collect();
        place_whole(tx, repository, &whole).await?;
    }
    Ok(())
}

/// Of files that are kept whole a repository can only get those that it was sent, or has. [`Error::NoBlob`] for another.
async fn place_whole(tx: &mut Tx, repository: RepositoryId, files: &[Sha256]) -> Result<(), Error> {
    if files.is_empty() {
        return Ok(());
    }
    // An upload that is about to be collected is changed by this, and so stays.
    let sql = format!(
        "UPDATE uploads SET created_ms = created_ms + 1 WHERE repository_id = $1 AND sha256 IN ({}) RETURNING sha256",
        places(2, files.len())
    );
    let sent = query("hold uploads", sql).bind(repository).bind_all(files.iter().copied()).once();
    let sent = sent.all::<Digest>(&mut *tx).await?;
    let sql = format!(
        "SELECT sha256 FROM whole_places WHERE repository_id = $1 AND sha256 IN ({})",
        places(2, files.len())
    );
    let had = query("find files", sql).bind(repository).bind_all(files.iter().copied()).once();
    let had = had.all::<Digest>(&mut *tx).await?;
    let known: BTreeSet<Sha256> = sent.iter().chain(&had).map(|row| row.sha256).collect();
    if let Some(missing) = files.iter().find(|file| !known.contains(file)) {
        return Err(Error::NoBlob(*missing));
    }
    let rows: Vec<String> = (2..files.len() + 2).map(|n| format!("(${n}, $1)")).collect();
    let sql = format!(
        "INSERT INTO whole_places (sha256, repository_id) VALUES {}
         ON CONFLICT (sha256, repository_id) DO NOTHING",
        rows.join(", ")
    );
    let place = query("note where files are", sql).bind(repository).bind_all(files.iter().copied());
    place.once().run(tx).await.map(|_| ())
}

#[derive(sqlx::FromRow)]
struct Digest {
    #[sqlx(try_from = "String")]
    sha256: Sha256,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: ChunkedFileId,
    #[sqlx(try_from = "String")]
    hash: XetHash,
    #[sqlx(try_from = "String")]
    sha256: Sha256,
    #[sqlx(try_from = "String")]
    git_oid: Oid,
    n_bytes: i64,
}

impl From<Row> for ChunkedFile {
    fn from(row: Row) -> Self {
        let Row { id, hash, sha256, git_oid, n_bytes } = row;
        Self { id, hash, sha256, git_oid, n_bytes: count(n_bytes) }
    }
}

#[derive(sqlx::FromRow)]
struct TermRow {
    xorb_id: XorbId,
    #[sqlx(try_from = "String")]
    hash: XetHash,
    #[sqlx(try_from = "String")]
    sha256: Sha256,
    xorb_bytes: i64,
    chunk_start: i64,
    chunk_end: i64,
    start_byte: i64,
    n_bytes: i64,
}

impl From<TermRow> for Term {
    fn from(row: TermRow) -> Self {
        let place = |n: i64| u32::try_from(n).unwrap_or(0);
        Self {
            xorb: row.xorb_id,
            xorb_hash: row.hash,
            xorb_sha256: row.sha256,
            xorb_bytes: count(row.xorb_bytes),
            chunks: place(row.chunk_start)..place(row.chunk_end),
            start: count(row.start_byte),
            n_bytes: count(row.n_bytes),
        }
    }
}

fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}
