//! Sends files in chunks: cutting, compressing and sending go on at the same time.
//!
//! Knows nothing of commits. Invariants: a xorb that the store has is not sent again, which is how a push goes on that
//! was interrupted; files are told only when all their chunks are there.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use spec::digest::Sha256;
use spec::xet::XetHash;
use spec::xet::shard::Shard;
use spec::xet::xorb::{HEADER_BYTES, Writer};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::cut::{Cutter, Outside, Parcel, Source, Stop};
use super::session::Session;
use crate::error::Error;
use crate::progress::Progress;

/// Xorbs that are compressed and sent at the same time.
const AT_ONCE: usize = 3;
/// Bytes of files after which what was sent is told, so that the store can begin to check.
const TOLD_BYTES: u64 = 8 * 1024 * 1024 * 1024;
/// Chunks that are told at once: some 16 MB.
const TOLD_CHUNKS: usize = 300_000;

/// A file to send.
#[derive(Debug, Clone)]
pub(crate) struct Large {
    pub(crate) source: Source,
    /// What its repository has under the same path, from which little may differ.
    pub(crate) before: Option<XetHash>,
}

/// Sends files in chunks; gives the SHA-256 of each.
pub(crate) async fn upload(
    session: &Arc<Session>,
    files: &[Large],
    progress: &Arc<dyn Progress>,
) -> Result<Vec<Sha256>, Error> {
    let mut digests = Vec::with_capacity(files.len());
    let mut rest = files;
    while !rest.is_empty() {
        let mut n_bytes = 0;
        let is_more = |file: &&Large| {
            let is_first = n_bytes == 0;
            n_bytes += file.source.n_bytes;
            is_first || n_bytes <= TOLD_BYTES
        };
        let n_files = rest.iter().take_while(is_more).count();
        let (batch, later) = rest.split_at(n_files);
        let shard = send(session, batch, progress).await?;
        digests.extend(shard.files.iter().filter_map(|file| file.sha256));
        tell(session, shard).await?;
        rest = later;
    }
    Ok(digests)
}

async fn send(session: &Arc<Session>, files: &[Large], progress: &Arc<dyn Progress>) -> Result<Shard, Error> {
    let (parcels, handed_on) = mpsc::channel(1);
    let mut wire = Wire {
        session: Arc::clone(session),
        progress: Arc::clone(progress),
        parcels,
        handle: Handle::current(),
    };
    let files = files.to_vec();
    let cutting = tokio::task::spawn_blocking(move || cut(&mut wire, &files));
    let parcels = stream::unfold(handed_on, |mut parcels| async move {
        parcels.recv().await.map(|parcel: Parcel| (parcel, parcels))
    });
    let sending = parcels.map(|parcel| put(session, parcel, progress)).buffer_unordered(AT_ONCE);
    let sent = sending.try_collect::<()>().await;
    let cut = cutting.await;
    sent?;
    match cut {
        Ok(Ok(shard)) => Ok(shard),
        Ok(Err(Stop::Failed(error))) => Err(error),
        Ok(Err(Stop::Unwanted)) | Err(_) => Err(Error::Interrupted { operation: "cut files into chunks" }),
    }
}

fn cut(wire: &mut Wire, files: &[Large]) -> Result<Shard, Stop> {
    let mut before = BTreeMap::new();
    for hash in files.iter().filter_map(|file| file.before) {
        before.entry(hash).or_insert(());
    }
    let told = before.keys().map(|hash| wire.whole(*hash)).collect::<Result<Vec<_>, Error>>()?;
    let mut cutter = Cutter::new(wire);
    told.iter().flatten().for_each(|shard| cutter.learn(shard));
    for file in files {
        cutter.cut(&file.source)?;
    }
    cutter.finish()
}

/// The way out of the thread that cuts.
struct Wire {
    session: Arc<Session>,
    progress: Arc<dyn Progress>,
    parcels: mpsc::Sender<Parcel>,
    handle: Handle,
}

impl Wire {
    /// All that the store tells of a file.
    fn whole(&self, hash: XetHash) -> Result<Vec<Shard>, Error> {
        let (mut shards, mut from) = (Vec::new(), 0);
        while let Some(shard) = self.handle.block_on(self.session.file(hash, from))? {
            let terms = shard.files.iter().flat_map(|file| &file.terms);
            let n_told: u64 = terms.map(|term| u64::from(term.n_bytes)).sum();
            if n_told == 0 {
                break;
            }
            from += n_told;
            shards.push(shard);
        }
        Ok(shards)
    }
}

impl Outside for Wire {
    fn ask(&mut self, chunk: XetHash) -> Result<Option<Shard>, Error> {
        self.handle.block_on(self.session.with_chunk(chunk))
    }

    fn hand_on(&mut self, parcel: Parcel) -> bool {
        self.parcels.blocking_send(parcel).is_ok()
    }

    fn is_there(&mut self, n_bytes: u64) {
        self.progress.is_there(n_bytes);
    }
}

/// Sends a parcel, unless the store has it.
async fn put(session: &Session, parcel: Parcel, progress: &Arc<dyn Progress>) -> Result<(), Error> {
    let (hash, n_bytes) = (parcel.hash, parcel.n_bytes);
    if session.has(hash, n_bytes).await? {
        progress.is_there(n_bytes);
        return Ok(());
    }
    let packed = tokio::task::spawn_blocking(move || pack(parcel)).await;
    let packed = packed.map_err(|_| Error::Interrupted { operation: "compress chunks" })?;
    session.put(hash, &packed).await?;
    progress.advance(n_bytes);
    Ok(())
}

fn pack(parcel: Parcel) -> Bytes {
    let n_bytes = usize::try_from(parcel.n_bytes).unwrap_or(0) + parcel.chunks.len() * HEADER_BYTES;
    let mut writer = Writer::with_capacity(n_bytes);
    for (hash, chunk) in parcel.chunks {
        writer.push(hash, &chunk);
    }
    writer.finish().map_or_else(Bytes::new, |(_, bytes, _)| Bytes::from(bytes))
}

/// Tells first of xorbs and then of the files that are made of them, in pieces that the store takes.
async fn tell(session: &Session, shard: Shard) -> Result<(), Error> {
    let Shard { files, xorbs } = shard;
    let (mut told, mut n_chunks) = (Vec::new(), 0);
    for xorb in xorbs {
        if n_chunks + xorb.chunks.len() > TOLD_CHUNKS {
            session.tell(&Shard { files: Vec::new(), xorbs: std::mem::take(&mut told) }).await?;
            n_chunks = 0;
        }
        n_chunks += xorb.chunks.len();
        told.push(xorb);
    }
    session.tell(&Shard { files, xorbs: told }).await
}
