//! Days of links: how much was asked through a link on one day, in counts alone.
//!
//! Refuses to know what was asked and by whom. Invariant: counts only grow.

use super::ids::{LinkId, RepositoryId};
use super::{Db, query};
use crate::Error;

/// What came to a link on a day since it was last written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct More {
    pub link_id: LinkId,
    /// Days since 1970.
    pub day: i64,
    pub n_rows: i64,
    /// About how many different rows were among them.
    pub n_distinct: i64,
    /// Rows of the busiest hour of the day so far.
    pub n_busiest_hour: i64,
}

/// What came to a link over several days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Total {
    pub link_id: LinkId,
    pub n_days: i64,
    pub n_rows: i64,
    pub n_distinct: i64,
    pub n_busiest_hour: i64,
}

/// Adds to a day's counts.
pub async fn add(db: &Db, more: &More) -> Result<(), Error> {
    let sql = "INSERT INTO link_days (link_id, day, n_rows, n_distinct, n_busiest_hour)
        SELECT id, CAST($2 AS BIGINT), CAST($3 AS BIGINT), CAST($4 AS BIGINT), CAST($5 AS BIGINT)
            FROM links WHERE id = $1
        ON CONFLICT (link_id, day) DO UPDATE SET n_rows = link_days.n_rows + excluded.n_rows,
            n_distinct = link_days.n_distinct + excluded.n_distinct,
            n_busiest_hour = CASE WHEN excluded.n_busiest_hour > link_days.n_busiest_hour
                THEN excluded.n_busiest_hour ELSE link_days.n_busiest_hour END";
    query("count what a link was asked", sql)
        .bind(more.link_id)
        .bind(more.day)
        .bind(more.n_rows)
        .bind(more.n_distinct)
        .bind(more.n_busiest_hour)
        .run(db.writer())
        .await
        .map(|_| ())
}

/// What came to each link of a repository since a day.
pub async fn totals(db: &Db, repository: RepositoryId, since_day: i64) -> Result<Vec<Total>, Error> {
    let sql = "SELECT d.link_id, count(*) AS n_days, CAST(sum(d.n_rows) AS BIGINT) AS n_rows,
            CAST(sum(d.n_distinct) AS BIGINT) AS n_distinct, max(d.n_busiest_hour) AS n_busiest_hour
        FROM link_days d JOIN links l ON l.id = d.link_id WHERE l.repository_id = $1 AND d.day >= $2
        GROUP BY d.link_id ORDER BY d.link_id";
    query("sum what links were asked", sql).bind(repository).bind(since_day).all(db).await
}

/// Forgets the days before one.
pub async fn delete_before(db: &Db, day: i64) -> Result<u64, Error> {
    query("forget days of links", "DELETE FROM link_days WHERE day < $1").bind(day).run(db.writer()).await
}
