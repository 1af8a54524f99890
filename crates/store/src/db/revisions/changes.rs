//! What differs between two trees.
//!
//! Refuses to know what is in the files. Invariant: a path stands in the list once, whatever became of it, and the list
//! is in the order of paths.

use spec::digest::Sha256;

use crate::Error;
use crate::db::ids::TreeId;
use crate::db::{Db, Page, page, page_limit, query};

/// A path that two trees do not have alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    pub path: String,
    /// None where the file was added.
    pub old: Option<Version>,
    /// None where it was deleted.
    pub new: Option<Version>,
}

/// One of a file's contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    pub sha256: Sha256,
    pub n_bytes: u64,
}

#[derive(sqlx::FromRow)]
struct Row {
    path: String,
    old_sha256: Option<String>,
    old_bytes: Option<i64>,
    new_sha256: Option<String>,
    new_bytes: Option<i64>,
}

/// The files that were added, changed and deleted from one tree to another, by path. Without an old tree all are new.
pub async fn changes(
    db: &Db,
    (old, new): (Option<TreeId>, TreeId),
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Changed>, Error> {
    let limit = page_limit(limit);
    let sql = "SELECT n.path AS path, o.sha256 AS old_sha256, o.n_bytes AS old_bytes,
            n.sha256 AS new_sha256, n.n_bytes AS new_bytes
        FROM entries n LEFT JOIN entries o ON o.tree_id = $1 AND o.path = n.path AND o.sha256 IS NOT NULL
        WHERE n.tree_id = $2 AND n.sha256 IS NOT NULL AND n.path > $3
            AND (o.sha256 IS NULL OR o.sha256 <> n.sha256)
        UNION ALL
        SELECT o.path, o.sha256, o.n_bytes, NULL, NULL
        FROM entries o WHERE o.tree_id = $1 AND o.sha256 IS NOT NULL AND o.path > $3
            AND NOT EXISTS (SELECT 1 FROM entries n WHERE n.tree_id = $2 AND n.path = o.path AND n.sha256 IS NOT NULL)
        ORDER BY path LIMIT $4";
    // No tree has this id.
    let old = old.map_or(-1, |old| old.0);
    let rows = query("compare two trees", sql).bind(old).bind(new).bind(after.unwrap_or_default());
    let rows = rows.bind(limit + 1).all::<Row>(db).await?;
    let changed = rows.into_iter().map(Changed::from).collect();
    Ok(page(changed, limit, |changed: &Changed| changed.path.clone()))
}

impl From<Row> for Changed {
    fn from(row: Row) -> Self {
        let version = |sha256: Option<String>, n_bytes: Option<i64>| {
            Some(Version { sha256: sha256?.parse().ok()?, n_bytes: u64::try_from(n_bytes?).ok()? })
        };
        Self {
            old: version(row.old_sha256, row.old_bytes),
            new: version(row.new_sha256, row.new_bytes),
            path: row.path,
        }
    }
}
