//! Pulls a revision's files into a folder.
//!
//! Invariants: a file appears under its name only when its bytes are those the server listed; nothing is
//! written outside the folder, not through links either; files that are equal already are not fetched again.

mod batch;
mod chunked;
mod download;
mod kept;
mod place;

use std::path::Path;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};

pub(crate) use place::{FileHasher, beside};

use crate::cache::Cache;
use crate::error::Error;
use crate::http::Client;
use crate::hub::trees::{self, RemoteFile, Snapshot};
use crate::progress::Progress;
use crate::xet::session::{Right, Session};

/// Files fetched at the same time.
const AT_ONCE: usize = 4;

/// What came of a pull.
#[derive(Debug)]
pub struct Pulled {
    pub n_files: usize,
    /// Files that were fetched, the others being there already.
    pub n_fetched: usize,
    /// Files that came from the cache.
    pub n_given: usize,
    /// Size of all files together.
    pub n_bytes: u64,
}

/// Pulls a revision into `folder`, which is made where there is none. Other files in it stay.
pub async fn pull(
    client: &Client,
    snapshot: &Snapshot,
    folder: &Path,
    progress: Arc<dyn Progress>,
) -> Result<Pulled, Error> {
    let files = trees::list(client, snapshot).await?;
    pull_listed(client, (snapshot, &files), (folder, None), progress).await
}

/// The same with files that were listed before, and a cache that has some of them and keeps the others.
pub async fn pull_listed(
    client: &Client,
    (snapshot, files): (&Snapshot, &[RemoteFile]),
    (folder, cache): (&Path, Option<&Cache>),
    progress: Arc<dyn Progress>,
) -> Result<Pulled, Error> {
    let wanted = begin((files, folder), &*progress).await?;
    let n_wanted = wanted.len();
    let missing = match cache {
        Some(cache) => kept::give(cache, wanted.clone(), folder, &*progress).await?,
        None => wanted.clone(),
    };
    let source = download::Source { client, snapshot, progress: &*progress };
    let n_fetched = missing.len();
    fetch_all(&source, missing, folder).await?;
    if let Some(cache) = cache {
        kept::keep(cache, wanted, folder).await?;
    }
    let n_bytes = sum(files);
    Ok(Pulled { n_files: files.len(), n_fetched, n_given: n_wanted - n_fetched, n_bytes })
}

/// Brings files into `folder` from the cache alone. [`Error::NotKept`] where it lacks one.
pub async fn pull_kept(
    files: &[RemoteFile],
    (folder, cache): (&Path, &Cache),
    progress: Arc<dyn Progress>,
) -> Result<Pulled, Error> {
    let wanted = begin((files, folder), &*progress).await?;
    let n_given = wanted.len();
    let missing = kept::give(cache, wanted, folder, &*progress).await?;
    match missing.first() {
        Some(file) => Err(Error::NotKept { path: file.path.to_string() }),
        None => Ok(Pulled { n_files: files.len(), n_fetched: 0, n_given, n_bytes: sum(files) }),
    }
}

/// Fetches some files of a revision into `folder`, as [`pull`] does all of them; how many were not there yet.
pub async fn fetch(
    client: &Client,
    snapshot: &Snapshot,
    (files, folder): (&[RemoteFile], &Path),
    progress: Arc<dyn Progress>,
) -> Result<usize, Error> {
    let wanted = begin((files, folder), &*progress).await?;
    let n_fetched = wanted.len();
    let source = download::Source { client, snapshot, progress: &*progress };
    fetch_all(&source, wanted, folder).await?;
    Ok(n_fetched)
}

/// Makes the folder, and finds which files are not there yet.
async fn begin(
    (files, folder): (&[RemoteFile], &Path),
    progress: &dyn Progress,
) -> Result<Vec<RemoteFile>, Error> {
    let made = tokio::fs::create_dir_all(folder).await;
    made.map_err(|source| Error::File { operation: "make", path: folder.to_owned(), source })?;
    let wanted = place::missing(folder, files).await?;
    progress.begin(files.len(), sum(files));
    progress.is_there(sum(files) - sum(&wanted));
    Ok(wanted)
}

/// Small files many at a time, large ones in chunks, and what can go neither way as it is.
async fn fetch_all(
    source: &download::Source<'_>,
    files: Vec<RemoteFile>,
    folder: &Path,
) -> Result<(), Error> {
    let snapshot = source.snapshot;
    let of = (snapshot.kind, &snapshot.repository);
    let session = Session::new(source.client, of, &snapshot.revision.to_string(), Right::Read);
    let left = batch::fetch(source, files, folder).await?;
    let fetches = left.iter().map(|file| fetch_one(source, &session, file, folder));
    stream::iter(fetches).buffer_unordered(AT_ONCE).try_collect().await
}

fn sum(files: &[RemoteFile]) -> u64 {
    files.iter().map(|file| file.n_bytes).sum()
}

/// In chunks where the server keeps it so, else whole.
async fn fetch_one(
    source: &download::Source<'_>,
    session: &Session,
    file: &RemoteFile,
    folder: &Path,
) -> Result<(), Error> {
    let is_done = match file.chunk_hash {
        Some(hash) => chunked::fetch(source, session, (file, hash), folder).await?,
        None => false,
    };
    if is_done { Ok(()) } else { download::fetch(source, file, folder).await }
}
