//! What no commit and no upload names, as far as rows tell it.
//!
//! Refuses to know bytes. Invariants: a row is deleted only if it is still the one that was looked at, and whoever names a
//! file or a xorb changes its row in the same transaction; so what is named while it is looked at stays. A file in a
//! commit is named by its place, for as long as the repository is there.

use std::collections::BTreeSet;

use spec::digest::Sha256;

use super::ids::{ChunkedFileId, RepositoryId, XorbId};
use super::{Db, VALUES, holds, places, query};
use crate::Error;

mod totals;

pub use totals::{OfRepository, Totals, bytes_in, bytes_of, of_repositories, totals};

/// Rows that are looked at, or deleted, together.
pub const ROWS: u32 = 500;

/// An upload that no commit named in time.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct UnusedUpload {
    pub repository_id: RepositoryId,
    #[sqlx(try_from = "String")]
    pub sha256: Sha256,
    created_ms: i64,
}

/// A file of chunks that nothing names.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct UnusedFile {
    pub id: ChunkedFileId,
    pub n_bytes: i64,
    touched_ms: i64,
}

/// A xorb of which no file that is used has a chunk.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct UnusedXorb {
    pub id: XorbId,
    /// Names its stored bytes.
    #[sqlx(try_from = "String")]
    pub sha256: Sha256,
    pub n_bytes: i64,
    touched_ms: i64,
}

/// An upload `u` that came before `$1` and that no commit of its repository names.
const UPLOAD: &str = "u.created_ms < $1
    AND NOT EXISTS (SELECT 1 FROM chunked_files c JOIN chunked_places p ON p.file_id = c.id
        WHERE c.sha256 = u.sha256 AND p.repository_id = u.repository_id)
    AND NOT EXISTS (SELECT 1 FROM whole_places w
        WHERE w.sha256 = u.sha256 AND w.repository_id = u.repository_id)";

/// A file `f` that was not touched since `$1`, and that no commit names and no upload that stays.
fn file() -> String {
    format!(
        "f.touched_ms < $1 AND NOT EXISTS (SELECT 1 FROM chunked_places q WHERE q.file_id = f.id)
        AND NOT EXISTS (SELECT 1 FROM uploads u WHERE u.sha256 = f.sha256 AND NOT ({UPLOAD}))"
    )
}

/// Uploads behind that one that came before that time and that no commit named.
pub async fn unused_uploads(
    db: &Db,
    before_ms: i64,
    after: Option<&UnusedUpload>,
) -> Result<Vec<UnusedUpload>, Error> {
    let sql = format!(
        "SELECT u.repository_id, u.sha256, u.created_ms FROM uploads u
         WHERE {UPLOAD} AND (u.repository_id, u.sha256) > ($2, $3)
         ORDER BY u.repository_id, u.sha256 LIMIT $4"
    );
    let (repository, sha256) =
        after.map_or((0, String::new()), |upload| (upload.repository_id.0, upload.sha256.to_string()));
    let find = query("find unused uploads", sql).bind(before_ms).bind(repository).bind(sha256);
    find.bind(i64::from(ROWS)).all(db).await
}

/// Forgets uploads, unless they were sent or held again. Answers how many.
pub async fn delete_uploads(db: &Db, uploads: &[UnusedUpload]) -> Result<u64, Error> {
    let sql = format!(
        "DELETE FROM uploads WHERE (repository_id, sha256, created_ms) IN (VALUES {})",
        tuples(uploads.len(), 3)
    );
    let delete = uploads.iter().fold(query("forget uploads", sql).once(), |delete, upload| {
        delete.bind(upload.repository_id).bind(upload.sha256).bind(upload.created_ms)
    });
    if uploads.is_empty() { Ok(0) } else { delete.run(db.writer()).await }
}

/// Files of chunks behind that one that nothing names and nobody touched since that time.
pub async fn unused_files(db: &Db, before_ms: i64, after: ChunkedFileId) -> Result<Vec<UnusedFile>, Error> {
    let sql = format!(
        "SELECT f.id, f.n_bytes, f.touched_ms FROM chunked_files f
         WHERE f.id > $2 AND {} ORDER BY f.id LIMIT $3",
        file()
    );
    let find = query("find unused files", sql).bind(before_ms).bind(after);
    find.bind(i64::from(ROWS)).all(db).await
}

