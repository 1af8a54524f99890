//! Uploads: bytes that were sent to a repository, for its commits to name.
//!
//! Refuses to know how they came. Invariant: a row is written after its bytes are durable, and belongs to one
//! repository, so that nobody has the bytes of another for knowing their digest.

use spec::digest::{Oid, Sha256};

use super::ids::RepositoryId;
use super::{Db, query};
use crate::Error;
use crate::blobs::Stored;

/// Notes that the repository was sent these bytes. [`Error::NotFound`] if it is gone.
pub async fn put(db: &Db, repository: RepositoryId, stored: &Stored, now_ms: i64) -> Result<(), Error> {
    let sql = "INSERT INTO uploads (repository_id, sha256, git_oid, n_bytes, created_ms)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (repository_id, sha256) DO NOTHING";
    let put = query("note an upload", sql)
        .bind(repository)
        .bind(stored.sha256)
        .bind(stored.git_oid)
        .bind(stored.n_bytes)
        .bind(now_ms);
    put.run(db.writer()).await.map(|_| ()).map_err(|error| error.if_missing("repository", repository))
}

/// What the repository was sent under that digest.
pub async fn find(db: &Db, repository: RepositoryId, sha256: Sha256) -> Result<Option<Stored>, Error> {
    let sql = "SELECT git_oid, n_bytes FROM uploads WHERE repository_id = $1 AND sha256 = $2";
    let row = query("find an upload", sql).bind(repository).bind(sha256).optional::<Row>(db).await?;
    Ok(row.map(|row| Stored {
        sha256,
        git_oid: row.git_oid,
        n_bytes: u64::try_from(row.n_bytes).unwrap_or(0),
    }))
}

#[derive(sqlx::FromRow)]
struct Row {
    #[sqlx(try_from = "String")]
    git_oid: Oid,
    n_bytes: i64,
}
