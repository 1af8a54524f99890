//! Fetches a file in chunks into a place on the disk: several pieces at a time, each chunk checked as it comes.
//!
//! Invariants: what is on the disk already and has its hash is not fetched; what comes with another hash is not written,
//! and only its piece is fetched again; the SHA-256 is computed from what the disk gives back.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::{Method, header};
use serde::Deserialize;
use sha2::Digest;
use spec::digest::Sha256;
use spec::xet::XetHash;
use spec::xet::xorb;

use super::plan::{Chunk, Plan};
use super::session::Session;
use crate::error::Error;
use crate::http;
use crate::progress::Progress;

/// Bytes of a file that are asked for at once.
const PIECE_BYTES: u64 = 8 * 1024 * 1024;
/// Pieces that are fetched at the same time.
const AT_ONCE: usize = 6;
/// How often a piece is tried anew when the connection breaks or damaged bytes arrive.
const ATTEMPTS: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// Bytes read at once while hashing.
const BLOCK_BYTES: u64 = 1024 * 1024;

/// What is fetched, and where to.
pub(crate) struct Wanted<'a> {
    pub(crate) session: &'a Session,
    pub(crate) hash: XetHash,
    pub(crate) n_bytes: u64,
    pub(crate) file: Arc<File>,
    /// Where the file is, for what is told of failures.
    pub(crate) path: &'a Path,
    pub(crate) progress: &'a dyn Progress,
}

/// Fetches what is not there yet, and gives the SHA-256 of all. `None` where the store does not tell of which chunks the
/// file is made.
pub(crate) async fn fetch(wanted: &Wanted<'_>) -> Result<Option<Sha256>, Error> {
    let Some(plan) = Plan::ask(wanted.session, wanted.hash, wanted.n_bytes).await? else { return Ok(None) };
    let plan = Arc::new(plan);
    let failed = |source| Error::File { operation: "read", path: wanted.path.to_owned(), source };
    let missing = {
        let (file, plan) = (Arc::clone(&wanted.file), Arc::clone(&plan));
        let checked = tokio::task::spawn_blocking(move || missing(&file, &plan)).await;
        checked.map_err(io::Error::other).flatten().map_err(failed)?
    };
    let n_missing: u64 = missing.iter().map(|piece| bytes_of(&plan.chunks[piece.clone()])).sum();
    wanted.progress.is_there(wanted.n_bytes - n_missing);
    let (reached, places) = channel();
    let hashing = {
        let file = Arc::clone(&wanted.file);
        tokio::task::spawn_blocking(move || digest(&file, &places))
    };
    // Up to the beginning of the first piece, then of the next, all is there.
    let ends: Vec<u64> = missing.iter().skip(1).map(|piece| plan.chunks[piece.start].start).collect();
    let first = missing.first().map_or(wanted.n_bytes, |piece| plan.chunks[piece.start].start);
    let _ = reached.send(first);
    let fetches = missing.into_iter().map(|piece| fetch_piece(wanted, &plan, piece));
    let mut fetched = stream::iter(fetches).buffered(AT_ONCE);
    let mut ends = ends.into_iter().chain([wanted.n_bytes]);
    while let Some(()) = fetched.try_next().await? {
        let _ = reached.send(ends.next().unwrap_or(wanted.n_bytes));
    }
    drop(reached);
    let digest = hashing.await.map_err(io::Error::other).flatten();
    digest.map(Some).map_err(failed)
}

/// The pieces that are not there yet, as ranges of chunks.
fn missing(file: &File, plan: &Plan) -> io::Result<Vec<Range<usize>>> {
    let n_there = file.metadata()?.len();
    let mut pieces: Vec<Range<usize>> = Vec::new();
    let mut bytes = Vec::new();
    for (index, chunk) in plan.chunks.iter().enumerate() {
        if chunk.end() <= n_there {
            bytes.resize(chunk.n_bytes as usize, 0);
            file.read_exact_at(&mut bytes, chunk.start)?;
            if XetHash::of_chunk(&bytes) == chunk.hash {
                continue;
            }
        }
        match pieces.last_mut() {
            Some(piece)
                if piece.end == index && chunk.end() - plan.chunks[piece.start].start <= PIECE_BYTES =>
            {
                piece.end += 1;
            }
            _ => pieces.push(index..index + 1),
        }
    }
    Ok(pieces)
}

fn bytes_of(chunks: &[Chunk]) -> u64 {
    chunks.iter().map(|chunk| u64::from(chunk.n_bytes)).sum()
}

