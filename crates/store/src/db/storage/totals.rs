//! How much is stored, and for whom.
//!
//! Refuses to know the storage itself: bytes are those that rows tell. Invariant: a file counts once for a repository,
//! however many of its commits and paths have it.

use crate::Error;
use crate::db::ids::{AccountId, RepositoryId};
use crate::db::{Db, query};

/// What all repositories have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Different files, of all commits, and their bytes.
    pub n_files: i64,
    pub file_bytes: i64,
    /// The same, each counted once for every repository that has it.
    pub logical_bytes: i64,
    pub n_xorbs: i64,
    /// Of the chunks in xorbs: unpacked, and as they are stored.
    pub chunk_bytes: i64,
    pub xorb_bytes: i64,
    /// Different files that are kept whole, as older programs kept all of them.
    pub n_whole: i64,
    pub whole_bytes: i64,
}

/// What one repository has.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct OfRepository {
    pub id: RepositoryId,
    pub owner: String,
    pub name: String,
    pub kind: String,
    /// Different files, of all commits.
    pub n_files: i64,
    pub n_bytes: i64,
    /// Of these bytes: in files that no other repository has.
    pub own_bytes: i64,
}

/// Files that are kept whole: for each repository and file a row.
const WHOLE: &str = "SELECT DISTINCT t.repository_id, e.sha256, e.n_bytes FROM entries e
    JOIN trees t ON t.id = e.tree_id JOIN whole_places w
    ON w.sha256 = e.sha256 AND w.repository_id = t.repository_id";

/// What all repositories have together.
pub async fn totals(db: &Db) -> Result<Totals, Error> {
    let sum = |of: &str| format!("CAST(coalesce(sum({of}), 0) AS BIGINT)");
    let two = async |sql: String| query("count what is stored", sql).one::<(i64, i64)>(db).await;
    let (n_chunked, chunked_bytes) = two(format!(
        "SELECT count(*), {} FROM chunked_files f WHERE EXISTS
         (SELECT 1 FROM chunked_places p WHERE p.file_id = f.id)",
        sum("f.n_bytes")
    ))
    .await?;
    let (_, placed_bytes) = two(format!(
        "SELECT count(*), {} FROM chunked_places p JOIN chunked_files f ON f.id = p.file_id",
        sum("f.n_bytes")
    ))
    .await?;
    let (_, placed_whole_bytes) =
        two(format!("SELECT count(*), {} FROM ({WHOLE}) w", sum("w.n_bytes"))).await?;
    let (n_whole, whole_bytes) = two(format!(
        "SELECT count(*), {} FROM (SELECT DISTINCT w.sha256, w.n_bytes FROM ({WHOLE}) w) d",
        sum("d.n_bytes")
    ))
    .await?;
    let (n_xorbs, chunk_bytes) = two(format!("SELECT count(*), {} FROM xorbs", sum("n_unpacked"))).await?;
    let (_, xorb_bytes) = two(format!("SELECT count(*), {} FROM xorbs", sum("n_bytes"))).await?;
    Ok(Totals {
        n_files: n_chunked + n_whole,
        file_bytes: chunked_bytes + whole_bytes,
        logical_bytes: placed_bytes + placed_whole_bytes,
        n_xorbs,
        chunk_bytes,
        xorb_bytes,
        n_whole,
        whole_bytes,
    })
}

/// What each repository behind that one has, in the order in which they were made.
pub async fn of_repositories(db: &Db, after: RepositoryId, limit: u32) -> Result<Vec<OfRepository>, Error> {
    let sql = "SELECT r.id, a.name AS owner, r.name, r.kind, count(f.id) AS n_files,
            CAST(coalesce(sum(f.n_bytes), 0) AS BIGINT) AS n_bytes,
            CAST(coalesce(sum(CASE WHEN EXISTS (SELECT 1 FROM chunked_places o
                WHERE o.file_id = f.id AND o.repository_id <> r.id) THEN 0 ELSE f.n_bytes END), 0) AS BIGINT)
                AS own_bytes
        FROM repositories r JOIN accounts a ON a.id = r.owner_id
        LEFT JOIN chunked_places p ON p.repository_id = r.id LEFT JOIN chunked_files f ON f.id = p.file_id
        WHERE r.id > $1 GROUP BY r.id, a.name, r.name, r.kind ORDER BY r.id LIMIT $2";
    query("count what repositories have", sql).bind(after).bind(i64::from(limit)).all(db).await
}

/// Bytes of the files in the repositories of that account, each file counted once for each repository that has it.
pub async fn bytes_of(db: &Db, owner: AccountId) -> Result<i64, Error> {
    let sql = "SELECT CAST(coalesce(sum(f.n_bytes), 0) AS BIGINT) FROM repositories r
        JOIN chunked_places p ON p.repository_id = r.id JOIN chunked_files f ON f.id = p.file_id
        WHERE r.owner_id = $1";
    let (n_bytes,) = query("count what an account has", sql).bind(owner).one::<(i64,)>(db).await?;
    Ok(n_bytes)
}

/// The same of one repository.
pub async fn bytes_in(db: &Db, repository: RepositoryId) -> Result<i64, Error> {
    let sql = "SELECT CAST(coalesce(sum(f.n_bytes), 0) AS BIGINT) FROM chunked_places p
        JOIN chunked_files f ON f.id = p.file_id WHERE p.repository_id = $1";
    let (n_bytes,) = query("count what a repository has", sql).bind(repository).one::<(i64,)>(db).await?;
    Ok(n_bytes)
}
