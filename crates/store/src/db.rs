//! Rows: one SQL text over two databases.
//!
//! A [`Db`] is a pool, [`Tx`] a transaction on it, and [`Query`] a text with its values, which runs on either.
//! Texts use `$1…$n`, and the tokens of [`Dialect`] where the two differ. Refuses to know what the rows mean:
//! that is in the modules below, one for each noun. Invariant: a transaction does nothing but SQL, so that
//! SQLite's one writer is never held by a network or a file.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Postgres, Sqlite, Transaction};

use crate::Error;
use crate::settings::{Database, Durability, Settings};

pub mod access_requests;
pub mod accounts;
pub mod answers;
pub mod apps;
pub mod attestations;
pub mod chunked_files;
pub mod discussions;
pub mod dump;
pub mod endpoints;
pub mod entries;
pub mod environments;
pub mod events;
pub mod facts;
pub mod grants;
pub mod holds;
pub mod identities;
pub mod ids;
pub mod invitations;
pub mod jobs;
pub mod likes;
pub mod link_days;
pub mod links;
pub mod members;
mod migrations;
mod query;
pub mod refs;
pub mod repositories;
pub mod revisions;
mod search;
pub mod secrets;
pub mod sessions;
pub mod storage;
pub mod tokens;
pub mod uploads;
pub mod webhooks;
mod words;
pub mod xorbs;

use query::{Query, Target};

/// How long a writer waits for another process to let go of the SQLite file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long it rests before it tries again where SQLite does not wait by itself.
const BUSY_REST: Duration = Duration::from_millis(5);
/// Most values of one statement. SQLite looks for the place of each by its name among all before it: what takes many
/// values takes the square of their number.
const VALUES: usize = 256;
/// How long a query waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);

/// `$first, …` for so many values.
fn places(first: usize, n: usize) -> String {
    let places: Vec<String> = (first..first + n).map(|n| format!("${n}")).collect();
    places.join(", ")
}

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    pool: Pool,
}

#[derive(Clone, Debug)]
enum Pool {
    /// One connection writes: SQLite knows only one writer, and waiting for it in our queue is fair and never
    /// fails, where waiting in SQLite's `busy_timeout` does both badly.
    Sqlite {
        writer: SqlitePool,
        readers: SqlitePool,
    },
    Postgres(PgPool),
}

/// One part of a list, and the cursor with which the next part begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Goes into `after` of the next call; `None` at the end.
    pub next: Option<String>,
}

impl Db {
    /// Connects, and brings the tables to this program's version.
    pub async fn open(settings: &Settings) -> Result<Self, Error> {
        let db = Self::connect(settings).await?;
        migrations::run(&db).await?;
        Ok(db)
    }

    /// Connects, and leaves the tables as they are.
    pub async fn connect(settings: &Settings) -> Result<Self, Error> {
        let pool = match &settings.database {
            Database::Sqlite => open_sqlite(settings).await,
            Database::Postgres { url } => open_postgres(url, settings.n_readers).await,
        };
        let pool = pool.map_err(Error::database("open a connection"))?;
        Ok(Self { pool })
    }

    /// Brings the tables to this program's version.
    pub async fn upgrade(&self) -> Result<(), Error> {
        migrations::run(self).await
    }

    /// Closes the connections after what runs on them; SQLite's write-ahead log is folded into its file.
    pub async fn close(&self) {
        match &self.pool {
            Pool::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Pool::Postgres(pool) => pool.close().await,
        }
    }

    /// Answers whether the database answers.
    pub async fn ping(&self) -> Result<(), Error> {
        query("ping", "SELECT CAST(1 AS BIGINT)").one::<(i64,)>(self).await.map(|_| ())
    }

    /// Begins to write. SQLite takes its write lock at once: a transaction that reads first and asks for the
    /// lock later fails when another wrote in between.
    async fn begin(&self) -> Result<Tx, Error> {
        let tx = match &self.pool {
            Pool::Sqlite { writer, .. } => writer.begin_with("BEGIN IMMEDIATE").await.map(Tx::Sqlite),
            Pool::Postgres(pool) => pool.begin().await.map(Tx::Postgres),
        };
        tx.map_err(Error::database("begin"))
    }

    /// Begins to read: all that is read in it is as it was at its first query. Nobody waits for it.
    async fn begin_reading(&self) -> Result<Tx, Error> {
        let tx = match &self.pool {
            Pool::Sqlite { readers, .. } => readers.begin().await.map(Tx::Sqlite),
            Pool::Postgres(pool) => {
                pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.map(Tx::Postgres)
            }
        };
        tx.map_err(Error::database("begin to read"))
    }

