//! Files that were pulled, kept for the next time: by their digests, for all repositories, folders and servers.
//!
//! A kept file is the pulled one under a second name, so that it takes no space of its own on the same disk. Knows no
//! network. Invariants: what is handed out is a copy whose digest was checked, so that whoever changes a pulled file
//! harms nobody else; what is here can be deleted at any time.

mod listing;
mod sweep;

use std::fs::{self, File, FileTimes};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::hub::trees::{FileDigest, RemoteFile};
use crate::pull::{FileHasher, beside};

pub use listing::{Listed, Listing};
pub use sweep::{Pruned, Verified};

/// Where pulled files are kept.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
    /// Bytes of files that are kept at most.
    limit: u64,
}

impl Cache {
    /// A cache in a folder, which is made when something is kept.
    pub fn new(root: PathBuf, limit: u64) -> Self {
        Self { root, limit }
    }

    pub fn folder(&self) -> &Path {
        &self.root
    }

    /// Bytes of files that are kept at most.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Puts a copy of a kept file to its place. False where it is not kept, or no longer what it was; then it is forgotten.
    pub(crate) fn give(&self, file: &RemoteFile, place: &Path) -> io::Result<bool> {
        let kept = self.blob(file.digest);
        let Ok(handle) = File::open(&kept) else { return Ok(false) };
        let beside = beside(place);
        fs::copy(&kept, &beside)?;
        if !matches(&beside, file)? {
            fs::remove_file(&beside)?;
            fs::remove_file(&kept)?;
            return Ok(false);
        }
        fs::rename(&beside, place)?;
        // For whoever looks for what was not used for long. A folder that is not ours to write says nothing.
        #[expect(clippy::disallowed_methods, reason = "only the disk is told when a file was used")]
        let now = SystemTime::now();
        let _ = handle.set_times(FileTimes::new().set_accessed(now));
        Ok(true)
    }

    /// Keeps a file that was pulled and checked.
    pub(crate) fn keep(&self, file: &RemoteFile, place: &Path) -> io::Result<()> {
        let kept = self.blob(file.digest);
        if file.n_bytes > self.limit || fs::metadata(&kept).is_ok_and(|found| found.len() == file.n_bytes) {
            return Ok(());
        }
        if let Some(folder) = kept.parent() {
            fs::create_dir_all(folder)?;
        }
        let beside = beside(&kept);
        let _ = fs::remove_file(&beside);
        // Another disk has no second name for it.
        fs::hard_link(place, &beside).or_else(|_| fs::copy(place, &beside).map(drop))?;
        fs::rename(&beside, &kept)
    }

    /// Where a file with this digest is kept.
    fn blob(&self, digest: FileDigest) -> PathBuf {
        let name = digest.to_string();
        let folder: String = name.chars().take(2).collect();
        self.blobs().join(folder).join(name)
    }

    fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }
}

/// Whether a file has the bytes that its digest says.
fn matches(place: &Path, file: &RemoteFile) -> io::Result<bool> {
    let mut hasher = FileHasher::new(file.digest, file.n_bytes);
    let mut handle = File::open(place)?;
    if handle.metadata()?.len() != file.n_bytes {
        return Ok(false);
    }
    hasher.read(&mut handle)?;
    Ok(hasher.matches(file.digest))
}

/// The digest that a name of a kept file says.
fn read_digest(name: &str) -> Option<FileDigest> {
    match name.len() {
        40 => name.parse().ok().map(FileDigest::Blob),
        64 => name.parse().ok().map(FileDigest::Large),
        _ => None,
    }
}
