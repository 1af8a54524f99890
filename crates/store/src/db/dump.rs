//! All rows as lines of text that are the same whichever database holds them.
//!
//! Refuses to know what rows mean. Invariants: an export is what the tables held at one moment, whoever writes
//! meanwhile; equal rows give equal lines in the same order; an import happens whole or not at all, into tables without
//! rows.
//!
//! Each table is a line `{"table": …, "columns": [[name, kind], …], "last_id": …}`, then for each row an array of its
//! values, in the order of the primary key.

use serde::{Deserialize, Serialize};
use spec::digest::Sha256;

use super::{Db, Dialect, Tx, migrations, query};
use crate::Error;

mod cells;
mod export;
mod import;

use cells::Kind;
pub use export::{export, objects};
pub use import::import;

/// Every table but those that belong to the database itself (`migrations`, `holds`); one that is referred to comes before
/// those that refer to it.
pub const TABLES: &[&str] = &[
    "accounts",
    "repositories",
    "tokens",
    "sessions",
    "sign_in_links",
    "members",
    "invitations",
    "identities",
    "signing_keys",
    "secrets",
    "events",
    "repository_tags",
    "trees",
    "entries",
    "revisions",
    "refs",
    "facts",
    "grants",
    "links",
    "link_days",
    "former_names",
    "likes",
    "access_requests",
    "discussions",
    "discussion_events",
    "attestations",
    "environments",
    "endpoints",
    "targets",
    "former_targets",
    "usage",
    "recorded_requests",
    "answers",
    "apps",
    "webhooks",
    "webhook_deliveries",
    "jobs",
    "job_attempts",
    "xorbs",
    "xorb_senders",
    "asked_chunks",
    "chunked_files",
    "chunked_terms",
    "chunked_places",
    "whole_places",
    "uploads",
];

/// What an export held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exported {
    /// Of the tables.
    pub version: i64,
    pub tables: Vec<Summary>,
}

/// One table of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub table: String,
    pub n_rows: u64,
    /// Of the lines of the rows.
    pub sha256: Sha256,
}

impl Exported {
    pub fn n_rows(&self) -> u64 {
        self.tables.iter().map(|table| table.n_rows).sum()
    }

    /// The first table that another export has otherwise.
    pub fn difference<'a>(&'a self, other: &Self) -> Option<&'a str> {
        let is_other = |(n, table): &(usize, &Summary)| other.tables.get(*n) != Some(table);
        self.tables.iter().enumerate().find(is_other).map(|(_, table)| table.table.as_str())
    }
}

/// The version of the tables of this program.
pub fn version() -> i64 {
    migrations::newest()
}

/// Whether nobody uses the database yet: it has no tables, or none of the server's own rows in them.
pub async fn is_empty(db: &Db) -> Result<bool, Error> {
    let mut tx = db.begin_reading().await?;
    let mut n_columns = 0;
    for table in ["accounts", "secrets"] {
        let columns = columns(&mut tx, table).await?;
        n_columns += columns.len();
        if !columns.is_empty() && has_rows(&mut tx, table).await? {
            return Ok(false);
        }
    }
    // Tables of somebody else's are left alone.
    Ok(n_columns > 0 || n_tables(&mut tx).await? == 0)
}

/// The line before the rows of a table.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    table: String,
    columns: Vec<(String, Kind)>,
    /// The last id that was given, where the table gives them; `0` if none was.
    last_id: Option<i64>,
}

/// A column, in the order in which the table has them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Column {
    name: String,
    kind: Kind,
    /// Whether ids are given by it.
    counts_up: bool,
    /// Its place in the primary key, from 1 on; 0 outside of it.
    key_place: i64,
}

/// The columns that are written to; none if there is no such table.
async fn columns(tx: &mut Tx, table: &str) -> Result<Vec<Column>, Error> {
    let sql = match tx.dialect() {
        Dialect::Sqlite => {
            "SELECT CAST(name AS TEXT), CAST(upper(type) AS TEXT),
                CAST(CASE WHEN upper(type) = 'INTEGER' AND pk = 1 THEN 1 ELSE 0 END AS BIGINT), CAST(pk AS BIGINT)
             FROM pragma_table_info($1) ORDER BY cid"
        }
        Dialect::Postgres => {
            "SELECT CAST(a.attname AS TEXT), upper(format_type(a.atttypid, NULL)),
                CAST(CASE WHEN a.attidentity <> '' THEN 1 ELSE 0 END AS BIGINT),
                CAST(coalesce(array_position(CAST(i.indkey AS SMALLINT[]), a.attnum) + 1, 0) AS BIGINT)
             FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
             WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
             ORDER BY a.attnum"
        }
    };
    let rows = query("read the columns of a table", sql).bind(table);
    let rows = rows.all::<(String, String, i64, i64)>(tx).await?;
    let column = |(name, declared, counts_up, key_place): (String, String, i64, i64)| Column {
        name,
        kind: Kind::of_declared(&declared),
        counts_up: counts_up != 0,
        key_place,
    };
    Ok(rows.into_iter().map(column).collect())
}

/// Whether a table of ours has a row.
async fn has_rows(tx: &mut Tx, table: &str) -> Result<bool, Error> {
    let sql = format!("SELECT CAST(count(*) AS BIGINT) FROM (SELECT 1 FROM \"{table}\" LIMIT 1) t");
    Ok(query("look for rows", sql).once().one::<(i64,)>(tx).await?.0 > 0)
}

async fn n_tables(tx: &mut Tx) -> Result<i64, Error> {
    let sql = match tx.dialect() {
        Dialect::Sqlite => {
            "SELECT CAST(count(*) AS BIGINT) FROM sqlite_master WHERE type = 'table' AND name <> 'migrations'"
        }
        Dialect::Postgres => {
            "SELECT CAST(count(*) AS BIGINT) FROM pg_tables
             WHERE schemaname = current_schema() AND tablename <> 'migrations'"
        }
    };
    Ok(query("count the tables", sql).one::<(i64,)>(tx).await?.0)
}

/// Names between quotes, with commas between them.
fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::Settings;

    #[tokio::test]
    async fn no_table_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&Settings::embedded(folder.path())).await.unwrap();
        let sql = "SELECT name FROM sqlite_master WHERE type = 'table'
            AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'repositories_words%'";
        let found = query("test", sql).all::<(String,)>(&db).await.unwrap();
        let found: BTreeSet<String> = found.into_iter().map(|(name,)| name).collect();
        let told = TABLES.iter().chain(&["migrations", "holds"]).map(|name| (*name).to_owned()).collect();
        assert_eq!(found, told, "a new table is added to `TABLES`, behind those that it refers to");
    }
}
