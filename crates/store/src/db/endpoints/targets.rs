//! Targets: the revisions that answer for an endpoint, and how many requests of a hundred each takes.
//!
//! Refuses to know whether they run. Invariants: what is stored adds up to a hundred or is nothing at all; how the
//! targets stood before the last changes is kept, of so many changes.

use std::collections::BTreeMap;

use spec::digest::Oid;

use super::super::ids::{EndpointId, RevisionId};
use super::super::{Db, Tx, query};
use crate::Error;

/// Changes that can be taken back.
pub const KEPT_CHANGES: i64 = 20;

/// One target.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Target {
    pub endpoint_id: EndpointId,
    pub revision_id: RevisionId,
    #[sqlx(try_from = "String")]
    pub oid: Oid,
    pub percent: i64,
}

/// A target to be: a revision and its percents.
pub type Share = (RevisionId, i64);

const SELECT: &str = "SELECT t.endpoint_id, t.revision_id, v.oid, t.percent
    FROM targets t JOIN revisions v ON v.id = t.revision_id";

/// The targets of an endpoint, oldest revision first; none where it has only what was deployed first.
pub async fn list(db: &Db, endpoint: EndpointId) -> Result<Vec<Target>, Error> {
    let sql = format!("{SELECT} WHERE t.endpoint_id = $1 ORDER BY t.revision_id");
    query("list targets", sql).bind(endpoint).all(db).await
}

/// The targets of several endpoints.
pub async fn of_each(db: &Db, endpoints: &[EndpointId]) -> Result<BTreeMap<EndpointId, Vec<Target>>, Error> {
    let mut found: BTreeMap<EndpointId, Vec<Target>> = BTreeMap::new();
    if endpoints.is_empty() {
        return Ok(found);
    }
    let places: Vec<_> = (1..=endpoints.len()).map(|n| format!("${n}")).collect();
    let sql = format!(
        "{SELECT} WHERE t.endpoint_id IN ({}) ORDER BY t.endpoint_id, t.revision_id",
        places.join(", ")
    );
    let rows =
        query("list targets", sql).bind_all(endpoints.iter().copied()).once().all::<Target>(db).await?;
    for row in rows {
        found.entry(row.endpoint_id).or_default().push(row);
    }
    Ok(found)
}

/// Puts targets in the place of those there are, which are kept as the last to go back to.
pub async fn set(db: &Db, endpoint: EndpointId, shares: &[Share]) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    hold(&mut tx, endpoint).await?;
    keep(&mut tx, endpoint).await?;
    replace(&mut tx, endpoint, shares).await?;
    tx.commit().await
}

/// Whether the revision is a target, or was one before a change that can be taken back.
pub async fn was_one(db: &Db, endpoint: EndpointId, revision: RevisionId) -> Result<bool, Error> {
    let sql = "SELECT revision_id FROM targets WHERE endpoint_id = $1 AND revision_id = $2
        UNION SELECT revision_id FROM former_targets WHERE endpoint_id = $1 AND revision_id = $2";
    let found = query("look for a target", sql).bind(endpoint).bind(revision).optional::<(RevisionId,)>(db);
    Ok(found.await?.is_some())
}

/// Whether there is a change that can be taken back.
pub async fn can_roll_back(db: &Db, endpoint: EndpointId) -> Result<bool, Error> {
    let sql = "SELECT change FROM former_targets WHERE endpoint_id = $1 LIMIT 1";
    let found = query("look for former targets", sql).bind(endpoint).optional::<(i64,)>(db).await?;
    Ok(found.is_some())
}

/// Takes the last change back and tells what it went back to; `None` if there is no change to take back.
pub async fn roll_back(db: &Db, endpoint: EndpointId) -> Result<Option<Vec<Share>>, Error> {
    let mut tx = db.begin().await?;
    hold(&mut tx, endpoint).await?;
    let sql = "SELECT revision_id, percent FROM former_targets WHERE endpoint_id = $1 AND change =
            (SELECT max(change) FROM former_targets WHERE endpoint_id = $1)
        ORDER BY revision_id";
    let former = query("find former targets", sql).bind(endpoint).all::<Share>(&mut tx).await?;
    if former.is_empty() {
        return Ok(None);
    }
    let sql = "DELETE FROM former_targets WHERE endpoint_id = $1 AND change =
            (SELECT max(change) FROM former_targets WHERE endpoint_id = $1)";
    query("take a change back", sql).bind(endpoint).run(&mut tx).await?;
    replace(&mut tx, endpoint, &former).await?;
    tx.commit().await?;
    Ok(Some(former))
}

/// Lets nobody else change the targets until the transaction ends: two changes would keep and replace the same ones.
async fn hold(tx: &mut Tx, endpoint: EndpointId) -> Result<(), Error> {
    let held = query("hold an endpoint", "SELECT id FROM endpoints WHERE id = $1 {lock}").bind(endpoint);
    held.optional::<(i64,)>(tx).await.map(|_| ())
}

async fn keep(tx: &mut Tx, endpoint: EndpointId) -> Result<(), Error> {
    let sql = "SELECT CAST(coalesce(max(change), 0) AS BIGINT) FROM former_targets WHERE endpoint_id = $1";
    let (last,) = query("number a change", sql).bind(endpoint).one::<(i64,)>(&mut *tx).await?;
    let sql = "INSERT INTO former_targets (endpoint_id, change, revision_id, percent)
        SELECT endpoint_id, CAST($2 AS BIGINT), revision_id, percent FROM targets WHERE endpoint_id = $1";
    query("keep former targets", sql).bind(endpoint).bind(last + 1).run(&mut *tx).await?;
    let sql = "DELETE FROM former_targets WHERE endpoint_id = $1 AND change <= $2";
    let old = query("forget former targets", sql).bind(endpoint).bind(last + 1 - KEPT_CHANGES);
    old.run(&mut *tx).await.map(|_| ())
}

async fn replace(tx: &mut Tx, endpoint: EndpointId, shares: &[Share]) -> Result<(), Error> {
    query("clear targets", "DELETE FROM targets WHERE endpoint_id = $1").bind(endpoint).run(&mut *tx).await?;
    for (revision, percent) in shares {
        let sql = "INSERT INTO targets (endpoint_id, revision_id, percent) VALUES ($1, $2, $3)";
        let insert = query("store a target", sql).bind(endpoint).bind(*revision).bind(*percent);
        insert.run(&mut *tx).await.map_err(|error| error.if_missing("revision", *revision))?;
    }
    Ok(())
}
