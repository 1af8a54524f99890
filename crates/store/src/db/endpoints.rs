//! Endpoints: which repositories are deployed, at which revision, and how that goes.
//!
//! Refuses to know runtimes. Invariant: a repository has at most one endpoint, at a revision of its own.

use spec::digest::Oid;
use spec::name::RepositoryKind;

use super::ids::{AccountId, EndpointId, RepositoryId, RevisionId};
use super::repositories::{Viewer, visible};
use super::{Db, Page, Tx, id_cursor, page, page_limit, query};
use crate::Error;

pub mod recorded;
pub mod targets;
pub mod usage;

/// An endpoint, with the names of what it serves.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Endpoint {
    pub id: EndpointId,
    pub repository_id: RepositoryId,
    pub owner_id: AccountId,
    pub owner_name: String,
    #[sqlx(try_from = "String")]
    pub repository_kind: RepositoryKind,
    pub repository_name: String,
    pub is_private: bool,
    /// What was deployed last.
    pub revision_id: RevisionId,
    #[sqlx(try_from = "String")]
    pub oid: Oid,
    /// How many requests of a hundred that was to take.
    pub revision_percent: i64,
    /// The server's word for it, such as `pending` or `ready`.
    pub state: String,
    /// Why it is in that state; empty if that needs no words.
    pub reason: String,
    /// Whether its owner stopped it: then nothing but a new deploy starts it.
    pub is_stopped: bool,
    #[sqlx(flatten)]
    pub options: Options,
    pub created_ms: i64,
    pub updated_ms: i64,
}

/// What its owner set of an endpoint; none is the operator's choice.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Options {
    pub min_replicas: i64,
    pub max_replicas: i64,
    pub concurrency: Option<i64>,
    pub request_timeout_ms: Option<i64>,
    pub load_timeout_ms: Option<i64>,
    pub idle_after_ms: Option<i64>,
    pub memory_bytes: Option<i64>,
    /// Of a million requests so many are recorded.
    pub log_sample: i64,
}

/// What to serve from now on.
#[derive(Debug, Clone)]
pub struct NewEndpoint<'a> {
    pub repository_id: RepositoryId,
    pub revision_id: RevisionId,
    /// How many requests of a hundred it is to take.
    pub percent: i64,
    pub state: &'a str,
    pub now_ms: i64,
}

/// How an endpoint stands.
#[derive(Debug, Clone)]
pub struct NewState<'a> {
    pub state: &'a str,
    pub reason: &'a str,
    pub now_ms: i64,
}

const SELECT: &str =
    "SELECT p.id, p.repository_id, r.owner_id, a.name AS owner_name, r.kind AS repository_kind,
    r.name AS repository_name, r.is_private, p.revision_id, v.oid, p.revision_percent, p.state, p.reason,
    p.is_stopped, p.min_replicas, p.max_replicas, p.concurrency, p.request_timeout_ms, p.load_timeout_ms,
    p.idle_after_ms, p.memory_bytes, p.log_sample, p.created_ms, p.updated_ms
    FROM endpoints p JOIN repositories r ON r.id = p.repository_id JOIN accounts a ON a.id = r.owner_id
    JOIN revisions v ON v.id = p.revision_id";

/// Deploys a revision: makes the repository's endpoint or moves it there. [`Error::NotFound`] if the revision
/// is not the repository's.
pub async fn put(db: &Db, new: &NewEndpoint<'_>) -> Result<Endpoint, Error> {
    let sql = "INSERT INTO endpoints (repository_id, revision_id, revision_percent, state, reason, is_stopped,
            created_ms, updated_ms)
        SELECT repository_id, id, CAST($3 AS BIGINT), CAST($4 AS TEXT), '', FALSE, CAST($5 AS BIGINT),
            CAST($5 AS BIGINT)
        FROM revisions WHERE repository_id = $1 AND id = $2
        ON CONFLICT (repository_id) DO UPDATE SET revision_id = excluded.revision_id,
            revision_percent = excluded.revision_percent, state = excluded.state, reason = '', is_stopped = FALSE,
            updated_ms = excluded.updated_ms";
    let n_rows = query("deploy", sql)
        .bind(new.repository_id)
        .bind(new.revision_id)
        .bind(new.percent)
        .bind(new.state)
        .bind(new.now_ms)
        .run(db.writer())
        .await?;
    let deployed = if n_rows == 0 { None } else { by_repository(db, new.repository_id).await? };
    deployed.ok_or_else(|| Error::not_found("revision", new.revision_id))
}

/// The endpoint of a repository, if it was ever deployed.
pub async fn by_repository(db: &Db, repository: RepositoryId) -> Result<Option<Endpoint>, Error> {
    let sql = format!("{SELECT} WHERE p.repository_id = $1");
    query("find an endpoint", sql).bind(repository).optional(db).await
}

/// The endpoints that the viewer may see, newest first.
pub async fn list(db: &Db, viewer: Viewer, after: Option<&str>, limit: u32) -> Result<Page<Endpoint>, Error> {
    let limit = page_limit(limit);
    let (sees_all, account) = viewer.values();
    let sql = format!("{SELECT} WHERE p.id < $1 AND ($2 OR {}) ORDER BY p.id DESC LIMIT $4", visible(3));
    let list = query("list endpoints", sql)
        .bind(id_cursor(after, i64::MAX)?)
        .bind(sees_all)
        .bind(account)
        .bind(limit + 1)
        .all::<Endpoint>(db)
        .await?;
    Ok(page(list, limit, |endpoint| endpoint.id.to_string()))
}

