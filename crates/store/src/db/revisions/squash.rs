//! Makes of a branch's history one commit.
//!
//! Invariant: the files stay what they are; whatever else names the commits before, such as a tag or a link, keeps them.

use spec::name::RefName;

use super::{Committed, IfUnchanged, NewRevision, Revision, commit};
use crate::Error;
use crate::db::ids::RepositoryId;
use crate::db::jobs::{self, NewJob};
use crate::db::refs::RefKind;
use crate::db::{Db, query};

/// A history that is to become one commit.
#[derive(Debug, Clone)]
pub struct Squash<'a> {
    pub repository_id: RepositoryId,
    pub branch: &'a RefName,
    pub title: &'a str,
    pub description: &'a str,
    pub author: &'a str,
    pub now_ms: i64,
    /// Queued with it or not at all.
    pub follow_up: Option<&'a NewJob<'a>>,
}

/// Makes one commit without a parent of all of a branch. [`Error::NotFound`] without the branch.
pub async fn squash(db: &Db, squash: &Squash<'_>) -> Result<Committed, Error> {
    let new = NewRevision {
        repository_id: squash.repository_id,
        ref_kind: RefKind::Branch,
        branch: squash.branch,
        expected_parent: None,
        changes: &[],
        title: squash.title,
        description: squash.description,
        author: squash.author,
        now_ms: squash.now_ms,
        if_unchanged: IfUnchanged::Commit,
        follow_up: squash.follow_up,
    };
    let mut tx = db.begin().await?;
    commit::hold_repository(&mut tx, &new).await?;
    let head = commit::branch_head(&mut tx, &new).await?;
    let head = head.ok_or_else(|| Error::not_found("branch", squash.branch))?;
    let oid = commit::commit_oid(&new, commit::root_of(&mut tx, head.tree_id).await?, None);
    let known: Option<Revision> = commit::same_commit(&mut tx, &new, oid).await?;
    let is_new = known.is_none();
    let revision = match known {
        Some(revision) => revision,
        None => {
            let tree = commit::insert_copy_of_tree(&mut tx, head.tree_id).await?;
            let revision = commit::insert_revision(&mut tx, &new, (oid, None, tree)).await?;
            // All that there is has come with this one commit.
            let sql =
                "INSERT INTO entries (tree_id, path, folder, sha256, git_oid, n_bytes, last_revision_id)
                SELECT CAST($2 AS BIGINT), path, folder, sha256, git_oid, n_bytes, CAST($3 AS BIGINT)
                FROM entries WHERE tree_id = $1";
            query("copy a tree", sql).bind(head.tree_id).bind(tree).bind(revision.id).run(&mut tx).await?;
            revision
        }
    };
    commit::move_branch(&mut tx, &new, revision.id).await?;
    if let (true, Some(job)) = (is_new, squash.follow_up) {
        jobs::enqueue_in(&mut tx, job).await?;
    }
    tx.commit().await?;
    Ok(Committed { revision, is_new })
}
