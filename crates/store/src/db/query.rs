//! A text of SQL with its values, and the one match that runs it on either database.
//!
//! Refuses to know tables. Invariant: values are bound, never written into the text, and texts are made of
//! constants alone.

use std::borrow::Cow;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use spec::digest::{Oid, Sha256};
use sqlx::postgres::{PgArguments, PgPool, PgRow};
use sqlx::query::QueryAs;
use sqlx::sqlite::{SqliteArguments, SqlitePool, SqliteRow};
use sqlx::{AssertSqlSafe, FromRow, PgConnection, Postgres, Sqlite, SqliteConnection};

use super::{Db, Dialect, Pool, Tx};
use crate::Error;

/// A row of either database.
pub(super) trait Row:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}
impl<T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin> Row for T {}

/// What a query runs on: a pool, or the connection of a transaction.
pub(super) enum Target<'a> {
    Sqlite(&'a SqlitePool),
    SqliteTx(&'a mut SqliteConnection),
    Postgres(&'a PgPool),
    PostgresTx(&'a mut PgConnection),
}

impl<'a> From<&'a Db> for Target<'a> {
    fn from(db: &'a Db) -> Self {
        match &db.pool {
            Pool::Sqlite { readers, .. } => Self::Sqlite(readers),
            Pool::Postgres(pool) => Self::Postgres(pool),
        }
    }
}

impl<'a> From<&'a mut Tx> for Target<'a> {
    fn from(tx: &'a mut Tx) -> Self {
        match tx {
            Tx::Sqlite(tx) => Self::SqliteTx(tx),
            Tx::Postgres(tx) => Self::PostgresTx(tx),
        }
    }
}

/// One statement, ready to run.
pub(super) struct Query {
    operation: &'static str,
    sql: Cow<'static, str>,
    values: Vec<Value>,
    /// Whether each connection keeps the statement prepared: not if its text hardly comes back.
    is_kept: bool,
}

macro_rules! bind {
    ($query:expr, $values:expr) => {
        $values.into_iter().fold($query, |query, value| match value {
            Value::Integer(value) => query.bind(value),
            Value::Text(value) => query.bind(value),
            Value::Boolean(value) => query.bind(value),
        })
    };
}

impl Query {
    /// `operation` completes the sentence "failed to … in the database".
    pub(super) fn new(operation: &'static str, sql: Cow<'static, str>) -> Self {
        Self { operation, sql, values: Vec::new(), is_kept: true }
    }

    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    pub(super) fn bind_all<V: Into<Value>>(mut self, values: impl IntoIterator<Item = V>) -> Self {
        self.values.extend(values.into_iter().map(Into::into));
        self
    }

    /// For a text of which there are many, such as one that grows with its values.
    pub(super) fn once(mut self) -> Self {
        self.is_kept = false;
        self
    }

    pub(super) async fn all<T: Row>(self, target: impl Into<Target<'_>>) -> Result<Vec<T>, Error> {
        let operation = self.operation;
        let rows = match target.into() {
            Target::Sqlite(pool) => self.sqlite().fetch_all(pool).await,
            Target::SqliteTx(connection) => self.sqlite().fetch_all(connection).await,
            Target::Postgres(pool) => self.postgres().fetch_all(pool).await,
            Target::PostgresTx(connection) => self.postgres().fetch_all(connection).await,
        };
        rows.map_err(Error::database(operation))
    }

    /// Rows as they come, for a table that does not fit into memory.
    pub(super) fn stream<T: Row + 'static>(self, tx: &mut Tx) -> BoxStream<'_, Result<T, Error>> {
        let operation = self.operation;
        let rows = match tx {
            Tx::Sqlite(tx) => self.sqlite().fetch(&mut **tx),
            Tx::Postgres(tx) => self.postgres().fetch(&mut **tx),
        };
        rows.map_err(Error::database_each(operation)).boxed()
    }

    /// The first row. The statement still runs to its end: a write that answers with its first row alone would
    /// not tell that SQLite failed to commit it, for want of room or whatever else.
    pub(super) async fn optional<T: Row>(self, target: impl Into<Target<'_>>) -> Result<Option<T>, Error> {
        Ok(self.all(target).await?.into_iter().next())
    }

    pub(super) async fn one<T: Row>(self, target: impl Into<Target<'_>>) -> Result<T, Error> {
        let operation = self.operation;
        self.optional(target).await?.ok_or(Error::Database { operation, source: sqlx::Error::RowNotFound })
    }

    /// Runs it and answers how many rows it changed.
    pub(super) async fn run(self, target: impl Into<Target<'_>>) -> Result<u64, Error> {
        let operation = self.operation;
        let n_rows = match target.into() {
            Target::Sqlite(pool) => self.plain_sqlite().execute(pool).await.map(|done| done.rows_affected()),
            Target::SqliteTx(c) => self.plain_sqlite().execute(c).await.map(|done| done.rows_affected()),
            Target::Postgres(pool) => {
                self.plain_postgres().execute(pool).await.map(|done| done.rows_affected())
            }
            Target::PostgresTx(c) => self.plain_postgres().execute(c).await.map(|done| done.rows_affected()),
        };
        n_rows.map_err(Error::database(operation))
    }

    fn sqlite<T: Row>(self) -> QueryAs<'static, Sqlite, T, SqliteArguments> {
        let sql = AssertSqlSafe(Dialect::Sqlite.render(self.sql));
        bind!(sqlx::query_as::<Sqlite, T>(sql), self.values).persistent(self.is_kept)
    }

    fn postgres<T: Row>(self) -> QueryAs<'static, Postgres, T, PgArguments> {
        let sql = AssertSqlSafe(Dialect::Postgres.render(self.sql));
        bind!(sqlx::query_as::<Postgres, T>(sql), self.values).persistent(self.is_kept)
    }

    fn plain_sqlite(self) -> sqlx::query::Query<'static, Sqlite, SqliteArguments> {
        let sql = AssertSqlSafe(Dialect::Sqlite.render(self.sql));
        bind!(sqlx::query::<Sqlite>(sql), self.values).persistent(self.is_kept)
    }

    fn plain_postgres(self) -> sqlx::query::Query<'static, Postgres, PgArguments> {
        let sql = AssertSqlSafe(Dialect::Postgres.render(self.sql));
        bind!(sqlx::query::<Postgres>(sql), self.values).persistent(self.is_kept)
    }
}

/// A value bound to a query: the three types that both databases mean the same by.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Integer(Option<i64>),
    Text(Option<String>),
    Boolean(bool),
}

impl From<spec::rights::Action> for Value {
    fn from(action: spec::rights::Action) -> Self {
        action.as_str().into()
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(Some(value))
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Integer(Some(i64::try_from(value).unwrap_or(i64::MAX)))
    }
}

impl From<Option<i64>> for Value {
    fn from(value: Option<i64>) -> Self {
        Self::Integer(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<String> for Value {
    /// PostgreSQL has no text with a zero byte; so that both keep the same, neither does.
    fn from(value: String) -> Self {
        Self::Text(Some(if value.contains('\0') { value.replace('\0', "\u{fffd}") } else { value }))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        value.to_owned().into()
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        value.clone().into()
    }
}

impl From<Option<&str>> for Value {
    fn from(value: Option<&str>) -> Self {
        value.map_or(Self::Text(None), Self::from)
    }
}

impl From<Sha256> for Value {
    fn from(value: Sha256) -> Self {
        Self::Text(Some(value.to_string()))
    }
}

impl From<Oid> for Value {
    fn from(value: Oid) -> Self {
        Self::Text(Some(value.to_string()))
    }
}
