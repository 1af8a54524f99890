//! What keeps the cache in its bounds and true: pruning and verifying.
//!
//! Invariant: what was used last goes last.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use super::listing::folders;
use super::{Cache, matches, read_digest};
use crate::error::Error;
use crate::hub::trees::{FileDigest, RemoteFile};

/// What was removed, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    pub n_files: usize,
    pub n_bytes: u64,
    /// What is left.
    pub n_left: usize,
    pub left_bytes: u64,
}

/// What was read again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    pub n_files: usize,
    pub n_bytes: u64,
    /// Digests of files that were no longer what they were, and were removed.
    pub damaged: Vec<String>,
}

struct Blob {
    path: PathBuf,
    digest: Option<FileDigest>,
    n_bytes: u64,
    used: SystemTime,
}

impl Cache {
    /// Removes what no pulled revision names, and then what was not used for longest until no more than this is left.
    pub fn prune(&self, limit: u64, is_dry: bool) -> Result<Pruned, Error> {
        let mut blobs = self.all()?;
        let mut named = BTreeSet::new();
        for listed in self.list()? {
            named.extend(listed.listing.files()?.into_iter().map(|file| file.digest.to_string()));
        }
        blobs.sort_by_key(|blob| std::cmp::Reverse(blob.used));
        let mut pruned = Pruned::default();
        for blob in blobs {
            let is_named = blob.digest.is_some_and(|digest| named.contains(&digest.to_string()));
            if is_named && pruned.left_bytes + blob.n_bytes <= limit {
                pruned.n_left += 1;
                pruned.left_bytes += blob.n_bytes;
                continue;
            }
            if !is_dry {
                remove(&blob.path)?;
            }
            pruned.n_files += 1;
            pruned.n_bytes += blob.n_bytes;
        }
        Ok(pruned)
    }

    /// Removes what was not used for longest, if more is kept than may be.
    pub(crate) fn keep_in_bounds(&self) -> Result<(), Error> {
        let n_bytes: u64 = self.all()?.iter().map(|blob| blob.n_bytes).sum();
        if n_bytes > self.limit {
            self.prune(self.limit, false)?;
        }
        Ok(())
    }

    /// Reads all that is kept, and removes what is not what it was: the next pull fetches it again.
    pub fn verify(&self) -> Result<Verified, Error> {
        let mut verified = Verified::default();
        for blob in self.all()? {
            let Some(digest) = blob.digest else { continue };
            let Ok(path) = "kept".parse() else { continue };
            let file = RemoteFile { path, n_bytes: blob.n_bytes, digest, chunk_hash: None };
            let is_whole = matches(&blob.path, &file);
            verified.n_files += 1;
            verified.n_bytes += blob.n_bytes;
            let read = |source| Error::File { operation: "read", path: blob.path.clone(), source };
            if !is_whole.map_err(read)? {
                remove(&blob.path)?;
                verified.damaged.push(digest.to_string());
            }
        }
        Ok(verified)
    }

    fn all(&self) -> Result<Vec<Blob>, Error> {
        let mut blobs = Vec::new();
        for folder in folders(&self.blobs())? {
            for path in folders(&folder)? {
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                let digest = read_digest(name);
                match fs::metadata(&path) {
                    Ok(found) => {
                        let used = found.accessed().unwrap_or(SystemTime::UNIX_EPOCH);
                        blobs.push(Blob { path, digest, n_bytes: found.len(), used });
                    }
                    // Another process was faster.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(source) => return Err(Error::File { operation: "read", path, source }),
                }
            }
        }
        Ok(blobs)
    }
}

fn remove(path: &PathBuf) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::File { operation: "delete", path: path.clone(), source: error })
        }
        _ => Ok(()),
    }
}
