//! Revisions: the commits of a repository, each with its tree of files.
//!
//! Refuses to know bytes: whoever commits has stored them before. Invariants: a commit is one transaction that
//! moves the branch from the commit its writer saw; trees and revisions never change once made.

use spec::digest::{Oid, Sha256};
use spec::name::{FilePath, RefName};

use super::ids::{RepositoryId, RevisionId, TreeId};
use super::jobs::{self, NewJob};
use super::refs::RefKind;
use super::{Db, Page, id_cursor, page, page_limit, query};
use crate::Error;

mod changes;
mod commit;
mod copy;
mod files;
mod resolve;
mod squash;
mod unreached;

pub use changes::{Changed, Version, changes};
pub(super) use commit::commit_in;
pub(super) use copy::copy_in;
pub use copy::{Extent, extent};
pub use resolve::resolve;
pub use squash::{Squash, squash};
pub use unreached::{collect_unreached, count_unreached};

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Revision {
    pub id: RevisionId,
    pub repository_id: RepositoryId,
    /// The id git would give this commit.
    #[sqlx(try_from = "String")]
    pub oid: Oid,
    pub parent_id: Option<RevisionId>,
    pub tree_id: TreeId,
    pub title: String,
    pub description: String,
    /// Name of the account that made it.
    pub author: String,
    pub created_ms: i64,
}

/// A commit to be.
#[derive(Debug, Clone)]
pub struct NewRevision<'a> {
    pub repository_id: RepositoryId,
    /// A branch, or a pull request.
    pub ref_kind: RefKind,
    /// Made if the repository has none of that name.
    pub branch: &'a RefName,
    /// Where the branch must still stand; `None` takes it wherever it stands.
    pub expected_parent: Option<Oid>,
    /// Done in their order; what counts is the tree they leave.
    pub changes: &'a [Change],
    pub title: &'a str,
    pub description: &'a str,
    pub author: &'a str,
    pub now_ms: i64,
    pub if_unchanged: IfUnchanged,
    /// Queued with the commit or not at all, if the commit is a new one.
    pub follow_up: Option<&'a NewJob<'a>>,
}

/// What a commit does that leaves the files as they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IfUnchanged {
    /// Nothing: the branch stays where it is. A branch without any commit still gets its first.
    #[default]
    Keep,
    /// A commit nevertheless.
    Commit,
}

/// One change of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// These bytes, which are stored, become the file.
    Put {
        path: FilePath,
        sha256: Sha256,
        git_oid: Oid,
        n_bytes: u64,
    },
    Delete {
        path: FilePath,
    },
    /// Deletes all files in the folder.
    DeleteFolder {
        path: FilePath,
    },
}

/// Where the branch stands after a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    pub revision: Revision,
    /// Whether the revision is new.
    pub is_new: bool,
}

const COLUMNS: &str = "id, repository_id, oid, parent_id, tree_id, title, description, author, created_ms";

/// Commits.
///
/// [`Error::StaleParent`] if the branch is not where it was expected, [`Error::EntryNotFound`] if something to be
/// deleted is not there, [`Error::PathConflict`] if a path would be file and folder, [`Error::NotFound`] without
/// the repository.
pub async fn commit(db: &Db, new: &NewRevision<'_>) -> Result<Committed, Error> {
    let mut tx = db.begin().await?;
    let committed = commit_in(&mut tx, new).await?;
    if let (true, Some(job)) = (committed.is_new, new.follow_up) {
        jobs::enqueue_in(&mut tx, job).await?;
    }
    tx.commit().await?;
    Ok(committed)
}

/// The newest commit with this tree.
pub async fn of_tree(db: &Db, tree: TreeId) -> Result<Option<Revision>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM revisions WHERE tree_id = $1 ORDER BY id DESC LIMIT 1");
    query("find the commit of a tree", sql).bind(tree).optional(db).await
}

pub async fn by_id(db: &Db, id: RevisionId) -> Result<Option<Revision>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM revisions WHERE id = $1");
    query("find a revision", sql).bind(id).optional(db).await
}

/// A revision and those before it, newest first, along the parents.
pub async fn history(
    db: &Db,
    from: RevisionId,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Revision>, Error> {
    let limit = page_limit(limit);
    // The cursor is the last revision seen: the walk begins there again, and that one is left out.
    let start = RevisionId(id_cursor(after, from.0)?);
    let n_skipped = i64::from(after.is_some());
    let sql = "WITH RECURSIVE line (id, parent_id, depth) AS (
            SELECT id, parent_id, CAST(0 AS BIGINT) FROM revisions
            WHERE id = $1 AND repository_id = (SELECT repository_id FROM revisions WHERE id = $2)
            UNION ALL
            SELECT v.id, v.parent_id, line.depth + 1 FROM revisions v JOIN line ON v.id = line.parent_id
            WHERE line.depth < $3
        )
        SELECT v.id, v.repository_id, v.oid, v.parent_id, v.tree_id, v.title, v.description, v.author, v.created_ms
        FROM line JOIN revisions v ON v.id = line.id WHERE line.depth >= $4 ORDER BY line.depth";
    let line = query("read a history", sql)
        .bind(start)
        .bind(from)
        .bind(limit + n_skipped)
        .bind(n_skipped)
        .all::<Revision>(db)
        .await?;
    Ok(page(line, limit, |revision| revision.id.to_string()))
}
