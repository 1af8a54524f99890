//! The history of one repository, copied into another.
//!
//! Invariants: what no branch and no tag leads to is not copied; each commit keeps its id, as its files, its message and its
//! parent are the same.

use std::collections::BTreeMap;

use super::unreached::line;
use crate::Error;
use crate::db::ids::{RepositoryId, RevisionId, TreeId};
use crate::db::{Db, Tx, query};

/// What people put names to.
const NAMED: &str =
    "SELECT revision_id AS id FROM refs WHERE repository_id = $1 AND kind IN ('branch', 'tag')";

/// How long the history of a repository is, as far as it would be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Extent {
    pub n_revisions: i64,
    /// Files of all commits together.
    pub n_files: i64,
}

pub async fn extent(db: &Db, repository: RepositoryId) -> Result<Extent, Error> {
    let sql = format!(
        "{} SELECT count(*) AS n_revisions, CAST(coalesce(sum(t.n_files), 0) AS BIGINT) AS n_files
         FROM revisions v JOIN trees t ON t.id = v.tree_id WHERE v.id IN (SELECT id FROM line)",
        line(NAMED)
    );
    query("measure a history", sql).bind(repository).one(db).await
}

/// Copies all that the branches and tags of `from` lead to into `to`, which has no commit, and these branches and tags.
/// What was read from the files holds for the copies of them.
pub(in crate::db) async fn copy_in(tx: &mut Tx, from: RepositoryId, to: RepositoryId) -> Result<(), Error> {
    #[derive(sqlx::FromRow)]
    struct Row {
        id: RevisionId,
        parent_id: Option<RevisionId>,
        tree_id: TreeId,
    }
    // A parent is made before its children, and ids count up.
    let sql = format!(
        "{} SELECT id, parent_id, tree_id FROM revisions WHERE id IN (SELECT id FROM line) ORDER BY id",
        line(NAMED)
    );
    let rows = query("read a history", sql).bind(from).all::<Row>(&mut *tx).await?;
    let (mut revisions, mut trees) = (BTreeMap::new(), BTreeMap::new());
    for row in rows {
        let tree = match trees.get(&row.tree_id) {
            Some((tree, _)) => *tree,
            None => copy_tree(tx, row.tree_id, to).await?,
        };
        let parent = row.parent_id.and_then(|parent| revisions.get(&parent)).copied();
        let revision = copy_revision(tx, row.id, (to, parent, tree)).await?;
        revisions.insert(row.id, revision);
        trees.entry(row.tree_id).or_insert((tree, revision));
    }
    for (old, new) in trees {
        copy_entries(tx, old, new, to).await?;
    }
    let sql = "INSERT INTO refs (repository_id, kind, name, revision_id, message, created_ms)
        SELECT n.repository_id, f.kind, f.name, n.id, f.message, f.created_ms FROM refs f
        JOIN revisions o ON o.id = f.revision_id JOIN revisions n ON n.repository_id = $2 AND n.oid = o.oid
        WHERE f.repository_id = $1 AND f.kind IN ('branch', 'tag')";
    query("copy refs", sql).bind(from).bind(to).run(&mut *tx).await?;
    let sql = "INSERT INTO facts (revision_id, json, inspected_ms)
        SELECT n.id, f.json, f.inspected_ms FROM facts f JOIN revisions o ON o.id = f.revision_id
        JOIN revisions n ON n.repository_id = $2 AND n.oid = o.oid WHERE o.repository_id = $1";
    query("copy facts", sql).bind(from).bind(to).run(tx).await.map(|_| ())
}

async fn copy_tree(tx: &mut Tx, tree: TreeId, to: RepositoryId) -> Result<TreeId, Error> {
    let sql = "INSERT INTO trees (repository_id, oid, n_files, n_bytes)
        SELECT CAST($2 AS BIGINT), oid, n_files, n_bytes FROM trees WHERE id = $1 RETURNING id";
    Ok(query("copy a tree", sql).bind(tree).bind(to).one::<(TreeId,)>(tx).await?.0)
}

async fn copy_revision(
    tx: &mut Tx,
    revision: RevisionId,
    (to, parent, tree): (RepositoryId, Option<RevisionId>, TreeId),
) -> Result<RevisionId, Error> {
    let sql = "INSERT INTO revisions
            (repository_id, oid, parent_id, tree_id, title, description, author, created_ms)
        SELECT CAST($2 AS BIGINT), oid, CAST($3 AS BIGINT), CAST($4 AS BIGINT), title, description, author, created_ms
        FROM revisions WHERE id = $1 RETURNING id";
    let copy = query("copy a revision", sql).bind(revision).bind(to).bind(parent.map(|id| id.0)).bind(tree);
    Ok(copy.one::<(RevisionId,)>(tx).await?.0)
}

/// Entries name the commit that last changed them, which is in the new repository by the same id as in the old one.
async fn copy_entries(
    tx: &mut Tx,
    old: TreeId,
    (new, first): (TreeId, RevisionId),
    to: RepositoryId,
) -> Result<(), Error> {
    let sql = "INSERT INTO entries (tree_id, path, folder, sha256, git_oid, n_bytes, last_revision_id)
        SELECT CAST($2 AS BIGINT), e.path, e.folder, e.sha256, e.git_oid, e.n_bytes,
            coalesce(n.id, CAST($3 AS BIGINT))
        FROM entries e LEFT JOIN revisions o ON o.id = e.last_revision_id
        LEFT JOIN revisions n ON n.repository_id = $4 AND n.oid = o.oid WHERE e.tree_id = $1";
    query("copy a tree", sql).bind(old).bind(new).bind(first).bind(to).run(tx).await.map(|_| ())
}
