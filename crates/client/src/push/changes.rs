//! Which files of a push differ from what the server has.
//!
//! Invariant: a file is left out only when the server names the very bytes that are on disk.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use spec::digest::Oid;
use spec::git::BlobHasher;
use spec::limits;

use crate::error::Error;
use crate::hub::commits::{self, Answer, Candidate, Content};
use crate::push::{LocalFile, Work};

/// How much of a file the server sees before it is sent.
const SAMPLE: u64 = 512;
/// Bytes read at once while hashing.
const BLOCK: usize = 256 * 1024;

/// The files that must be sent.
pub(crate) async fn find(work: &Work<'_>) -> Result<Vec<Content>, Error> {
    let mut changed = Vec::new();
    for batch in work.files.chunks(limits::PREUPLOAD_FILES) {
        let samples = batch.iter().map(sample).collect::<Result<Vec<_>, Error>>()?;
        let candidates: Vec<Candidate<'_>> = batch.iter().zip(&samples).map(candidate).collect();
        let answers =
            commits::preupload(work.client, work.push.kind, work.push.repository, &candidates).await?;
        let answers: BTreeMap<&str, &Answer> = answers.iter().map(|answer| (&*answer.path, answer)).collect();
        for file in batch {
            if must_be_sent(file, answers.get(file.path.as_str()).copied()).await? {
                let path = file.path.as_str().to_owned();
                changed.push(Content { path, source: file.source.clone(), n_bytes: file.n_bytes });
            }
        }
    }
    Ok(changed)
}

fn candidate<'a>((file, sample): (&'a LocalFile, &'a Vec<u8>)) -> Candidate<'a> {
    Candidate { path: file.path.as_str(), n_bytes: file.n_bytes, sample }
}

fn sample(file: &LocalFile) -> Result<Vec<u8>, Error> {
    let read = |source| Error::File { operation: "read", path: file.source.clone(), source };
    let mut sample = Vec::new();
    File::open(&file.source).and_then(|open| open.take(SAMPLE).read_to_end(&mut sample)).map_err(read)?;
    Ok(sample)
}

async fn must_be_sent(file: &LocalFile, answer: Option<&Answer>) -> Result<bool, Error> {
    let Some(answer) = answer else { return Ok(true) };
    if answer.should_ignore {
        return Ok(false);
    }
    if answer.upload_mode != "regular" {
        return Err(Error::UploadMode { path: answer.path.clone(), mode: answer.upload_mode.clone() });
    }
    let Some(remote) = &answer.oid else { return Ok(true) };
    let (path, n_bytes) = (file.source.clone(), file.n_bytes);
    let hashed = tokio::task::spawn_blocking(move || blob_id(&path, n_bytes)).await.map_err(io::Error::other);
    let local = hashed.flatten().map_err(|source| Error::File {
        operation: "read",
        path: file.source.clone(),
        source,
    })?;
    Ok(local.to_string() != *remote)
}

/// The git blob id of a file. Should it have grown or shrunk, the id is that of no file, and sending it finds out.
fn blob_id(path: &Path, n_bytes: u64) -> io::Result<Oid> {
    let mut file = File::open(path)?;
    let mut hasher = BlobHasher::new(n_bytes);
    let mut block = vec![0; BLOCK];
    loop {
        match file.read(&mut block)? {
            0 => return Ok(hasher.finish()),
            n => hasher.update(&block[..n]),
        }
    }
}
