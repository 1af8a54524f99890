//! Where a pulled file goes, and whether it is there already.
//!
//! Invariant: no folder on the way to a file is a link, so that nothing lands outside.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use spec::git::BlobHasher;
use spec::name::FilePath;

use crate::error::Error;
use crate::hub::trees::{FileDigest, RemoteFile};

/// Bytes read at once while hashing.
const BLOCK: usize = 256 * 1024;

/// The file's place below `folder`, the folders on the way made.
pub(crate) fn prepare(folder: &Path, path: &FilePath) -> Result<PathBuf, Error> {
    let mut place = folder.to_owned();
    let mut parts = path.as_str().split('/').peekable();
    while let Some(part) = parts.next() {
        place.push(part);
        if parts.peek().is_some() {
            make_folder(&place)?;
        }
    }
    Ok(place)
}

/// Whether the file is there with these bytes. A link is not the file.
pub(crate) async fn has(folder: &Path, file: &RemoteFile) -> Result<bool, Error> {
    let (place, expected, n_bytes) = (folder.join(file.path.as_str()), file.digest, file.n_bytes);
    let source = place.clone();
    let compare = move || match fs::symlink_metadata(&place) {
        Ok(metadata) if metadata.is_file() && metadata.len() == n_bytes => {
            let mut hasher = FileHasher::new(expected, n_bytes);
            hasher.read(&mut File::open(&place)?)?;
            Ok(hasher.matches(expected))
        }
        _ => Ok(false),
    };
    let compared = tokio::task::spawn_blocking(compare).await.map_err(io::Error::other).flatten();
    compared.map_err(|error| Error::File { operation: "read", path: source, source: error })
}

fn make_folder(path: &Path) -> Result<(), Error> {
    let failed = |source| Error::File { operation: "make", path: path.to_owned(), source };
    match fs::create_dir(path) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
    }
    match fs::symlink_metadata(path).map_err(failed)?.is_symlink() {
        true => Err(Error::LinkInTheWay { path: path.to_owned() }),
        false => Ok(()),
    }
}

/// Computes whichever digest the server listed.
pub(crate) enum FileHasher {
    Blob(BlobHasher),
    Large(sha2::Sha256),
}

impl FileHasher {
    pub(crate) fn new(expected: FileDigest, n_bytes: u64) -> Self {
        match expected {
            FileDigest::Blob(_) => Self::Blob(BlobHasher::new(n_bytes)),
            FileDigest::Large(_) => Self::Large(sha2::Digest::new()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Blob(hasher) => hasher.update(bytes),
            Self::Large(hasher) => sha2::Digest::update(hasher, bytes),
        }
    }

    /// Takes in all that is left of a file.
    pub(crate) fn read(&mut self, file: &mut File) -> io::Result<()> {
        let mut block = vec![0; BLOCK];
        loop {
            match file.read(&mut block)? {
                0 => return Ok(()),
                n => self.update(&block[..n]),
            }
        }
    }

    pub(crate) fn matches(self, expected: FileDigest) -> bool {
        match (self, expected) {
            (Self::Blob(hasher), FileDigest::Blob(oid)) => hasher.finish() == oid,
            (Self::Large(hasher), FileDigest::Large(sha256)) => {
                sha2::Digest::finalize(hasher).as_slice() == sha256.as_bytes()
            }
            _ => false,
        }
    }
}
