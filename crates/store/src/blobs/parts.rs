//! Parts of an upload that comes in pieces, kept apart from all stored bytes until they are joined.
//!
//! Refuses to know whose upload it is: its name is whatever its owner drew. Invariants: a part is there whole or not
//! at all, and any server that shares the storage finds it; what nobody joined is deleted by its age.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use tokio_util::io::ReaderStream;

use super::{Blobs, Home, Spool, blocking, modified_ms};
use crate::Error;

/// Bytes read at once.
const BLOCK_BYTES: usize = 256 * 1024;

impl Blobs {
    /// Keeps the bytes as a part of an upload, in the place of what came under that number before. `upload` is made of
    /// letters and digits.
    pub async fn put_part(&self, upload: &str, number: u32, bytes: Spool) -> Result<(), Error> {
        let n_bytes = bytes.n_bytes();
        let (file, _) = bytes.into_file().await?;
        match &self.inner.home {
            Home::Bucket(bucket) => bucket.put_part((upload, number), n_bytes, file.path()).await,
            Home::Disk(_) => {
                let folder = self.inner.uploads.join(upload);
                blocking(move || {
                    fs::create_dir_all(&folder).map_err(Error::io("make the folder", &folder))?;
                    let path = folder.join(number.to_string());
                    let placed = file.persist(&path).map(|_| ());
                    placed.map_err(|error| Error::io("write", &path)(error.error))
                })
                .await
            }
        }
    }

    /// Deletes the parts of an upload; those that are not there are gone already.
    pub async fn delete_parts(&self, upload: &str, n_parts: u32) -> Result<(), Error> {
        match &self.inner.home {
            Home::Disk(_) => {
                let folder = self.inner.uploads.join(upload);
                blocking(move || remove(&folder)).await
            }
            Home::Bucket(bucket) => {
                for number in 1..=n_parts {
                    bucket.delete_part(upload, number).await?;
                }
                Ok(())
            }
        }
    }

    /// Deletes uploads to which nothing came since that time.
    pub async fn delete_parts_before(&self, before_ms: i64) -> Result<(), Error> {
        match &self.inner.home {
            Home::Disk(_) => {
                let uploads = self.inner.uploads.clone();
                blocking(move || remove_before(&uploads, before_ms)).await
            }
            Home::Bucket(bucket) => bucket.delete_parts_before(before_ms).await,
        }
    }

    /// The bytes of a part. [`Error::NoPart`] if it is not there.
    pub async fn read_part(
        &self,
        upload: &str,
        number: u32,
    ) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        let path = match &self.inner.home {
            Home::Bucket(bucket) => return bucket.read_part(upload, number).await,
            Home::Disk(_) => self.inner.uploads.join(upload).join(number.to_string()),
        };
        let upload = upload.to_owned();
        let (file, path) = blocking(move || match File::open(&path) {
            Ok(file) => Ok((file, path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::NoPart { upload, number }),
            Err(error) => Err(Error::io("read", &path)(error)),
        })
        .await?;
        let blocks = ReaderStream::with_capacity(tokio::fs::File::from_std(file), BLOCK_BYTES);
        Ok(blocks.map_err(move |error| Error::io("read", &path)(error)).boxed())
    }
}

fn remove(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("delete", folder)(error)),
        _ => Ok(()),
    }
}

/// A folder is as new as the last part that came into it.
fn remove_before(uploads: &PathBuf, before_ms: i64) -> Result<(), Error> {
    let folders = match fs::read_dir(uploads) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        folders => folders.map_err(Error::io("read", uploads))?,
    };
    for folder in folders {
        let folder = folder.map_err(Error::io("read", uploads))?;
        let metadata = folder.metadata().map_err(Error::io("read", &folder.path()))?;
        if modified_ms(&metadata) < before_ms {
            remove(&folder.path())?;
        }
    }
    Ok(())
}