    /// Where a single statement that writes runs; one that only reads runs on `&Db` itself.
    fn writer(&self) -> Target<'_> {
        match &self.pool {
            Pool::Sqlite { writer, .. } => Target::Sqlite(writer),
            Pool::Postgres(pool) => Target::Postgres(pool),
        }
    }

    fn dialect(&self) -> Dialect {
        match &self.pool {
            Pool::Sqlite { .. } => Dialect::Sqlite,
            Pool::Postgres(_) => Dialect::Postgres,
        }
    }
}

/// A transaction. Dropped without [`Tx::commit`], it never happened.
enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Tx {
    async fn commit(self) -> Result<(), Error> {
        let done = match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        };
        done.map_err(Error::database("commit"))
    }

    fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }
}

/// The few words in which the two databases differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// The text with its tokens replaced: `{id}` (primary key that counts up and never comes back), `{binary}`
    /// (text compared byte by byte), `{clustered}` (rows kept in the primary key), `{lock}` (rows held until
    /// the transaction ends), `{skip_locked}` (the same, passing over what others hold).
    fn render(self, sql: Cow<'static, str>) -> Cow<'static, str> {
        if !sql.contains('{') {
            return sql;
        }
        let tokens = match self {
            Self::Sqlite => [
                ("{id}", "INTEGER PRIMARY KEY AUTOINCREMENT"),
                ("{binary}", ""),
                ("{clustered}", "WITHOUT ROWID"),
                ("{lock}", ""),
                ("{skip_locked}", ""),
            ],
            Self::Postgres => [
                ("{id}", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"),
                ("{binary}", "COLLATE \"C\""),
                ("{clustered}", ""),
                ("{lock}", "FOR UPDATE"),
                ("{skip_locked}", "FOR UPDATE SKIP LOCKED"),
            ],
        };
        let replace = |sql: String, (token, word): (&str, &str)| sql.replace(token, word);
        Cow::Owned(tokens.into_iter().fold(sql.into_owned(), replace))
    }
}

fn query(operation: &'static str, sql: impl Into<Cow<'static, str>>) -> Query {
    Query::new(operation, sql.into())
}

/// Cuts a list that was read with one row too many into a page.
fn page<T>(mut items: Vec<T>, limit: i64, cursor: impl Fn(&T) -> String) -> Page<T> {
    let limit = usize::try_from(limit).unwrap_or(0);
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(cursor);
    Page { items, next }
}

/// A limit as the queries take it: at least one row, at most what a page may hold.
fn page_limit(limit: u32) -> i64 {
    i64::from(limit).clamp(1, i64::try_from(spec::limits::PAGE_ENTRIES).unwrap_or(i64::MAX))
}

/// A cursor that is a row's id. Without one, `start` lies before all rows.
fn id_cursor(after: Option<&str>, start: i64) -> Result<i64, Error> {
    after.map_or(Ok(start), |text| text.parse().map_err(|_| Error::Cursor(text.to_owned())))
}

/// Reads the file and the write-ahead log; `synchronous` says when the log reaches the disk.
async fn open_sqlite(settings: &Settings) -> Result<Pool, sqlx::Error> {
    let synchronous = match settings.durability {
        Durability::Normal => SqliteSynchronous::Normal,
        Durability::Full => SqliteSynchronous::Full,
    };
    let options = SqliteConnectOptions::new()
        .filename(settings.data_dir.join("reenact.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("temp_store", "MEMORY");
    // The writer comes first: it makes the file and sets it to write-ahead logging, which readers cannot.
    let writer = connect(1, &options).await?;
    let readers = connect(settings.n_readers.max(1), &options.read_only(true)).await?;
    Ok(Pool::Sqlite { writer, readers })
}

/// Opens connections. What switches a file to write-ahead logging does not wait for another program that does the same,
/// whatever `busy_timeout` says; so it is tried again for as long.
async fn connect(n_connections: u32, options: &SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    let until = Instant::now() + BUSY_TIMEOUT;
    loop {
        match pool_options(n_connections).connect_with(options.clone()).await {
            Err(error) if is_busy(&error) && Instant::now() < until => tokio::time::sleep(BUSY_REST).await,
            connected => return connected,
        }
    }
}

/// Whether another program holds the file. Source: <https://www.sqlite.org/rescode.html>; the low byte is the code.
fn is_busy(error: &sqlx::Error) -> bool {
    const SQLITE_BUSY: u32 = 5;
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    code.is_some_and(|code| code & 0xff == SQLITE_BUSY)
}

async fn open_postgres(url: &str, n_connections: u32) -> Result<Pool, sqlx::Error> {
    // One writer must not wait for the last reader.
    let options = PgPoolOptions::new().max_connections(n_connections.max(2)).acquire_timeout(ACQUIRE_TIMEOUT);
    Ok(Pool::Postgres(options.connect(url).await?))
}

/// Connections stay: SQLite's have nothing to lose by age, and opening one reads the whole schema.
fn pool_options(n_connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(n_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}
