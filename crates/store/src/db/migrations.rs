//! Brings the tables to this program's version.
//!
//! Refuses a database that a newer program wrote. Invariant: each step is one transaction that holds a lock
//! against other servers that start at the same moment, so each is done once and never by half.

use std::borrow::Cow;

use super::{Db, Dialect, Tx, query};
use crate::{Error, clock};

/// The steps in their order; a step once released is never edited.
const STEPS: &[(&str, &str)] = &[
    ("initial", include_str!("../../migrations/0001_initial.sql")),
    ("sharing", include_str!("../../migrations/0002_sharing.sql")),
    ("hub", include_str!("../../migrations/0003_hub.sql")),
    ("environments", include_str!("../../migrations/0004_environments.sql")),
    ("people", include_str!("../../migrations/0005_people.sql")),
    ("trust", include_str!("../../migrations/0006_trust.sql")),
    ("traffic", include_str!("../../migrations/0007_traffic.sql")),
    ("inputs", include_str!("../../migrations/0008_inputs.sql")),
    ("sketches", include_str!("../../migrations/0009_sketches.sql")),
    ("apps", include_str!("../../migrations/0010_apps.sql")),
    ("attestations", include_str!("../../migrations/0011_attestations.sql")),
    ("chunks", include_str!("../../migrations/0012_chunks.sql")),
    ("unused", include_str!("../../migrations/0013_unused.sql")),
    ("holds", include_str!("../../migrations/0014_holds.sql")),
    ("unreached", include_str!("../../migrations/0015_unreached.sql")),
];

/// Any number, as long as no other program takes PostgreSQL's advisory lock of that number in our database.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7236834)";

pub(super) async fn run(db: &Db) -> Result<(), Error> {
    run_steps(db, STEPS).await
}

/// The version that all steps lead to.
pub(super) fn newest() -> i64 {
    i64::try_from(STEPS.len()).unwrap_or(i64::MAX)
}

/// Brings the tables to that version and no further.
pub(super) async fn run_to(db: &Db, version: i64) -> Result<(), Error> {
    let steps = usize::try_from(version).ok().and_then(|version| STEPS.get(..version));
    run_steps(db, steps.ok_or(Error::NewerDatabase { found: version, known: newest() })?).await
}

async fn run_steps(db: &Db, steps: &[(&'static str, &'static str)]) -> Result<(), Error> {
    let known = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    loop {
        let mut tx = db.begin().await?;
        let found = version(&mut tx).await?;
        if found > known {
            return Err(Error::NewerDatabase { found, known });
        }
        let next = usize::try_from(found).unwrap_or(0);
        let Some((name, sql)) = steps.get(next) else {
            return tx.commit().await;
        };
        execute(&mut tx, sql).await?;
        query("note a migration", "INSERT INTO migrations (version, name, applied_ms) VALUES ($1, $2, $3)")
            .bind(found + 1)
            .bind(*name)
            .bind(clock::now_ms())
            .run(&mut tx)
            .await?;
        tx.commit().await?;
        tracing::info!(version = found + 1, name, "migrated the database");
    }
}

/// The version the tables have, 0 in an empty database. Holds the lock from here to the transaction's end.
async fn version(tx: &mut Tx) -> Result<i64, Error> {
    if tx.dialect() == Dialect::Postgres {
        execute(tx, LOCK).await?;
    }
    execute(
        tx,
        "CREATE TABLE IF NOT EXISTS migrations (
            version BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_ms BIGINT NOT NULL
        )",
    )
    .await?;
    found(tx).await
}

/// The version of tables that are there.
pub(super) async fn found(tx: &mut Tx) -> Result<i64, Error> {
    let sql = "SELECT CAST(coalesce(max(version), 0) AS BIGINT) FROM migrations";
    let (version,) = query("read the version", sql).one::<(i64,)>(tx).await?;
    Ok(version)
}

/// Runs any number of statements without values.
async fn execute(tx: &mut Tx, sql: &'static str) -> Result<(), Error> {
    let dialect = tx.dialect();
    let sql = sqlx::AssertSqlSafe(dialect.render(Cow::Owned(of_dialect(sql, dialect))));
    let done = match tx {
        Tx::Sqlite(tx) => sqlx::raw_sql(sql).execute(&mut **tx).await.map(|_| ()),
        Tx::Postgres(tx) => sqlx::raw_sql(sql).execute(&mut **tx).await.map(|_| ()),
    };
    done.map_err(Error::database("migrate"))
}

/// The text without the lines that are for the other database.
fn of_dialect(sql: &str, dialect: Dialect) -> String {
    let mut is_ours = true;
    let mut ours = String::with_capacity(sql.len());
    for line in sql.lines() {
        match line.trim() {
            "-- both:" => is_ours = true,
            "-- sqlite:" => is_ours = dialect == Dialect::Sqlite,
            "-- postgres:" => is_ours = dialect == Dialect::Postgres,
            _ if is_ours => {
                ours.push_str(line);
                ours.push('\n');
            }
            _ => {}
        }
    }
    ours
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    #[tokio::test]
    async fn an_upgrade_takes_the_steps_that_are_missing_and_keeps_the_rows() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&Settings::embedded(folder.path())).await.unwrap();
        query("test", "INSERT INTO secrets (name, value) VALUES ('a', 'b')").run(db.writer()).await.unwrap();
        let second = ("second", "ALTER TABLE secrets ADD COLUMN note TEXT NOT NULL DEFAULT 'new'");
        let steps: Vec<_> = STEPS.iter().copied().chain([second]).collect();
        for _ in 0..2 {
            run_steps(&db, &steps).await.unwrap();
        }
        let row =
            query("test", "SELECT value, note FROM secrets").one::<(String, String)>(&db).await.unwrap();
        assert_eq!(row, ("b".to_owned(), "new".to_owned()));
        let newer = run(&db).await.unwrap_err();
        assert!(matches!(newer, Error::NewerDatabase { found, known } if found == known + 1), "{newer}");
    }

    #[tokio::test]
    async fn a_step_that_fails_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&Settings::embedded(folder.path())).await.unwrap();
        let broken = ("broken", "CREATE TABLE half (id BIGINT); INSERT INTO nowhere VALUES (1);");
        let steps: Vec<_> = STEPS.iter().copied().chain([broken]).collect();
        assert!(run_steps(&db, &steps).await.is_err());
        assert!(query("test", "SELECT id FROM half").optional::<(i64,)>(&db).await.is_err());
        run(&db).await.unwrap();
    }

    #[test]
    fn each_database_gets_its_own_lines() {
        let sql = "a\n-- sqlite:\nb\n-- postgres:\nc\n-- both:\nd\n";
        assert_eq!(of_dialect(sql, Dialect::Sqlite), "a\nb\nd\n");
        assert_eq!(of_dialect(sql, Dialect::Postgres), "a\nc\nd\n");
    }
}
