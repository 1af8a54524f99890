//! Makes a commit: reads the branch, works out the new tree, writes what differs.
//!
//! Refuses to move a branch that is not where its writer saw it. Invariant: entries that a commit does not
//! touch are copied inside the database and keep the revision that last changed them.

use std::collections::BTreeSet;

use spec::digest::{Oid, Sha256};
use spec::git;

use super::files::{self, File, Files, Trees};
use super::{COLUMNS, Committed, IfUnchanged, NewRevision, Revision};
use crate::Error;
use crate::db::ids::{RevisionId, TreeId};
use crate::db::{Tx, chunked_files, query};

/// Rows written by one statement; seven values each stay below the 32,766 that SQLite binds.
const ROWS_PER_INSERT: usize = 1000;
/// Paths, or commits, deleted by one statement.
pub(super) const ROWS_PER_DELETE: usize = 1000;

/// [`super::commit`] as a part of a transaction.
pub(in crate::db) async fn commit_in(tx: &mut Tx, new: &NewRevision<'_>) -> Result<Committed, Error> {
    hold_repository(tx, new).await?;
    let parent = branch_head(tx, new).await?;
    let current = parent.as_ref().map(|parent| parent.oid);
    if new.expected_parent.is_some() && new.expected_parent != current {
        return Err(Error::StaleParent { branch: new.branch.to_string(), current });
    }
    let old = match &parent {
        Some(parent) => read_files(tx, parent.tree_id).await?,
        None => Files::new(),
    };
    let mut files = old.clone();
    files::apply(&mut files, new.changes)?;
    if let Some(parent) = &parent
        && files == old
    {
        return commit_unchanged(tx, new, parent).await;
    }
    let differing = Differing::between(&old, &files);
    let trees = files::trees(&files, &differing.folders);
    let oid = commit_oid(new, trees.root, current);
    if let Some(revision) = same_commit(tx, new, oid).await? {
        // Another branch already made this very commit, down to the second.
        move_branch(tx, new, revision.id).await?;
        return Ok(Committed { revision, is_new: false });
    }
    let tree = insert_tree(tx, new, trees.root, &files).await?;
    let revision = insert_revision(tx, new, (oid, parent.as_ref().map(|parent| parent.id), tree)).await?;
    if let Some(parent) = &parent {
        copy_entries(tx, parent.tree_id, tree).await?;
        delete_entries(tx, tree, &differing.gone(&files, &trees)).await?;
    }
    insert_entries(tx, &revision, &differing.rows(&files, &trees)).await?;
    let put = differing.files.iter().map(|path| files[path].sha256).collect();
    chunked_files::place_in(tx, new.repository_id, &put, new.now_ms).await?;
    move_branch(tx, new, revision.id).await?;
    Ok(Committed { revision, is_new: true })
}

/// The files are those of the parent: no commit, or one that shares the parent's tree.
async fn commit_unchanged(tx: &mut Tx, new: &NewRevision<'_>, parent: &Revision) -> Result<Committed, Error> {
    if new.if_unchanged == IfUnchanged::Keep {
        return Ok(Committed { revision: parent.clone(), is_new: false });
    }
    let oid = commit_oid(new, root_of(tx, parent.tree_id).await?, Some(parent.oid));
    let revision = match same_commit(tx, new, oid).await? {
        Some(revision) => revision,
        None => insert_revision(tx, new, (oid, Some(parent.id), parent.tree_id)).await?,
    };
    move_branch(tx, new, revision.id).await?;
    Ok(Committed { revision, is_new: true })
}

/// The id git would give the tree.
pub(super) async fn root_of(tx: &mut Tx, tree: TreeId) -> Result<Oid, Error> {
    let sql = "SELECT oid FROM trees WHERE id = $1";
    let (root,) = query("read a tree", sql).bind(tree).one::<(String,)>(tx).await?;
    root.parse().map_err(|_| Error::not_found("tree", tree))
}

/// The paths at which two trees differ, and the folders above them.
struct Differing {
    /// Added or changed.
    files: Vec<String>,
    deleted: Vec<String>,
    folders: BTreeSet<String>,
}

impl Differing {
    fn between(old: &Files, new: &Files) -> Self {
        let put =
            new.iter().filter(|(path, file)| old.get(*path) != Some(file)).map(|(path, _)| path.clone());
        let put: Vec<String> = put.collect();
        let deleted: Vec<String> = old.keys().filter(|path| !new.contains_key(*path)).cloned().collect();
        let folders =
            put.iter().chain(&deleted).flat_map(|path| files::folders(path)).map(str::to_owned).collect();
        Self { files: put, deleted, folders }
    }

