//! Uploads: bytes that were sent to a repository, for its commits to name.
//!
//! Refuses to know how they came. Invariant: a row is written after its bytes are durable, and belongs to one
//! repository, so that nobody has the bytes of another for knowing their digest.

use spec::digest::{Oid, Sha256};

use super::ids::RepositoryId;
use super::{Db, Tx, query};
use crate::Error;
use crate::blobs::Stored;

/// How long an upload that was sent or held a while ago need not be held again.
const HELD_MS: i64 = 60 * 60 * 1000;

/// Notes that the repository was sent these bytes. [`Error::NotFound`] if it is gone.
pub async fn put(db: &Db, repository: RepositoryId, stored: &Stored, now_ms: i64) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    put_in(&mut tx, repository, stored, now_ms).await?;
    tx.commit().await
}

pub(super) async fn put_in(
    tx: &mut Tx,
    repository: RepositoryId,
    stored: &Stored,
    now_ms: i64,
) -> Result<(), Error> {
    let sql = "INSERT INTO uploads (repository_id, sha256, git_oid, n_bytes, created_ms)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (repository_id, sha256) DO UPDATE SET created_ms = excluded.created_ms";
    let put = query("note an upload", sql)
        .bind(repository)
        .bind(stored.sha256)
        .bind(stored.git_oid)
        .bind(stored.n_bytes)
        .bind(now_ms);
    put.run(tx).await.map(|_| ()).map_err(|error| error.if_missing("repository", repository))
}

/// The same as [`find`], for a commit that will name it: it stays for as long as a new one would.
pub async fn hold(
    db: &Db,
    repository: RepositoryId,
    sha256: Sha256,
    now_ms: i64,
) -> Result<Option<Stored>, Error> {
    let sql =
        "UPDATE uploads SET created_ms = $3 WHERE repository_id = $1 AND sha256 = $2 AND created_ms < $4";
    let hold = query("hold an upload", sql).bind(repository).bind(sha256).bind(now_ms);
    let found = find(db, repository, sha256).await?;
    if found.is_some() {
        hold.bind(now_ms.saturating_sub(HELD_MS)).run(db.writer()).await?;
        return find(db, repository, sha256).await;
    }
    Ok(None)
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
