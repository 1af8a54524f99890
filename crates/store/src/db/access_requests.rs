//! Access requests: who asked for the files of a gated repository, and what they were told.
//!
//! Refuses to know who may decide. Invariant: an account has at most one request for each repository; the last word of
//! whoever decides stands.

use super::ids::{AccessRequestId, AccountId, RepositoryId};
use super::words::words;
use super::{Db, Page, id_cursor, page, page_limit, query};
use crate::Error;

words!(
    /// What became of a request.
    RequestState, "state of an access request", { Pending = "pending", Accepted = "accepted", Rejected = "rejected" }
);

/// A request as it stands.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct AccessRequest {
    pub id: AccessRequestId,
    pub account_id: AccountId,
    pub account_name: String,
    #[sqlx(try_from = "String")]
    pub state: RequestState,
    /// What whoever asked wrote.
    pub message: String,
    /// Why it was rejected.
    pub reason: String,
    pub created_ms: i64,
    pub updated_ms: i64,
}

/// A request, or a decision over one.
#[derive(Debug, Clone, Copy)]
pub struct NewState<'a> {
    pub repository: RepositoryId,
    pub account: AccountId,
    pub state: RequestState,
    pub text: &'a str,
    pub now_ms: i64,
}

const SELECT: &str =
    "SELECT q.id, q.account_id, a.name AS account_name, q.state, q.message, q.reason, q.created_ms,
    q.updated_ms FROM access_requests q JOIN accounts a ON a.id = q.account_id";

/// Asks, with `text` as the message. Who has asked before is left with what they were told.
pub async fn ask(db: &Db, new: &NewState<'_>) -> Result<(), Error> {
    let sql = "INSERT INTO access_requests (repository_id, account_id, state, message, reason, created_ms, updated_ms)
        VALUES ($1, $2, $3, $4, '', $5, $5) ON CONFLICT (repository_id, account_id) DO NOTHING";
    put(db, sql, new).await
}

/// Decides, with `text` as the reason, also over who has not asked.
pub async fn decide(db: &Db, new: &NewState<'_>) -> Result<(), Error> {
    let sql = "INSERT INTO access_requests (repository_id, account_id, state, message, reason, created_ms, updated_ms)
        VALUES ($1, $2, $3, '', $4, $5, $5)
        ON CONFLICT (repository_id, account_id) DO UPDATE SET state = excluded.state, reason = excluded.reason,
            updated_ms = excluded.updated_ms";
    put(db, sql, new).await
}

/// Forgets a request. True if there was one.
pub async fn delete(db: &Db, repository: RepositoryId, account: AccountId) -> Result<bool, Error> {
    let sql = "DELETE FROM access_requests WHERE repository_id = $1 AND account_id = $2";
    let deleted = query("delete a request", sql).bind(repository).bind(account).run(db.writer()).await?;
    Ok(deleted > 0)
}

pub async fn find(
    db: &Db,
    repository: RepositoryId,
    account: AccountId,
) -> Result<Option<AccessRequest>, Error> {
    let sql = format!("{SELECT} WHERE q.repository_id = $1 AND q.account_id = $2");
    query("find a request", sql).bind(repository).bind(account).optional(db).await
}

pub async fn by_id(
    db: &Db,
    repository: RepositoryId,
    id: AccessRequestId,
) -> Result<Option<AccessRequest>, Error> {
    let sql = format!("{SELECT} WHERE q.repository_id = $1 AND q.id = $2");
    query("find a request", sql).bind(repository).bind(id).optional(db).await
}

/// The requests of that state, in the order in which they came.
pub async fn list(
    db: &Db,
    repository: RepositoryId,
    state: RequestState,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<AccessRequest>, Error> {
    let limit = page_limit(limit);
    let sql =
        format!("{SELECT} WHERE q.repository_id = $1 AND q.state = $2 AND q.id > $3 ORDER BY q.id LIMIT $4");
    let rows = query("list requests", sql).bind(repository).bind(state).bind(id_cursor(after, 0)?);
    let rows = rows.bind(limit + 1).all::<AccessRequest>(db).await?;
    Ok(page(rows, limit, |request| request.id.to_string()))
}

async fn put(db: &Db, sql: &'static str, new: &NewState<'_>) -> Result<(), Error> {
    let put = query("keep a request", sql)
        .bind(new.repository)
        .bind(new.account)
        .bind(new.state)
        .bind(new.text)
        .bind(new.now_ms)
        .run(db.writer())
        .await;
    put.map(|_| ()).map_err(|error| error.if_missing("repository", new.repository))
}