    /// Rows of the old tree that the new one does not have: deleted files, and folders left empty.
    fn gone(&self, files: &Files, trees: &Trees) -> Vec<&str> {
        let emptied = self.folders.iter().filter(|folder| !trees.folders.contains_key(*folder));
        let deleted = self.deleted.iter().filter(|path| !trees.folders.contains_key(*path));
        deleted.chain(emptied).map(String::as_str).filter(|path| !files.contains_key(*path)).collect()
    }

    fn rows<'a>(&'a self, files: &'a Files, trees: &'a Trees) -> Vec<EntryRow<'a>> {
        let folders = trees.folders.iter().map(|(path, (git_oid, n_bytes))| EntryRow {
            path,
            sha256: None,
            git_oid: *git_oid,
            n_bytes: *n_bytes,
        });
        let files = self.files.iter().map(|path| {
            let File { sha256, git_oid, n_bytes } = files[path];
            EntryRow { path, sha256: Some(sha256), git_oid, n_bytes }
        });
        files.chain(folders).collect()
    }
}

struct EntryRow<'a> {
    path: &'a str,
    sha256: Option<Sha256>,
    git_oid: Oid,
    n_bytes: i64,
}

/// Keeps others from committing to the repository, or deleting it, until the transaction ends.
pub(super) async fn hold_repository(tx: &mut Tx, new: &NewRevision<'_>) -> Result<(), Error> {
    let sql = "SELECT id FROM repositories WHERE id = $1 {lock}";
    let row = query("hold a repository", sql).bind(new.repository_id).optional::<(i64,)>(tx).await?;
    row.map(|_| ()).ok_or_else(|| Error::not_found("repository", new.repository_id))
}

pub(super) async fn branch_head(tx: &mut Tx, new: &NewRevision<'_>) -> Result<Option<Revision>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM revisions WHERE id = (
            SELECT revision_id FROM refs WHERE repository_id = $1 AND kind = $2 AND name = $3
        )"
    );
    let head = query("read a branch", sql).bind(new.repository_id).bind(new.ref_kind);
    head.bind(new.branch.as_str()).optional(tx).await
}

pub(super) async fn same_commit(
    tx: &mut Tx,
    new: &NewRevision<'_>,
    oid: Oid,
) -> Result<Option<Revision>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM revisions WHERE repository_id = $1 AND oid = $2");
    query("find a commit", sql).bind(new.repository_id).bind(oid).optional(tx).await
}

async fn read_files(tx: &mut Tx, tree: TreeId) -> Result<Files, Error> {
    #[derive(sqlx::FromRow)]
    struct Row {
        path: String,
        #[sqlx(try_from = "String")]
        sha256: Sha256,
        #[sqlx(try_from = "String")]
        git_oid: Oid,
        n_bytes: i64,
    }
    let sql = "SELECT path, sha256, git_oid, n_bytes FROM entries WHERE tree_id = $1 AND sha256 IS NOT NULL";
    let rows = query("read a tree", sql).bind(tree).all::<Row>(tx).await?;
    let file = |row: Row| (row.path, File { sha256: row.sha256, git_oid: row.git_oid, n_bytes: row.n_bytes });
    Ok(rows.into_iter().map(file).collect())
}

pub(super) fn commit_oid(new: &NewRevision<'_>, tree: Oid, parent: Option<Oid>) -> Oid {
    let message = match new.description {
        "" => new.title.to_owned(),
        description => format!("{}\n\n{description}", new.title),
    };
    let time_s = new.now_ms.div_euclid(1000);
    git::commit(&git::Commit { tree, parent, author: new.author, time_s, message: &message })
}

async fn insert_tree(tx: &mut Tx, new: &NewRevision<'_>, oid: Oid, files: &Files) -> Result<TreeId, Error> {
    let n_bytes = files.values().map(|file| file.n_bytes).fold(0, i64::saturating_add);
    let sql = "INSERT INTO trees (repository_id, oid, n_files, n_bytes) VALUES ($1, $2, $3, $4) RETURNING id";
    let row =
        query("write a tree", sql).bind(new.repository_id).bind(oid).bind(files.len() as u64).bind(n_bytes);
    Ok(row.one::<(TreeId,)>(tx).await?.0)
}

