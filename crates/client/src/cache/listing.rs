//! What was pulled: for each revision its files, and which revision a branch or tag was.
//!
//! Invariant: a listing is written whole or not at all, and names paths that stay in their repository.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use spec::digest::Oid;
use spec::name::{FilePath, RepositoryKind, RepositoryName};

use super::{Cache, read_digest};
use crate::error::Error;
use crate::http;
use crate::hub::trees::{RemoteFile, Snapshot};
use crate::pull::beside;

/// A revision that was pulled, as it is written.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Listing {
    /// The server's address.
    pub server: String,
    pub kind: RepositoryKind,
    pub repository: RepositoryName,
    pub revision: Oid,
    files: Vec<Kept>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    path: FilePath,
    bytes: u64,
    digest: String,
}

/// A revision that was pulled, and what is kept of it.
#[derive(Debug)]
pub struct Listed {
    pub listing: Listing,
    /// Branches and tags that were this revision when they were pulled last.
    pub refs: Vec<String>,
    pub n_files: usize,
    /// Of these, the files that are kept.
    pub n_kept: usize,
    pub size_bytes: u64,
    pub kept_bytes: u64,
    pub last_accessed: Option<SystemTime>,
}

impl Cache {
    /// Notes what a revision holds, and that a branch, tag or commit names it.
    pub fn remember(
        &self,
        (server, named): (&str, &str),
        snapshot: &Snapshot,
        files: &[RemoteFile],
    ) -> Result<(), Error> {
        let Snapshot { kind, repository, revision } = snapshot.clone();
        let kept = |file: &RemoteFile| Kept {
            path: file.path.clone(),
            bytes: file.n_bytes,
            digest: file.digest.to_string(),
        };
        let files = files.iter().map(kept).collect();
        let listing = Listing { server: server.to_owned(), kind, repository, revision, files };
        let folder = self.of(server, kind, &listing.repository);
        let text = serde_json::to_vec(&listing).unwrap_or_default();
        write(&folder.join("snapshots").join(format!("{revision}.json")), &text)?;
        write(&folder.join("refs").join(http::segment(named)), revision.to_string().as_bytes())
    }

    /// The revision that a branch, tag or commit was when it was pulled last, and its files. `None` where none was.
    pub fn recall(
        &self,
        (server, named): (&str, &str),
        kind: RepositoryKind,
        repository: &RepositoryName,
    ) -> Result<Option<(Snapshot, Vec<RemoteFile>)>, Error> {
        let folder = self.of(server, kind, repository);
        let named_by = fs::read_to_string(folder.join("refs").join(http::segment(named))).ok();
        let revision = named_by.unwrap_or_else(|| named.to_owned());
        let Ok(revision) = revision.trim().parse::<Oid>() else { return Ok(None) };
        let Some(listing) = read(&folder.join("snapshots").join(format!("{revision}.json")))? else {
            return Ok(None);
        };
        let snapshot = Snapshot { kind, repository: repository.clone(), revision };
        Ok(Some((snapshot, listing.files()?)))
    }

    /// All revisions that were pulled, by server and name.
    pub fn list(&self) -> Result<Vec<Listed>, Error> {
        let mut listed = Vec::new();
        for server in folders(&self.root.join("servers"))? {
            for repository in folders(&server)? {
                let named = refs(&repository.join("refs"))?;
                for place in folders(&repository.join("snapshots"))? {
                    if let Some(listing) = read(&place)? {
                        listed.push(self.look(listing, &named)?);
                    }
                }
            }
        }
        Ok(listed)
    }

    fn look(&self, listing: Listing, named: &[(String, Oid)]) -> Result<Listed, Error> {
        let refs = named.iter().filter(|(_, revision)| *revision == listing.revision);
        let refs: Vec<String> = refs.map(|(name, _)| name.clone()).collect();
        let (mut n_kept, mut kept_bytes, mut last_accessed) = (0, 0, None);
        let files = listing.files()?;
        for file in &files {
            if let Ok(found) = fs::metadata(self.blob(file.digest)) {
                n_kept += 1;
                kept_bytes += file.n_bytes;
                last_accessed = last_accessed.max(found.accessed().ok());
            }
        }
        let size_bytes = files.iter().map(|file| file.n_bytes).sum();
        Ok(Listed { listing, refs, n_files: files.len(), n_kept, size_bytes, kept_bytes, last_accessed })
    }

    fn of(&self, server: &str, kind: RepositoryKind, repository: &RepositoryName) -> PathBuf {
        let name = http::segment(&format!("{kind}s/{repository}"));
        self.root.join("servers").join(http::segment(server)).join(name)
    }
}

impl Listing {
    pub(super) fn files(&self) -> Result<Vec<RemoteFile>, Error> {
        let file = |kept: &Kept| {
            let digest = read_digest(&kept.digest)?;
            Some(RemoteFile { path: kept.path.clone(), n_bytes: kept.bytes, digest, chunk_hash: None })
        };
        let files: Option<Vec<RemoteFile>> = self.files.iter().map(file).collect();
        files.ok_or(Error::Incomplete { operation: "read what was pulled".to_owned(), missing: "digest" })
    }
}

fn refs(folder: &Path) -> Result<Vec<(String, Oid)>, Error> {
    let mut found = Vec::new();
    for place in folders(folder)? {
        let name = place.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy().into_owned();
        let revision = fs::read_to_string(&place).ok().and_then(|text| text.trim().parse().ok());
        found.extend(revision.map(|revision| (name, revision)));
    }
    Ok(found)
}

/// What is in a folder, by name; nothing where there is none.
pub(super) fn folders(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::File { operation: "read", path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut found = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
    if let Ok(found) = &mut found {
        found.sort();
    }
    found.map_err(failed)
}

fn read(place: &Path) -> Result<Option<Listing>, Error> {
    match fs::read(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::File { operation: "read", path: place.to_owned(), source }),
        // One that cannot be read is as if it were not there: it is written anew by the next pull.
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
    }
}

fn write(place: &Path, bytes: &[u8]) -> Result<(), Error> {
    let beside = beside(place);
    let made = place.parent().map_or(Ok(()), fs::create_dir_all);
    let written = made.and_then(|()| fs::write(&beside, bytes)).and_then(|()| fs::rename(&beside, place));
    written.map_err(|source| Error::File { operation: "write", path: place.to_owned(), source })
}
