//! Commits that nothing leads to: after a branch was deleted, or its history was made one commit.
//!
//! Invariants: whatever names a commit keeps it and all before it; a commit goes only after it was seen to be out of reach for
//! as long as is asked, and with it what its repository had in no other commit.

use crate::Error;
use crate::db::ids::{RepositoryId, RevisionId};
use crate::db::{Db, Tx, VALUES, places, query};

/// The commits of the repository `$1` that something names. An entry's last commit is always one before its own.
const NAMED: &str = "SELECT revision_id AS id FROM refs WHERE repository_id = $1
    UNION SELECT revision_id FROM endpoints WHERE repository_id = $1
    UNION SELECT t.revision_id FROM targets t JOIN endpoints e ON e.id = t.endpoint_id WHERE e.repository_id = $1
    UNION SELECT t.revision_id FROM former_targets t JOIN endpoints e ON e.id = t.endpoint_id WHERE e.repository_id = $1
    UNION SELECT revision_id FROM links WHERE repository_id = $1
    UNION SELECT revision_id FROM apps WHERE repository_id = $1
    UNION SELECT base_id FROM discussions WHERE repository_id = $1 AND base_id IS NOT NULL
    UNION SELECT v.id FROM discussions d JOIN revisions v ON v.repository_id = d.repository_id AND v.oid = d.merge_oid
        WHERE d.repository_id = $1
    UNION SELECT v.id FROM answers a JOIN revisions v ON v.repository_id = a.repository_id AND v.oid = a.revision
        WHERE a.repository_id = $1";

/// Trees of the repository `$1` that no commit has.
const LEFT: &str = "SELECT t.id FROM trees t WHERE t.repository_id = $1
    AND NOT EXISTS (SELECT 1 FROM revisions v WHERE v.tree_id = t.id)";

/// The files that the trees of the repository `$1` have.
const HAD: &str = "SELECT e.sha256 FROM entries e JOIN trees t ON t.id = e.tree_id
    WHERE t.repository_id = $1 AND e.sha256 IS NOT NULL";

/// `line`: what a query for ids finds, and all commits before these.
pub(super) fn line(named: &str) -> String {
    format!(
        "WITH RECURSIVE line (id) AS (
            SELECT id FROM ({named}) AS named
            UNION SELECT v.parent_id FROM revisions v JOIN line ON v.id = line.id WHERE v.parent_id IS NOT NULL
        )"
    )
}

/// Commits of a repository that were out of reach before that time already, or at it.
pub async fn count_unreached(
    db: &Db,
    repository: RepositoryId,
    (now_ms, before_ms): (i64, i64),
) -> Result<u64, Error> {
    let sql = format!(
        "{} SELECT count(*) FROM revisions WHERE repository_id = $1 AND coalesce(unreached_ms, $2) <= $3
         AND id NOT IN (SELECT id FROM line)",
        line(NAMED)
    );
    let count = query("count commits out of reach", sql).bind(repository).bind(now_ms).bind(before_ms);
    Ok(u64::try_from(count.one::<(i64,)>(db).await?.0).unwrap_or(0))
}

/// Notes which commits of a repository are out of reach, and deletes those that were so before that time already, or at it.
/// Answers how many.
pub async fn collect_unreached(db: &Db, repository: RepositoryId, times: (i64, i64)) -> Result<u64, Error> {
    let mut n_all = 0;
    if !has_unreached(db, repository).await? {
        return Ok(n_all);
    }
    loop {
        let n_deleted = collect_some(db, repository, times).await?;
        n_all += n_deleted as u64;
        if n_deleted < VALUES {
            return Ok(n_all);
        }
    }
}

/// The same of as many as one transaction takes.
async fn collect_some(
    db: &Db,
    repository: RepositoryId,
    (now_ms, before_ms): (i64, i64),
) -> Result<usize, Error> {
    let mut tx = db.begin().await?;
    let sql = "SELECT id FROM repositories WHERE id = $1 {lock}";
    if query("hold a repository", sql).bind(repository).optional::<(i64,)>(&mut tx).await?.is_none() {
        return Ok(0);
    }
    note(&mut tx, repository, now_ms).await?;
    // A commit goes before the one it was made on.
    let sql = format!(
        "SELECT id FROM revisions WHERE repository_id = $1 AND unreached_ms <= $2 ORDER BY id DESC LIMIT {VALUES}"
    );
    let old = query("find commits out of reach", sql).bind(repository).bind(before_ms);
    let old: Vec<RevisionId> = old.all::<(RevisionId,)>(&mut tx).await?.into_iter().map(|(id,)| id).collect();
    if !old.is_empty() {
        match delete(&mut tx, repository, &old).await {
            // Somebody names one of them in this moment: another time.
            Err(Error::NotFound { .. }) => return Ok(0),
            deleted => deleted?,
        }
    }
    tx.commit().await?;
    Ok(old.len())
}

/// Whether anything is to be noted or deleted, so that a repository is held only where that is so.
async fn has_unreached(db: &Db, repository: RepositoryId) -> Result<bool, Error> {
    let sql = format!(
        "{} SELECT id FROM revisions WHERE repository_id = $1
         AND (unreached_ms IS NOT NULL OR id NOT IN (SELECT id FROM line)) LIMIT 1",
        line(NAMED)
    );
    let found = query("look for commits out of reach", sql).bind(repository).optional::<(i64,)>(db).await?;
    Ok(found.is_some())
}

async fn note(tx: &mut Tx, repository: RepositoryId, now_ms: i64) -> Result<(), Error> {
    let sql = format!(
        "{} UPDATE revisions SET unreached_ms = NULL
         WHERE repository_id = $1 AND unreached_ms IS NOT NULL AND id IN (SELECT id FROM line)",
        line(NAMED)
    );
    query("note commits in reach", sql).bind(repository).run(&mut *tx).await?;
    let sql = format!(
        "{} UPDATE revisions SET unreached_ms = $2
         WHERE repository_id = $1 AND unreached_ms IS NULL AND id NOT IN (SELECT id FROM line)",
        line(NAMED)
    );
    query("note commits out of reach", sql).bind(repository).bind(now_ms).run(tx).await.map(|_| ())
}

/// Deletes commits, then the trees that only they had, then the places of files that were in these trees alone.
/// [`Error::NotFound`] where somebody names one of the commits.
async fn delete(tx: &mut Tx, repository: RepositoryId, revisions: &[RevisionId]) -> Result<(), Error> {
    for table in ["facts WHERE revision_id", "revisions WHERE id"] {
        let sql = format!("DELETE FROM {table} IN ({})", places(1, revisions.len()));
        let delete = query("delete commits", sql).bind_all(revisions.iter().copied()).once();
        delete.run(&mut *tx).await.map_err(|error| error.if_missing("commit", "that nothing names"))?;
    }
    let parts = [
        format!("DELETE FROM entries WHERE tree_id IN ({LEFT})"),
        format!("DELETE FROM trees WHERE id IN ({LEFT})"),
        format!(
            "DELETE FROM chunked_places WHERE repository_id = $1
             AND file_id NOT IN (SELECT f.id FROM chunked_files f WHERE f.sha256 IN ({HAD}))"
        ),
        format!("DELETE FROM whole_places WHERE repository_id = $1 AND sha256 NOT IN ({HAD})"),
    ];
    for part in parts {
        query("delete what commits had", part).bind(repository).run(&mut *tx).await?;
    }
    Ok(())
}