/// Hashes a file from its beginning as far as it is told to be there.
fn digest(file: &File, places: &Receiver<u64>) -> io::Result<Sha256> {
    let mut hasher = sha2::Sha256::new();
    let (mut place, mut block) = (0, vec![0; BLOCK_BYTES as usize]);
    for end in places {
        while place < end {
            let n = usize::try_from((end - place).min(BLOCK_BYTES)).unwrap_or(block.len());
            file.read_exact_at(&mut block[..n], place)?;
            hasher.update(&block[..n]);
            place += n as u64;
        }
    }
    Ok(Sha256::from_bytes(hasher.finalize().into()))
}

async fn fetch_piece(wanted: &Wanted<'_>, plan: &Arc<Plan>, piece: Range<usize>) -> Result<(), Error> {
    let mut wait = FIRST_WAIT;
    for attempt in 1.. {
        match try_piece(wanted, plan, piece.clone()).await {
            Ok(()) => break,
            Err(error) if attempt == ATTEMPTS || !may_pass(&error) => return Err(error),
            Err(error) => tracing::debug!(attempt, %error, "a piece will be fetched again"),
        }
        tokio::time::sleep(wait).await;
        wait *= 2;
    }
    wanted.progress.advance(bytes_of(&plan.chunks[piece]));
    Ok(())
}

/// An address that is good no longer (403) is asked for anew with the rest.
fn may_pass(error: &Error) -> bool {
    matches!(error, Error::Connection { .. } | Error::Chunks { .. }) || error.status() == Some(403)
}

async fn try_piece(wanted: &Wanted<'_>, plan: &Arc<Plan>, piece: Range<usize>) -> Result<(), Error> {
    let chunks = &plan.chunks[piece.clone()];
    let Some((first, last)) = chunks.first().zip(chunks.last()) else { return Ok(()) };
    let operation = "fetch chunks";
    let path = format!("/v2/reconstructions/{}", wanted.hash);
    let range = format!("bytes={}-{}", first.start, last.end() - 1);
    let add = |request: reqwest::RequestBuilder| request.header(header::RANGE, &range);
    let found = wanted.session.send(operation, (Method::GET, &path), add).await?;
    let found: Reconstruction = http::read_json(operation, found).await?;
    for (xorb, fetches) in found.xorbs {
        for fetch in fetches {
            for Place { chunks, bytes } in fetch.ranges {
                let range = format!("bytes={}-{}", bytes.start, bytes.end);
                let request = wanted.session.fetch(&fetch.url).header(header::RANGE, range);
                let response = http::send_safe(operation, request).await?;
                let body = response.bytes().await.map_err(|source| http::connection(operation, source))?;
                let came = Came { xorb, chunks: chunks.start..chunks.end, body };
                let (plan, file) = (Arc::clone(plan), Arc::clone(&wanted.file));
                let piece = piece.clone();
                let written = tokio::task::spawn_blocking(move || write(&plan, piece, &file, &came)).await;
                written.map_err(|_| Error::Interrupted { operation })?.map_err(|error| match error {
                    Broken::Chunks(source) => Error::Chunks { operation, source },
                    Broken::Disk(source) => {
                        Error::File { operation: "write", path: wanted.path.to_owned(), source }
                    }
                })?;
            }
        }
    }
    Ok(())
}

/// Chunks of a xorb as they came.
struct Came {
    xorb: XetHash,
    chunks: Range<u32>,
    body: Bytes,
}

enum Broken {
    Chunks(Box<dyn std::error::Error + Send + Sync>),
    Disk(io::Error),
}

/// Writes each chunk that came to all its places in the piece.
fn write(plan: &Plan, piece: Range<usize>, file: &File, came: &Came) -> Result<(), Broken> {
    let mut places: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    for chunk in plan.chunks[piece].iter().filter(|chunk| chunk.xorb == came.xorb) {
        places.entry(chunk.place).or_default().push(chunk.start);
    }
    let unknown = || Broken::Chunks("the answer is about other chunks".into());
    let hashes = plan.hashes(came.xorb, &came.chunks).ok_or_else(unknown)?;
    let mut place = came.chunks.start;
    let mut outcome = Ok(());
    xorb::unpack_each(&came.body, hashes.iter().map(|(hash, _)| *hash), |chunk| {
        for start in places.get(&place).into_iter().flatten() {
            if outcome.is_ok() {
                outcome = file.write_all_at(chunk, *start);
            }
        }
        place += 1;
    })
    .map_err(|error| Broken::Chunks(error.into()))?;
    outcome.map_err(Broken::Disk)
}

#[derive(Deserialize)]
struct Reconstruction {
    xorbs: BTreeMap<XetHash, Vec<Fetch>>,
}

#[derive(Deserialize)]
struct Fetch {
    url: String,
    ranges: Vec<Place>,
}

#[derive(Deserialize)]
struct Place {
    chunks: Span<u32>,
    /// With the last byte in it, as HTTP has it.
    bytes: Span<u64>,
}

#[derive(Deserialize)]
struct Span<T> {
    start: T,
    end: T,
}
