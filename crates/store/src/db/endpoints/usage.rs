//! Usage: what was counted of endpoints, by the hour.
//!
//! Refuses to count. Invariant: what is added stays added, by however many servers, until it is too old to be kept.

use super::super::ids::{EndpointId, RepositoryId};
use super::super::{Db, query};
use crate::Error;

/// Requests by how long they took, shortest first: up to 0.1 ms, then each bound four times the last; the last of
/// these has all that took longer.
pub const N_BUCKETS: usize = 10;

/// What was counted in one hour.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hour {
    /// When it began.
    pub hour_ms: i64,
    pub n_requests: i64,
    pub n_errors: i64,
    pub n_cold_starts: i64,
    pub cpu_ms: i64,
    pub took: [i64; N_BUCKETS],
}

#[derive(sqlx::FromRow)]
struct Row {
    hour_ms: i64,
    n_requests: i64,
    n_errors: i64,
    n_cold_starts: i64,
    cpu_ms: i64,
    took_0: i64,
    took_1: i64,
    took_2: i64,
    took_3: i64,
    took_4: i64,
    took_5: i64,
    took_6: i64,
    took_7: i64,
    took_8: i64,
    took_9: i64,
}

impl From<Row> for Hour {
    fn from(row: Row) -> Self {
        let took = [
            row.took_0, row.took_1, row.took_2, row.took_3, row.took_4, row.took_5, row.took_6, row.took_7,
            row.took_8, row.took_9,
        ];
        let Row { hour_ms, n_requests, n_errors, n_cold_starts, cpu_ms, .. } = row;
        Self { hour_ms, n_requests, n_errors, n_cold_starts, cpu_ms, took }
    }
}

/// Adds what was counted to what is known of that hour. Of a repository without an endpoint nothing is kept.
pub async fn add(db: &Db, repository: RepositoryId, more: &Hour) -> Result<(), Error> {
    let names: Vec<_> = (0..N_BUCKETS).map(|i| format!("took_{i}")).collect();
    let places: Vec<_> = (0..N_BUCKETS).map(|i| format!("CAST(${} AS BIGINT)", i + 7)).collect();
    let counted = ["n_requests", "n_errors", "n_cold_starts", "cpu_ms"].into_iter();
    let sums: Vec<_> = counted
        .chain(names.iter().map(String::as_str))
        .map(|name| format!("{name} = usage.{name} + excluded.{name}"))
        .collect();
    let sql = format!(
        "INSERT INTO usage (endpoint_id, hour_ms, n_requests, n_errors, n_cold_starts, cpu_ms, {})
        SELECT id, CAST($2 AS BIGINT), CAST($3 AS BIGINT), CAST($4 AS BIGINT), CAST($5 AS BIGINT),
            CAST($6 AS BIGINT), {} FROM endpoints WHERE repository_id = $1
        ON CONFLICT (endpoint_id, hour_ms) DO UPDATE SET {}",
        names.join(", "),
        places.join(", "),
        sums.join(", ")
    );
    let insert = query("count usage", sql)
        .bind(repository)
        .bind(more.hour_ms)
        .bind(more.n_requests)
        .bind(more.n_errors)
        .bind(more.n_cold_starts)
        .bind(more.cpu_ms)
        .bind_all(more.took);
    insert.run(db.writer()).await.map(|_| ())
}

/// The hours of an endpoint since then, oldest first, in which anything was counted.
pub async fn since(db: &Db, endpoint: EndpointId, from_ms: i64) -> Result<Vec<Hour>, Error> {
    let sql =
        "SELECT hour_ms, n_requests, n_errors, n_cold_starts, cpu_ms, took_0, took_1, took_2, took_3, took_4,
            took_5, took_6, took_7, took_8, took_9
        FROM usage WHERE endpoint_id = $1 AND hour_ms >= $2 ORDER BY hour_ms LIMIT 1000";
    let rows = query("read usage", sql).bind(endpoint).bind(from_ms).all::<Row>(db).await?;
    Ok(rows.into_iter().map(Hour::from).collect())
}

/// Forgets the hours before then.
pub async fn delete_before(db: &Db, before_ms: i64) -> Result<u64, Error> {
    query("forget usage", "DELETE FROM usage WHERE hour_ms < $1").bind(before_ms).run(db.writer()).await
}
