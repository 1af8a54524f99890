//! Where a pulled file goes, and whether it is there already.
//!
//! Invariant: no folder on the way to a file is a link, so that nothing lands outside.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use futures_util::{StreamExt, TryStreamExt, stream};
use spec::git::BlobHasher;
use spec::name::FilePath;

use crate::error::Error;
use crate::hub::trees::{FileDigest, RemoteFile};

/// Bytes read at once while hashing.
const BLOCK: usize = 256 * 1024;
/// Files that are compared in one go, and how many goes are under way at the same time.
const FILES: usize = 64;
const AT_ONCE: usize = 4;

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

/// Those of the files that are not there with their bytes. A link is not the file.
pub(crate) async fn missing(folder: &Path, files: &[RemoteFile]) -> Result<Vec<RemoteFile>, Error> {
    let compare = |files: &[RemoteFile]| {
        let (folder, files) = (folder.to_owned(), files.to_vec());
        tokio::task::spawn_blocking(move || compare(&folder, files))
    };
    let compared = stream::iter(files.chunks(FILES)).map(compare).buffered(AT_ONCE);
    let compared: Vec<Result<Vec<RemoteFile>, Error>> =
        compared.try_collect().await.map_err(|_| Error::Interrupted { operation: "compare files" })?;
    Ok(compared.into_iter().collect::<Result<Vec<_>, Error>>()?.concat())
}

fn compare(folder: &Path, files: Vec<RemoteFile>) -> Result<Vec<RemoteFile>, Error> {
    let mut missing = Vec::new();
    for file in files {
        let place = folder.join(file.path.as_str());
        let is_there = has(&place, &file);
        if !is_there.map_err(|source| Error::File { operation: "read", path: place, source })? {
            missing.push(file);
        }
    }
    Ok(missing)
}

/// Whether there is a file with these bytes.
pub(crate) fn has(place: &Path, file: &RemoteFile) -> io::Result<bool> {
    match fs::symlink_metadata(place) {
        Ok(metadata) if metadata.is_file() && metadata.len() == file.n_bytes => {
            let mut hasher = FileHasher::new(file.digest, file.n_bytes);
            hasher.read(&mut File::open(place)?)?;
            Ok(hasher.matches(file.digest))
        }
        _ => Ok(false),
    }
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

/// A name beside a file's for what is written before it is whole.
pub(crate) fn beside(place: &Path) -> PathBuf {
    let mut name = place.as_os_str().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    PathBuf::from(name)
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