/// A tree like another, without its entries.
pub(super) async fn insert_copy_of_tree(tx: &mut Tx, tree: TreeId) -> Result<TreeId, Error> {
    let sql = "INSERT INTO trees (repository_id, oid, n_files, n_bytes)
        SELECT repository_id, oid, n_files, n_bytes FROM trees WHERE id = $1 RETURNING id";
    Ok(query("write a tree", sql).bind(tree).one::<(TreeId,)>(tx).await?.0)
}

pub(super) async fn insert_revision(
    tx: &mut Tx,
    new: &NewRevision<'_>,
    place: (Oid, Option<RevisionId>, TreeId),
) -> Result<Revision, Error> {
    let (oid, parent, tree) = place;
    let sql = format!(
        "INSERT INTO revisions (repository_id, oid, parent_id, tree_id, title, description, author, created_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING {COLUMNS}"
    );
    query("write a revision", sql)
        .bind(new.repository_id)
        .bind(oid)
        .bind(parent.map(|parent| parent.0))
        .bind(tree)
        .bind(new.title)
        .bind(new.description)
        .bind(new.author)
        .bind(new.now_ms)
        .one(tx)
        .await
}

async fn copy_entries(tx: &mut Tx, from: TreeId, to: TreeId) -> Result<(), Error> {
    let sql = "INSERT INTO entries (tree_id, path, folder, sha256, git_oid, n_bytes, last_revision_id)
        SELECT CAST($2 AS BIGINT), path, folder, sha256, git_oid, n_bytes, last_revision_id
        FROM entries WHERE tree_id = $1";
    query("copy a tree", sql).bind(from).bind(to).run(tx).await.map(|_| ())
}

async fn delete_entries(tx: &mut Tx, tree: TreeId, paths: &[&str]) -> Result<(), Error> {
    for paths in paths.chunks(ROWS_PER_DELETE) {
        let places: Vec<String> = (2..paths.len() + 2).map(|n| format!("${n}")).collect();
        let sql = format!("DELETE FROM entries WHERE tree_id = $1 AND path IN ({})", places.join(", "));
        query("drop entries", sql).bind(tree).bind_all(paths.iter().copied()).once().run(&mut *tx).await?;
    }
    Ok(())
}

async fn insert_entries(tx: &mut Tx, revision: &Revision, rows: &[EntryRow<'_>]) -> Result<(), Error> {
    for rows in rows.chunks(ROWS_PER_INSERT) {
        // `$1` and `$2` are the same in each row.
        let places: Vec<String> = (0..rows.len())
            .map(|row| (3 + 5 * row, 4 + 5 * row, 5 + 5 * row, 6 + 5 * row, 7 + 5 * row))
            .map(|(path, folder, sha256, oid, n)| {
                format!("($1, ${path}, ${folder}, ${sha256}, ${oid}, ${n}, $2)")
            })
            .collect();
        let sql = format!(
            "INSERT INTO entries (tree_id, path, folder, sha256, git_oid, n_bytes, last_revision_id) VALUES {}
             ON CONFLICT (tree_id, path) DO UPDATE SET sha256 = excluded.sha256, git_oid = excluded.git_oid,
                n_bytes = excluded.n_bytes, last_revision_id = excluded.last_revision_id",
            places.join(", ")
        );
        let mut insert = query("write entries", sql).bind(revision.tree_id).bind(revision.id).once();
        for row in rows {
            let sha256 = row.sha256.map(|sha256| sha256.to_string());
            let folder = files::folder(row.path).unwrap_or_default();
            insert = insert
                .bind(row.path)
                .bind(folder)
                .bind(sha256.as_deref())
                .bind(row.git_oid)
                .bind(row.n_bytes);
        }
        insert.run(&mut *tx).await?;
    }
    Ok(())
}

/// Makes the branch name the revision, and the repository as new as it.
pub(super) async fn move_branch(tx: &mut Tx, new: &NewRevision<'_>, to: RevisionId) -> Result<(), Error> {
    let sql = "INSERT INTO refs (repository_id, kind, name, revision_id, message, created_ms)
        VALUES ($1, $2, $3, $4, '', $5)
        ON CONFLICT (repository_id, kind, name) DO UPDATE SET revision_id = excluded.revision_id";
    let moved =
        query("move a branch", sql).bind(new.repository_id).bind(new.ref_kind).bind(new.branch.as_str());
    moved.bind(to).bind(new.now_ms).run(&mut *tx).await?;
    let sql = "UPDATE repositories SET updated_ms = $2 WHERE id = $1 AND updated_ms < $2";
    query("note a change", sql).bind(new.repository_id).bind(new.now_ms).run(tx).await.map(|_| ())
}
