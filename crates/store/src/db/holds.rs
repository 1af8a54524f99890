//! Holds: somebody copies the stored bytes that a snapshot of the rows names, and none of them may go meanwhile.
//!
//! Refuses to know who copies. Invariant: whoever forgets a row that names bytes does so before a hold begins, and then no
//! snapshot taken under the hold has that row; or finds the hold, and leaves the row.

use super::{Db, Tx, query};
use crate::Error;

/// Holds all bytes until then. When this returns, no bytes go any more that a row names.
pub async fn take(db: &Db, name: &str, until_ms: i64) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    lock(&mut tx).await?;
    let sql = "INSERT INTO holds (name, until_ms) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET until_ms = excluded.until_ms";
    query("hold what is stored", sql).bind(name).bind(until_ms).run(&mut tx).await?;
    tx.commit().await
}

/// Ends a hold, and forgets those that ended by themselves.
pub async fn release(db: &Db, name: &str, now_ms: i64) -> Result<(), Error> {
    let sql = "DELETE FROM holds WHERE name = $1 OR (until_ms < $2 AND name <> '')";
    query("let go of what is stored", sql).bind(name).bind(now_ms).run(db.writer()).await.map(|_| ())
}

/// [`Error::Held`] if somebody holds.
pub async fn check(db: &Db, now_ms: i64) -> Result<(), Error> {
    refuse(query("look for holds", HELD).bind(now_ms).one::<(i64,)>(db).await?)
}

/// The same, and until this transaction ends nobody begins to.
pub(super) async fn check_in(tx: &mut Tx, now_ms: i64) -> Result<(), Error> {
    lock(tx).await?;
    refuse(query("look for holds", HELD).bind(now_ms).one::<(i64,)>(tx).await?)
}

const HELD: &str = "SELECT CAST(count(*) AS BIGINT) FROM holds WHERE until_ms > $1";

fn refuse((n_holds,): (i64,)) -> Result<(), Error> {
    if n_holds == 0 { Ok(()) } else { Err(Error::Held) }
}

async fn lock(tx: &mut Tx) -> Result<(), Error> {
    let sql = "SELECT until_ms FROM holds WHERE name = '' {lock}";
    query("wait for holds", sql).all::<(i64,)>(tx).await.map(|_| ())
}
