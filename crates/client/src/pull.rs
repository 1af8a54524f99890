//! Pulls a revision's files into a folder.
//!
//! Invariants: a file appears under its name only when its bytes are those the server listed; nothing is
//! written outside the folder, not through links either; files that are equal already are not fetched again.

mod chunked;
mod download;
mod place;

use std::path::Path;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};

pub(crate) use place::FileHasher;

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
    let wanted = place::missing(folder, files).await?;
    let n_fetched = wanted.len();
    progress.begin(files.len(), files.iter().map(|file| file.n_bytes).sum());
    progress.is_there(files.iter().map(|file| file.n_bytes).sum::<u64>() - sum(&wanted));
    let source = download::Source { client, snapshot, progress: &*progress };
    let of = (snapshot.kind, &snapshot.repository);
    let session = Session::new(client, of, &snapshot.revision.to_string(), Right::Read);
    let fetches = wanted.iter().map(|file| fetch_one(&source, &session, file, folder));
    stream::iter(fetches).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    Ok(n_fetched)
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
