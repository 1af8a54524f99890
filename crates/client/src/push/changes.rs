//! Which files of a push differ from what the server has.
//!
//! Invariant: a file is left out only when the server names the very bytes that are on disk.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use futures_util::{StreamExt, TryStreamExt, stream};
use spec::digest::{Oid, Sha256};
use spec::limits;

use crate::error::Error;
use crate::hub::commits::{self, Answer, Candidate, Content};
use crate::hub::trees::FileDigest;
use crate::pull::FileHasher;
use crate::push::{LocalFile, Work};

/// How much of a file the server sees before it is sent.
const SAMPLE: u64 = 512;
/// Batches of files that are compared at the same time.
const AT_ONCE: usize = 4;
/// What the server says of a file that goes another way than in the commit.
const APART: &str = "lfs";

/// The files that must be sent.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// In the commit itself.
    pub(crate) inside: Vec<Content>,
    /// Before the commit.
    pub(crate) apart: Vec<Apart>,
}

/// A file that is sent before the commit.
#[derive(Debug)]
pub(crate) struct Apart {
    pub(crate) content: Content,
    /// Whether the repository has another file under the same path.
    pub(crate) is_change: bool,
}

impl Changes {
    pub(crate) fn n_files(&self) -> usize {
        self.inside.len() + self.apart.len()
    }
}

/// The files that must be sent to a repository, or to one that has no commit yet.
pub(crate) async fn find(work: &Work<'_>, is_empty: bool) -> Result<Changes, Error> {
    // Where there is nothing, nothing is compared, and how a small file goes needs no asking.
    let is_asked = |file: &&LocalFile| !is_empty || file.n_bytes >= limits::FETCHED_IN_CHUNKS;
    let (asked, sent): (Vec<&LocalFile>, Vec<&LocalFile>) = work.files.iter().partition(is_asked);
    let mut changes = Changes { inside: sent.into_iter().map(content).collect(), apart: Vec::new() };
    let batches = stream::iter(asked.chunks(limits::PREUPLOAD_FILES)).map(|batch| compare(work, batch));
    let found: Vec<Changes> = batches.buffered(AT_ONCE).try_collect().await?;
    for Changes { inside, apart } in found {
        changes.inside.extend(inside);
        changes.apart.extend(apart);
    }
    Ok(changes)
}

async fn compare(work: &Work<'_>, batch: &[&LocalFile]) -> Result<Changes, Error> {
    let samples = batch.iter().map(|file| sample(file)).collect::<Result<Vec<_>, Error>>()?;
    let mut candidates = Vec::with_capacity(batch.len());
    for (file, sample) in batch.iter().zip(&samples) {
        candidates.push(Candidate { path: file.path.as_str(), n_bytes: file.n_bytes, sample });
    }
    let answers = commits::preupload(work.client, work.push.kind, work.push.repository, &candidates).await?;
    let mut answers: BTreeMap<String, Answer> =
        answers.into_iter().map(|answer| (answer.path.clone(), answer)).collect();
    let asked = batch.iter().map(|file| ((*file).clone(), answers.remove(file.path.as_str())));
    let asked: Vec<(LocalFile, Option<Answer>)> = asked.collect();
    let compared = tokio::task::spawn_blocking(move || differing(asked)).await;
    compared.map_err(|_| Error::Interrupted { operation: "compare files" })?
}

fn differing(asked: Vec<(LocalFile, Option<Answer>)>) -> Result<Changes, Error> {
    let mut changes = Changes::default();
    for (file, answer) in asked {
        let known = answer.as_ref().and_then(|answer| answer.oid.as_deref());
        let is_same = known.map(|oid| is_same(&file, oid)).transpose()?.unwrap_or(false);
        let is_unwanted = answer.as_ref().is_some_and(|answer| answer.should_ignore);
        if is_same || is_unwanted {
            continue;
        }
        match answer.as_ref().map(|answer| answer.upload_mode.as_str()) {
            None | Some("regular") => changes.inside.push(content(&file)),
            // A detour would cost more than it saves.
            Some(APART) if file.n_bytes < limits::FETCHED_IN_CHUNKS => changes.inside.push(content(&file)),
            Some(APART) => {
                changes.apart.push(Apart { content: content(&file), is_change: known.is_some() });
            }
            Some(mode) => {
                let (path, mode) = (file.path.to_string(), mode.to_owned());
                return Err(Error::UploadMode { path, mode });
            }
        }
    }
    Ok(changes)
}

fn content(file: &LocalFile) -> Content {
    Content { path: file.path.as_str().to_owned(), source: file.source.clone(), n_bytes: file.n_bytes }
}

fn sample(file: &LocalFile) -> Result<Vec<u8>, Error> {
    let read = |source| Error::File { operation: "read", path: file.source.clone(), source };
    let mut sample = Vec::new();
    File::open(&file.source).and_then(|open| open.take(SAMPLE).read_to_end(&mut sample)).map_err(read)?;
    Ok(sample)
}

/// Whether these are the bytes that the server names: by a SHA-256, or as git does. Should the file have grown or
/// shrunk, its id is that of no file, and sending it finds out.
fn is_same(file: &LocalFile, oid: &str) -> Result<bool, Error> {
    let digest = match oid.parse::<Sha256>() {
        Ok(sha256) => Some(FileDigest::Large(sha256)),
        Err(_) => oid.parse::<Oid>().ok().map(FileDigest::Blob),
    };
    let Some(digest) = digest else { return Ok(false) };
    let read = |path: &Path| -> io::Result<bool> {
        let mut hasher = FileHasher::new(digest, file.n_bytes);
        hasher.read(&mut File::open(path)?)?;
        Ok(hasher.matches(digest))
    };
    read(&file.source).map_err(|source| Error::File { operation: "read", path: file.source.clone(), source })
}
