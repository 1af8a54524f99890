//! Entries: the files and folders of a revision, and the bytes of its files.
//!
//! Invariant: bytes are reached only through a revision that the actor may read, never by their digest.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use spec::digest::{Oid, Sha256};
use spec::limits;
use spec::name::FilePath;
use spec::xet::XetHash;
use store::blobs::Reading;
use store::db::Page;
use store::db::entries::{self, Entry, Listing, Totals};
use store::db::ids::TreeId;
use store::db::repositories::Repository;
use store::db::revisions::Revision;

use super::access::{Action, Actor};
use super::revisions::{self, At};
use super::{access_requests, chunked_files, repositories};
use crate::app::App;
use crate::error::{During, Error};

/// A file of a revision.
#[derive(Debug, Clone)]
pub struct File {
    pub sha256: Sha256,
    pub git_oid: Oid,
    pub n_bytes: u64,
    /// By which a large file can be fetched in chunks, where it was looked up.
    pub xet_hash: Option<XetHash>,
}

/// Where a file was looked for, and what was found there.
#[derive(Debug)]
pub struct Found {
    pub repository: Repository,
    pub revision: Revision,
    /// `None` where the revision has no such file.
    pub file: Option<File>,
}

/// A page of a folder. [`Error::EntryNotFound`] where the revision has no such folder.
pub async fn list(
    app: &App,
    actor: &Actor,
    at: &At<'_>,
    listing: &Listing<'_>,
) -> Result<Page<Entry>, Error> {
    let (_, revision) = revisions::resolve(app, actor, at, Action::Read).await?;
    let page = entries::list(&app.store.db, revision.tree_id, listing).await.during("list a folder")?;
    let is_there = !page.items.is_empty()
        || entries::is_folder(&app.store.db, revision.tree_id, listing.folder)
            .await
            .during("find a folder")?;
    if is_there { Ok(page) } else { Err(entry_not_found(at, listing.folder)) }
}

/// By which those of some files that are large can be fetched in chunks, by their SHA-256.
pub async fn chunk_hashes(
    app: &App,
    actor: &Actor,
    at: &At<'_>,
    files: &[Entry],
) -> Result<BTreeMap<Sha256, XetHash>, Error> {
    let large = |file: &&Entry| file.n_bytes >= i64::try_from(limits::FETCHED_IN_CHUNKS).unwrap_or(i64::MAX);
    let large: Vec<Sha256> = files.iter().filter(large).filter_map(|file| file.sha256).collect();
    if large.is_empty() {
        return Ok(BTreeMap::new());
    }
    let repository = repositories::get(app, actor, at.kind, at.name, Action::Read).await?;
    chunked_files::hashes_of(app, repository.id, &large).await
}

/// All entries of a revision the actor was already found to be allowed to read, folders included.
pub async fn all(app: &App, tree: TreeId) -> Result<Vec<Entry>, Error> {
    let limit = u32::try_from(limits::PAGE_ENTRIES).unwrap_or(u32::MAX);
    let mut all: Vec<Entry> = Vec::new();
    loop {
        let after = all.last().map(|entry| entry.path.clone());
        let listing = Listing { folder: "", is_recursive: true, after: after.as_deref(), limit };
        let page = entries::list(&app.store.db, tree, &listing).await.during("list a tree")?;
        all.extend(page.items);
        if page.next.is_none() {
            return Ok(all);
        }
    }
}

/// Those of the paths that the revision has, in the order they were asked for, if the actor may do
/// this to the repository.
pub async fn by_paths(
    app: &App,
    actor: &Actor,
    at: &At<'_>,
    action: Action,
    paths: &[&str],
) -> Result<Vec<Entry>, Error> {
    let (_, revision) = revisions::resolve(app, actor, at, action).await?;
    entries::by_paths(&app.store.db, revision.tree_id, paths).await.during("find entries")
}

/// Looks for a file that the actor may read.
pub async fn find(app: &App, actor: &Actor, at: &At<'_>, path: &str) -> Result<Found, Error> {
    let (repository, revision) = revisions::resolve(app, actor, at, Action::Read).await?;
    access_requests::check(app, actor, &repository).await?;
    let mut file = in_tree(app, revision.tree_id, path).await?;
    if let Some(file) = file.as_mut().filter(|file| file.n_bytes >= limits::FETCHED_IN_CHUNKS) {
        file.xet_hash = chunked_files::hash_of(app, repository.id, file.sha256).await?;
    }
    Ok(Found { repository, revision, file })
}

