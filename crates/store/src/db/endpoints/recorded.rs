//! Recorded requests: some of what was asked of an endpoint and answered, because its owner wanted it kept.
//!
//! Refuses to choose which. Invariant: an endpoint keeps the newest so many.

use super::super::ids::{EndpointId, RecordedRequestId, RepositoryId};
use super::super::{Db, Page, id_cursor, page, page_limit, query};
use crate::Error;

/// Requests that are kept of one endpoint.
pub const KEPT: i64 = 1000;

/// One request with its answer.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Recorded {
    pub id: RecordedRequestId,
    /// The revision that answered, 40 hex digits.
    pub revision: String,
    pub at_ms: i64,
    pub took_us: i64,
    /// `answered`, or the code of the error.
    pub outcome: String,
    /// JSON, cut off where it is long.
    pub request: String,
    pub response: String,
}

/// A request to be recorded.
#[derive(Debug, Clone)]
pub struct NewRecorded {
    pub repository_id: RepositoryId,
    pub revision: String,
    pub at_ms: i64,
    pub took_us: i64,
    pub outcome: &'static str,
    pub request: String,
    pub response: String,
}

/// Records a request, and forgets the oldest beyond those that are kept. Nothing where there is no endpoint.
pub async fn add(db: &Db, new: &NewRecorded) -> Result<(), Error> {
    let sql = "INSERT INTO recorded_requests (endpoint_id, revision, at_ms, took_us, outcome, request, response)
        SELECT id, CAST($2 AS TEXT), CAST($3 AS BIGINT), CAST($4 AS BIGINT), CAST($5 AS TEXT), CAST($6 AS TEXT),
            CAST($7 AS TEXT) FROM endpoints WHERE repository_id = $1";
    let mut tx = db.begin().await?;
    query("record a request", sql)
        .bind(new.repository_id)
        .bind(&new.revision)
        .bind(new.at_ms)
        .bind(new.took_us)
        .bind(new.outcome)
        .bind(&new.request)
        .bind(&new.response)
        .run(&mut tx)
        .await?;
    let sql = "DELETE FROM recorded_requests WHERE endpoint_id = (SELECT id FROM endpoints WHERE repository_id = $1)
        AND id <= (SELECT q.id FROM recorded_requests q JOIN endpoints p ON p.id = q.endpoint_id
            WHERE p.repository_id = $1 ORDER BY q.id DESC LIMIT 1 OFFSET $2)";
    query("forget old requests", sql).bind(new.repository_id).bind(KEPT).run(&mut tx).await?;
    tx.commit().await
}

/// The recorded requests of an endpoint, newest first.
pub async fn list(
    db: &Db,
    endpoint: EndpointId,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Recorded>, Error> {
    let limit = page_limit(limit);
    let sql = "SELECT id, revision, at_ms, took_us, outcome, request, response FROM recorded_requests
        WHERE endpoint_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    let list = query("list recorded requests", sql).bind(endpoint).bind(id_cursor(after, i64::MAX)?);
    let rows = list.bind(limit + 1).all::<Recorded>(db).await?;
    Ok(page(rows, limit, |recorded| recorded.id.to_string()))
}

/// Forgets what was recorded before then.
pub async fn delete_before(db: &Db, before_ms: i64) -> Result<u64, Error> {
    let delete = query("forget old requests", "DELETE FROM recorded_requests WHERE at_ms < $1");
    delete.bind(before_ms).run(db.writer()).await
}
