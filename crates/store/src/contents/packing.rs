//! Files that arrive whole, on their way into xorbs.
//!
//! Refuses to know who sends them. What is stored already is not stored again; the rest of all files goes into as few
//! xorbs as hold it, so that a thousand small files cost one write to the disk and not a thousand. Invariants: memory stays
//! flat for any size; nothing is placed before all of it is here, and what is dropped before leaves nothing behind.

use std::io::Read;
use std::path::Path;

use futures_util::{StreamExt, TryStreamExt};
use spec::digest::Sha256;
use tokio::task::JoinHandle;

use super::{Contents, Stamp};
use crate::Error;
use crate::blobs::{Arrived, Spool, Stored, blocking};
use crate::db::chunked_files::packed::{self, NewFiles};
use crate::db::ids::RepositoryId;
use crate::db::xorbs::NewXorb as NewRow;

mod cutting;
mod new_xorb;
mod packer;

use cutting::Event;
use packer::Packer;

/// Bytes that are gathered before they are cut and packed.
const BLOCK_BYTES: usize = 1024 * 1024;
/// Files that are begun in one block, however short they are.
const BLOCK_EVENTS: usize = 4096;
/// Xorbs that are placed at once.
const PLACED_AT_ONCE: usize = 3;

/// Files on their way in, one after the other.
pub struct Packing {
    contents: Contents,
    pending: Vec<Event>,
    n_pending: usize,
    worker: Option<JoinHandle<Result<Box<Packer>, Error>>>,
    packer: Option<Box<Packer>>,
    expected_sha256: Option<Sha256>,
}

/// Whom the files were sent to, and when.
#[derive(Debug, Clone, Copy)]
pub struct Receipt {
    /// Where a later commit may name them; `None` where the commit follows at once.
    pub repository: Option<RepositoryId>,
    pub now_ms: i64,
}

impl Contents {
    /// Begins to take files.
    pub fn packing(&self, stamp: Stamp) -> Packing {
        Packing {
            contents: self.clone(),
            pending: Vec::new(),
            n_pending: 0,
            worker: None,
            packer: Some(Box::new(Packer::new(self.clone(), stamp))),
            expected_sha256: None,
        }
    }

    /// Stores one file that is all here.
    pub async fn put(&self, stamp: Stamp, bytes: &[u8], receipt: Receipt) -> Result<Stored, Error> {
        let mut packing = self.packing(stamp);
        packing.begin(bytes.len() as u64);
        packing.write(bytes).await?;
        packing.end();
        packing.finish(receipt).await?.pop().ok_or_else(|| Error::NoBlob(Sha256::of(bytes)))
    }
}

impl Packing {
    /// Files of any other digest will not be stored: [`Error::WrongDigest`].
    pub fn expecting(mut self, sha256: Sha256) -> Self {
        self.expected_sha256 = Some(sha256);
        self
    }

    /// Begins a file that will have so many bytes.
    pub fn begin(&mut self, n_bytes: u64) {
        self.pending.push(Event::Begin { n_bytes });
    }

    /// Takes some more bytes of the file that was begun.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        for bytes in bytes.chunks(BLOCK_BYTES) {
            self.n_pending += bytes.len();
            match self.pending.last_mut() {
                Some(Event::Bytes(last)) => last.extend_from_slice(bytes),
                _ => self.pending.push(Event::Bytes(bytes.to_vec())),
            }
            if self.n_pending >= BLOCK_BYTES || self.pending.len() >= BLOCK_EVENTS {
                self.hand_over().await?;
            }
        }
        Ok(())
    }

    /// Ends the file that was begun.
    pub fn end(&mut self) {
        self.pending.push(Event::End);
    }

    /// Takes a file of which the length was not known before it was all here.
    pub async fn add(&mut self, spool: Spool) -> Result<(), Error> {
        self.begin(spool.n_bytes());
        match spool.into_arrived().await? {
            Arrived::Memory(bytes) => self.write(&bytes).await?,
            Arrived::File(file) => {
                let path = file.into_temp_path();
                let mut open = open(&path).await?;
                loop {
                    let (rest, block) = read_block(open, &path).await?;
                    if block.is_empty() {
                        break;
                    }
                    self.write(&block).await?;
                    open = rest;
                }
            }
        }
        self.end();
        Ok(())
    }

    /// Stores the files: when this returns they are durable and can be named. Answers them in their order.
    pub async fn finish(mut self, receipt: Receipt) -> Result<Vec<Stored>, Error> {
        self.hand_over().await?;
        let packer = self.packer().await?.end().await?;
        let Packer { sealed, files, .. } = *packer;
        if let Some(expected) = self.expected_sha256
            && let Some(file) = files.iter().find(|file| file.sha256 != expected)
        {
            return Err(Error::WrongDigest { expected, found: file.sha256 });
        }
        let xorbs = sealed.iter().map(|sealed| {
            let row = NewRow {
                hash: sealed.hash,
                sha256: sealed.kept.sha256,
                n_bytes: sealed.n_bytes,
                n_unpacked: sealed.n_unpacked,
                n_chunks: sealed.n_chunks,
                now_ms: receipt.now_ms,
            };
            (row, sealed.asked.clone())
        });
        let new = NewFiles { xorbs: xorbs.collect(), files };
        let blobs = &self.contents.blobs;
        let placing = futures_util::stream::iter(sealed.into_iter().map(|sealed| sealed.place(blobs)));
        placing.buffer_unordered(PLACED_AT_ONCE).try_for_each(async |()| Ok(())).await?;
        // Somebody may have stored the same in this very moment: nothing names these then.
        for sha256 in packed::put(&self.contents.db, &new, receipt).await? {
            blobs.delete(&sha256).await?;
        }
        let stored = |file: &packed::NewFile| Stored {
            sha256: file.sha256,
            git_oid: file.git_oid,
            n_bytes: file.n_bytes,
        };
        Ok(new.files.iter().map(stored).collect())
    }

    /// Lets what is pending be packed while more comes.
    async fn hand_over(&mut self) -> Result<(), Error> {
        let packer = self.packer().await?;
        let events = std::mem::take(&mut self.pending);
        self.n_pending = 0;
        self.worker = Some(tokio::spawn(packer.take(events)));
        Ok(())
    }

    async fn packer(&mut self) -> Result<Box<Packer>, Error> {
        let broken = |error| Error::io("pack", Path::new("files"))(std::io::Error::other(error));
        match (self.packer.take(), self.worker.take()) {
            (Some(packer), _) => Ok(packer),
            (None, Some(worker)) => worker.await.map_err(broken)?,
            (None, None) => Err(Error::io("pack", Path::new("files"))(std::io::ErrorKind::BrokenPipe.into())),
        }
    }
}

async fn open(path: &Path) -> Result<std::fs::File, Error> {
    let path = path.to_owned();
    blocking(move || std::fs::File::open(&path).map_err(Error::io("open", &path))).await
}

async fn read_block(mut file: std::fs::File, path: &Path) -> Result<(std::fs::File, Vec<u8>), Error> {
    let path = path.to_owned();
    blocking(move || {
        let mut block = Vec::with_capacity(BLOCK_BYTES);
        let mut part = (&mut file).take(BLOCK_BYTES as u64);
        part.read_to_end(&mut block).map_err(Error::io("read", &path))?;
        Ok((file, block))
    })
    .await
}