/// Several files of a revision that the actor may read, in the order in which they are named.
#[derive(Debug)]
pub struct Several {
    pub repository: Repository,
    pub revision: Revision,
    pub files: Vec<File>,
}

/// Looks for files that the actor may read. [`Error::EntryNotFound`] where the revision lacks one of them.
pub async fn several(app: &App, actor: &Actor, at: &At<'_>, paths: &[&str]) -> Result<Several, Error> {
    if paths.len() > limits::PAGE_ENTRIES {
        return Err(Error::BadRequest(format!("at most {} files are sent at once", limits::PAGE_ENTRIES)));
    }
    let (repository, revision) = revisions::resolve(app, actor, at, Action::Read).await?;
    access_requests::check(app, actor, &repository).await?;
    let found = entries::by_paths(&app.store.db, revision.tree_id, paths).await.during("find entries")?;
    let found: BTreeMap<String, Entry> = found.into_iter().map(|entry| (entry.path.clone(), entry)).collect();
    let file = |path: &&str| {
        let file = found.get(*path).and_then(file_of);
        file.ok_or_else(|| entry_not_found(at, path))
    };
    let files = paths.iter().map(file).collect::<Result<Vec<File>, Error>>()?;
    Ok(Several { repository, revision, files })
}

/// Opens a file's bytes, or a part of them.
pub async fn open(app: &App, file: &File, range: Option<Range<u64>>) -> Result<Reading, Error> {
    match app.store.contents.read(&file.sha256, range).await {
        Err(store::Error::Range { size_bytes, .. }) => Err(Error::Range { size: size_bytes }),
        result => result.during("read a file"),
    }
}

/// Opens the bytes of several files, which follow each other.
pub async fn open_several(
    app: &App,
    files: &[File],
) -> Result<BoxStream<'static, Result<Bytes, store::Error>>, Error> {
    let digests: Vec<Sha256> = files.iter().map(|file| file.sha256).collect();
    app.store.contents.read_several(&digests).await.during("read files")
}

/// The whole of a small file, such as a card, of a tree the actor was already found to be allowed to read; `None`
/// where it is not there or has more bytes than that.
pub async fn read_small(
    app: &App,
    tree: TreeId,
    path: &str,
    max_bytes: usize,
) -> Result<Option<Vec<u8>>, Error> {
    let Some(file) = in_tree(app, tree, path).await? else { return Ok(None) };
    if file.n_bytes > max_bytes as u64 {
        return Ok(None);
    }
    app.store.contents.read_all(&file.sha256, max_bytes as u64).await.during("read a file").map(Some)
}

/// The digest of a file of a tree the actor was already found to be allowed to see; `None` where it is not there.
pub async fn sha256(app: &App, tree: TreeId, path: &str) -> Result<Option<Sha256>, Error> {
    Ok(in_tree(app, tree, path).await?.map(|file| file.sha256))
}

/// How many files a tree has, and their bytes together.
pub async fn totals(app: &App, tree: TreeId) -> Result<Totals, Error> {
    entries::totals(&app.store.db, tree).await.during("measure a tree")
}

async fn in_tree(app: &App, tree: TreeId, path: &str) -> Result<Option<File>, Error> {
    if path.parse::<FilePath>().is_err() {
        // No file was ever stored under such a path.
        return Ok(None);
    }
    let entry = entries::by_path(&app.store.db, tree, path).await.during("find a file")?;
    Ok(entry.as_ref().and_then(file_of))
}

/// None for a folder.
fn file_of(entry: &Entry) -> Option<File> {
    let n_bytes = u64::try_from(entry.n_bytes).unwrap_or(0);
    entry.sha256.map(|sha256| File { sha256, git_oid: entry.git_oid, n_bytes, xet_hash: None })
}

fn entry_not_found(at: &At<'_>, path: &str) -> Error {
    Error::EntryNotFound { revision: at.revision.to_owned(), path: path.to_owned() }
}
