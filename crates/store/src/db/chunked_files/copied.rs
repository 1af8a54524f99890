//! Files that another repository gets from one that has them, without a byte being sent.
//!
//! Refuses to know who may do that. Invariant: a repository gets only what the other has in a commit at that moment, which
//! is held until it is done.

use std::collections::BTreeSet;

use spec::digest::Sha256;

use super::{Digest, touch_by_sha256};
use crate::Error;
use crate::db::ids::RepositoryId;
use crate::db::xorbs::TOUCHED;
use crate::db::{Db, Tx, VALUES, places, query};

/// Lets one repository's commits name files of chunks that another has in a commit. Answers those that it has so.
/// [`Error::NotFound`] if one of the two is gone.
pub async fn copy(
    db: &Db,
    (from, to): (RepositoryId, RepositoryId),
    files: &BTreeSet<Sha256>,
    now_ms: i64,
) -> Result<BTreeSet<Sha256>, Error> {
    let files: Vec<Sha256> = files.iter().copied().collect();
    let mut tx = db.begin().await?;
    hold(&mut tx, from, to).await?;
    let mut copied = BTreeSet::new();
    for files in files.chunks(VALUES) {
        touch_by_sha256(&mut tx, files, now_ms).await?;
        let sql = format!(
            "INSERT INTO uploads (repository_id, sha256, git_oid, n_bytes, created_ms)
             SELECT CAST($1 AS BIGINT), f.sha256, f.git_oid, f.n_bytes, CAST($2 AS BIGINT)
             FROM chunked_files f JOIN chunked_places p ON p.file_id = f.id
             WHERE p.repository_id = $3 AND f.sha256 IN ({})
             ON CONFLICT (repository_id, sha256) DO UPDATE SET created_ms = excluded.created_ms RETURNING sha256",
            places(4, files.len())
        );
        let put = query("note copies of files", sql).bind(to).bind(now_ms).bind(from);
        let rows = put.bind_all(files.iter().copied()).once().all::<Digest>(&mut tx).await?;
        copied.extend(rows.into_iter().map(|row| row.sha256));
    }
    tx.commit().await?;
    Ok(copied)
}

/// Notes that a repository has all files of the trees that were copied into it.
pub(in crate::db) async fn place_copies_in(
    tx: &mut Tx,
    repository: RepositoryId,
    now_ms: i64,
) -> Result<(), Error> {
    let sql = "INSERT INTO chunked_places (file_id, repository_id)
        SELECT DISTINCT f.id, t.repository_id FROM trees t JOIN entries e ON e.tree_id = t.id
        JOIN chunked_files f ON f.sha256 = e.sha256 WHERE t.repository_id = $1";
    query("note where files are", sql).bind(repository).run(&mut *tx).await?;
    let sql = format!(
        "UPDATE chunked_files SET {TOUCHED} WHERE id IN (SELECT file_id FROM chunked_places WHERE repository_id = $2)"
    );
    query("touch files", sql).bind(now_ms).bind(repository).run(&mut *tx).await?;
    let sql = "INSERT INTO whole_places (sha256, repository_id)
        SELECT DISTINCT e.sha256, t.repository_id FROM trees t JOIN entries e ON e.tree_id = t.id
        WHERE t.repository_id = $1 AND e.sha256 IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM chunked_files f WHERE f.sha256 = e.sha256)";
    query("note where files are", sql).bind(repository).run(tx).await.map(|_| ())
}

/// Keeps both from being deleted until the transaction ends, in an order in which no two can wait for each other.
async fn hold(tx: &mut Tx, from: RepositoryId, to: RepositoryId) -> Result<(), Error> {
    let sql = "SELECT id FROM repositories WHERE id IN ($1, $2) ORDER BY id {lock}";
    let held = query("hold repositories", sql).bind(from).bind(to).all::<(RepositoryId,)>(tx).await?;
    let missing = [from, to].into_iter().find(|id| !held.contains(&(*id,)));
    missing.map_or(Ok(()), |id| Err(Error::not_found("repository", id)))
}
