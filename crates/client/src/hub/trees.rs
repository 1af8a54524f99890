//! The files of a revision, and their bytes, by the Hub protocol.
//!
//! Knows nothing of folders. Invariant: every path it hands out is a [`FilePath`], so none leaves its repository.

use reqwest::{Method, Response, header};
use serde::Deserialize;
use spec::digest::{Oid, Sha256};
use spec::name::{FilePath, RepositoryKind, RepositoryName};
use spec::xet::XetHash;

use crate::error::Error;
use crate::http::{self, Client};
use crate::hub::api_path;

/// A repository at one commit.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub kind: RepositoryKind,
    pub repository: RepositoryName,
    pub revision: Oid,
}

/// A file of a revision.
#[derive(Debug, Clone)]
pub struct RemoteFile {
    pub path: FilePath,
    pub n_bytes: u64,
    pub digest: FileDigest,
    /// By which it can be fetched in chunks, where the server tells.
    pub chunk_hash: Option<XetHash>,
}

/// What names the file's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileDigest {
    /// The id of a git blob.
    Blob(Oid),
    /// A large file's SHA-256.
    Large(Sha256),
}

impl std::fmt::Display for FileDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Blob(oid) => oid.fmt(f),
            Self::Large(sha256) => sha256.fmt(f),
        }
    }
}

/// All files of a revision, by path.
pub async fn list(client: &Client, snapshot: &Snapshot) -> Result<Vec<RemoteFile>, Error> {
    let operation = format!("list the files of `{}`", snapshot.repository);
    let base = api_path(snapshot.kind, &snapshot.repository);
    let mut next =
        Some(format!("{base}/tree/{}?recursive=true&expand=false&digests=true", snapshot.revision));
    let mut files = Vec::new();
    while let Some(path) = next {
        let response = http::send_safe(&operation, client.request(Method::GET, &path)).await?;
        next = client.next_page(&response);
        let entries: Vec<Entry> = http::read_json(&operation, response).await?;
        let only_files = entries.into_iter().filter(|entry| entry.kind == "file");
        for file in only_files.map(|entry| read_entry(&operation, entry)) {
            files.push(file?);
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Opens a file's bytes from `offset` on; a server that knows no ranges answers from the beginning (status 200).
pub async fn open(
    client: &Client,
    snapshot: &Snapshot,
    path: &FilePath,
    offset: u64,
) -> Result<Response, Error> {
    let operation = format!("download `{path}`");
    let address = address(snapshot, path.as_str());
    let request = client.request(Method::GET, &address).header("x-hf-download-counter", "1");
    let request = match offset {
        0 => request,
        _ => request.header(header::RANGE, format!("bytes={offset}-")),
    };
    http::send_safe(&operation, request).await
}

/// The hash by which a file can be fetched in chunks, if the server keeps it so.
pub(crate) async fn chunk_hash(
    client: &Client,
    snapshot: &Snapshot,
    path: &str,
) -> Result<Option<XetHash>, Error> {
    let operation = format!("look at `{path}`");
    let address = address(snapshot, path);
    let response = http::send_safe(&operation, client.request(Method::HEAD, &address)).await?;
    let hash = response.headers().get("x-xet-hash").and_then(|value| value.to_str().ok());
    Ok(hash.and_then(|hash| hash.parse().ok()))
}

fn address(snapshot: &Snapshot, path: &str) -> String {
    let Snapshot { kind, repository, revision } = snapshot;
    format!("/{}{repository}/resolve/{revision}/{}", kind.web_prefix(), http::path(path))
}

fn read_entry(operation: &str, entry: Entry) -> Result<RemoteFile, Error> {
    let path =
        entry.path.parse().map_err(|source| Error::UnsafePath { operation: operation.to_owned(), source })?;
    let sha256 = entry.sha256.or(entry.lfs.map(|lfs| lfs.oid));
    let digest = sha256.map_or(FileDigest::Blob(entry.oid), FileDigest::Large);
    Ok(RemoteFile { path, n_bytes: entry.size, digest, chunk_hash: entry.xet_hash })
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    #[serde(default)]
    size: u64,
    oid: Oid,
    lfs: Option<Large>,
    sha256: Option<Sha256>,
    #[serde(rename = "xetHash")]
    xet_hash: Option<XetHash>,
}

#[derive(Deserialize)]
struct Large {
    oid: Sha256,
}
