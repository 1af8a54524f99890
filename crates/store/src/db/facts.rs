//! Facts: what reading a revision's files brought to light, kept as JSON.
//!
//! Refuses to know what the JSON says.

use super::ids::RevisionId;
use super::{Db, query};
use crate::Error;

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Facts {
    pub revision_id: RevisionId,
    /// As `spec::facts::Facts` writes itself.
    pub json: String,
    pub inspected_ms: i64,
}

/// Keeps the facts of a revision, in place of any before. [`Error::NotFound`] without the revision.
pub async fn put(db: &Db, facts: &Facts) -> Result<(), Error> {
    let sql = "INSERT INTO facts (revision_id, json, inspected_ms) VALUES ($1, $2, $3)
        ON CONFLICT (revision_id) DO UPDATE SET json = excluded.json, inspected_ms = excluded.inspected_ms";
    let done = query("keep facts", sql).bind(facts.revision_id).bind(&facts.json).bind(facts.inspected_ms);
    let done = done.run(db.writer()).await;
    done.map(|_| ()).map_err(|error| error.if_missing("revision", facts.revision_id))
}

/// The facts of a revision, once it has been inspected.
pub async fn get(db: &Db, revision: RevisionId) -> Result<Option<Facts>, Error> {
    let sql = "SELECT revision_id, json, inspected_ms FROM facts WHERE revision_id = $1";
    query("read facts", sql).bind(revision).optional(db).await
}
