//! Stored bytes on their way from one storage to another.
//!
//! Invariant: what is placed has the digest by which it is called; what was there under it before is replaced as a whole.

use futures_util::TryStreamExt;
use spec::digest::Sha256;

use super::{Blobs, Home, Kept, blocking};
use crate::Error;

/// How often bytes are asked for anew where the store far away breaks off.
const TRIES: u32 = 4;

impl Blobs {
    /// Takes bytes from another storage, whatever is here under their name. Answers how many.
    /// [`Error::NoBlob`] or [`Error::Damaged`] if the other has them no more.
    pub async fn copy_from(&self, from: &Self, sha256: &Sha256) -> Result<u64, Error> {
        let mut n_failed = 0;
        loop {
            match self.try_copy_from(from, sha256).await {
                Err(Error::ObjectStore { .. }) if n_failed < TRIES => n_failed += 1,
                copied => return copied,
            }
        }
    }

    async fn try_copy_from(&self, from: &Self, sha256: &Sha256) -> Result<u64, Error> {
        let damaged = |found: String| Error::Damaged { expected: *sha256, found };
        let unreadable = |error: Error| match error {
            error @ Error::Io { .. } => damaged(error.to_string()),
            error => error,
        };
        let mut reading = from.read(sha256, None).await.map_err(unreadable)?;
        let n_bytes = reading.size_bytes;
        let mut spool = self.spool(None);
        while let Some(bytes) = reading.stream.try_next().await.map_err(unreadable)? {
            spool.write(&bytes).await?;
        }
        if spool.n_bytes() != n_bytes {
            return Err(damaged("a shorter file".to_owned()));
        }
        let (file, found) = spool.into_file().await?;
        if found != *sha256 {
            return Err(damaged(found.to_string()));
        }
        match &self.inner.home {
            Home::Bucket(bucket) => bucket.put_new(&Kept { sha256: found, n_bytes }, file.path()).await?,
            Home::Disk(disk) => {
                let disk = disk.clone();
                blocking(move || disk.place(file, &found)).await?;
            }
        }
        Ok(n_bytes)
    }
}
