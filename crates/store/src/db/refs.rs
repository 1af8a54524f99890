//! Refs: branches and tags, which name revisions.
//!
//! Refuses to move a branch: that is [`super::revisions::commit`]. Invariant: a ref names a revision of its own
//! repository.

use spec::digest::Oid;
use spec::name::RefName;

use super::ids::{RepositoryId, RevisionId};
use super::words::words;
use super::{Db, Page, page, page_limit, query};
use crate::Error;

words!(
    /// The kinds of refs: a branch moves with each commit, a tag stays; a pull request's moves, and is called by its
    /// number.
    RefKind, "kind of ref", { Branch = "branch", Pull = "pull", Tag = "tag" }
);

/// A branch or tag, and the revision it names.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Ref {
    pub repository_id: RepositoryId,
    #[sqlx(try_from = "String")]
    pub kind: RefKind,
    pub name: String,
    pub revision_id: RevisionId,
    #[sqlx(try_from = "String")]
    pub oid: Oid,
    /// Of a tag; empty for a branch.
    pub message: String,
    pub created_ms: i64,
}

/// A ref to be.
#[derive(Debug, Clone)]
pub struct NewRef<'a> {
    pub repository_id: RepositoryId,
    pub kind: RefKind,
    pub name: &'a RefName,
    pub revision_id: RevisionId,
    pub message: &'a str,
    pub created_ms: i64,
}

const SELECT: &str = "SELECT f.repository_id, f.kind, f.name, f.revision_id, v.oid, f.message, f.created_ms
    FROM refs f JOIN revisions v ON v.id = f.revision_id";

/// A repository's branches, then its pull requests, then its tags, each by name.
pub async fn list(
    db: &Db,
    repository: RepositoryId,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Ref>, Error> {
    let limit = page_limit(limit);
    let (kind, name) = match after {
        None => ("", ""),
        Some(text) => text.split_once('/').ok_or_else(|| Error::Cursor(text.to_owned()))?,
    };
    let sql = format!(
        "{SELECT} WHERE f.repository_id = $1 AND (f.kind, f.name) > ($2, $3) ORDER BY f.kind, f.name LIMIT $4"
    );
    let list = query("list refs", sql).bind(repository).bind(kind).bind(name).bind(limit + 1);
    Ok(page(list.all::<Ref>(db).await?, limit, |found| format!("{}/{}", found.kind, found.name)))
}

pub async fn by_name(
    db: &Db,
    repository: RepositoryId,
    kind: RefKind,
    name: &str,
) -> Result<Option<Ref>, Error> {
    let sql = format!("{SELECT} WHERE f.repository_id = $1 AND f.kind = $2 AND f.name = $3");
    query("find a ref", sql).bind(repository).bind(kind).bind(name).optional(db).await
}

/// Creates a branch or tag. [`Error::AlreadyExists`] if the kind has one of that name, [`Error::NotFound`] if
/// the revision is not the repository's.
pub async fn create(db: &Db, new: &NewRef<'_>) -> Result<(), Error> {
    let sql = "INSERT INTO refs (repository_id, kind, name, revision_id, message, created_ms)
        SELECT repository_id, CAST($3 AS TEXT), CAST($4 AS TEXT), id, CAST($5 AS TEXT), CAST($6 AS BIGINT)
        FROM revisions WHERE repository_id = $1 AND id = $2";
    let created = query("create a ref", sql)
        .bind(new.repository_id)
        .bind(new.revision_id)
        .bind(new.kind)
        .bind(new.name.as_str())
        .bind(new.message)
        .bind(new.created_ms)
        .run(db.writer())
        .await;
    let created = created.map_err(|error| error.if_taken(new.kind.as_str(), new.name));
    // It was out of reach, and was collected in this very moment.
    match created.map_err(|error| error.if_missing("revision", new.revision_id))? {
        0 => Err(Error::not_found("revision", new.revision_id)),
        _ => Ok(()),
    }
}

/// Deletes a branch or tag; revisions stay. [`Error::NotFound`] if there is none.
pub async fn delete(db: &Db, repository: RepositoryId, kind: RefKind, name: &str) -> Result<(), Error> {
    let sql = "DELETE FROM refs WHERE repository_id = $1 AND kind = $2 AND name = $3";
    let n_rows = query("delete a ref", sql).bind(repository).bind(kind).bind(name).run(db.writer()).await?;
    if n_rows == 0 { Err(Error::not_found(kind.as_str(), name)) } else { Ok(()) }
}
