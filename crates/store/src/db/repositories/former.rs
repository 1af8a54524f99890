//! Names that repositories had before.
//!
//! Refuses to choose between a name that somebody has and one that somebody had: whoever asks looks for the first
//! before. Invariant: a former name leads to the repository that had it last.

use spec::name::{RepositoryKind, RepositoryName};

use super::{Repository, SELECT};
use crate::Error;
use crate::db::{Db, Tx, accounts, query};

/// The repository that had this name last.
pub async fn by_former_name(
    db: &Db,
    kind: RepositoryKind,
    name: &RepositoryName,
) -> Result<Option<Repository>, Error> {
    let sql = format!(
        "{SELECT} JOIN former_names f ON f.repository_id = r.id
        WHERE f.owner_key = $1 AND f.kind = $2 AND f.name_key = $3"
    );
    query("find a former name", sql)
        .bind(accounts::key(name.owner().as_str()))
        .bind(kind.as_str())
        .bind(accounts::key(name.name()))
        .optional(db)
        .await
}

/// Keeps the name that the repository had until now.
pub(super) async fn keep(tx: &mut Tx, before: &Repository, now_ms: i64) -> Result<(), Error> {
    let sql = "INSERT INTO former_names (owner_key, kind, name_key, repository_id, created_ms)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (owner_key, kind, name_key)
        DO UPDATE SET repository_id = excluded.repository_id, created_ms = excluded.created_ms";
    query("keep a former name", sql)
        .bind(accounts::key(&before.owner_name))
        .bind(before.kind.as_str())
        .bind(accounts::key(&before.name))
        .bind(before.id)
        .bind(now_ms)
        .run(tx)
        .await
        .map(|_| ())
}
