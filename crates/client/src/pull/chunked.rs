//! Fetches one large file in chunks, into the same `.part` as one that is fetched whole.
//!
//! Invariant: it gets its name only when its SHA-256, computed from what is on the disk, is the one the server listed.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use spec::xet::XetHash;

use crate::error::Error;
use crate::hub::trees::{FileDigest, RemoteFile};
use crate::pull::download::{self, Source};
use crate::pull::place;
use crate::xet::fetch::{self, Wanted};
use crate::xet::session::Session;

/// Fetches a file to its place below `folder`. False where the server does not tell of which chunks it is made.
pub(crate) async fn fetch(
    source: &Source<'_>,
    session: &Session,
    (file, hash): (&RemoteFile, XetHash),
    folder: &Path,
) -> Result<bool, Error> {
    let place = place::prepare(folder, &file.path)?;
    let (path, handle) = download::open_part(&place, file)?;
    let failed = |source| Error::File { operation: "write", path: path.clone(), source };
    let wanted = Wanted {
        session,
        hash,
        n_bytes: file.n_bytes,
        file: Arc::new(handle),
        path: &path,
        progress: source.progress,
    };
    let Some(sha256) = fetch::fetch(&wanted).await? else { return Ok(false) };
    wanted.file.set_len(file.n_bytes).map_err(failed)?;
    if FileDigest::Large(sha256) != file.digest {
        // Every chunk is what the list says, so the list is of another file: what came is of no use.
        fs::remove_file(&path).map_err(failed)?;
        return Err(download::damaged(file));
    }
    fs::rename(&path, &place).map_err(|source| Error::File { operation: "write", path: place, source })?;
    Ok(true)
}
