//! All rows in one packed file.
//!
//! Invariant: it is read only after it was found to have its SHA-256.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use futures_util::Stream;
use sha2::Digest;
use spec::digest::Sha256;
use tempfile::TempDir;

use crate::blobs::blocking;
use crate::db::dump::{self, Exported};
use crate::{Blobs, Db, Error};

/// Bytes of lines that are handed on together, at least.
const BLOCK_BYTES: usize = 256 * 1024;

/// A file of rows.
#[derive(Debug)]
pub struct RowsFile {
    pub(super) path: PathBuf,
    pub(super) sha256: Sha256,
    /// Goes with this, where the file is for this process alone.
    pub(super) _folder: Option<TempDir>,
}

impl RowsFile {
    /// All rows as they are now, in a file that goes when it is dropped; and the stored bytes that they name.
    pub async fn of(db: &Db, blobs: &Blobs) -> Result<(Self, Exported, Vec<Sha256>), Error> {
        let folder = blobs.new_folder()?;
        let (rows, exported, objects) = Self::write(db, folder.path().join(super::ROWS)).await?;
        Ok((Self { _folder: Some(folder), ..rows }, exported, objects))
    }

    pub(super) async fn write(db: &Db, path: PathBuf) -> Result<(Self, Exported, Vec<Sha256>), Error> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(Error::io("make", &path))?;
        let mut writer = Some(GzEncoder::new(file, Compression::fast()));
        let (exported, objects) = dump::export(db, dump::TABLES, async |block| {
            let Some(mut taken) = writer.take() else { return Ok(()) };
            let path = path.clone();
            writer = Some(
                blocking(move || {
                    taken.write_all(&block).map_err(Error::io("write", &path))?;
                    Ok(taken)
                })
                .await?,
            );
            Ok(())
        })
        .await?;
        let written = path.clone();
        let sha256 = blocking(move || {
            if let Some(writer) = writer {
                let file = writer.finish().map_err(Error::io("write", &written))?;
                file.sync_all().map_err(Error::io("write", &written))?;
            }
            digest(&written)
        })
        .await?;
        Ok((Self { path, sha256, _folder: None }, exported, objects))
    }

    /// [`Error::DamagedBackup`] unless it is what it was.
    pub(super) async fn check(&self) -> Result<(), Error> {
        let (path, expected) = (self.path.clone(), self.sha256);
        blocking(move || match digest(&path)? == expected {
            true => Ok(()),
            false => Err(Error::DamagedBackup { path, reason: "it has another SHA-256".to_owned() }),
        })
        .await
    }

    /// Its lines, some at a time.
    pub fn blocks(&self) -> impl Stream<Item = Result<Vec<u8>, Error>> + Unpin + use<> {
        let path = self.path.clone();
        Box::pin(futures_util::stream::try_unfold(None, move |reader| {
            let path = path.clone();
            blocking(move || {
                let mut reader = match reader {
                    Some(reader) => reader,
                    None => open(&path)?,
                };
                let mut block = Vec::with_capacity(BLOCK_BYTES);
                while block.len() < BLOCK_BYTES {
                    if reader.read_until(b'\n', &mut block).map_err(Error::io("read", &path))? == 0 {
                        break;
                    }
                }
                Ok((!block.is_empty()).then_some((block, Some(reader))))
            })
        }))
    }
}

fn open(path: &Path) -> Result<BufReader<GzDecoder<File>>, Error> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    Ok(BufReader::new(GzDecoder::new(file)))
}

fn digest(path: &Path) -> Result<Sha256, Error> {
    let mut hasher = sha2::Sha256::new();
    let mut reader =
        BufReader::with_capacity(BLOCK_BYTES, File::open(path).map_err(Error::io("read", path))?);
    loop {
        let n_bytes = {
            let block = reader.fill_buf().map_err(Error::io("read", path))?;
            hasher.update(block);
            block.len()
        };
        if n_bytes == 0 {
            return Ok(Sha256::from_bytes(hasher.finalize().into()));
        }
        reader.consume(n_bytes);
    }
}
