//! Tables, written out in one transaction that reads.
//!
//! Invariant: nobody waits for it: a transaction that reads holds up no writer in either database.

use futures_util::TryStreamExt;
use sha2::Digest;
use spec::digest::Sha256;

use super::cells::{Cells, Kind};
use super::{Column, Exported, Header, Summary, columns, quoted};
use crate::Error;
use crate::db::{Db, Dialect, Tx, migrations, query};

/// Bytes of lines that are handed on together.
const BLOCK_BYTES: usize = 256 * 1024;

/// Hands all rows of these tables on, in blocks of whole lines, as they were at one moment; and with them, once, the
/// stored bytes that rows named at that moment. A table that this version has not is an error.
pub async fn export(
    db: &Db,
    tables: &[impl AsRef<str>],
    mut to: impl AsyncFnMut(Vec<u8>) -> Result<(), Error>,
) -> Result<(Exported, Vec<Sha256>), Error> {
    let mut tx = db.begin_reading().await?;
    let mut exported = Exported { version: migrations::found(&mut tx).await?, tables: Vec::new() };
    for table in tables {
        exported.tables.push(export_table(&mut tx, table.as_ref(), &mut to).await?);
    }
    let objects = objects_in(&mut tx).await?;
    Ok((exported, objects))
}

/// The names of stored bytes that rows name: of xorbs, and of files that are kept whole.
pub async fn objects(db: &Db) -> Result<Vec<Sha256>, Error> {
    let mut tx = db.begin_reading().await?;
    objects_in(&mut tx).await
}

async fn objects_in(tx: &mut Tx) -> Result<Vec<Sha256>, Error> {
    #[derive(sqlx::FromRow)]
    struct Named {
        #[sqlx(try_from = "String")]
        sha256: Sha256,
    }
    let sql = "SELECT sha256 FROM xorbs
        UNION SELECT w.sha256 FROM whole_places w
            WHERE NOT EXISTS (SELECT 1 FROM chunked_files f WHERE f.sha256 = w.sha256)
        UNION SELECT u.sha256 FROM uploads u
            WHERE NOT EXISTS (SELECT 1 FROM chunked_files f WHERE f.sha256 = u.sha256)
        ORDER BY sha256";
    let named = query("list what is named", sql).all::<Named>(tx).await?;
    Ok(named.into_iter().map(|row| row.sha256).collect())
}

async fn export_table(
    tx: &mut Tx,
    table: &str,
    to: &mut impl AsyncFnMut(Vec<u8>) -> Result<(), Error>,
) -> Result<Summary, Error> {
    let columns = columns(tx, table).await?;
    if columns.is_empty() {
        return Err(Error::Dump(format!("there is no table `{table}`")));
    }
    let header = Header {
        table: table.to_owned(),
        columns: columns.iter().map(|column| (column.name.clone(), column.kind)).collect(),
        last_id: match columns.iter().any(|column| column.counts_up) {
            true => Some(last_id(tx, table).await?),
            false => None,
        },
    };
    let mut block = Vec::with_capacity(BLOCK_BYTES);
    write_line(&mut block, &header)?;
    let (mut hasher, mut n_rows) = (sha2::Sha256::new(), 0);
    let mut rows = query("read a table", select(table, &columns)).once().stream::<Cells>(tx);
    while let Some(Cells(row)) = rows.try_next().await? {
        let start = block.len();
        write_line(&mut block, &row)?;
        hasher.update(&block[start..]);
        n_rows += 1;
        if block.len() >= BLOCK_BYTES {
            to(std::mem::replace(&mut block, Vec::with_capacity(BLOCK_BYTES))).await?;
        }
    }
    to(block).await?;
    Ok(Summary { table: table.to_owned(), n_rows, sha256: Sha256::from_bytes(hasher.finalize().into()) })
}

/// All rows by the primary key, texts compared byte by byte in both databases.
fn select(table: &str, columns: &[Column]) -> String {
    let mut key: Vec<&Column> = columns.iter().filter(|column| column.key_place > 0).collect();
    key.sort_by_key(|column| column.key_place);
    let by = |column: &&Column| match column.kind {
        Kind::Text => format!("\"{}\" {{binary}}", column.name),
        Kind::Integer | Kind::Boolean => format!("\"{}\"", column.name),
    };
    let order = key.iter().map(by).collect::<Vec<_>>().join(", ");
    let names = quoted(columns.iter().map(|column| column.name.as_str()));
    format!("SELECT {names} FROM \"{table}\" ORDER BY {order}")
}

async fn last_id(tx: &mut Tx, table: &str) -> Result<i64, Error> {
    let sql = match tx.dialect() {
        Dialect::Sqlite => {
            "SELECT CAST(coalesce(max(seq), 0) AS BIGINT) FROM sqlite_sequence WHERE name = $1"
        }
        Dialect::Postgres => {
            "SELECT CAST(coalesce(max(last_value), 0) AS BIGINT) FROM pg_sequences
             WHERE schemaname = current_schema() AND sequencename = $1 || '_id_seq'"
        }
    };
    Ok(query("read the last id", sql).bind(table).one::<(i64,)>(tx).await?.0)
}

fn write_line(block: &mut Vec<u8>, line: &impl serde::Serialize) -> Result<(), Error> {
    serde_json::to_writer(&mut *block, line).map_err(|error| Error::Dump(error.to_string()))?;
    block.push(b'\n');
    Ok(())
}