/// Forgets of which chunks files are made, unless they were touched, or an upload came that was noted late: a commit would
/// take it for one of a file that is kept whole. Answers how many.
pub async fn delete_files(db: &Db, files: &[UnusedFile]) -> Result<u64, Error> {
    let sql = format!(
        "DELETE FROM chunked_files WHERE (id, touched_ms) IN (VALUES {})
         AND NOT EXISTS (SELECT 1 FROM uploads u WHERE u.sha256 = chunked_files.sha256)",
        tuples(files.len(), 2)
    );
    let delete = files
        .iter()
        .fold(query("forget files", sql).once(), |delete, file| delete.bind(file.id).bind(file.touched_ms));
    if files.is_empty() { Ok(0) } else { delete.run(db.writer()).await }
}

/// Xorbs behind that one of which no used file has a chunk and which nobody touched since that time.
pub async fn unused_xorbs(db: &Db, before_ms: i64, after: XorbId) -> Result<Vec<UnusedXorb>, Error> {
    let sql = format!(
        "SELECT x.id, x.sha256, x.n_bytes, x.touched_ms FROM xorbs x
         WHERE x.id > $2 AND x.touched_ms < $1 AND NOT EXISTS (
            SELECT 1 FROM chunked_terms t JOIN chunked_files f ON f.id = t.file_id
            WHERE t.xorb_id = x.id AND NOT ({})
         ) ORDER BY x.id LIMIT $3",
        file()
    );
    let find = query("find unused xorbs", sql).bind(before_ms).bind(after);
    find.bind(i64::from(ROWS)).all(db).await
}

/// Forgets xorbs, unless they were touched or a file was made of them. Answers those of which the bytes may go now.
/// [`Error::Held`] if somebody copies what is stored.
pub async fn delete_xorbs(db: &Db, xorbs: &[UnusedXorb], now_ms: i64) -> Result<BTreeSet<XorbId>, Error> {
    let sql = format!(
        "DELETE FROM xorbs WHERE (id, touched_ms) IN (VALUES {})
         AND NOT EXISTS (SELECT 1 FROM chunked_terms t WHERE t.xorb_id = xorbs.id) RETURNING id",
        tuples(xorbs.len(), 2)
    );
    let delete = xorbs
        .iter()
        .fold(query("forget xorbs", sql).once(), |delete, xorb| delete.bind(xorb.id).bind(xorb.touched_ms));
    if xorbs.is_empty() {
        return Ok(BTreeSet::new());
    }
    let mut tx = db.begin().await?;
    holds::check_in(&mut tx, now_ms).await?;
    let deleted = delete.all::<(XorbId,)>(&mut tx).await?;
    tx.commit().await?;
    Ok(deleted.into_iter().map(|(id,)| id).collect())
}

/// Those of the stored bytes that a row names: as a xorb, or as a file that is kept whole.
pub async fn named(db: &Db, stored: &[Sha256]) -> Result<BTreeSet<Sha256>, Error> {
    let tables = ["xorbs", "whole_places", "uploads"];
    among(db, tables, stored).await
}

/// Those of the files that a row names, however they are kept.
pub async fn known_files(db: &Db, files: &[Sha256]) -> Result<BTreeSet<Sha256>, Error> {
    let tables = ["chunked_files", "whole_places", "uploads"];
    among(db, tables, files).await
}

async fn among(db: &Db, tables: [&'static str; 3], all: &[Sha256]) -> Result<BTreeSet<Sha256>, Error> {
    #[derive(sqlx::FromRow)]
    struct Named {
        #[sqlx(try_from = "String")]
        sha256: Sha256,
    }
    let mut found = BTreeSet::new();
    for some in all.chunks(VALUES) {
        for table in tables {
            let sql =
                format!("SELECT DISTINCT sha256 FROM {table} WHERE sha256 IN ({})", places(1, some.len()));
            let rows = query("look for what is named", sql).bind_all(some.iter().copied()).once();
            found.extend(rows.all::<Named>(db).await?.into_iter().map(|row| row.sha256));
        }
    }
    Ok(found)
}

/// `($1, $2), …`: so many rows of so many values.
fn tuples(n_rows: usize, n_columns: usize) -> String {
    let row = |row: usize| format!("({})", places(1 + row * n_columns, n_columns));
    (0..n_rows).map(row).collect::<Vec<_>>().join(", ")
}
