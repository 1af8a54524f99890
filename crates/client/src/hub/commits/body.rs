//! The body of a commit: lines of JSON, with the content of files in base64 or the names of files that were sent before,
//! made while they are sent.
//!
//! Invariants: some blocks are in memory at a time, and a file that changed under our hands breaks the body off, so that
//! the server never sees a commit that looks complete and is not.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::vec;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{Stream, stream as streams};
use serde_json::json;
use spec::digest::Sha256;

use crate::error::Error;
use crate::hub::commits::Header;
use crate::progress::Progress;

/// Bytes of a file that are encoded at once; a multiple of three, so that blocks join without padding.
const BLOCK: usize = 192 * 1024;
/// Bytes of a piece of the body, after which it is sent: small files go together.
const PIECE: usize = 512 * 1024;

/// A file to be sent.
#[derive(Debug, Clone)]
pub struct Content {
    /// Its path in the repository.
    pub path: String,
    pub source: PathBuf,
    /// The size it had when it was looked at.
    pub n_bytes: u64,
}

/// A file whose bytes the server has already.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Its path in the repository.
    pub path: String,
    pub n_bytes: u64,
    pub sha256: Sha256,
}

/// Where a failure to read a file is left: the connection only knows that its body broke off.
pub type Failure = Arc<Mutex<Option<Error>>>;

/// The lines of a commit. What goes wrong with a file is left in `failure`.
pub fn stream(
    header: &Header,
    (sent, files): (&[Sent], Vec<Content>),
    progress: Arc<dyn Progress>,
    failure: Failure,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let mut first = format!("{}\n", json!({ "key": "header", "value": header }));
    for Sent { path, n_bytes, sha256 } in sent {
        let value = json!({ "path": path, "algo": "sha256", "oid": sha256, "size": n_bytes });
        first.push_str(&format!("{}\n", json!({ "key": "lfsFile", "value": value })));
    }
    let body = Body { files: files.into_iter(), open: None, progress };
    streams::try_unfold((body, Some(first)), move |(mut body, first)| {
        let failure = failure.clone();
        async move {
            if let Some(first) = first {
                return Ok(Some((Bytes::from(first), (body, None))));
            }
            // Files are read on a thread that may wait, many small ones in one go.
            let reading = tokio::task::spawn_blocking(move || body.piece().map(|piece| (piece, body)));
            match reading.await.map_err(io::Error::other)? {
                Ok((None, _)) => Ok(None),
                Ok((Some(piece), body)) => Ok(Some((piece, (body, None)))),
                Err(error) => {
                    *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    Err(io::Error::other("a file could not be read"))
                }
            }
        }
    })
}

struct Body {
    files: vec::IntoIter<Content>,
    /// The file that is being read, and how much of it is left.
    open: Option<(File, Content, u64)>,
    progress: Arc<dyn Progress>,
}

impl Body {
    /// The next piece of the body; none at its end.
    fn piece(&mut self) -> Result<Option<Bytes>, Error> {
        let mut piece = String::with_capacity(PIECE + 2 * BLOCK);
        while piece.len() < PIECE {
            match self.open.take() {
                None => match self.files.next() {
                    Some(content) => self.open = Some(open(content, &mut piece)?),
                    None => break,
                },
                Some((file, content, 0)) => {
                    close(file, content)?;
                    piece.push_str("\"}}\n");
                }
                Some((mut file, content, left)) => {
                    let n_bytes = left.min(BLOCK as u64);
                    STANDARD.encode_string(read_block(&mut file, &content, n_bytes)?, &mut piece);
                    self.progress.advance(n_bytes);
                    self.open = Some((file, content, left - n_bytes));
                }
            }
        }
        Ok((!piece.is_empty()).then(|| Bytes::from(piece)))
    }
}

fn open(content: Content, piece: &mut String) -> Result<(File, Content, u64), Error> {
    let read = |source| Error::File { operation: "read", path: content.source.clone(), source };
    let file = File::open(&content.source).map_err(read)?;
    let path = json!(content.path);
    piece.push_str(&format!(r#"{{"key":"file","value":{{"path":{path},"encoding":"base64","content":""#));
    let left = content.n_bytes;
    Ok((file, content, left))
}

fn close(mut file: File, content: Content) -> Result<(), Error> {
    let found = file.read(&mut [0]);
    match found.map_err(|source| Error::File { operation: "read", path: content.source.clone(), source })? {
        0 => Ok(()),
        _ => Err(Error::FileChanged { path: content.source }),
    }
}

fn read_block(file: &mut File, content: &Content, n_bytes: u64) -> Result<Vec<u8>, Error> {
    let mut block = vec![0; usize::try_from(n_bytes).unwrap_or(BLOCK)];
    file.read_exact(&mut block).map_err(|source| match source.kind() {
        io::ErrorKind::UnexpectedEof => Error::FileChanged { path: content.source.clone() },
        _ => Error::File { operation: "read", path: content.source.clone(), source },
    })?;
    Ok(block)
}