/// The repositories whose endpoints are in this state, oldest first.
pub async fn in_state(db: &Db, state: &str) -> Result<Vec<RepositoryId>, Error> {
    let sql = "SELECT repository_id FROM endpoints WHERE state = $1 AND NOT is_stopped ORDER BY id";
    let found = query("find endpoints by state", sql).bind(state).all::<(RepositoryId,)>(db).await?;
    Ok(found.into_iter().map(|(id,)| id).collect())
}

/// Notes that an endpoint's last deploy, which was answering, is so no longer; of any other endpoint nothing.
pub async fn set_idle(
    db: &Db,
    (repository, revision): (RepositoryId, RevisionId),
    new: &NewState<'_>,
) -> Result<(), Error> {
    let sql = "UPDATE endpoints SET state = $3, reason = $4, updated_ms = $5
        WHERE repository_id = $1 AND revision_id = $2 AND state = 'ready' AND NOT is_stopped";
    let update = query("note a state", sql).bind(repository).bind(revision).bind(new.state).bind(new.reason);
    update.bind(new.now_ms).run(db.writer()).await.map(|_| ())
}

/// Changes what its owner set, by what that is at this moment; where `change` refuses, nothing is changed.
/// [`Error::NotFound`] if the repository has no endpoint.
pub async fn change_options<E>(
    db: &Db,
    repository: RepositoryId,
    now_ms: i64,
    change: impl FnOnce(Options) -> Result<Options, E>,
) -> Result<Result<Options, E>, Error> {
    let mut tx = db.begin().await?;
    let sql =
        "SELECT min_replicas, max_replicas, concurrency, request_timeout_ms, load_timeout_ms, idle_after_ms,
            memory_bytes, log_sample FROM endpoints WHERE repository_id = $1 {lock}";
    let found = query("read options", sql).bind(repository).optional::<Options>(&mut tx).await?;
    let changed = change(found.ok_or_else(|| Error::not_found("endpoint", repository))?);
    if let Ok(new) = &changed {
        set_options(&mut tx, repository, new, now_ms).await?;
        tx.commit().await?;
    }
    Ok(changed)
}

async fn set_options(tx: &mut Tx, repository: RepositoryId, new: &Options, now_ms: i64) -> Result<(), Error> {
    let sql = "UPDATE endpoints SET min_replicas = $2, max_replicas = $3, concurrency = $4,
            request_timeout_ms = $5, load_timeout_ms = $6, idle_after_ms = $7, memory_bytes = $8, log_sample = $9,
            updated_ms = $10
        WHERE repository_id = $1";
    query("change an endpoint", sql)
        .bind(repository)
        .bind(new.min_replicas)
        .bind(new.max_replicas)
        .bind(new.concurrency)
        .bind(new.request_timeout_ms)
        .bind(new.load_timeout_ms)
        .bind(new.idle_after_ms)
        .bind(new.memory_bytes)
        .bind(new.log_sample)
        .bind(now_ms)
        .run(tx)
        .await
        .map(|_| ())
}

/// The endpoints that are never to sleep, at most so many.
pub async fn kept_awake(db: &Db, limit: u32) -> Result<Vec<Endpoint>, Error> {
    let sql = format!("{SELECT} WHERE p.min_replicas > 0 AND NOT p.is_stopped ORDER BY p.id LIMIT $1");
    query("find endpoints to keep awake", sql).bind(i64::from(limit)).all(db).await
}

/// Notes how the deploy of a revision stands, and answers whether that is news. Of an endpoint that its owner stopped,
/// or where something else was deployed since, nothing is noted.
pub async fn set_state(
    db: &Db,
    (repository, revision): (RepositoryId, RevisionId),
    new: &NewState<'_>,
) -> Result<bool, Error> {
    let sql = "UPDATE endpoints SET state = $3, reason = $4, updated_ms = $5
        WHERE repository_id = $1 AND revision_id = $2 AND NOT is_stopped AND (state <> $3 OR reason <> $4)";
    let update = query("note a state", sql).bind(repository).bind(revision).bind(new.state).bind(new.reason);
    Ok(update.bind(new.now_ms).run(db.writer()).await? > 0)
}

/// Notes that an endpoint's owner stopped it, and answers whether that is news.
pub async fn stop(db: &Db, repository: RepositoryId, new: &NewState<'_>) -> Result<bool, Error> {
    let sql = "UPDATE endpoints SET state = $2, reason = $3, is_stopped = TRUE, updated_ms = $4
        WHERE repository_id = $1 AND NOT is_stopped";
    let update = query("stop an endpoint", sql).bind(repository).bind(new.state).bind(new.reason);
    Ok(update.bind(new.now_ms).run(db.writer()).await? > 0)
}

/// Has an endpoint stand as a revision does that answered before, and answers whether it does: not where something else
/// was deployed since `former` was.
pub async fn resume(db: &Db, former: RevisionId, new: &NewEndpoint<'_>) -> Result<bool, Error> {
    let sql = "UPDATE endpoints SET revision_id = $3, revision_percent = $4, state = $5, reason = '',
            is_stopped = FALSE, updated_ms = $6
        WHERE repository_id = $1 AND revision_id = $2";
    let update = query("resume an endpoint", sql).bind(new.repository_id).bind(former).bind(new.revision_id);
    Ok(update.bind(new.percent).bind(new.state).bind(new.now_ms).run(db.writer()).await? > 0)
}

/// Deletes the endpoint of a repository. [`Error::NotFound`] if it has none.
pub async fn delete(db: &Db, repository: RepositoryId) -> Result<(), Error> {
    let sql = "DELETE FROM endpoints WHERE repository_id = $1";
    let n_rows = query("delete an endpoint", sql).bind(repository).run(db.writer()).await?;
    if n_rows == 0 { Err(Error::not_found("endpoint", repository)) } else { Ok(()) }
}
