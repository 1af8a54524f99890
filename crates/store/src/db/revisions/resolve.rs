//! From what a person or a client calls a revision to the revision.
//!
//! Refuses nothing: what names no revision is `None`. Invariant: a branch hides a tag of the same name, and both
//! hide a commit whose id begins so.

use super::{COLUMNS, Revision};
use crate::Error;
use crate::db::ids::RepositoryId;
use crate::db::{Db, query};

/// Fewer digits of a commit's id than this name nothing.
const MIN_OID_DIGITS: usize = 5;

/// The revision called `main`, `v1`, `refs/heads/main`, `refs/tags/v1`, `refs/pr/1`, a commit's id or the first five or more
/// digits of it, as long as no other commit's begins so.
pub async fn resolve(db: &Db, repository: RepositoryId, name: &str) -> Result<Option<Revision>, Error> {
    let (kinds, name) = if let Some(branch) = name.strip_prefix("refs/heads/") {
        (["branch", "branch"], branch)
    } else if let Some(tag) = name.strip_prefix("refs/tags/") {
        (["tag", "tag"], tag)
    } else if let Some(number) = name.strip_prefix("refs/pr/") {
        (["pull", "pull"], number)
    } else {
        (["branch", "tag"], name)
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM revisions WHERE id = (
            SELECT revision_id FROM refs WHERE repository_id = $1 AND kind IN ($2, $3) AND name = $4
            ORDER BY kind LIMIT 1
        )"
    );
    let named = query("resolve a ref", sql).bind(repository).bind_all(kinds).bind(name);
    if let Some(revision) = named.optional(db).await? {
        return Ok(Some(revision));
    }
    by_digits(db, repository, name).await
}

async fn by_digits(db: &Db, repository: RepositoryId, digits: &str) -> Result<Option<Revision>, Error> {
    let is_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_hex || !(MIN_OID_DIGITS..=40).contains(&digits.len()) {
        return Ok(None);
    }
    let digits = digits.to_ascii_lowercase();
    // `g` follows `f`: between the two lie the ids that begin with the digits.
    let sql = format!(
        "SELECT {COLUMNS} FROM revisions WHERE repository_id = $1 AND oid >= $2 AND oid < $3 ORDER BY oid LIMIT 2"
    );
    let end = format!("{digits}g");
    let found =
        query("resolve an id", sql).bind(repository).bind(digits).bind(end).all::<Revision>(db).await?;
    Ok(<[Revision; 1]>::try_from(found).ok().map(|[revision]| revision))
}
