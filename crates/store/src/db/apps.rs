//! Web apps beside models: which repositories have one running, at which revision, and how that goes.
//!
//! Refuses to know processes. Invariant: a repository has at most one app, at a revision of its own.

use spec::digest::Oid;

use super::ids::{AccountId, RepositoryId, RevisionId};
use super::{Db, query};
use crate::Error;

/// An app, with the names of what it lies beside.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct App {
    pub repository_id: RepositoryId,
    pub owner_id: AccountId,
    pub owner_name: String,
    pub repository_name: String,
    pub is_private: bool,
    /// What was started last.
    pub revision_id: RevisionId,
    #[sqlx(try_from = "String")]
    pub oid: Oid,
    /// The server's word for it, such as `pending` or `ready`.
    pub state: String,
    /// Why it is in that state; empty if that needs no words.
    pub reason: String,
    /// Whether it was stopped: then no visitor wakes it.
    pub is_stopped: bool,
    pub created_ms: i64,
    pub updated_ms: i64,
}

/// What to run from now on.
#[derive(Debug, Clone)]
pub struct NewApp<'a> {
    pub repository_id: RepositoryId,
    pub revision_id: RevisionId,
    pub state: &'a str,
    pub now_ms: i64,
}

/// How an app stands.
#[derive(Debug, Clone)]
pub struct NewState<'a> {
    pub state: &'a str,
    pub reason: &'a str,
    pub is_stopped: bool,
    pub now_ms: i64,
}

const SELECT: &str = "SELECT p.repository_id, r.owner_id, a.name AS owner_name, r.name AS repository_name,
    r.is_private, p.revision_id, v.oid, p.state, p.reason, p.is_stopped, p.created_ms, p.updated_ms
    FROM apps p JOIN repositories r ON r.id = p.repository_id JOIN accounts a ON a.id = r.owner_id
    JOIN revisions v ON v.id = p.revision_id";

/// Notes that a revision's app is to run. [`Error::NotFound`] if the revision is not the repository's.
pub async fn put(db: &Db, new: &NewApp<'_>) -> Result<App, Error> {
    let sql =
        "INSERT INTO apps (repository_id, revision_id, state, reason, is_stopped, created_ms, updated_ms)
        SELECT repository_id, id, CAST($3 AS TEXT), '', FALSE, CAST($4 AS BIGINT), CAST($4 AS BIGINT)
        FROM revisions WHERE repository_id = $1 AND id = $2
        ON CONFLICT (repository_id) DO UPDATE SET revision_id = excluded.revision_id, state = excluded.state,
            reason = '', is_stopped = FALSE, updated_ms = excluded.updated_ms";
    let put = query("start an app", sql).bind(new.repository_id).bind(new.revision_id).bind(new.state);
    let n_rows = put.bind(new.now_ms).run(db.writer()).await?;
    let started = if n_rows == 0 { None } else { by_repository(db, new.repository_id).await? };
    started.ok_or_else(|| Error::not_found("revision", new.revision_id))
}

/// The app of a repository, if it was ever started.
pub async fn by_repository(db: &Db, repository: RepositoryId) -> Result<Option<App>, Error> {
    let sql = format!("{SELECT} WHERE p.repository_id = $1");
    query("find an app", sql).bind(repository).optional(db).await
}

/// The repositories whose apps are in this state, oldest first.
pub async fn in_state(db: &Db, state: &str) -> Result<Vec<RepositoryId>, Error> {
    let sql = "SELECT repository_id FROM apps WHERE state = $1 AND NOT is_stopped ORDER BY repository_id";
    let found = query("find apps by state", sql).bind(state).all::<(RepositoryId,)>(db).await?;
    Ok(found.into_iter().map(|(id,)| id).collect())
}

/// Notes how an app stands. [`Error::NotFound`] if the repository has none.
pub async fn set_state(db: &Db, repository: RepositoryId, new: &NewState<'_>) -> Result<(), Error> {
    let sql = "UPDATE apps SET state = $2, reason = $3, is_stopped = $4, updated_ms = $5
        WHERE repository_id = $1";
    let n_rows = query("note a state", sql)
        .bind(repository)
        .bind(new.state)
        .bind(new.reason)
        .bind(new.is_stopped)
        .bind(new.now_ms)
        .run(db.writer())
        .await?;
    if n_rows == 0 { Err(Error::not_found("app", repository)) } else { Ok(()) }
}
