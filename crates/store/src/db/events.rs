//! Events: what was done to what by whom, for those who must answer for it.
//!
//! Refuses to know the verbs. Invariant: rows are added and, once old enough, forgotten; none is ever changed.

use super::ids::EventId;
use super::{Db, Page, id_cursor, page, page_limit, query};
use crate::Error;

/// One thing that was done.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Event {
    pub id: EventId,
    pub at_ms: i64,
    /// Name of the account that did it, as it was called then; empty for the server itself.
    pub actor: String,
    /// Such as `grant` or `repository.delete`.
    pub verb: String,
    /// What it was done to, such as `alice/iris`.
    pub subject: String,
    pub detail: String,
}

/// A thing that was just done.
#[derive(Debug, Clone)]
pub struct NewEvent<'a> {
    pub at_ms: i64,
    pub actor: &'a str,
    pub verb: &'a str,
    pub subject: &'a str,
    pub detail: &'a str,
}

/// Which events a list shows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter<'a> {
    pub actor: Option<&'a str>,
    pub subject: Option<&'a str>,
    /// Nothing of before: a name may have been another's once.
    pub since_ms: i64,
}

pub async fn add(db: &Db, new: &NewEvent<'_>) -> Result<(), Error> {
    let sql = "INSERT INTO events (at_ms, actor, verb, subject, detail) VALUES ($1, $2, $3, $4, $5)";
    query("note an event", sql)
        .bind(new.at_ms)
        .bind(new.actor)
        .bind(new.verb)
        .bind(new.subject)
        .bind(new.detail)
        .run(db.writer())
        .await
        .map(|_| ())
}

/// Events, newest first.
pub async fn list(
    db: &Db,
    filter: Filter<'_>,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Event>, Error> {
    let limit = page_limit(limit);
    let sql = "SELECT id, at_ms, actor, verb, subject, detail FROM events WHERE id < $1
        AND (CAST($2 AS TEXT) IS NULL OR actor = $2) AND (CAST($3 AS TEXT) IS NULL OR subject = $3)
        AND at_ms >= $5 ORDER BY id DESC LIMIT $4";
    let list = query("list events", sql)
        .bind(id_cursor(after, i64::MAX)?)
        .bind(filter.actor)
        .bind(filter.subject)
        .bind(limit + 1)
        .bind(filter.since_ms);
    Ok(page(list.all::<Event>(db).await?, limit, |event| event.id.to_string()))
}

/// Forgets what happened before a time, and answers how many events that were.
pub async fn delete_before(db: &Db, before_ms: i64) -> Result<u64, Error> {
    query("forget events", "DELETE FROM events WHERE at_ms < $1").bind(before_ms).run(db.writer()).await
}
