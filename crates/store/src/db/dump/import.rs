//! Lines of an export, made rows again in one transaction.
//!
//! Refuses lines that do not fit the tables: names are taken from the database, never from a line. Invariant: a table that
//! has rows is left as it is, and then so are all.

use futures_util::{Stream, TryStreamExt};
use serde_json::from_slice;

use super::cells::Cell;
use super::{Column, Header, columns, has_rows, quoted};
use crate::Error;
use crate::db::query::Value;
use crate::db::{Db, Dialect, Tx, VALUES, migrations, places, query};

/// Bytes of lines that are gathered for one.
const PENDING_BYTES: usize = 4 * 1024 * 1024;

/// Makes the tables of that version, if there are none, and fills them, unless `may_be_kept` fails once they are full.
/// `blocks` are whole lines.
/// [`Error::NewerDatabase`] for a version that this program does not know, [`Error::NotEmpty`] if there are rows.
pub async fn import(
    db: &Db,
    version: i64,
    mut blocks: impl Stream<Item = Result<Vec<u8>, Error>> + Unpin,
    may_be_kept: impl AsyncFnOnce() -> Result<(), Error>,
) -> Result<(), Error> {
    migrations::run_to(db, version).await?;
    let mut importer =
        Importer { tx: db.begin().await?, table: None, pending: Vec::new(), n_pending_bytes: 0 };
    while let Some(block) = blocks.try_next().await? {
        for line in block.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            importer.line(line).await?;
        }
    }
    importer.flush().await?;
    may_be_kept().await?;
    importer.tx.commit().await
}

struct Importer {
    tx: Tx,
    table: Option<(String, Vec<Column>)>,
    /// Values of rows that are not written yet.
    pending: Vec<Value>,
    n_pending_bytes: usize,
}

impl Importer {
    async fn line(&mut self, line: &[u8]) -> Result<(), Error> {
        let unreadable = |error: serde_json::Error| Error::Dump(error.to_string());
        if line.starts_with(b"{") {
            self.flush().await?;
            let header = from_slice::<Header>(line).map_err(unreadable)?;
            return self.begin(header).await;
        }
        let row: Vec<Cell> = from_slice(line).map_err(unreadable)?;
        let Some((table, columns)) = &self.table else {
            return Err(Error::Dump("a row comes before its table".to_owned()));
        };
        if row.len() != columns.len() {
            return Err(Error::Dump(format!("a row of `{table}` has {} values", row.len())));
        }
        for (cell, column) in row.into_iter().zip(columns) {
            self.pending.push(cell.value(column.kind)?);
        }
        self.n_pending_bytes += line.len();
        if self.pending.len() + columns.len() > VALUES || self.n_pending_bytes >= PENDING_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    async fn begin(&mut self, header: Header) -> Result<(), Error> {
        let Header { table, columns: told, last_id } = header;
        let columns = columns(&mut self.tx, &table).await?;
        let ours = columns.iter().map(|column| (column.name.as_str(), column.kind));
        if columns.is_empty() || !ours.eq(told.iter().map(|(name, kind)| (name.as_str(), *kind))) {
            return Err(Error::Dump(format!("`{table}` has other columns")));
        }
        if has_rows(&mut self.tx, &table).await? {
            return Err(Error::NotEmpty { what: "table", name: table });
        }
        if let Some(last_id) = last_id.filter(|id| *id > 0 && columns.iter().any(|column| column.counts_up)) {
            set_last_id(&mut self.tx, &table, last_id).await?;
        }
        self.table = Some((table, columns));
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Error> {
        let Some((table, columns)) = self.table.as_ref().filter(|_| !self.pending.is_empty()) else {
            return Ok(());
        };
        let values = std::mem::take(&mut self.pending);
        self.n_pending_bytes = 0;
        let n_columns = columns.len();
        let row = |row: usize| format!("({})", places(1 + row * n_columns, n_columns));
        let rows: Vec<String> = (0..values.len() / n_columns).map(row).collect();
        let names = quoted(columns.iter().map(|column| column.name.as_str()));
        let sql = format!("INSERT INTO \"{table}\" ({names}) VALUES {}", rows.join(", "));
        query("write rows", sql).once().bind_all(values).run(&mut self.tx).await.map(|_| ())
    }
}

/// No id that was given is given again, whether its row is still there or not.
async fn set_last_id(tx: &mut Tx, table: &str, last_id: i64) -> Result<(), Error> {
    match tx.dialect() {
        // What rows with greater ids would count up by themselves.
        Dialect::Sqlite => {
            let forget = query("set the last id", "DELETE FROM sqlite_sequence WHERE name = $1").bind(table);
            forget.run(&mut *tx).await?;
            let set = query("set the last id", "INSERT INTO sqlite_sequence (name, seq) VALUES ($1, $2)");
            set.bind(table).bind(last_id).run(tx).await.map(|_| ())
        }
        Dialect::Postgres => {
            let sql = "SELECT CAST(setval(pg_get_serial_sequence($1, 'id'), $2) AS BIGINT)";
            query("set the last id", sql).bind(table).bind(last_id).one::<(i64,)>(tx).await.map(|_| ())
        }
    }
}
