//! Days of links: how much was asked through a link on one day, in counts alone.
//!
//! Refuses to know what was asked and by whom. Invariant: counts and registers only grow, by however many servers.

use super::ids::LinkId;
use super::{Db, query};
use crate::Error;

/// What came to a link on a day since it was last written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct More {
    pub link_id: LinkId,
    /// Days since 1970.
    pub day: i64,
    pub n_rows: i64,
    /// Rows of the busiest hour of the day so far.
    pub n_busiest_hour: i64,
    /// Of a sketch of the day's rows so far: one ASCII character each, of which the greater holds.
    pub registers: String,
}

/// What came to a link on one day.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Day {
    pub link_id: LinkId,
    pub n_rows: i64,
    pub n_busiest_hour: i64,
    pub registers: String,
}

/// Adds to a day's counts. Of a link that is gone nothing is kept.
pub async fn add(db: &Db, more: &More) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    let sql = "INSERT INTO link_days (link_id, day, n_rows, n_busiest_hour, registers)
        SELECT id, CAST($2 AS BIGINT), 0, 0, '' FROM links WHERE id = $1
        ON CONFLICT (link_id, day) DO NOTHING";
    query("begin a day", sql).bind(more.link_id).bind(more.day).run(&mut tx).await?;
    let sql = "SELECT registers FROM link_days WHERE link_id = $1 AND day = $2 {lock}";
    let found = query("hold a day", sql).bind(more.link_id).bind(more.day);
    let Some((registers,)) = found.optional::<(String,)>(&mut tx).await? else { return Ok(()) };
    let sql = "UPDATE link_days SET n_rows = n_rows + $3, registers = $4,
            n_busiest_hour = CASE WHEN $5 > n_busiest_hour THEN $5 ELSE n_busiest_hour END
        WHERE link_id = $1 AND day = $2";
    query("count what a link was asked", sql)
        .bind(more.link_id)
        .bind(more.day)
        .bind(more.n_rows)
        .bind(merged(&registers, &more.registers))
        .bind(more.n_busiest_hour)
        .run(&mut tx)
        .await?;
    tx.commit().await
}

/// What came to each of these links since a day, by link and day.
pub async fn since(db: &Db, links: &[LinkId], day: i64) -> Result<Vec<Day>, Error> {
    if links.is_empty() {
        return Ok(Vec::new());
    }
    let places: Vec<_> = (2..links.len() + 2).map(|n| format!("${n}")).collect();
    let sql = format!(
        "SELECT link_id, n_rows, n_busiest_hour, registers FROM link_days
        WHERE day >= $1 AND link_id IN ({}) ORDER BY link_id, day",
        places.join(", ")
    );
    query("read what links were asked", sql).bind(day).bind_all(links.iter().copied()).once().all(db).await
}

/// Forgets the days before one.
pub async fn delete_before(db: &Db, day: i64) -> Result<u64, Error> {
    query("forget days of links", "DELETE FROM link_days WHERE day < $1").bind(day).run(db.writer()).await
}

/// Of each register the greater; one that is missing is less than any.
fn merged(known: &str, more: &str) -> String {
    let (longer, shorter) = if known.len() < more.len() { (more, known) } else { (known, more) };
    let others = shorter.bytes().chain(std::iter::repeat(0));
    longer.bytes().zip(others).map(|(one, other)| char::from(one.max(other))).collect()
}
