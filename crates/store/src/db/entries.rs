//! Entries: the files and folders of a revision's tree.
//!
//! Refuses to change them: trees never change, [`super::revisions::commit`] makes new ones. Invariant: lists are
//! in the byte order of full paths, and a folder is listed once.

use std::collections::BTreeMap;

use spec::digest::{Oid, Sha256};

use super::ids::{RepositoryId, RevisionId, TreeId};
use super::{Db, Page, VALUES, page, page_limit, places, query};
use crate::Error;

/// A file or folder, with the last revision that changed it or something in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Full path from the root of the repository.
    pub path: String,
    /// Names the bytes of a file; `None` for a folder.
    pub sha256: Option<Sha256>,
    /// Of the file's blob or the folder's tree, as git computes it.
    pub git_oid: Oid,
    /// Of a folder: of all files in it together.
    pub n_bytes: i64,
    pub last_revision: LastRevision,
}

impl Entry {
    pub fn is_folder(&self) -> bool {
        self.sha256.is_none()
    }
}

/// The last revision that changed an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRevision {
    pub id: RevisionId,
    pub oid: Oid,
    pub title: String,
    pub created_ms: i64,
}

/// Which entries a list shows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Listing<'a> {
    /// Path of the folder, empty for the root.
    pub folder: &'a str,
    /// Also what lies in its folders.
    pub is_recursive: bool,
    /// A cursor, which is the path of the last entry seen.
    pub after: Option<&'a str>,
    pub limit: u32,
}

/// What a tree holds in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Totals {
    pub n_files: i64,
    pub n_bytes: i64,
}

const SELECT: &str = "SELECT e.path, e.sha256, e.git_oid, e.n_bytes, v.id AS last_id, v.oid AS last_oid,
    v.title AS last_title, v.created_ms AS last_ms
    FROM entries e JOIN revisions v ON v.id = e.last_revision_id WHERE e.tree_id = $1";

/// The files and folders in a folder, by path. Empty if the folder is not there; see [`is_folder`].
pub async fn list(db: &Db, tree: TreeId, listing: &Listing<'_>) -> Result<Page<Entry>, Error> {
    let limit = page_limit(listing.limit);
    let after = listing.after.unwrap_or_default();
    let rows = if !listing.is_recursive {
        let sql = format!("{SELECT} AND e.folder = $2 AND e.path > $3 ORDER BY e.path LIMIT $4");
        query("list a folder", sql).bind(tree).bind(listing.folder).bind(after).bind(limit + 1)
    } else if listing.folder.is_empty() {
        let sql = format!("{SELECT} AND e.path > $2 ORDER BY e.path LIMIT $3");
        query("list a tree", sql).bind(tree).bind(after).bind(limit + 1)
    } else {
        // `0` follows `/`: between the two lie the paths that begin with the folder.
        let sql = format!("{SELECT} AND e.path > $2 AND e.path < $3 ORDER BY e.path LIMIT $4");
        let (start, end) = (format!("{}/", listing.folder), format!("{}0", listing.folder));
        query("list a tree", sql).bind(tree).bind(start.as_str().max(after)).bind(end).bind(limit + 1)
    };
    let rows = rows.all::<Row>(db).await?.into_iter().map(Entry::from).collect();
    Ok(page(rows, limit, |entry: &Entry| entry.path.clone()))
}

/// The file or folder of that path.
pub async fn by_path(db: &Db, tree: TreeId, path: &str) -> Result<Option<Entry>, Error> {
    let sql = format!("{SELECT} AND e.path = $2");
    Ok(query("find an entry", sql).bind(tree).bind(path).optional::<Row>(db).await?.map(Entry::from))
}

/// Those of the paths that are there, in the order they were asked for, each once.
pub async fn by_paths(db: &Db, tree: TreeId, paths: &[&str]) -> Result<Vec<Entry>, Error> {
    let mut found = BTreeMap::new();
    for paths in paths.chunks(VALUES) {
        let sql = format!("{SELECT} AND e.path IN ({})", places(2, paths.len()));
        let rows = query("find entries", sql).bind(tree).bind_all(paths.iter().copied()).once();
        found.extend(rows.all::<Row>(db).await?.into_iter().map(|row| (row.path.clone(), Entry::from(row))));
    }
    Ok(paths.iter().filter_map(|path| found.remove(*path)).collect())
}

/// Whether the path is a folder of the tree; the root, an empty path, always is.
pub async fn is_folder(db: &Db, tree: TreeId, path: &str) -> Result<bool, Error> {
    if path.is_empty() {
        return Ok(true);
    }
    Ok(by_path(db, tree, path).await?.is_some_and(|entry| entry.is_folder()))
}

/// A file that a commit has.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Named {
    pub tree_id: TreeId,
    pub repository_id: RepositoryId,
    pub path: String,
    #[sqlx(try_from = "String")]
    pub sha256: Sha256,
}

/// Files of all trees, behind the tree and path of one of them.
pub async fn named_after(db: &Db, after: Option<&(TreeId, String)>, limit: u32) -> Result<Vec<Named>, Error> {
    let (tree, path) = after.map_or((TreeId(0), ""), |(tree, path)| (*tree, path.as_str()));
    let sql =
        "SELECT e.tree_id, t.repository_id, e.path, e.sha256 FROM entries e JOIN trees t ON t.id = e.tree_id
        WHERE e.sha256 IS NOT NULL AND (e.tree_id, e.path) > ($1, $2) ORDER BY e.tree_id, e.path LIMIT $3";
    query("list all files", sql).bind(tree).bind(path).bind(i64::from(limit)).all(db).await
}

/// How many files a tree has, and their bytes together.
pub async fn totals(db: &Db, tree: TreeId) -> Result<Totals, Error> {
    query("measure a tree", "SELECT n_files, n_bytes FROM trees WHERE id = $1").bind(tree).one(db).await
}

#[derive(sqlx::FromRow)]
struct Row {
    path: String,
    #[sqlx(try_from = "Option<String>")]
    sha256: FileDigest,
    #[sqlx(try_from = "String")]
    git_oid: Oid,
    n_bytes: i64,
    last_id: RevisionId,
    #[sqlx(try_from = "String")]
    last_oid: Oid,
    last_title: String,
    last_ms: i64,
}

/// A digest that a folder does not have.
pub(super) struct FileDigest(pub(super) Option<Sha256>);

impl TryFrom<Option<String>> for FileDigest {
    type Error = spec::digest::DigestError;

    fn try_from(text: Option<String>) -> Result<Self, Self::Error> {
        text.map(Sha256::try_from).transpose().map(Self)
    }
}

impl From<Row> for Entry {
    fn from(row: Row) -> Self {
        let Row { path, sha256, git_oid, n_bytes, last_id, last_oid, last_title, last_ms } = row;
        let last_revision =
            LastRevision { id: last_id, oid: last_oid, title: last_title, created_ms: last_ms };
        Self { path, sha256: sha256.0, git_oid, n_bytes, last_revision }
    }
}
