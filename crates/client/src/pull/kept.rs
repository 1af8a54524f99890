//! Files between a folder and the cache.
//!
//! Invariant: a cache that fails costs a pull nothing but what it would have saved.

use std::path::Path;

use crate::cache::Cache;
use crate::error::Error;
use crate::hub::trees::RemoteFile;
use crate::progress::Progress;
use crate::pull::place;

/// Puts what is kept of some files into the folder; gives the others.
pub(crate) async fn give(
    cache: &Cache,
    files: Vec<RemoteFile>,
    folder: &Path,
    progress: &dyn Progress,
) -> Result<Vec<RemoteFile>, Error> {
    let n_bytes: u64 = files.iter().map(|file| file.n_bytes).sum();
    let (cache, folder) = (cache.clone(), folder.to_owned());
    let given = tokio::task::spawn_blocking(move || {
        let mut missing = Vec::new();
        for file in files {
            let place = place::prepare(&folder, &file.path)?;
            let is_given = cache.give(&file, &place).unwrap_or_else(|error| {
                tracing::debug!(path = %file.path, %error, "the cache gave nothing");
                false
            });
            if !is_given {
                missing.push(file);
            }
        }
        Ok::<_, Error>(missing)
    });
    let missing = given.await.map_err(|_| Error::Interrupted { operation: "look into the cache" })??;
    progress.is_there(n_bytes - missing.iter().map(|file| file.n_bytes).sum::<u64>());
    Ok(missing)
}

/// Keeps files that are in the folder, and the cache in its bounds.
pub(crate) async fn keep(cache: &Cache, files: Vec<RemoteFile>, folder: &Path) -> Result<(), Error> {
    let (cache, folder) = (cache.clone(), folder.to_owned());
    let kept = tokio::task::spawn_blocking(move || {
        for file in files {
            if let Err(error) = cache.keep(&file, &folder.join(file.path.as_str())) {
                tracing::debug!(path = %file.path, %error, "the cache kept nothing");
            }
        }
        if let Err(error) = cache.keep_in_bounds() {
            tracing::warn!(%error, "the cache was not brought into its bounds");
        }
    });
    kept.await.map_err(|_| Error::Interrupted { operation: "fill the cache" })
}
