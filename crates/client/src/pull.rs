//! Pulls a revision's files into a folder.
//!
//! Invariants: a file appears under its name only when its bytes are those the server listed; nothing is
//! written outside the folder, not through links either; files that are equal already are not fetched again.

mod download;
mod place;

use std::path::Path;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::error::Error;
use crate::http::Client;
use crate::hub::trees::{self, RemoteFile, Snapshot};
use crate::progress::Progress;

/// Files fetched at the same time.
const AT_ONCE: usize = 4;

/// What came of a pull.
#[derive(Debug)]
pub struct Pulled {
    pub n_files: usize,
    /// Files that were fetched, the others being there already.
    pub n_fetched: usize,
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
    let n_fetched = fetch(client, snapshot, (&files, folder), progress).await?;
    Ok(Pulled { n_files: files.len(), n_fetched, n_bytes: files.iter().map(|file| file.n_bytes).sum() })
}

/// Fetches some files of a revision into `folder`, as [`pull`] does all of them; how many were not there yet.
pub async fn fetch(
    client: &Client,
    snapshot: &Snapshot,
    (files, folder): (&[RemoteFile], &Path),
    progress: Arc<dyn Progress>,
) -> Result<usize, Error> {
    let made = tokio::fs::create_dir_all(folder).await;
    made.map_err(|source| Error::File { operation: "make", path: folder.to_owned(), source })?;
    let mut wanted = Vec::new();
    for file in files {
        if !place::has(folder, file).await? {
            wanted.push(file);
        }
    }
    let n_fetched = wanted.len();
    progress.begin(n_fetched, wanted.iter().map(|file| file.n_bytes).sum());
    let source = download::Source { client, snapshot, progress: &*progress };
    let fetches = wanted.into_iter().map(|file| download::fetch(&source, file, folder));
    stream::iter(fetches).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    Ok(n_fetched)
}
