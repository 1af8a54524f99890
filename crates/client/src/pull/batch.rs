//! Fetches many small files with few requests: some of them in one answer, each checked before it gets its name.
//!
//! Invariant: what an answer lacks or has damaged is not written, and is left for whoever fetches files one by one.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::Method;
use spec::api::WantedFiles;
use spec::limits;
use tokio_util::io::{StreamReader, SyncIoBridge};

use crate::error::Error;
use crate::http;
use crate::hub::trees::RemoteFile;
use crate::pull::download::Source;
use crate::pull::place::{self, FileHasher};

/// Fewer files than this are fetched one by one.
const FEW: usize = 4;
/// Requests that are under way at the same time.
const AT_ONCE: usize = 3;
/// Files of one request.
const FILES: usize = 500;

/// Fetches the small ones of some files; gives those that are still to be fetched.
pub(crate) async fn fetch(
    source: &Source<'_>,
    files: Vec<RemoteFile>,
    folder: &Path,
) -> Result<Vec<RemoteFile>, Error> {
    let (small, mut left): (Vec<RemoteFile>, Vec<RemoteFile>) =
        files.into_iter().partition(|file| file.n_bytes < limits::FETCHED_IN_CHUNKS);
    if small.len() < FEW {
        left.extend(small);
        return Ok(left);
    }
    let batches = stream::iter(small.chunks(FILES)).map(|batch| fetch_batch(source, batch, folder));
    let missed: Vec<Vec<RemoteFile>> = batches.buffer_unordered(AT_ONCE).try_collect().await?;
    left.extend(missed.into_iter().flatten());
    Ok(left)
}

/// Fetches files with one request; gives those that did not come.
async fn fetch_batch(
    source: &Source<'_>,
    files: &[RemoteFile],
    folder: &Path,
) -> Result<Vec<RemoteFile>, Error> {
    let snapshot = source.snapshot;
    let operation = format!("download {} files", files.len());
    let path = format!("/api/v1/{}s/{}/files", snapshot.kind, snapshot.repository);
    let wanted = WantedFiles {
        revision: snapshot.revision.to_string(),
        paths: files.iter().map(|file| file.path.clone()).collect(),
    };
    let request = source.client.request(Method::POST, &path).json(&wanted);
    let response = match http::send_safe(&operation, request).await {
        Ok(response) => response,
        // Another hub knows no such thing.
        Err(error) if matches!(error.status(), Some(404 | 405)) => return Ok(files.to_vec()),
        Err(error) => return Err(error),
    };
    let mut places = BTreeMap::new();
    for file in files {
        places.insert(file.path.as_str().to_owned(), (file.clone(), place::prepare(folder, &file.path)?));
    }
    let body = StreamReader::new(response.bytes_stream().map_err(io::Error::other));
    let bridge = SyncIoBridge::new(body);
    let unpacked = tokio::task::spawn_blocking(move || unpack(bridge, places)).await;
    let (left, n_bytes) = unpacked.map_err(|_| Error::Interrupted { operation: "unpack files" })??;
    source.progress.advance(n_bytes);
    Ok(left)
}

/// Writes what comes and is what was listed; gives the other files, and how many bytes were written.
fn unpack(
    body: impl Read,
    mut places: BTreeMap<String, (RemoteFile, PathBuf)>,
) -> Result<(Vec<RemoteFile>, u64), Error> {
    let mut archive = tar::Archive::new(body);
    let mut n_written = 0;
    // Where the stream breaks off, the rest is fetched otherwise.
    let Ok(entries) = archive.entries() else { return Ok((left(places), 0)) };
    for entry in entries {
        let Ok(mut entry) = entry else { break };
        let name = entry.path_bytes().into_owned();
        let Some((file, place)) = String::from_utf8(name).ok().and_then(|name| places.remove(&name)) else {
            continue;
        };
        let mut bytes = Vec::with_capacity(usize::try_from(file.n_bytes).unwrap_or(0));
        let read = entry.by_ref().take(file.n_bytes + 1).read_to_end(&mut bytes);
        let mut hasher = FileHasher::new(file.digest, file.n_bytes);
        hasher.update(&bytes);
        let is_whole = read.is_ok() && bytes.len() as u64 == file.n_bytes && hasher.matches(file.digest);
        if !is_whole {
            places.insert(file.path.as_str().to_owned(), (file, place));
            continue;
        }
        let beside = place::beside(&place);
        let written = fs::write(&beside, &bytes).and_then(|()| fs::rename(&beside, &place));
        written.map_err(|source| Error::File { operation: "write", path: place, source })?;
        n_written += file.n_bytes;
    }
    Ok((left(places), n_written))
}

fn left(places: BTreeMap<String, (RemoteFile, PathBuf)>) -> Vec<RemoteFile> {
    places.into_values().map(|(file, _)| file).collect()
}
