//! The body of a commit: lines of JSON with the files' content in base64, made while they are sent.
//!
//! Invariants: one block of one file is in memory at a time, and a file that changed under our hands breaks
//! the body off, so that the server never sees a commit that looks complete and is not.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::{io, vec};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{Stream, stream as streams};
use serde_json::json;
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use crate::error::Error;
use crate::hub::commits::Header;
use crate::progress::Progress;

/// Bytes of a file that are encoded at once; a multiple of three, so that blocks join without padding.
const BLOCK: usize = 192 * 1024;

/// A file to be sent.
#[derive(Debug, Clone)]
pub struct Content {
    /// Its path in the repository.
    pub path: String,
    pub source: PathBuf,
    /// The size it had when it was looked at.
    pub n_bytes: u64,
}

/// Where a failure to read a file is left: the connection only knows that its body broke off.
pub type Failure = Arc<Mutex<Option<Error>>>;

/// The lines of a commit. What goes wrong with a file is left in `failure`.
pub fn stream(
    header: &Header,
    files: Vec<Content>,
    progress: Arc<dyn Progress>,
    failure: Failure,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let first = format!("{}\n", json!({ "key": "header", "value": header }));
    let body = Body { files: files.into_iter(), progress, failure };
    streams::try_unfold((body, State::Ready(first)), |(mut body, state)| async move {
        match body.step(state).await {
            Ok(Some((bytes, state))) => Ok(Some((bytes, (body, state)))),
            Ok(None) => Ok(None),
            Err(error) => {
                *body.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                Err(io::Error::other("a file could not be read"))
            }
        }
    })
}

struct Body {
    files: vec::IntoIter<Content>,
    progress: Arc<dyn Progress>,
    failure: Failure,
}

enum State {
    /// Something to send before the next file.
    Ready(String),
    Between,
    Inside {
        file: File,
        content: Content,
        left: u64,
    },
}

impl Body {
    async fn step(&mut self, state: State) -> Result<Option<(Bytes, State)>, Error> {
        match state {
            State::Ready(text) => Ok(Some((Bytes::from(text), State::Between))),
            State::Between => match self.files.next() {
                Some(content) => open(content).await.map(Some),
                None => Ok(None),
            },
            State::Inside { content, file, left: 0 } => close(content, file).await.map(Some),
            State::Inside { mut file, content, left } => {
                let n_bytes = left.min(BLOCK as u64);
                let block = read_block(&mut file, &content, n_bytes).await?;
                self.progress.advance(n_bytes);
                let left = left - n_bytes;
                Ok(Some((Bytes::from(STANDARD.encode(block)), State::Inside { file, content, left })))
            }
        }
    }
}

async fn open(content: Content) -> Result<(Bytes, State), Error> {
    let read = |source| Error::File { operation: "read", path: content.source.clone(), source };
    let file = File::open(&content.source).await.map_err(read)?;
    let path = json!(content.path);
    let text = format!(r#"{{"key":"file","value":{{"path":{path},"encoding":"base64","content":""#);
    let left = content.n_bytes;
    Ok((Bytes::from(text), State::Inside { file, content, left }))
}

async fn close(content: Content, mut file: File) -> Result<(Bytes, State), Error> {
    let failed = |source| Error::File { operation: "read", path: content.source.clone(), source };
    match file.read(&mut [0]).await.map_err(failed)? {
        0 => Ok((Bytes::from_static(b"\"}}\n"), State::Between)),
        _ => Err(Error::FileChanged { path: content.source }),
    }
}

async fn read_block(file: &mut File, content: &Content, n_bytes: u64) -> Result<Vec<u8>, Error> {
    let mut block = vec![0; usize::try_from(n_bytes).unwrap_or(BLOCK)];
    file.read_exact(&mut block).await.map_err(|source| match source.kind() {
        io::ErrorKind::UnexpectedEof => Error::FileChanged { path: content.source.clone() },
        _ => Error::File { operation: "read", path: content.source.clone(), source },
    })?;
    Ok(block)
}
